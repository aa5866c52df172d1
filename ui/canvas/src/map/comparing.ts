/** The part of a pane that is seen on one side of the slider, as a CSS clip-path. */
export function clipOf(
  side: "left" | "right",
  share: number,
  view: { left: number; top: number; width: number; height: number },
): string {
  const middle = view.left + view.width * share;
  const [from, to] = side === "left" ? [view.left, middle] : [middle, view.left + view.width];
  const bottom = view.top + view.height;
  return `polygon(${from}px ${view.top}px, ${to}px ${view.top}px, ${to}px ${bottom}px, ${from}px ${bottom}px)`;
}

/** Where the slider goes with a key; undefined for other keys. */
export function moved(share: number, key: string, far: boolean): number | undefined {
  const step = far ? 0.1 : 0.02;
  const target = {
    ArrowLeft: share - step,
    ArrowRight: share + step,
    Home: 0,
    End: 1,
  }[key];
  return target === undefined ? undefined : clamped(target);
}

export function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}
