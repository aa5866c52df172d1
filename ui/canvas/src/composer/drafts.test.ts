import { beforeEach, describe, expect, it, vi } from "vitest";
import { dropDraft, keepDraft, readDraft } from "./drafts";
import { pipeline } from "./fixtures";

const revision = { draft: "abc", load: 1, revision: 3, document: pipeline() };

beforeEach(() => localStorage.clear());

describe("a draft in the browser", () => {
  it("is there until the page has stored it", () => {
    keepDraft(revision);
    expect(readDraft("abc")).toEqual({ revision: 3, document: pipeline() });
    expect(readDraft("other")).toBeNull();
    dropDraft("abc", 2);
    expect(readDraft("abc")).not.toBeNull();
    dropDraft("abc", 3);
    expect(readDraft("abc")).toBeNull();
  });

  it.each(["", "{", "null", "[]", '{"revision": 1}', '{"revision": "1", "document": {}}'])(
    "is none where it is damaged: %j",
    (text) => {
      localStorage.setItem("eoloom-draft:abc", text);
      expect(readDraft("abc")).toBeNull();
    },
  );

  it("is given up where the browser's storage is full", () => {
    const full = vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
      throw new DOMException("full", "QuotaExceededError");
    });
    expect(() => keepDraft(revision)).not.toThrow();
    full.mockRestore();
  });
});
