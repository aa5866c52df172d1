/** The state of the editor: the document, what can be undone, and what is selected. */

import { create } from "zustand";
import { emptyDocument, withPositions } from "./document";
import { missingPositions } from "./layout";
import type { End, Side } from "./links";
import type { PipelineDocument } from "./types";

const UNDO_LIMIT = 200;

/** A port by its place: where a link begins that is being drawn. */
export interface PortPlace extends End {
  side: Side;
}

interface Step {
  document: PipelineDocument;
  label: string;
}

export interface EditorState {
  /** Which draft this is; the page gives it. */
  load: number;
  /** Counts the changes of this draft. */
  revision: number;
  document: PipelineDocument;
  past: Step[];
  future: Step[];
  nodes: ReadonlySet<string>;
  links: ReadonlySet<string>;
  notes: ReadonlySet<string>;
  /** Counts the selections that were not made on the drawing, which then has to follow. */
  selections: number;
  /** A port that was chosen or dragged from: the ports that fit it light up. */
  port: PortPlace | null;
  /** Why the last link was refused, or another short message. */
  message: string | null;
  readOnly: boolean;

  open: (load: number, document: PipelineDocument, revision: number) => void;
  apply: (label: string, change: (document: PipelineDocument) => PipelineDocument) => void;
  undo: () => void;
  redo: () => void;
  /** Select from elsewhere: the drawing follows. */
  select: (nodes: Iterable<string>, links?: Iterable<string>, notes?: Iterable<string>) => void;
  /** Take note of what was selected on the drawing. */
  noteSelection: (
    nodes: Iterable<string>,
    links: Iterable<string>,
    notes: Iterable<string>,
  ) => void;
  setPort: (port: PortPlace | null) => void;
  say: (message: string | null) => void;
  setReadOnly: (readOnly: boolean) => void;
}

export function createEditor() {
  return create<EditorState>()((set) => ({
    load: -1,
    revision: 0,
    document: emptyDocument("pipeline"),
    past: [],
    future: [],
    nodes: new Set<string>(),
    links: new Set<string>(),
    notes: new Set<string>(),
    selections: 0,
    port: null,
    message: null,
    readOnly: false,

    open: (load, given, revision) => {
      // From now on every node has a place, so that a new one does not move the others.
      const document = withPositions(given, missingPositions(given));
      set({ load, document, revision, past: [], future: [], ...NOTHING_SELECTED, port: null });
    },

    apply: (label, change) =>
      set((state) => {
        if (state.readOnly) return {};
        const document = change(state.document);
        if (document === state.document) return {};
        return {
          document,
          revision: state.revision + 1,
          past: [...state.past, { document: state.document, label }].slice(-UNDO_LIMIT),
          future: [],
        };
      }),

    undo: () =>
      set((state) => {
        const step = state.past.at(-1);
        if (!step || state.readOnly) return {};
        return {
          document: step.document,
          revision: state.revision + 1,
          past: state.past.slice(0, -1),
          future: [...state.future, { document: state.document, label: step.label }],
          ...NOTHING_SELECTED,
          selections: state.selections + 1,
        };
      }),

    redo: () =>
      set((state) => {
        const step = state.future.at(-1);
        if (!step || state.readOnly) return {};
        return {
          document: step.document,
          revision: state.revision + 1,
          past: [...state.past, { document: state.document, label: step.label }],
          future: state.future.slice(0, -1),
          ...NOTHING_SELECTED,
          selections: state.selections + 1,
        };
      }),

    select: (nodes, links = [], notes = []) =>
      set((state) => ({
        nodes: new Set(nodes),
        links: new Set(links),
        notes: new Set(notes),
        selections: state.selections + 1,
      })),

    noteSelection: (nodes, links, notes) =>
      set((state) => {
        const selection = { nodes: new Set(nodes), links: new Set(links), notes: new Set(notes) };
        const same =
          equal(selection.nodes, state.nodes) &&
          equal(selection.links, state.links) &&
          equal(selection.notes, state.notes);
        return same ? {} : selection;
      }),

    setPort: (port) => set({ port }),
    say: (message) => set({ message }),
    setReadOnly: (readOnly) => set({ readOnly }),
  }));
}

export type Editor = ReturnType<typeof createEditor>;

const NOTHING_SELECTED = {
  nodes: new Set<string>(),
  links: new Set<string>(),
  notes: new Set<string>(),
};

function equal(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  return left.size === right.size && [...left].every((name) => right.has(name));
}
