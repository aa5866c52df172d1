import { useMemo } from "react";
import { useEditor, useShared } from "./context";
import { PLAIN_MARK } from "./marks";

/** What the colours and shapes of ports mean; of no use where there is one type only. */
export function Legend() {
  const { palette, marks } = useShared();
  const nodes = useEditor(({ document }) => document.nodes);
  const types = useMemo(() => {
    const found = new Map<string, Set<string>>();
    for (const { component } of Object.values(nodes)) {
      for (const { input, output } of palette.get(component)?.operations ?? []) {
        for (const port of [input, output]) {
          if (!port) continue;
          found.set(port.type, (found.get(port.type) ?? new Set()).add(port.message));
        }
      }
    }
    return [...found];
  }, [nodes, palette]);
  if (types.length < 2) return null;
  return (
    <ul className="legend" aria-label="types of messages">
      {types.map(([type, names]) => {
        const { colour, shape } = marks.get(type) ?? PLAIN_MARK;
        return (
          <li key={type}>
            <i className={shape} style={{ ["--port-colour" as string]: colour }} aria-hidden="true" />
            {[...names].join(", ")}
          </li>
        );
      })}
    </ul>
  );
}
