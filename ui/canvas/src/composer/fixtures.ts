/** Components and documents for the unit tests. */

import { paletteOf } from "./matching";
import type {
  ComponentDescription,
  FieldDescription,
  PipelineDocument,
  PortDescription,
} from "./types";

export function field(
  name: string,
  type = "string",
  role: FieldDescription["role"] = "single",
): FieldDescription {
  return { name, number: 1, role, type, label: role === "repeated" ? `repeated ${type}` : type };
}

export function port(
  type: string,
  collections: PortDescription["collections"] = null,
  fields: FieldDescription[] = [field("id")],
): PortDescription {
  return { message: type, type, stream: false, collections, fields };
}

export function component(
  name: string,
  operations: Record<string, [PortDescription | null, PortDescription | null]>,
  more: Partial<ComponentDescription> = {},
): ComponentDescription {
  return {
    reference: `${name}@1.0.0`,
    name,
    version: "1.0.0",
    title: name,
    description: "For tests.",
    licence: "Apache-2.0",
    keywords: [],
    nodeType: "model",
    builtIn: true,
    operations: Object.entries(operations).map(([operation, [input, output]]) => ({
      name: operation,
      description: "",
      input,
      output,
    })),
    schema: {},
    resources: { cpu: 1, memory: "1Gi", gpu: 0 },
    ...more,
  };
}

export const SCENES = component(
  "scenes",
  { search: [null, port("Item", { parameter: "collections" })] },
  { schema: { properties: { collections: { default: ["optical"] } } } },
);
export const CLEAN = component("clean", {
  prepare: [port("Item", ["optical"]), port("Item", ["reflectance"])],
});
export const TABLES = component("tables", {
  draw: [port("Table", null, [field("id"), field("mean", "double"), field("tags", "string", "repeated")]), null],
});
export const PALETTE = paletteOf([SCENES, CLEAN, TABLES]);

export function pipeline(): PipelineDocument {
  return {
    name: "test",
    nodes: {
      scenes: { component: "scenes" },
      clean: { component: "clean@1.0.0" },
      tables: { component: "tables" },
    },
    links: ["scenes.search -> clean.prepare"],
    positions: {
      nodes: { scenes: { x: 0, y: 0 }, clean: { x: 300, y: 0 }, tables: { x: 600, y: 0 } },
      groups: [{ id: "g", title: "group", nodes: ["scenes", "clean"] }],
    },
  };
}
