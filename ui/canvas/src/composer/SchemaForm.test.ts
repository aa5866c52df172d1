import { describe, expect, it } from "vitest";
import { choicesOf, read, written } from "./SchemaForm";
import type { JsonValue, Schema } from "./types";

const LIST: Schema = { type: "array", items: { type: "number" } };
const TEXT_OR_NONE: Schema = { anyOf: [{ type: "string" }, { type: "null" }] };

describe("what is typed", () => {
  it.each<[string, Schema, JsonValue]>([
    ["12", { type: "integer" }, 12],
    [" 1e-3 ", { type: "number" }, 0.001],
    ["-.5", { type: "number" }, -0.5],
    ["12", { type: "string" }, "12"],
    ["true", { type: "boolean" }, true],
    ["1, 2.5", LIST, [1, 2.5]],
    ["[1, 2]", LIST, [1, 2]],
    ["a, b", { type: "string" }, "a, b"],
    ["null", TEXT_OR_NONE, null],
    ["null", { type: "string" }, "null"],
    ['{"a": 1}', { type: "object" }, { a: 1 }],
  ])("%j is read by the schema", (text, schema, value) => {
    expect(read(text, schema)).toEqual(value);
  });

  it.each<[string, Schema]>([
    ["twelve", { type: "integer" }],
    ["[1, 2", LIST],
    ["1,5", { type: "number" }],
  ])("%j stays text where it cannot be read, for the composer to refuse", (text, schema) => {
    expect(read(text, schema)).toBe(text);
  });
});

describe("a value", () => {
  it.each<[JsonValue, Schema]>([
    [12.5, { type: "number" }],
    ["text", { type: "string" }],
    [[1, 2, 3], LIST],
    [[], LIST],
    [["a, b", "c"], { type: "array", items: { type: "string" } }],
    [{ a: [1] }, { type: "object" }],
    [null, TEXT_OR_NONE],
  ])("%j reads back as it is written", (value, schema) => {
    expect(read(written(value), schema)).toEqual(value);
  });
});

describe("choices", () => {
  it("are those of the schema, open where others are allowed", () => {
    expect(choicesOf({ enum: ["a", "b"] })).toEqual({ values: ["a", "b"], open: false });
    expect(choicesOf({ anyOf: [{ const: "auto" }, { type: "number" }] })).toEqual({
      values: ["auto"],
      open: true,
    });
    expect(choicesOf({ anyOf: [{ enum: ["a"] }, { type: "null" }] })?.open).toBe(false);
    expect(choicesOf({ type: "string" })).toBeNull();
  });
});
