import { describe, expect, it } from "vitest";
import { CLEAN, PALETTE, pipeline, port, SCENES, TABLES } from "./fixtures";
import { componentFits, emittedCollections, fits, paletteOf, refusal } from "./matching";
import { parseLink } from "./links";

function reason(text: string, document = { ...pipeline(), links: [] as string[] }): string | null {
  const link = parseLink(text);
  if (!link) throw new Error(text);
  return refusal(PALETTE, document, link.source, link.target);
}

describe("a link", () => {
  it("may be made where structure and meaning agree", () => {
    expect(reason("scenes.search -> clean.prepare")).toBeNull();
  });

  it.each([
    ["scenes.search -> tables.draw", "scenes.search sends Item, tables.draw takes Table"],
    ["clean.prepare -> clean.prepare", "from an operation to itself"],
    ["tables.draw -> clean.prepare", "tables.draw is a sink"],
    ["clean.prepare -> scenes.search", "scenes.search is a source"],
    ["scenes.search.id -> tables.draw.mean", "sends string, tables.draw.mean takes double"],
    ["scenes.search.no -> tables.draw.id", "no such field"],
    ["scenes.search -> nobody.prepare", "is not known here"],
  ])("is refused with the reason: %s", (text, words) => {
    expect(reason(text)).toContain(words);
  });

  it("is refused where it is there already", () => {
    expect(reason("scenes.search -> clean.prepare", pipeline())).toContain("already");
  });

  it("joins single and repeated fields of one type", () => {
    expect(reason("scenes.search.id -> tables.draw.id")).toBeNull();
    expect(reason("scenes.search.id -> tables.draw.tags")).toBeNull();
  });

  it("follows what the node's parameters say it emits", () => {
    const document = { ...pipeline(), links: [] };
    document.nodes["scenes"] = { component: "scenes", params: { collections: ["radar"] } };
    expect(reason("scenes.search -> clean.prepare", document)).toBe(
      "scenes.search emits radar, clean.prepare accepts optical",
    );
    document.nodes["scenes"] = { component: "scenes", params: { collections: [3] } };
    expect(reason("scenes.search -> clean.prepare", document)).toBeNull();
  });
});

describe("ports", () => {
  it("fit by their types, whichever is drawn from", () => {
    const [item, table] = [port("Item"), port("Table")];
    expect(fits(item, undefined, "output", item, undefined)).toBe(true);
    expect(fits(item, undefined, "input", table, undefined)).toBe(false);
  });

  it("find the components that fit them", () => {
    const output = CLEAN.operations[0]?.output ?? port("");
    expect(componentFits(CLEAN, output, undefined, "output")).toBe(true);
    expect(componentFits(TABLES, output, undefined, "output")).toBe(false);
    expect(componentFits(SCENES, output, undefined, "output")).toBe(false);
  });

  it("are silent without a parameter that says what they emit", () => {
    const output = SCENES.operations[0]?.output ?? port("");
    expect(emittedCollections(output, { component: "gone" }, PALETTE)).toBeNull();
    expect(emittedCollections(output, { component: "scenes" }, PALETTE)).toEqual(["optical"]);
  });
});

describe("a palette", () => {
  it("finds a component by its name alone in its newest version, which comes first", () => {
    const older = { ...CLEAN, version: "0.9.0", reference: "clean@0.9.0" };
    const palette = paletteOf([CLEAN, older]);
    expect(palette.get("clean")).toBe(CLEAN);
    expect(palette.get("clean@0.9.0")).toBe(older);
  });
});
