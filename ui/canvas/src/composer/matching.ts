/**
 * Whether a link may be made: the composer's two rules, so that a wrong link is refused while it is
 * drawn. The composer checks again; its word counts.
 */

import { endText, linkText, type End, type Side } from "./links";
import type {
  ComponentDescription,
  FieldDescription,
  NodeDocument,
  OperationDescription,
  PipelineDocument,
  PortDescription,
  Role,
} from "./types";

export type Palette = ReadonlyMap<string, ComponentDescription>;

/** Components by reference, and by name alone in the newest version, which comes first. */
export function paletteOf(components: readonly ComponentDescription[]): Palette {
  const found = new Map<string, ComponentDescription>();
  for (const component of components) {
    found.set(component.reference, component);
    if (!found.has(component.name)) found.set(component.name, component);
  }
  return found;
}

export function operationOf(
  palette: Palette,
  document: PipelineDocument,
  end: End,
): OperationDescription | undefined {
  const component = palette.get(document.nodes[end.node]?.component ?? "");
  return component?.operations.find(({ name }) => name === end.operation);
}

interface Content {
  role: Role;
  type: string;
  label: string;
}

/** Why what leaves `source` may not enter `target`, in words; null where it may. */
export function refusal(
  palette: Palette,
  document: PipelineDocument,
  source: End,
  target: End,
): string | null {
  const sender = operationOf(palette, document, source);
  const taker = operationOf(palette, document, target);
  if (!sender || !taker) return "a component of this link is not known here";
  if (endText({ ...source, field: undefined }) === endText({ ...target, field: undefined })) {
    return "it leads from an operation to itself";
  }
  if (!sender.output) return `${endText(source)} is a sink: it gives nothing`;
  if (!taker.input) return `${endText(target)} is a source: it takes nothing`;
  if (document.links.includes(linkText({ source, target }))) return "this link is there already";
  const sent = contentOf(sender.output, source.field);
  const taken = contentOf(taker.input, target.field);
  if (!sent || !taken) return "there is no such field";
  return (
    structuralRefusal(source, sent, target, taken) ??
    (source.field || target.field
      ? null
      : refusedMeaning(source, sender.output, document.nodes[source.node], palette, target, taker))
  );
}

/** Whether two ports could be linked by their types alone: what lights up while a link is drawn. */
export function fits(
  from: PortDescription,
  fromField: string | undefined,
  fromSide: Side,
  to: PortDescription,
  toField: string | undefined,
): boolean {
  const [sent, taken] =
    fromSide === "output"
      ? [contentOf(from, fromField), contentOf(to, toField)]
      : [contentOf(to, toField), contentOf(from, fromField)];
  return sent !== null && taken !== null && typesAgree(sent, taken);
}

/** Whether a component has a port that could be linked to this one. */
export function componentFits(
  component: ComponentDescription,
  port: PortDescription,
  field: string | undefined,
  side: Side,
): boolean {
  return component.operations.some((operation) => {
    const other = side === "output" ? operation.input : operation.output;
    return other !== null && fits(port, field, side, other, undefined);
  });
}

function contentOf(port: PortDescription, field: string | undefined): Content | null {
  if (!field) return { role: "single", type: port.type, label: port.message };
  const found = port.fields.find(({ name }) => name === field);
  return found ? contentOfField(found) : null;
}

function contentOfField({ role, type, label }: FieldDescription): Content {
  return { role, type, label };
}

function typesAgree(sent: Content, taken: Content): boolean {
  return (sent.role === "map") === (taken.role === "map") && sent.type === taken.type;
}

function structuralRefusal(
  source: End,
  sent: Content,
  target: End,
  taken: Content,
): string | null {
  if (typesAgree(sent, taken)) return null;
  return `${endText(source)} sends ${sent.label}, ${endText(target)} takes ${taken.label}: their types differ`;
}

function refusedMeaning(
  source: End,
  output: PortDescription,
  node: NodeDocument | undefined,
  palette: Palette,
  target: End,
  taker: OperationDescription,
): string | null {
  const emitted = emittedCollections(output, node, palette);
  const accepted = taker.input?.collections;
  if (!emitted || !Array.isArray(accepted)) return null;
  const refused = emitted.filter((name) => !accepted.includes(name));
  if (refused.length === 0) return null;
  return `${endText(source)} emits ${refused.join(", ")}, ${endText(target)} accepts ${accepted.join(", ")}`;
}

/** What an operation emits with the parameters of its node; null where it is silent. */
export function emittedCollections(
  output: PortDescription,
  node: NodeDocument | undefined,
  palette: Palette,
): string[] | null {
  const { collections } = output;
  if (collections === null || Array.isArray(collections)) return collections;
  const schema = palette.get(node?.component ?? "")?.schema;
  const value =
    node?.params?.[collections.parameter] ?? schema?.properties?.[collections.parameter]?.default;
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list) || list.length === 0) return null;
  return list.every((item) => typeof item === "string") ? (list as string[]) : null;
}
