import { useReactFlow } from "@xyflow/react";
import { useMemo, useState } from "react";
import { useEditor, useShared } from "./context";
import { addNode } from "./document";
import { componentFits, operationOf } from "./matching";
import type { ComponentDescription } from "./types";

/** The type of what is dragged from the palette. */
export const DRAGGED = "application/x-eoloom-component";

/** Components to drag onto the canvas, searched and filtered. */
export function Palette({ components }: { components: readonly ComponentDescription[] }) {
  const { editor, palette } = useShared();
  const [words, setWords] = useState("");
  const [keyword, setKeyword] = useState("");
  const [kind, setKind] = useState("");
  const [onlyFitting, setOnlyFitting] = useState(false);
  const port = useEditor((state) => state.port);
  const document = useEditor((state) => state.document);
  const readOnly = useEditor((state) => state.readOnly);
  const flow = useReactFlow();

  const keywords = useMemo(
    () => [...new Set(components.flatMap((component) => component.keywords))].sort(),
    [components],
  );
  const operation = port && operationOf(palette, document, port);
  const chosen = port?.side === "output" ? operation?.output : operation?.input;
  const found = components.filter(
    (component) =>
      matches(component, words) &&
      (!keyword || component.keywords.includes(keyword)) &&
      (!kind || kindsOf(component).includes(kind)) &&
      (!onlyFitting || !chosen || !port || componentFits(component, chosen, port.field, port.side)),
  );

  /** Double click and Enter put a component in the middle of what is seen. */
  const add = (component: ComponentDescription) => {
    if (readOnly) return;
    const pane = window.document.querySelector(".eoloom-composer .react-flow")?.getBoundingClientRect();
    const at = flow.screenToFlowPosition({
      x: (pane?.left ?? 0) + (pane?.width ?? 600) / 2,
      y: (pane?.top ?? 0) + (pane?.height ?? 400) / 2,
    });
    const step = (Object.keys(document.nodes).length % 6) * 30;
    let name = "";
    editor.getState().apply("add node", (before) => {
      const [after, added] = addNode(before, component, { x: at.x - 110 + step, y: at.y - 60 + step });
      name = added;
      return after;
    });
    editor.getState().select([name]);
  };

  return (
    <aside className="palette" aria-label="components">
      <input
        type="search"
        placeholder="Search components"
        aria-label="search components"
        value={words}
        onChange={(event) => setWords(event.target.value)}
      />
      <div className="filters">
        <select
          aria-label="sensor or task"
          value={keyword}
          onChange={(event) => setKeyword(event.target.value)}
        >
          <option value="">sensor, task</option>
          {keywords.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <select aria-label="kind of node" value={kind} onChange={(event) => setKind(event.target.value)}>
          <option value="">kind</option>
          {["source", "relay", "sink"].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </div>
      <label className="fitting" title="Click a port on the canvas first">
        <input
          type="checkbox"
          checked={onlyFitting}
          onChange={(event) => setOnlyFitting(event.target.checked)}
        />
        fits the selected port
      </label>
      <ul>
        {found.map((component) => (
          <li key={component.reference} data-component={component.name}>
            <div
              draggable={!readOnly}
              tabIndex={0}
              role="button"
              title={`${component.description}\n\n${component.reference}, ${component.licence}`}
              onDragStart={(event) => {
                event.dataTransfer.setData(DRAGGED, component.reference);
                event.dataTransfer.effectAllowed = "copy";
              }}
              onDoubleClick={() => add(component)}
              onKeyDown={(event) => event.key === "Enter" && add(component)}
            >
              <strong>{component.title}</strong>
              <span>
                {component.name} {component.version}
                {component.builtIn ? "" : " · onboarded"}
              </span>
            </div>
          </li>
        ))}
      </ul>
      {found.length === 0 && <p className="none">No component matches. Clear the search or the filters.</p>}
    </aside>
  );
}

function matches(component: ComponentDescription, words: string): boolean {
  const text = [component.name, component.title, component.description, ...component.keywords]
    .join(" ")
    .toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function kindsOf(component: ComponentDescription): string[] {
  return component.operations.map(({ input, output }) =>
    input === null ? "source" : output === null ? "sink" : "relay",
  );
}
