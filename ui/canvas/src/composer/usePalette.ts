import { useEffect, useState } from "react";
import type { ComponentDescription } from "./types";

const AGAIN_AFTER_MS = 2000;

/**
 * The components of a palette, fetched once by its digest: they are large, and the page sends its
 * data after each change. Null until the first palette is there; then the last one that is.
 */
export function usePalette(digest: string): ComponentDescription[] | null {
  const [components, setComponents] = useState<ComponentDescription[] | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isWanted = true;
    const load = async () => {
      try {
        const answer = await fetch(new URL(`palette/${digest}.json`, document.baseURI));
        if (!answer.ok) throw new Error(answer.statusText);
        const found = (await answer.json()) as ComponentDescription[];
        if (isWanted) setComponents(found);
      } catch {
        if (isWanted) timer = setTimeout(() => void load(), AGAIN_AFTER_MS);
      }
    };
    void load();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [digest]);
  return components;
}
