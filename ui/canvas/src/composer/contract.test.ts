import { describe, expect, it } from "vitest";
import composerLinks from "./composer-links.json";
import { parseLink } from "./links";
import { paletteOf, refusal } from "./matching";
import type { ComponentDescription, PipelineDocument } from "./types";

// Made by the composer itself, from contracts on disk: see tests/ui/canvas_links.py.
const palette = paletteOf(composerLinks.palette as unknown as ComponentDescription[]);
const document = composerLinks.document as unknown as PipelineDocument;

describe("the canvas and the composer", () => {
  it("agree about every link among the ports and fields of some components", () => {
    const differing = Object.entries(composerLinks.links).filter(([text, isAllowed]) => {
      const link = parseLink(text);
      if (!link) throw new Error(text);
      return (refusal(palette, document, link.source, link.target) === null) !== isAllowed;
    });
    expect(differing).toEqual([]);
  });
});
