import { useUpdateNodeInternals, type NodeProps } from "@xyflow/react";
import { memo, useEffect, useMemo, useState } from "react";
import { NodeContext } from "./NodeContext";
import { Port } from "./Port";
import { useEditor, useShared } from "./context";
import { parseLink } from "./links";
import type { NodeRun, OperationDescription, PortDescription } from "./types";

/** A node of the pipeline: its operations, with a port on either side. */
export const ComponentNode = memo(function ComponentNode({ id, selected }: NodeProps) {
  const { palette, problems, run } = useShared();
  const node = useEditor(({ document }) => document.nodes[id]);
  const linked = useEditor(({ document }) => fieldsInUse(document.links, id));
  const [open, setOpen] = useState(false);
  const update = useUpdateNodeInternals();
  useEffect(() => update(id), [id, open, linked, update]);
  const context = useMemo(() => ({ node: id }), [id]);
  if (!node) return null;
  const component = palette.get(node.component);
  const faults = problems.filter((problem) => problem.node === id);
  const state = run?.[id];
  return (
    <NodeContext.Provider value={context}>
      <div
        className={`component-node ${selected ? "selected" : ""} ${faults.length ? "faulty" : ""} ${state ? `run-${state.state}` : ""}`}
        title={faults.map(({ message }) => message).join("\n") || component?.description}
      >
        <header>
          <strong>{id}</strong>
          <span className="component">{component?.title ?? node.component}</span>
          <span className="badges">
            {faults.length > 0 && (
              <span className="badge fault" aria-label={`${faults.length} problems`} role="img">
                {faults.length}
              </span>
            )}
            {(node.replicas ?? 1) > 1 && <span className="badge">× {node.replicas}</span>}
          </span>
        </header>
        {component ? (
          component.operations.map((operation) => (
            <Operation
              key={operation.name}
              operation={operation}
              shows={(side, field) =>
                open || linked.split(" ").includes(`${side}:${operation.name}.${field}`)
              }
            />
          ))
        ) : (
          <p className="unknown">There is no component {node.component}. Was it removed?</p>
        )}
        <footer>
          {component && (
            <button
              type="button"
              className="nodrag"
              aria-expanded={open}
              onClick={() => setOpen(!open)}
            >
              {open ? "hide fields" : "fields"}
            </button>
          )}
        </footer>
        {state && <RunState state={state} />}
      </div>
    </NodeContext.Provider>
  );
});

function Operation({
  operation,
  shows,
}: {
  operation: OperationDescription;
  shows: (side: string, field: string) => boolean;
}) {
  const { name, input, output } = operation;
  return (
    <section title={operation.description}>
      <div className="operation">
        {input && <Port side="input" operation={name} port={input} />}
        <span className="message">{input ? words(input) : ""}</span>
        <span className="name">{name}</span>
        <span className="message">{output ? words(output) : ""}</span>
        {output && <Port side="output" operation={name} port={output} />}
      </div>
      {(["input", "output"] as const).flatMap((side) =>
        (operation[side]?.fields ?? [])
          .filter((field) => shows(side, field.name))
          .map((field) => (
            <div key={`${side} ${field.name}`} className={`field ${side}`} title={field.label}>
              <Port
                side={side}
                operation={name}
                port={operation[side] as PortDescription}
                field={field}
              />
              {field.name}
            </div>
          )),
      )}
    </section>
  );
}

/** How the node stands in the run, on a line of its own. */
function RunState({ state }: { state: NodeRun }) {
  const { answered, rate, queued, failed, progress, message } = state;
  const goesOn = !["done", "failed", "stopped"].includes(state.state);
  return (
    <p className="run-state" title={message}>
      <b>{state.state}</b>
      {answered > 0 && <span>{answered} out</span>}
      {goesOn && rate > 0 && <span>{rate.toFixed(1)}/s</span>}
      {queued > 0 && <span>{queued} waiting</span>}
      {failed > 0 && <span className="failed">{failed} failed</span>}
      {goesOn && progress !== null && <progress value={progress} max={1} aria-label="progress" />}
    </p>
  );
}

function words({ stream, message }: PortDescription): string {
  return `${stream ? "⋯" : ""}${message}`;
}

/** Fields of a node that links use, as text so that it changes only when they do. */
function fieldsInUse(links: readonly string[], node: string): string {
  const found: string[] = [];
  for (const text of links) {
    const link = parseLink(text);
    if (link?.source.node === node && link.source.field) {
      found.push(`output:${link.source.operation}.${link.source.field}`);
    }
    if (link?.target.node === node && link.target.field) {
      found.push(`input:${link.target.operation}.${link.target.field}`);
    }
  }
  return found.join(" ");
}
