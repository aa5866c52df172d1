import { describe as suite, expect, it } from "vitest";
import {
  addLink,
  addNode,
  copyText,
  describe,
  emptyDocument,
  freeName,
  linkedFields,
  paste,
  remove,
  renameNode,
  setParameter,
  setValue,
} from "./document";
import { CLEAN, pipeline } from "./fixtures";

suite("changes of a document", () => {
  it("leave the document before as it was", () => {
    const before = pipeline();
    const copy = structuredClone(before);
    addNode(before, CLEAN, { x: 1, y: 1 });
    setParameter(before, "clean", "resolution", 20);
    renameNode(before, "clean", "other");
    remove(before, new Set(["clean"]), new Set());
    paste(before, copyText(before, new Set(["clean"])), { x: 1, y: 1 });
    expect(before).toEqual(copy);
  });

  it("give a new node a free name, its version and a place on whole pixels", () => {
    const [after, name] = addNode(pipeline(), CLEAN, { x: 10.4, y: 5.6 });
    expect(name).toBe("clean-2");
    expect(after.nodes[name]).toEqual({ component: "clean@1.0.0" });
    expect(after.positions.nodes?.[name]).toEqual({ x: 10, y: 6 });
  });

  it("keep names of nodes within 63 characters", () => {
    const long = "a".repeat(63);
    const document = { ...emptyDocument("x"), nodes: { [long]: { component: "c" } } };
    expect(freeName(document, long)).toHaveLength(60);
  });

  it("leave out what is at its default", () => {
    const set = setParameter(pipeline(), "clean", "resolution", 20);
    expect(set.nodes["clean"]?.params).toEqual({ resolution: 20 });
    expect(setParameter(set, "clean", "resolution", undefined).nodes["clean"]).toEqual({
      component: "clean@1.0.0",
    });
    const literal = setValue(pipeline(), "tables", "draw", "mean", 0);
    expect(literal.nodes["tables"]?.values).toEqual({ draw: { mean: 0 } });
    expect(setValue(literal, "tables", "draw", "mean", undefined).nodes["tables"]).toEqual({
      component: "tables",
    });
    const described = describe(pipeline(), { title: "A title" });
    expect(described.title).toBe("A title");
    expect("title" in describe(described, { title: "" })).toBe(false);
  });

  it("rename a node in links, positions and groups", () => {
    const after = renameNode(pipeline(), "clean", "cloud-free");
    expect(after.links).toEqual(["scenes.search -> cloud-free.prepare"]);
    expect(Object.keys(after.nodes)).toEqual(["scenes", "cloud-free", "tables"]);
    expect(after.positions.nodes?.["cloud-free"]).toEqual({ x: 300, y: 0 });
    expect(after.positions.groups?.[0]?.nodes).toEqual(["scenes", "cloud-free"]);
  });

  it.each(["Clean", "2d", "a_b", "", "scenes", "a".repeat(64)])("refuse the name %j", (name) => {
    const before = pipeline();
    expect(renameNode(before, "clean", name)).toBe(before);
  });

  it("remove a node with its links and from its group", () => {
    const after = remove(pipeline(), new Set(["clean", "scenes"]), new Set());
    expect(after.links).toEqual([]);
    expect(after.positions.groups).toEqual([]);
    expect(Object.keys(after.nodes)).toEqual(["tables"]);
  });

  it("make no link twice", () => {
    const before = pipeline();
    expect(addLink(before, before.links[0] ?? "")).toBe(before);
  });

  it("tell which fields are linked, and whether the whole message is", () => {
    const document = { ...pipeline(), links: ["a.x -> tables.draw.mean", "a.x -> clean.prepare"] };
    expect([...linkedFields(document, "tables", "draw")]).toEqual(["mean"]);
    expect([...linkedFields(document, "clean", "prepare")]).toEqual([""]);
  });
});

suite("copies", () => {
  it("bring the links among the nodes, under free names and aside", () => {
    const before = pipeline();
    const text = copyText(before, new Set(["scenes", "clean"]));
    const [after, added] = paste(before, text, { x: 40, y: 40 }) ?? [];
    expect(added).toEqual(["scenes-2", "clean-2"]);
    expect(after?.links).toContain("scenes-2.search -> clean-2.prepare");
    expect(after?.positions.nodes?.["clean-2"]).toEqual({ x: 340, y: 40 });
  });

  it.each([
    "",
    "hello",
    "null",
    "[]",
    '{"nodes": {}}',
    '{"nodes": {"a": null}, "links": []}',
    '{"nodes": {"a": {"component": 1}}, "links": []}',
    '{"nodes": {"a": {"component": "c"}}, "links": [1]}',
    " ".repeat(1_000_001),
  ])("are not made of other text: %.40j", (text) => {
    expect(paste(pipeline(), text, { x: 0, y: 0 })).toBeNull();
  });

  it("take names that are none of ours as `node`", () => {
    const text = JSON.stringify({ nodes: { "<b>": { component: "c" } }, links: [] });
    expect(paste(pipeline(), text, { x: 0, y: 0 })?.[1]).toEqual(["node"]);
  });
});
