import type { NodeProps } from "@xyflow/react";
import { memo } from "react";
import { useEditor, useShared } from "./context";
import { withGroups, withNotes } from "./document";
import { NOTE } from "./flow";

/** A note on the canvas; it has no meaning for the pipeline. */
export const NoteNode = memo(function NoteNode({ id, selected }: NodeProps) {
  const { editor } = useShared();
  const key = id.slice(NOTE.length);
  const text = useEditor(
    ({ document }) => document.positions.notes?.find((note) => note.id === key)?.text ?? "",
  );
  return (
    <div className={`note ${selected ? "selected" : ""}`}>
      <div className="grip" aria-hidden="true" />
      <textarea
        className="nodrag nowheel"
        aria-label="text of the note"
        placeholder="A note"
        defaultValue={text}
        key={text}
        maxLength={2000}
        onBlur={(event) => {
          const changed = event.target.value;
          if (changed === text) return;
          editor.getState().apply("edit note", (document) =>
            withNotes(
              document,
              (document.positions.notes ?? []).map((note) =>
                note.id === key ? { ...note, text: changed } : note,
              ),
            ),
          );
        }}
      />
    </div>
  );
});

/** A frame around nodes that belong together. */
export const GroupFrame = memo(function GroupFrame({ data }: NodeProps) {
  const { editor } = useShared();
  const { id, title } = data as { id: string; title: string };
  const rename = (text: string) =>
    editor.getState().apply("rename group", (document) =>
      withGroups(
        document,
        (document.positions.groups ?? []).map((group) =>
          group.id === id ? { ...group, title: text } : group,
        ),
      ),
    );
  const dissolve = () =>
    editor.getState().apply("ungroup", (document) =>
      withGroups(
        document,
        (document.positions.groups ?? []).filter((group) => group.id !== id),
      ),
    );
  return (
    <div className="group-frame">
      <input
        className="nodrag"
        aria-label="title of the group"
        defaultValue={title}
        key={title}
        maxLength={100}
        onBlur={(event) => event.target.value !== title && rename(event.target.value)}
      />
      <button type="button" className="nodrag" title="Dissolve this group" onClick={dissolve}>
        ×
      </button>
    </div>
  );
});
