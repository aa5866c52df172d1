import { useLayoutEffect, useRef } from "react";

const LEAST = 360;
const MARGIN = 8;

/**
 * Make an element as high as the window leaves room for, so that the page does not scroll. What is
 * above it grows and shrinks (the line of a run), and what is below it keeps its height. A page that
 * shows more than the canvas gives a fixed height instead.
 */
export function useHeight<E extends HTMLElement>(fixed?: number) {
  const ref = useRef<E>(null);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    if (fixed !== undefined) {
      element.style.setProperty("--height", `${fixed}px`);
      return;
    }
    const page = element.closest<HTMLElement>('[data-testid="stMainBlockContainer"]') ?? document.body;
    const fit = () => {
      const { top, height } = element.getBoundingClientRect();
      const scrolled = page.parentElement?.scrollTop ?? 0;
      const below = page.getBoundingClientRect().bottom - (top + height);
      const room = window.innerHeight - (top + scrolled) - below - MARGIN;
      element.style.setProperty("--height", `${Math.max(LEAST, Math.floor(room))}px`);
    };
    const observer = new ResizeObserver(fit);
    observer.observe(page);
    window.addEventListener("resize", fit);
    fit();
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", fit);
    };
  }, [fixed]);
  return ref;
}
