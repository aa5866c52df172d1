/** Degrees between two lines, so that about five of them are seen. */
const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

export interface GraticuleLine {
  at: number;
  label: string;
  along: "parallel" | "meridian";
}

export function stepFor(span: number, lines = 6): number {
  return STEPS.find((step) => span / step <= lines) ?? 45;
}

/** The lines within a view, in degrees. */
export function linesWithin(west: number, south: number, east: number, north: number): GraticuleLine[] {
  const step = stepFor(Math.max(east - west, north - south));
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const lines: GraticuleLine[] = [];
  for (const at of multiples(west, east, step)) {
    const wrapped = ((((at + 180) % 360) + 360) % 360) - 180;
    lines.push({ at, along: "meridian", label: label(wrapped, digits, "E", "W") });
  }
  for (const at of multiples(Math.max(south, -85), Math.min(north, 85), step)) {
    lines.push({ at, along: "parallel", label: label(at, digits, "N", "S") });
  }
  return lines;
}

function label(value: number, digits: number, positive: string, negative: string): string {
  const side = value === 0 ? "" : ` ${value < 0 ? negative : positive}`;
  return `${Math.abs(value).toFixed(digits)}°${side}`;
}

function multiples(from: number, to: number, step: number): number[] {
  const found: number[] = [];
  // Counted in whole steps, so that rounding does not add up.
  for (let n = Math.ceil(from / step); n * step <= to && found.length < 60; n++) found.push(n * step);
  return found;
}
