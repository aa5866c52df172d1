import {
  applyEdgeChanges,
  applyNodeChanges,
  Background,
  Controls,
  MiniMap,
  Panel,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  type Connection,
  type Edge,
  type EdgeChange,
  type FinalConnectionState,
  type Node,
  type NodeChange,
  type OnSelectionChangeParams,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useState, type DragEvent } from "react";
import { ComponentNode } from "./ComponentNode";
import { Legend } from "./Legend";
import { GroupFrame, NoteNode } from "./NoteNode";
import { DRAGGED } from "./Palette";
import { useEditor, useShared } from "./context";
import { addLink, addNode, withNotes, withPositions } from "./document";
import { flowEdges, flowNodes, NOTE } from "./flow";
import { missingPositions } from "./layout";
import { linkText, parseHandle, type End } from "./links";
import { refusal } from "./matching";
import type { Point } from "./types";

const NODE_TYPES = { component: ComponentNode, note: NoteNode, "group-frame": GroupFrame };
const SNAP: [number, number] = [10, 10];
/** With fewer nodes an overview shows nothing that the drawing does not. */
const MAPPED_NODES = 8;
const MAP_SIZE = { width: 130, height: 90 };

/** The drawing: nodes and links, moved, made and removed. */
export function Canvas({ dark }: { dark: boolean }) {
  const { editor, palette, marks, problems, run } = useShared();
  const document = useEditor((state) => state.document);
  const readOnly = useEditor((state) => state.readOnly);
  const selections = useEditor((state) => state.selections);
  const flow = useReactFlow();
  const load = useEditor((state) => state.load);

  const places = useMemo(
    () => ({ ...document.positions.nodes, ...missingPositions(document) }),
    [document],
  );
  const [nodes, setNodes] = useState<Node[]>([]);

  // The document changes rarely; while something is dragged only React Flow's own nodes move.
  useEffect(() => {
    setNodes((before) => {
      const known = new Map(before.map((node) => [node.id, node]));
      return flowNodes(document, places, sizesOf(before)).map((node) => {
        const old = known.get(node.id);
        if (!old || node.type === "group-frame") return node;
        return { ...node, measured: old.measured, selected: old.selected ?? false } as Node;
      });
    });
  }, [document, places]);

  const [edges, setEdges] = useState<Edge[]>([]);
  useEffect(() => {
    setEdges((before) => {
      const selected = new Set(before.filter((edge) => edge.selected).map(({ id }) => id));
      return flowEdges(document, palette, marks, problems, run, selected);
    });
  }, [document, palette, marks, problems, run]);

  // What was selected elsewhere is selected here.
  useEffect(() => {
    const { nodes: names, links, notes } = editor.getState();
    const chosen = new Set([...names, ...[...notes].map((id) => `${NOTE}${id}`)]);
    setNodes((before) => before.map((node) => ({ ...node, selected: chosen.has(node.id) })));
    setEdges((before) => before.map((edge) => ({ ...edge, selected: links.has(edge.id) })));
  }, [editor, selections]);

  const [fitted, setFitted] = useState(-1);
  useEffect(() => {
    const fit = async () => {
      // Of nothing, React Flow would wait for the first node, and then move it away.
      const isEmpty = Object.keys(editor.getState().document.nodes).length === 0;
      if (!isEmpty) await flow.fitView({ maxZoom: 1, padding: 0.08 });
      setFitted(load);
    };
    const timer = setTimeout(() => void fit(), 80);
    return () => clearTimeout(timer);
  }, [editor, flow, load]);

  const onNodesChange = useCallback((changes: NodeChange[]) => {
    setNodes((before) => applyNodeChanges(changes, before));
  }, []);
  const onEdgesChange = useCallback((changes: EdgeChange[]) => {
    setEdges((before) => applyEdgeChanges(changes, before));
  }, []);

  const onSelectionChange = useCallback(
    ({ nodes: chosen, edges: links }: OnSelectionChangeParams) =>
      editor.getState().noteSelection(
        chosen.filter(({ type }) => type === "component").map(({ id }) => id),
        links.map(({ id }) => id),
        chosen.filter(({ type }) => type === "note").map(({ id }) => id.slice(NOTE.length)),
      ),
    [editor],
  );

  const keepPositions = useCallback(
    (_event: unknown, _node: unknown, dragged: Node[]) => keepMoved(editor, dragged),
    [editor],
  );

  const ends = (connection: Connection | Edge): [End, End] | null => {
    const from = parseHandle(connection.sourceHandle);
    const to = parseHandle(connection.targetHandle);
    if (!from || !to) return null;
    return [
      { node: connection.source, operation: from.operation, field: from.field },
      { node: connection.target, operation: to.operation, field: to.field },
    ];
  };

  const whyNot = (connection: Connection | Edge): string | null => {
    const found = ends(connection);
    if (!found) return "a link leads from an output to an input";
    return refusal(palette, editor.getState().document, ...found);
  };

  const connect = (connection: Connection) => {
    const found = ends(connection);
    if (!found || whyNot(connection)) return;
    const [source, target] = found;
    editor.getState().apply("link", (before) => addLink(before, linkText({ source, target })));
  };

  const explain = (_event: unknown, state: FinalConnectionState) => {
    editor.getState().setPort(null);
    const { fromHandle, toHandle, fromNode, toNode } = state;
    if (!fromHandle || !toHandle || !fromNode || !toNode || state.isValid) return;
    const forwards = fromHandle.type === "source";
    const reason =
      fromHandle.type === toHandle.type
        ? `a link leads from an output to an input; both of these are ${fromHandle.type === "source" ? "outputs" : "inputs"}`
        : whyNot({
            source: forwards ? fromNode.id : toNode.id,
            target: forwards ? toNode.id : fromNode.id,
            sourceHandle: (forwards ? fromHandle.id : toHandle.id) ?? null,
            targetHandle: (forwards ? toHandle.id : fromHandle.id) ?? null,
          });
    if (reason) editor.getState().say(reason);
  };

  const drop = (event: DragEvent) => {
    const component = palette.get(event.dataTransfer.getData(DRAGGED));
    if (!component || readOnly) return;
    event.preventDefault();
    const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    let name = "";
    editor.getState().apply("add node", (before) => {
      const [after, added] = addNode(before, component, { x: at.x - 110, y: at.y - 30 });
      name = added;
      return after;
    });
    editor.getState().select([name]);
  };

  return (
    <ReactFlow
      data-fitted={fitted === load}
      nodes={nodes}
      edges={edges}
      nodeTypes={NODE_TYPES}
      colorMode={dark ? "dark" : "light"}
      onNodesChange={onNodesChange}
      onEdgesChange={onEdgesChange}
      onNodeDragStop={keepPositions}
      onSelectionDragStop={(_event, dragged) => keepMoved(editor, dragged)}
      onSelectionChange={onSelectionChange}
      isValidConnection={(connection) => whyNot(connection) === null}
      onConnect={connect}
      onConnectEnd={explain}
      onPaneClick={() => editor.getState().setPort(null)}
      onDrop={drop}
      onDragOver={(event) => event.preventDefault()}
      nodesDraggable={!readOnly}
      nodesConnectable={!readOnly}
      // Deleting goes through the editor, so that it can be undone.
      deleteKeyCode={null}
      selectionMode={SelectionMode.Partial}
      selectionKeyCode="Shift"
      multiSelectionKeyCode={["Meta", "Control"]}
      connectionRadius={28}
      snapToGrid
      snapGrid={SNAP}
      minZoom={0.1}
      onlyRenderVisibleElements={nodes.length > 80}
      proOptions={{ hideAttribution: true }}
    >
      <Background gap={20} />
      <Controls showInteractive={false} />
      {nodes.length >= MAPPED_NODES && (
        <MiniMap pannable zoomable style={MAP_SIZE} ariaLabel="overview of the pipeline" />
      )}
      <Panel position="top-left">
        <Legend />
      </Panel>
    </ReactFlow>
  );
}

export function sizesOf(nodes: readonly Node[]): Map<string, { width: number; height: number }> {
  return new Map(
    nodes.flatMap(({ id, measured }) =>
      measured?.width && measured.height
        ? [[id, { width: measured.width, height: measured.height }] as const]
        : [],
    ),
  );
}

function keepMoved(editor: ReturnType<typeof useShared>["editor"], dragged: readonly Node[]) {
  const moved: Record<string, Point> = {};
  const notes = new Map<string, Point>();
  for (const node of dragged) {
    if (node.type === "component") moved[node.id] = node.position;
    if (node.type === "note") notes.set(node.id.slice(NOTE.length), node.position);
  }
  editor.getState().apply("move", (before) => {
    const after = withPositions(before, moved);
    if (notes.size === 0) return after;
    return withNotes(
      after,
      (after.positions.notes ?? []).map((note) => ({ ...note, ...notes.get(note.id) })),
    );
  });
}
