/** What the parts of the canvas share: the editor, the palette, problems and the run that is shown. */

import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { Marks } from "./marks";
import type { Palette } from "./matching";
import type { Editor, EditorState } from "./store";
import type { ComposerData, Problem } from "./types";

export interface Shared {
  editor: Editor;
  palette: Palette;
  marks: Marks;
  problems: readonly Problem[];
  run: ComposerData["run"];
}

export const SharedContext = createContext<Shared | null>(null);

export function useShared(): Shared {
  const shared = useContext(SharedContext);
  if (!shared) throw new Error("a part of the composer is used outside of it");
  return shared;
}

export function useEditor<T>(select: (state: EditorState) => T): T {
  return useStore(useShared().editor, select);
}
