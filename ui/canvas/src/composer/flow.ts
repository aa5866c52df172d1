/** The document as React Flow draws it. */

import type { Edge, Node } from "@xyflow/react";
import { handleId, parseLink } from "./links";
import { PLAIN_MARK, type Marks } from "./marks";
import { operationOf, type Palette } from "./matching";
import type { ComposerData, Group, Note, PipelineDocument, Point, Problem } from "./types";

export const NOTE = "note:";
const GROUP = "group:";
const GROUP_MARGIN = 24;
const GROUP_TITLE = 26;

/** Nodes, notes and groups; `sizes` are those that the browser has measured. */
export function flowNodes(
  document: PipelineDocument,
  places: Record<string, Point>,
  sizes: ReadonlyMap<string, { width: number; height: number }>,
): Node[] {
  const groups = (document.positions.groups ?? []).flatMap((group) =>
    groupNode(group, places, sizes),
  );
  const nodes = Object.keys(document.nodes).map((name) => ({
    id: name,
    type: "component",
    position: places[name] ?? { x: 0, y: 0 },
    data: {},
    ariaLabel: `node ${name}`,
  }));
  const notes = (document.positions.notes ?? []).map((note: Note) => ({
    id: `${NOTE}${note.id}`,
    type: "note",
    position: { x: note.x, y: note.y },
    data: {},
    ariaLabel: "note",
  }));
  return [...groups, ...nodes, ...notes];
}

function groupNode(
  group: Group,
  places: Record<string, Point>,
  sizes: ReadonlyMap<string, { width: number; height: number }>,
): Node[] {
  const boxes = group.nodes.flatMap((name) => {
    const at = places[name];
    const size = sizes.get(name) ?? { width: 230, height: 110 };
    return at ? [{ left: at.x, top: at.y, right: at.x + size.width, bottom: at.y + size.height }] : [];
  });
  if (boxes.length === 0) return [];
  const left = Math.min(...boxes.map((box) => box.left)) - GROUP_MARGIN;
  const top = Math.min(...boxes.map((box) => box.top)) - GROUP_MARGIN - GROUP_TITLE;
  const right = Math.max(...boxes.map((box) => box.right)) + GROUP_MARGIN;
  const bottom = Math.max(...boxes.map((box) => box.bottom)) + GROUP_MARGIN;
  return [
    {
      id: `${GROUP}${group.id}`,
      type: "group-frame",
      position: { x: left, y: top },
      width: right - left,
      height: bottom - top,
      draggable: false,
      selectable: false,
      focusable: false,
      connectable: false,
      zIndex: -1,
      data: { title: group.title, id: group.id },
    },
  ];
}

export function flowEdges(
  document: PipelineDocument,
  palette: Palette,
  marks: Marks,
  problems: readonly Problem[],
  run: ComposerData["run"],
  selected: ReadonlySet<string>,
): Edge[] {
  const faulty = new Map(problems.flatMap((p) => (p.link ? [[p.link, p.message] as const] : [])));
  return document.links.flatMap((text) => {
    const link = parseLink(text);
    if (!link || !(link.source.node in document.nodes) || !(link.target.node in document.nodes)) {
      return [];
    }
    const output = operationOf(palette, document, link.source)?.output;
    const type = link.source.field
      ? output?.fields.find(({ name }) => name === link.source.field)?.type
      : output?.type;
    const mark = marks.get(type ?? "") ?? PLAIN_MARK;
    const fault = faulty.get(text);
    return [
      {
        id: text,
        source: link.source.node,
        target: link.target.node,
        sourceHandle: handleId("output", link.source.operation, link.source.field),
        targetHandle: handleId("input", link.target.operation, link.target.field),
        selected: selected.has(text),
        animated: run?.[link.source.node]?.state === "working",
        className: fault ? "faulty" : "",
        style: { stroke: fault ? "var(--fault)" : mark.colour, strokeWidth: 2 },
        ariaLabel: `link ${text}${fault ? `, ${fault}` : ""}`,
        data: {},
      },
    ];
  });
}
