/** What buttons and keys do. */

import { copyText, paste, remove, withGroups, withNotes, withPositions } from "./document";
import { layout, type Sizes } from "./layout";
import type { Editor } from "./store";
import type { Point } from "./types";

const ASIDE: Point = { x: 40, y: 40 };

/** What was copied in this tab, for browsers that do not let us read the clipboard. */
let copied = "";

export function actionsOf(editor: Editor) {
  const { apply, select, say, undo, redo } = editor.getState();

  const pasteText = (text: string) => {
    let added: string[] | null = null;
    apply("paste", (document) => {
      const result = paste(document, text, ASIDE);
      if (!result) return document;
      added = result[1];
      return result[0];
    });
    if (added) select(added);
    else say("there are no nodes to paste; copy some first");
  };

  return {
    undo,
    redo,

    remove: () => {
      const { nodes, links, notes } = editor.getState();
      apply("delete", (document) => remove(document, nodes, links, notes));
      select([]);
    },

    copy: async () => {
      const { document, nodes } = editor.getState();
      if (nodes.size === 0) return;
      copied = copyText(document, nodes);
      await navigator.clipboard?.writeText(copied).catch(() => undefined);
    },

    paste: async () => {
      const text = await navigator.clipboard?.readText().catch(() => "");
      pasteText(text || copied);
    },

    pasteText: (text: string) => pasteText(text || copied),

    selectAll: () => {
      const { document } = editor.getState();
      const notes = (document.positions.notes ?? []).map(({ id }) => id);
      select(Object.keys(document.nodes), document.links, notes);
    },

    arrange: (sizes: Sizes) =>
      apply("arrange", (document) => withPositions(document, layout(document, sizes))),

    note: (at: Point) => {
      const id = identifier();
      apply("add note", (document) =>
        withNotes(document, [
          ...(document.positions.notes ?? []),
          { id, text: "", x: Math.round(at.x), y: Math.round(at.y) },
        ]),
      );
    },

    group: () => {
      const { nodes } = editor.getState();
      if (nodes.size === 0) return;
      apply("group", (document) => {
        // A node is in one group at most.
        const others = (document.positions.groups ?? [])
          .map((group) => ({ ...group, nodes: group.nodes.filter((name) => !nodes.has(name)) }))
          .filter((group) => group.nodes.length > 0);
        const own = { id: identifier(), title: "group", nodes: [...nodes] };
        return withGroups(document, [...others, own]);
      });
    },
  };
}

function identifier(): string {
  return Math.random().toString(36).slice(2, 10);
}
