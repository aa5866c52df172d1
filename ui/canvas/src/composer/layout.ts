/** Where nodes go when nobody has placed them: from left to right, in the order of the links. */

import dagre from "@dagrejs/dagre";
import { parseLink } from "./links";
import type { PipelineDocument, Point } from "./types";

const GAP_X = 64;
const GAP_Y = 40;
const USUAL_SIZE = { width: 220, height: 110 };

export type Sizes = ReadonlyMap<string, { width: number; height: number }>;

export function layout(document: PipelineDocument, sizes: Sizes): Record<string, Point> {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: "LR", ranksep: GAP_X, nodesep: GAP_Y });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const name of Object.keys(document.nodes)) {
    graph.setNode(name, { ...(sizes.get(name) ?? USUAL_SIZE) });
  }
  for (const text of document.links) {
    const link = parseLink(text);
    if (link && link.source.node in document.nodes && link.target.node in document.nodes) {
      graph.setEdge(link.source.node, link.target.node, {}, text);
    }
  }
  dagre.layout(graph);
  return Object.fromEntries(
    Object.keys(document.nodes).map((name) => {
      const { x, y, width, height } = graph.node(name);
      return [name, { x: Math.round(x - width / 2), y: Math.round(y - height / 2) }];
    }),
  );
}

/** Positions for the nodes that have none, below those that have. */
export function missingPositions(document: PipelineDocument): Record<string, Point> {
  const known = document.positions.nodes ?? {};
  const missing = Object.keys(document.nodes).filter((name) => !isPoint(known[name]));
  if (missing.length === 0) return {};
  const found = layout(document, new Map());
  if (missing.length === Object.keys(document.nodes).length) return found;
  const lowest = Math.max(...Object.values(known).filter(isPoint).map(({ y }) => y));
  const top = Math.min(...missing.map((name) => found[name]?.y ?? 0));
  return Object.fromEntries(
    missing.map((name) => {
      const at = found[name] ?? { x: 0, y: 0 };
      return [name, { x: at.x, y: at.y - top + lowest + USUAL_SIZE.height + GAP_Y }];
    }),
  );
}

function isPoint(value: unknown): value is Point {
  const point = value as Point | undefined;
  return Number.isFinite(point?.x) && Number.isFinite(point?.y);
}
