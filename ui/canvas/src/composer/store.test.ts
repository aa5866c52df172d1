import { beforeEach, describe, expect, it } from "vitest";
import { remove, setParameter } from "./document";
import { pipeline } from "./fixtures";
import { createEditor, type Editor } from "./store";

let editor: Editor;
const state = () => editor.getState();

beforeEach(() => {
  editor = createEditor();
  state().open(1, pipeline(), 5);
});

describe("the editor", () => {
  it("counts revisions on from those that the page has", () => {
    state().apply("set", (before) => setParameter(before, "clean", "a", 1));
    expect(state().revision).toBe(6);
    state().undo();
    expect(state().revision).toBe(7);
  });

  it("undoes and does again, step by step", () => {
    const opened = state().document;
    state().apply("set a", (before) => setParameter(before, "clean", "a", 1));
    state().apply("set b", (before) => setParameter(before, "clean", "b", 2));
    const changed = state().document;
    expect(state().past.map(({ label }) => label)).toEqual(["set a", "set b"]);
    state().undo();
    state().undo();
    state().undo();
    expect(state().document).toBe(opened);
    state().redo();
    state().redo();
    state().redo();
    expect(state().document).toBe(changed);
  });

  it("forgets what was undone when something else is done", () => {
    state().apply("set a", (before) => setParameter(before, "clean", "a", 1));
    state().undo();
    state().apply("set b", (before) => setParameter(before, "clean", "b", 2));
    expect(state().future).toEqual([]);
  });

  it("takes a change of nothing as no change", () => {
    state().apply("nothing", (before) => before);
    expect(state()).toMatchObject({ revision: 5, past: [] });
  });

  it("does not change a document that may only be read", () => {
    state().setReadOnly(true);
    state().apply("delete", (before) => remove(before, new Set(["clean"]), new Set()));
    expect(state().revision).toBe(5);
  });

  it("begins anew with another document", () => {
    state().apply("set", (before) => setParameter(before, "clean", "a", 1));
    state().select(["clean"]);
    state().open(2, pipeline(), 0);
    expect(state()).toMatchObject({ load: 2, revision: 0, past: [] });
    expect(state().nodes.size).toBe(0);
  });

  it("gives every node of a document a place", () => {
    const document = { ...pipeline(), positions: { nodes: { scenes: { x: 5, y: 5 } } } };
    state().open(3, document, 0);
    expect(Object.keys(state().document.positions.nodes ?? {}).sort()).toEqual(["clean", "scenes", "tables"]);
    expect(state().document.positions.nodes?.["scenes"]).toEqual({ x: 5, y: 5 });
  });

  it("remembers no more than 200 steps", () => {
    for (let number = 0; number < 210; number += 1) {
      state().apply("set", (before) => setParameter(before, "clean", "a", number));
    }
    expect(state().past).toHaveLength(200);
  });
});
