/** Links as the pipeline file writes them: `node.operation -> node.operation`, with `.field` or not. */

export interface End {
  node: string;
  operation: string;
  field?: string | undefined;
}

export interface Link {
  source: End;
  target: End;
}

export type Side = "input" | "output";

export function endText({ node, operation, field }: End): string {
  return field ? `${node}.${operation}.${field}` : `${node}.${operation}`;
}

export function linkText({ source, target }: Link): string {
  return `${endText(source)} -> ${endText(target)}`;
}

export function parseEnd(text: string): End | null {
  const [node, operation, field, ...rest] = text.split(".");
  if (!node || !operation || rest.length > 0) return null;
  return field ? { node, operation, field } : { node, operation };
}

export function parseLink(text: string): Link | null {
  const [left, right, ...rest] = text.split("->").map((part) => part.trim());
  const source = parseEnd(left ?? "");
  const target = parseEnd(right ?? "");
  return source && target && rest.length === 0 ? { source, target } : null;
}

/** The handle of a port on the canvas. */
export function handleId(side: Side, operation: string, field?: string): string {
  return `${side}:${operation}${field ? `.${field}` : ""}`;
}

export function parseHandle(
  id: string | null | undefined,
): { side: Side; operation: string; field?: string } | null {
  const [side, rest] = (id ?? "").split(":");
  const [operation, field] = (rest ?? "").split(".");
  if ((side !== "input" && side !== "output") || !operation) return null;
  return field ? { side, operation, field } : { side, operation };
}
