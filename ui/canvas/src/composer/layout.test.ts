import { describe, expect, it } from "vitest";
import { pipeline } from "./fixtures";
import { layout, missingPositions } from "./layout";
import type { PipelineDocument } from "./types";

describe("the layout", () => {
  it("goes from left to right in the order of the links", () => {
    const document = {
      ...pipeline(),
      links: ["tables.draw -> clean.prepare", "clean.prepare -> scenes.search"],
    };
    const { scenes, clean, tables } = layout(document, new Map());
    expect(tables?.x).toBeLessThan(clean?.x ?? 0);
    expect(clean?.x).toBeLessThan(scenes?.x ?? 0);
  });

  it("leaves room for nodes as large as they are", () => {
    const sizes = new Map([["scenes", { width: 900, height: 100 }]]);
    const { scenes, clean } = layout(pipeline(), sizes);
    expect((clean?.x ?? 0) - (scenes?.x ?? 0)).toBeGreaterThan(900);
  });

  it("bears links to nowhere and cycles", () => {
    const document = {
      ...pipeline(),
      links: ["nobody.x -> clean.prepare", "clean.a -> tables.b", "tables.b -> clean.a", "?"],
    };
    expect(Object.keys(layout(document, new Map()))).toHaveLength(3);
  });
});

describe("missing positions", () => {
  it("are found below those that there are", () => {
    const document = pipeline();
    delete document.positions.nodes?.["tables"];
    const found = missingPositions(document);
    expect(Object.keys(found)).toEqual(["tables"]);
    expect(found["tables"]?.y).toBeGreaterThan(100);
  });

  it("are found for what is no position", () => {
    const document = { ...pipeline(), positions: { nodes: { scenes: { x: "a" }, clean: null } } };
    const found = missingPositions(document as unknown as PipelineDocument);
    expect(Object.keys(found)).toEqual(["scenes", "clean", "tables"]);
    expect(Object.values(found).every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
  });
});
