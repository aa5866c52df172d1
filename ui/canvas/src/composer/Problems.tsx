import { useReactFlow } from "@xyflow/react";
import { useEditor, useShared } from "./context";
import { parseLink } from "./links";
import type { Problem } from "./types";

/** What is wrong with the pipeline; a click leads to the place. */
export function Problems({ current }: { current: boolean }) {
  const { editor, problems } = useShared();
  const flow = useReactFlow();
  const empty = useEditor(({ document }) => Object.keys(document.nodes).length === 0);

  const show = (problem: Problem) => {
    const link = problem.link ? parseLink(problem.link) : null;
    const { document } = editor.getState();
    const names = [problem.node, link?.source.node, link?.target.node].filter(
      (name): name is string => typeof name === "string" && name in document.nodes,
    );
    editor.getState().select(problem.node ? [problem.node] : [], problem.link ? [problem.link] : []);
    if (names.length) void flow.fitView({ nodes: names.map((id) => ({ id })), maxZoom: 1.2, duration: 300 });
  };

  if (empty) {
    return (
      <p className="problems none" role="status">
        Nothing is drawn yet: drag a component onto the canvas.
      </p>
    );
  }
  return (
    <section className="problems" aria-label="problems" aria-live="polite">
      {problems.length === 0 ? (
        <p className="fine">{current ? "✓ This pipeline can run." : "Checking …"}</p>
      ) : (
        <ul>
          {problems.map((problem) => (
            <li key={`${problem.node} ${problem.link} ${problem.message}`}>
              <button type="button" onClick={() => show(problem)}>
                {problem.link ?? problem.node ?? "pipeline"}: {problem.message}
                {problem.suggestion && ` Did you mean ${problem.suggestion}?`}
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
