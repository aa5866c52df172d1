import { describe, expect, it } from "vitest";
import { handleId, linkText, parseHandle, parseLink } from "./links";

describe("links", () => {
  it.each(["a.x -> b.y", "a.x.f -> b.y", "a.x -> b.y.g"])("read back as written: %s", (text) => {
    const link = parseLink(text);
    expect(link && linkText(link)).toBe(text);
  });

  it("may have any spaces around the arrow", () => {
    expect(parseLink("a.x->b.y")).toEqual(parseLink(" a.x  ->  b.y "));
  });

  it.each(["", "a.x", "a.x -> b", "a -> b.y", "a.x -> b.y -> c.z", "a.x.f.g -> b.y"])(
    "are not read from %j",
    (text) => expect(parseLink(text)).toBeNull(),
  );

  it("begin and end at handles that say where", () => {
    expect(parseHandle(handleId("output", "search"))).toEqual({ side: "output", operation: "search" });
    expect(parseHandle(handleId("input", "draw", "mean"))).toEqual({
      side: "input",
      operation: "draw",
      field: "mean",
    });
    for (const wrong of [null, undefined, "", "input:", "other:x"]) expect(parseHandle(wrong)).toBeNull();
  });
});
