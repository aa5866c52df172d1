import { useReactFlow } from "@xyflow/react";
import { sizesOf } from "./Canvas";
import { actionsOf } from "./actions";
import { useEditor, useShared } from "./context";

/** What can be done with the drawing as a whole. */
export function Toolbar() {
  const { editor } = useShared();
  const flow = useReactFlow();
  const past = useEditor((state) => state.past);
  const future = useEditor((state) => state.future);
  const selected = useEditor((state) => state.nodes.size + state.links.size + state.notes.size);
  const nodes = useEditor((state) => state.nodes.size);
  const readOnly = useEditor((state) => state.readOnly);
  const actions = actionsOf(editor);
  const buttons: [string, string, () => void, boolean][] = [
    ["Undo", `Undo ${past.at(-1)?.label ?? ""} (Ctrl+Z)`, actions.undo, past.length > 0],
    ["Redo", `Redo ${future.at(-1)?.label ?? ""} (Ctrl+Shift+Z)`, actions.redo, future.length > 0],
    ["Copy", "Copy the selected nodes (Ctrl+C)", () => void actions.copy(), nodes > 0],
    ["Paste", "Paste nodes (Ctrl+V)", () => void actions.paste(), true],
    ["Delete", "Delete what is selected (Del)", actions.remove, selected > 0],
    ["Group", "Frame the selected nodes (Ctrl+G)", actions.group, nodes > 0],
    ["Note", "Add a note", () => actions.note(middle()), true],
    ["Arrange", "Arrange all nodes (Ctrl+L)", arrange, true],
    ["Fit", "Show everything (Ctrl+0)", fit, true],
  ];

  function middle() {
    const pane = document.querySelector(".eoloom-composer .react-flow")?.getBoundingClientRect();
    return flow.screenToFlowPosition({
      x: (pane?.left ?? 0) + (pane?.width ?? 600) / 2,
      y: (pane?.top ?? 0) + 80,
    });
  }

  function arrange() {
    actions.arrange(sizesOf(flow.getNodes()));
    setTimeout(fit, 60);
  }

  function fit() {
    void flow.fitView({ maxZoom: 1, padding: 0.08, duration: 300 });
  }

  return (
    <div className="toolbar" role="toolbar" aria-label="canvas">
      {buttons
        .filter(([name]) => !readOnly || name === "Fit" || name === "Copy")
        .map(([name, title, run, enabled]) => (
          <button key={name} type="button" title={title} disabled={!enabled} onClick={run}>
            {name}
          </button>
        ))}
    </div>
  );
}
