/** Changes of a pipeline. Each takes a document and returns another; none changes its argument. */

import { endText, linkText, parseEnd, parseLink } from "./links";
import type {
  ComponentDescription,
  Group,
  JsonValue,
  NodeDocument,
  Note,
  PipelineDocument,
  Point,
} from "./types";

/** Names of nodes are DNS labels, because containers are called after them. */
export const NODE_NAME = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

export function emptyDocument(name: string): PipelineDocument {
  return { name, nodes: {}, links: [], positions: {} };
}

/** A name that no node has, made of the last word of a component's name. */
export function freeName(document: PipelineDocument, base: string): string {
  const taken = new Set(Object.keys(document.nodes));
  if (!taken.has(base)) return base;
  const stem = base.slice(0, 58);
  for (let number = 2; ; number += 1) {
    const name = `${stem}-${number}`;
    if (!taken.has(name)) return name;
  }
}

export function addNode(
  document: PipelineDocument,
  component: ComponentDescription,
  at: Point,
): [PipelineDocument, string] {
  const name = freeName(document, nodeNameOf(component.name));
  const nodes = { ...document.nodes, [name]: { component: component.reference } };
  return [withPositions({ ...document, nodes }, { [name]: at }), name];
}

/** Set the title or the description of the pipeline; an empty one is left out. */
export function describe(
  document: PipelineDocument,
  change: { title?: string; description?: string },
): PipelineDocument {
  const after = { ...document, ...change };
  if (!after.title) delete after.title;
  if (!after.description) delete after.description;
  return after;
}

function nodeNameOf(component: string): string {
  const words = component.toLowerCase().replace(/[^a-z0-9-]+/g, "-");
  return NODE_NAME.test(words) ? words : "node";
}

export function updateNode(
  document: PipelineDocument,
  name: string,
  change: Partial<NodeDocument>,
): PipelineDocument {
  const before = document.nodes[name];
  if (!before) return document;
  const after: Record<string, unknown> = { ...before, ...change };
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined || isEmpty(value)) delete after[key];
  }
  return { ...document, nodes: { ...document.nodes, [name]: after as unknown as NodeDocument } };
}

/** Set a parameter; `undefined` leaves it at its default. */
export function setParameter(
  document: PipelineDocument,
  node: string,
  parameter: string,
  value: JsonValue | undefined,
): PipelineDocument {
  const params = { ...document.nodes[node]?.params };
  if (value === undefined) delete params[parameter];
  else params[parameter] = value;
  return updateNode(document, node, { params });
}

/** Give a literal to a field that nothing is linked to; `undefined` takes it away. */
export function setValue(
  document: PipelineDocument,
  node: string,
  operation: string,
  field: string,
  value: JsonValue | undefined,
): PipelineDocument {
  const before = document.nodes[node]?.values ?? {};
  const fields = { ...before[operation] };
  if (value === undefined) delete fields[field];
  else fields[field] = value;
  const values = { ...before, [operation]: fields };
  if (isEmpty(fields)) delete values[operation];
  return updateNode(document, node, { values });
}

/** Rename a node with its links. Returns the same document where the name is not allowed. */
export function renameNode(
  document: PipelineDocument,
  from: string,
  to: string,
): PipelineDocument {
  if (from === to || !NODE_NAME.test(to) || to in document.nodes) return document;
  const renamed = (name: string) => (name === from ? to : name);
  const nodes = Object.fromEntries(
    Object.entries(document.nodes).map(([name, node]) => [renamed(name), node]),
  );
  const links = document.links.map((text) => {
    const link = parseLink(text);
    if (!link) return text;
    const source = { ...link.source, node: renamed(link.source.node) };
    const target = { ...link.target, node: renamed(link.target.node) };
    return linkText({ source, target });
  });
  const positions = Object.fromEntries(
    Object.entries(document.positions.nodes ?? {}).map(([name, at]) => [renamed(name), at]),
  );
  const groups = document.positions.groups?.map((group) => ({
    ...group,
    nodes: group.nodes.map(renamed),
  }));
  return {
    ...document,
    nodes,
    links,
    positions: { ...document.positions, nodes: positions, ...(groups && { groups }) },
  };
}

export function addLink(document: PipelineDocument, link: string): PipelineDocument {
  if (document.links.includes(link)) return document;
  return { ...document, links: [...document.links, link] };
}

/** Remove nodes with their links, links, and notes. */
export function remove(
  document: PipelineDocument,
  names: ReadonlySet<string>,
  links: ReadonlySet<string>,
  notes: ReadonlySet<string> = new Set(),
): PipelineDocument {
  const keep = (name: string) => !names.has(name);
  const positions = { ...document.positions };
  if (positions.nodes) positions.nodes = filtered(positions.nodes, keep);
  if (positions.notes) positions.notes = positions.notes.filter((note) => !notes.has(note.id));
  if (positions.groups) {
    positions.groups = positions.groups
      .map((group) => ({ ...group, nodes: group.nodes.filter(keep) }))
      .filter((group) => group.nodes.length > 0);
  }
  return {
    ...document,
    nodes: filtered(document.nodes, keep),
    links: document.links.filter((text) => {
      const link = parseLink(text);
      const touched = link && (names.has(link.source.node) || names.has(link.target.node));
      return !links.has(text) && !touched;
    }),
    positions,
  };
}

/** Nodes with the links among them, as text that another tab can paste. */
export function copyText(document: PipelineDocument, names: ReadonlySet<string>): string {
  const inside = (text: string) => {
    const link = parseLink(text);
    return link !== null && names.has(link.source.node) && names.has(link.target.node);
  };
  const part: PipelineDocument = {
    name: document.name,
    nodes: filtered(document.nodes, (name) => names.has(name)),
    links: document.links.filter(inside),
    positions: { nodes: filtered(document.positions.nodes ?? {}, (name) => names.has(name)) },
  };
  return JSON.stringify(part);
}

/** Add what was copied, under free names and a little aside; null where the text is none of ours. */
export function paste(
  document: PipelineDocument,
  text: string,
  aside: Point,
): [PipelineDocument, string[]] | null {
  const part = parsePart(text);
  if (!part) return null;
  let next = document;
  const names = new Map<string, string>();
  for (const [name, node] of Object.entries(part.nodes)) {
    const free = freeName(next, NODE_NAME.test(name) ? name : "node");
    names.set(name, free);
    const at = part.positions.nodes?.[name] ?? { x: 0, y: 0 };
    next = { ...next, nodes: { ...next.nodes, [free]: node } };
    next = withPositions(next, { [free]: { x: at.x + aside.x, y: at.y + aside.y } });
  }
  for (const text of part.links) {
    const link = parseLink(text);
    const source = link && names.get(link.source.node);
    const target = link && names.get(link.target.node);
    if (link && source && target) {
      const renamed = {
        source: { ...link.source, node: source },
        target: { ...link.target, node: target },
      };
      next = addLink(next, linkText(renamed));
    }
  }
  return [next, [...names.values()]];
}

function parsePart(text: string): PipelineDocument | null {
  if (text.length > 1_000_000) return null;
  try {
    const part: unknown = JSON.parse(text);
    if (typeof part !== "object" || part === null) return null;
    const { nodes, links, positions } = part as Partial<PipelineDocument>;
    const fine =
      typeof nodes === "object" &&
      nodes !== null &&
      Object.keys(nodes).length > 0 &&
      Object.values(nodes).every((node) => typeof node?.component === "string") &&
      Array.isArray(links) &&
      links.every((link) => typeof link === "string");
    return fine ? { name: "", nodes, links, positions: positions ?? {} } : null;
  } catch {
    return null;
  }
}

export function withPositions(
  document: PipelineDocument,
  moved: Record<string, Point>,
): PipelineDocument {
  const nodes = { ...document.positions.nodes };
  for (const [name, { x, y }] of Object.entries(moved)) {
    nodes[name] = { x: Math.round(x), y: Math.round(y) };
  }
  return { ...document, positions: { ...document.positions, nodes } };
}

export function withNotes(document: PipelineDocument, notes: Note[]): PipelineDocument {
  return { ...document, positions: { ...document.positions, notes } };
}

export function withGroups(document: PipelineDocument, groups: Group[]): PipelineDocument {
  return { ...document, positions: { ...document.positions, groups } };
}

/** Fields of an operation that a link leads to. */
export function linkedFields(
  document: PipelineDocument,
  node: string,
  operation: string,
): Set<string> {
  const whole = endText({ node, operation });
  const fields = new Set<string>();
  for (const text of document.links) {
    const target = parseEnd(text.split("->")[1]?.trim() ?? "");
    if (target && endText({ node: target.node, operation: target.operation }) === whole) {
      fields.add(target.field ?? "");
    }
  }
  return fields;
}

function filtered<T>(
  values: Record<string, T>,
  keep: (name: string) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => keep(name)));
}

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
