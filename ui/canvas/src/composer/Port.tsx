import { Handle, Position, useConnection } from "@xyflow/react";
import { useContext, type KeyboardEvent } from "react";
import { NodeContext } from "./NodeContext";
import { useEditor, useShared } from "./context";
import { addLink } from "./document";
import { handleId, linkText, parseHandle, type End, type Side } from "./links";
import { PLAIN_MARK } from "./marks";
import { emittedCollections, fits, operationOf, refusal } from "./matching";
import type { FieldDescription, PortDescription } from "./types";

interface Props {
  side: Side;
  operation: string;
  port: PortDescription;
  field?: FieldDescription;
}

/** One port of a node, or one field of it: where links begin and end. */
export function Port({ side, operation, port, field }: Props) {
  const { node } = useContext(NodeContext);
  const { editor, palette, marks } = useShared();
  const light = useLight(node, side, port, field);
  const chosen = useEditor(
    ({ port: place }) =>
      place?.node === node &&
      place.side === side &&
      place.operation === operation &&
      place.field === field?.name,
  );
  const mark = marks.get(field?.type ?? port.type) ?? PLAIN_MARK;
  const end: End = { node, operation, field: field?.name };
  const collections = side === "output" ? emitted() : port.collections;

  function emitted() {
    return emittedCollections(port, editor.getState().document.nodes[node], palette);
  }

  /** Enter takes a port, and Enter on another one links them: the same as drawing with the mouse. */
  function activate(event: KeyboardEvent) {
    if (event.key === "Escape") editor.getState().setPort(null);
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    const { port: first, document, setPort, say, apply } = editor.getState();
    if (!first || first.side === side) {
      setPort({ ...end, side });
      return;
    }
    const [source, target] = first.side === "output" ? [first, end] : [end, first];
    const reason = refusal(palette, document, source, target);
    setPort(null);
    if (reason) say(reason);
    else apply("link", (before) => addLink(before, linkText({ source, target })));
  }

  const words = [
    `${field ? `field ${field.name} of ` : ""}${side} of ${node}.${operation}`,
    field ? field.label : `${port.stream ? "stream of " : ""}${port.message}`,
    Array.isArray(collections) && !field
      ? `${side === "output" ? "emits" : "accepts"} ${collections.join(", ")}`
      : "",
  ].filter(Boolean);

  return (
    <Handle
      id={handleId(side, operation, field?.name)}
      type={side === "input" ? "target" : "source"}
      position={side === "input" ? Position.Left : Position.Right}
      className={`port ${mark.shape} ${light} ${chosen ? "chosen" : ""} ${port.stream && !field ? "stream" : ""}`}
      style={{ ["--port-colour" as string]: mark.colour }}
      title={words.join("\n")}
      aria-label={words.join(", ")}
      role="button"
      tabIndex={0}
      onKeyDown={activate}
      onClick={() => editor.getState().setPort({ ...end, side })}
    />
  );
}

/** Whether this port lights up or fades while a link is being drawn. */
function useLight(
  node: string,
  side: Side,
  port: PortDescription,
  field: FieldDescription | undefined,
): string {
  const { editor, palette } = useShared();
  const dragged = useConnection((connection) =>
    connection.inProgress ? `${connection.fromNode.id} ${connection.fromHandle.id}` : "",
  );
  const chosen = useEditor(({ port: place }) =>
    place ? `${place.node} ${handleId(place.side, place.operation, place.field)}` : "",
  );
  const from = dragged || chosen;
  if (!from) return "";
  const [name = "", handle] = from.split(" ");
  const place = parseHandle(handle);
  if (!place) return "";
  if (name === node && place.side === side) return "fades";
  if (place.side === side) return "fades";
  const { document } = editor.getState();
  const other = operationOf(palette, document, { node: name, operation: place.operation });
  const otherPort = place.side === "output" ? other?.output : other?.input;
  const matches = otherPort && fits(otherPort, place.field, place.side, port, field?.name);
  return matches ? "lights" : "fades";
}
