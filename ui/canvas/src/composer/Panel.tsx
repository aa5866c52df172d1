import { useEffect, useState } from "react";
import { SchemaForm } from "./SchemaForm";
import { useEditor, useShared } from "./context";
import {
  describe,
  linkedFields,
  NODE_NAME,
  renameNode,
  setParameter,
  setValue,
  updateNode,
} from "./document";
import type { ComponentDescription, JsonValue, NodeDocument, OperationDescription } from "./types";

/** Everything that can be set on the node that is selected. */
export function Panel() {
  const { palette, problems, run } = useShared();
  const selected = useEditor((state) => state.nodes);
  const document = useEditor((state) => state.document);
  const readOnly = useEditor((state) => state.readOnly);
  const { editor } = useShared();
  const [name] = selected;
  const node = name === undefined ? undefined : document.nodes[name];
  if (readOnly && selected.size === 0) return null;
  if (name === undefined || !node || selected.size !== 1) {
    return selected.size > 1 ? (
      <aside className="panel" aria-label="nodes">
        <p className="none">{selected.size} nodes are selected.</p>
      </aside>
    ) : (
      <PipelineForm />
    );
  }
  const component = palette.get(node.component);
  const faults = new Map(
    problems.flatMap((p) => (p.node === name && p.parameter ? [[p.parameter, p.message] as const] : [])),
  );
  const set = (change: Partial<NodeDocument>) =>
    editor.getState().apply("set options", (before) => updateNode(before, name, change));
  const web = run?.[name]?.webInterface;
  return (
    <aside className="panel" aria-label={`node ${name}`} key={name}>
      <NodeName name={name} />
      <p className="component">
        {component?.title ?? node.component}
        {component && <code> {component.reference}</code>}
      </p>
      {web && (
        <p>
          <a href={web} target="_blank" rel="noreferrer">
            Open its web page
          </a>
        </p>
      )}
      {component ? (
        <>
          <h3>Parameters</h3>
          <SchemaForm
            schema={component.schema}
            values={node.params ?? {}}
            faults={faults}
            readOnly={readOnly}
            onChange={(parameter, value) =>
              editor
                .getState()
                .apply(`set ${parameter}`, (before) => setParameter(before, name, parameter, value))
            }
          />
          <Literals name={name} node={node} component={component} />
        </>
      ) : (
        <p className="fault">There is no component {node.component}. Onboard it, or delete this node.</p>
      )}
      <h3>Running</h3>
      <Options node={node} component={component} readOnly={readOnly} set={set} />
      {component && (
        <details>
          <summary>About {component.title}</summary>
          <p className="help">{component.description}</p>
          <p className="help">Licence: {component.licence}</p>
          {component.operations.map((operation) => (
            <p key={operation.name} className="help">
              <code>{operation.name}</code> {operation.description}
            </p>
          ))}
        </details>
      )}
    </aside>
  );
}

/** What is said about the pipeline as a whole; its name is changed on the page. */
function PipelineForm() {
  const { editor } = useShared();
  const { title = "", description = "", nodes, links } = useEditor((state) => state.document);
  const readOnly = useEditor((state) => state.readOnly);
  const set = (change: { title?: string; description?: string }) =>
    editor.getState().apply("describe", (before) => describe(before, change));
  return (
    <aside className="panel pipeline" aria-label="pipeline">
      <h3>Pipeline</h3>
      <label>
        Title
        <input
          key={title}
          defaultValue={title}
          disabled={readOnly}
          maxLength={200}
          onBlur={({ target }) => target.value !== title && set({ title: target.value })}
        />
      </label>
      <label>
        Description
        <textarea
          key={description}
          rows={5}
          defaultValue={description}
          disabled={readOnly}
          maxLength={10_000}
          onBlur={({ target }) =>
            target.value !== description && set({ description: target.value })
          }
        />
      </label>
      <p className="none">
        {Object.keys(nodes).length} nodes, {links.length} links. Select a node to set its parameters.
      </p>
    </aside>
  );
}

function NodeName({ name }: { name: string }) {
  const { editor } = useShared();
  const readOnly = useEditor((state) => state.readOnly);
  const [text, setText] = useState(name);
  useEffect(() => setText(name), [name]);
  const take = () => {
    if (text === name) return;
    const { document, apply, select, say } = editor.getState();
    if (!NODE_NAME.test(text)) {
      say(`"${text}" cannot be the name of a node: use small letters, digits and hyphens, a letter first`);
      setText(name);
    } else if (text in document.nodes) {
      say(`there is a node ${text} already`);
      setText(name);
    } else {
      apply("rename node", (before) => renameNode(before, name, text));
      select([text]);
    }
  };
  return (
    <input
      className="node-name"
      aria-label="name of the node"
      value={text}
      disabled={readOnly}
      onChange={(event) => setText(event.target.value)}
      onBlur={take}
      onKeyDown={(event) => event.key === "Enter" && take()}
    />
  );
}

/** Literals for fields that nothing is linked to, for components that take no parameters. */
function Literals({
  name,
  node,
  component,
}: {
  name: string;
  node: NodeDocument;
  component: ComponentDescription;
}) {
  const operations = component.operations.filter(
    (operation) => operation.input && (!component.builtIn || node.values?.[operation.name]),
  );
  if (operations.length === 0) return null;
  return (
    <>
      <h3>Fixed values</h3>
      {operations.map((operation) => (
        <OperationLiterals key={operation.name} name={name} node={node} operation={operation} />
      ))}
    </>
  );
}

function OperationLiterals({
  name,
  node,
  operation,
}: {
  name: string;
  node: NodeDocument;
  operation: OperationDescription;
}) {
  const { editor } = useShared();
  const document = useEditor((state) => state.document);
  const readOnly = useEditor((state) => state.readOnly);
  const linked = linkedFields(document, name, operation.name);
  const free = (operation.input?.fields ?? []).filter(({ name: field }) => !linked.has(field));
  if (linked.has("")) return <p className="none">{operation.name}: all of its message is linked.</p>;
  const schema = {
    properties: Object.fromEntries(
      free.map((field) => [field.name, { description: field.label, ...scalarSchema(field.label) }]),
    ),
  };
  return (
    <SchemaForm
      schema={schema}
      values={node.values?.[operation.name] ?? {}}
      faults={new Map()}
      readOnly={readOnly}
      onChange={(field: string, value: JsonValue | undefined) =>
        editor
          .getState()
          .apply(`set ${field}`, (before) => setValue(before, name, operation.name, field, value))
      }
    />
  );
}

function scalarSchema(label: string): { type?: string; anyOf?: { type: string }[] } {
  if (/^repeated /.test(label)) return { type: "array" };
  if (label === "bool") return { type: "boolean" };
  if (/^(double|float)$/.test(label)) return { type: "number" };
  if (/^[su]?(int|fixed)\d+$|^sfixed/.test(label)) return { type: "integer" };
  return label === "string" ? { type: "string" } : { anyOf: [{ type: "string" }, { type: "object" }] };
}

const OPTIONS = {
  type: "object",
  properties: {
    replicas: { type: "integer", default: 1, description: "Processes or containers that share its calls." },
    concurrency: { type: "integer", default: 1, description: "Calls at once, on each replica." },
    timeout_s: { type: "number", default: null, description: "Deadline of a call in seconds; the component's own by default." },
    on_error: { enum: ["fail", "skip"], default: "fail", description: "Whether a message that fails ends the run, or is set aside." },
  },
};

function Options({
  node,
  component,
  readOnly,
  set,
}: {
  node: NodeDocument;
  component: ComponentDescription | undefined;
  readOnly: boolean;
  set: (change: Partial<NodeDocument>) => void;
}) {
  const { cpu, memory, gpu } = component?.resources ?? { cpu: 1, memory: "1Gi", gpu: 0 };
  const resources = {
    properties: {
      cpu: { type: "number", default: cpu, description: "Cores of one replica." },
      memory: { type: "string", default: memory, description: "Memory of one replica, such as 2Gi." },
      gpu: { type: "integer", default: gpu, description: "GPUs of one replica." },
    },
  };
  const { replicas, concurrency, timeout_s, on_error } = node;
  const values = Object.fromEntries(
    Object.entries({ replicas, concurrency, timeout_s, on_error }).filter(([, value]) => value !== undefined),
  ) as Record<string, JsonValue>;
  return (
    <>
      <SchemaForm
        schema={OPTIONS}
        values={values}
        faults={new Map()}
        readOnly={readOnly}
        onChange={(option, value) => set({ [option]: value })}
      />
      <SchemaForm
        schema={resources}
        values={(node.resources ?? {}) as Record<string, JsonValue>}
        faults={new Map()}
        readOnly={readOnly}
        onChange={(resource, value) => {
          const wanted: Record<string, JsonValue> = { cpu, memory, gpu, ...node.resources };
          if (value === undefined) delete wanted[resource];
          else wanted[resource] = value;
          const isUsual = wanted.cpu === cpu && wanted.memory === memory && wanted.gpu === gpu;
          set({ resources: isUsual ? undefined : (wanted as NodeDocument["resources"]) } as Partial<NodeDocument>);
        }}
      />
    </>
  );
}
