/** What the page and the canvas say to each other. Names are those of the pipeline file. */

export type Role = "single" | "repeated" | "map";

/** One field of a message. Fields fit where `type` is equal: messages of one structure share it. */
export interface FieldDescription {
  name: string;
  number: number;
  role: Role;
  type: string;
  /** The type in words, such as `repeated string`. */
  label: string;
}

/** One side of an operation. */
export interface PortDescription {
  /** Name of the message without its package. */
  message: string;
  type: string;
  stream: boolean;
  /** What it accepts or emits; null is silent; a parameter of the node may decide. */
  collections: string[] | { parameter: string } | null;
  fields: FieldDescription[];
}

export interface OperationDescription {
  name: string;
  description: string;
  /** Null where the message has no fields. */
  input: PortDescription | null;
  output: PortDescription | null;
}

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | JsonValue[]
  | { [key: string]: JsonValue };

export interface Schema {
  type?: string;
  title?: string;
  description?: string;
  default?: JsonValue;
  enum?: JsonValue[];
  const?: JsonValue;
  anyOf?: Schema[];
  items?: Schema;
  examples?: JsonValue[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

export interface ComponentDescription {
  /** `name@version`. */
  reference: string;
  name: string;
  version: string;
  title: string;
  description: string;
  licence: string;
  keywords: string[];
  nodeType: string;
  /** Whether it comes with EO Loom. */
  builtIn: boolean;
  operations: OperationDescription[];
  schema: Schema;
  resources: { cpu: number; memory: string; gpu: number };
}

export interface NodeDocument {
  component: string;
  params?: Record<string, JsonValue>;
  timeout_s?: number;
  concurrency?: number;
  replicas?: number;
  resources?: { cpu?: number; memory?: string; gpu?: number };
  on_error?: "fail" | "skip";
  values?: Record<string, Record<string, JsonValue>>;
  shared_folder?: string;
}

export interface Point {
  x: number;
  y: number;
}

export interface Note extends Point {
  id: string;
  text: string;
}

export interface Group {
  id: string;
  title: string;
  nodes: string[];
}

/** A pipeline file; what belongs to its drawing alone is kept in `positions`, as the file does. */
export interface PipelineDocument {
  name: string;
  title?: string;
  description?: string;
  nodes: Record<string, NodeDocument>;
  links: string[];
  positions: {
    nodes?: Record<string, Point>;
    notes?: Note[];
    groups?: Group[];
  };
}

/** One fault of the pipeline, as the composer found it. */
export interface Problem {
  message: string;
  code: string;
  suggestion: string | null;
  node: string | null;
  link: string | null;
  parameter: string | null;
}

/** How a node stands in the run that is shown. */
export interface NodeRun {
  state: string;
  received: number;
  answered: number;
  rate: number;
  queued: number;
  failed: number;
  progress: number | null;
  message: string;
  webInterface: string | null;
}

export interface ComposerData {
  /** Another draft has another number, and then `document` is taken instead of what is here. */
  load: number;
  /** By which the browser keeps what the page may not have got yet. */
  draft: string;
  document: PipelineDocument;
  /** The last revision that the page has stored. */
  stored: number;
  /** Digest of the components, which are fetched once by it. */
  palette: string;
  problems: Problem[];
  /** The revision to which the problems belong. */
  checked: number;
  run: Record<string, NodeRun> | null;
  readOnly: boolean;
  /** In pixels; without it the canvas takes the room that the window leaves. */
  height?: number;
}

/** What the canvas sends after each change. */
export interface Revision {
  draft: string;
  load: number;
  revision: number;
  document: PipelineDocument;
}
