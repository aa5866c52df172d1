import { ReactFlowProvider, useReactFlow } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import { Canvas, sizesOf } from "./Canvas";
import { Palette } from "./Palette";
import { Panel } from "./Panel";
import { Problems } from "./Problems";
import { Toolbar } from "./Toolbar";
import { actionsOf } from "./actions";
import { SharedContext, useEditor, useShared } from "./context";
import { dropDraft, keepDraft, readDraft } from "./drafts";
import { marksOf } from "./marks";
import { paletteOf } from "./matching";
import type { Editor } from "./store";
import type { ComponentDescription, ComposerData, Revision } from "./types";
import { useHeight } from "./useHeight";
import { usePalette } from "./usePalette";

/** Changes that follow each other closely are sent together. */
const SEND_AFTER_MS = 250;
/** What the page has not confirmed by then was lost on the way, as when the server was restarted. */
const SEND_AGAIN_AFTER_MS = 5000;
const MESSAGE_MS = 9000;

interface Props {
  editor: Editor;
  data: ComposerData;
  send: (revision: Revision) => void;
  dark: boolean;
}

/** The whole editor: palette, canvas, panel and problems. */
export function Composer(props: Props) {
  const components = usePalette(props.data.palette);
  if (!components) return <p className="none">Loading the components …</p>;
  return <Editing {...props} components={components} />;
}

function Editing({
  editor,
  data,
  send,
  dark,
  components,
}: Props & { components: ComponentDescription[] }) {
  useOpen(editor, data);
  useSend(editor, data, send);
  const columns = useHeight<HTMLDivElement>(data.height);
  const palette = useMemo(() => paletteOf(components), [components]);
  const marks = useMemo(() => marksOf(typesOf(components)), [components]);
  const revision = useStore(editor, (state) => state.revision);
  const shared = useMemo(
    () => ({ editor, palette, marks, problems: data.problems, run: data.run }),
    [editor, palette, marks, data.problems, data.run],
  );
  return (
    <SharedContext.Provider value={shared}>
      <ReactFlowProvider>
        <Keys stored={data.checked >= revision}>
          <Toolbar />
          <div className="columns" ref={columns}>
            {!data.readOnly && <Palette components={components} />}
            <main>
              <Canvas dark={dark} />
              {!data.readOnly && <Beginning />}
              <Message />
            </main>
            <Panel />
          </div>
          {!data.readOnly && <Problems current={data.checked >= revision} />}
        </Keys>
      </ReactFlowProvider>
    </SharedContext.Provider>
  );
}

/** Take the page's document when it is another one; what this browser has newer comes first. */
function useOpen(editor: Editor, data: ComposerData): void {
  const { load, draft, document, stored, readOnly } = data;
  if (editor.getState().load !== load) {
    const kept = readOnly ? null : readDraft(draft);
    if (kept && kept.revision > stored) editor.getState().open(load, kept.document, kept.revision);
    else editor.getState().open(load, document, stored);
  }
  useEffect(() => editor.getState().setReadOnly(readOnly), [editor, readOnly]);
}

function useSend(editor: Editor, data: ComposerData, send: (revision: Revision) => void): void {
  const latest = useRef({ data, send });
  latest.current = { data, send };
  useEffect(() => dropDraft(data.draft, data.stored), [data.draft, data.stored]);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      const { load, revision, document, readOnly } = editor.getState();
      const { data: now, send: give } = latest.current;
      if (readOnly || load !== now.load || revision <= now.stored) return;
      give({ draft: now.draft, load, revision, document });
      timer = setTimeout(flush, SEND_AGAIN_AFTER_MS);
    };
    const changed = () => {
      const { load, revision, document, readOnly } = editor.getState();
      const { data: now } = latest.current;
      if (!readOnly && revision > now.stored) {
        keepDraft({ draft: now.draft, load, revision, document });
      }
      clearTimeout(timer);
      timer = setTimeout(flush, SEND_AFTER_MS);
    };
    changed();
    const stop = editor.subscribe((state, before) => {
      if (state.revision !== before.revision || state.load !== before.load) changed();
    });
    return () => {
      stop();
      clearTimeout(timer);
      flush();
      clearTimeout(timer);
    };
  }, [editor]);
}

/** Keys work while the focus is in the editor or nowhere, but not while one types. */
function Keys({ stored, children }: { stored: boolean; children: React.ReactNode }) {
  const { editor } = useShared();
  const flow = useReactFlow();
  const actions = actionsOf(editor);
  const press = (event: KeyboardEvent | React.KeyboardEvent) => {
    const target = event.target as HTMLElement;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const found: Record<string, () => void> = {
      "command z": actions.undo,
      "command shift z": actions.redo,
      "command y": actions.redo,
      "command a": actions.selectAll,
      "command c": () => void actions.copy(),
      "command v": () => void actions.paste(),
      "command g": actions.group,
      "command l": () => actions.arrange(sizesOf(flow.getNodes())),
      "command 0": () => void flow.fitView({ maxZoom: 1, padding: 0.08 }),
      delete: actions.remove,
      backspace: actions.remove,
    };
    const run = found[`${command ? "command " : ""}${event.shiftKey && command ? "shift " : ""}${key}`];
    if (!run) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  };
  const latest = useRef(press);
  latest.current = press;
  // Where what had the focus has gone, as a deleted node, the focus is nowhere.
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.target === document.body) latest.current(event);
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
  return (
    <div className="editor" data-stored={stored} onKeyDown={press} tabIndex={-1}>
      {children}
    </div>
  );
}

/** Why a link was refused. */
function Message() {
  const { editor } = useShared();
  const message = useStore(editor, (state) => state.message);
  const [shown, setShown] = useState(message);
  useEffect(() => {
    setShown(message);
    if (!message) return;
    const timer = setTimeout(() => editor.getState().say(null), MESSAGE_MS);
    return () => clearTimeout(timer);
  }, [editor, message]);
  return (
    <div className="refusal" role="alert">
      {shown && (
        <p>
          {shown}
          <button type="button" aria-label="close" onClick={() => editor.getState().say(null)}>
            ×
          </button>
        </p>
      )}
    </div>
  );
}

function* typesOf(palette: readonly ComponentDescription[]): Iterable<string> {
  for (const { operations } of palette) {
    for (const { input, output } of operations) {
      for (const port of [output, input]) if (port) yield port.type;
    }
  }
  for (const { operations } of palette) {
    for (const { input, output } of operations) {
      for (const port of [output, input]) for (const field of port?.fields ?? []) yield field.type;
    }
  }
}

/** What an empty canvas says; it lets the mouse through. */
function Beginning() {
  const empty = useEditor(({ document }) => Object.keys(document.nodes).length === 0);
  if (!empty) return null;
  return (
    <div className="beginning">
      <p>
        <strong>Drag a component here</strong>
      </p>
      <p>then draw from its output, on the right, to the input of another.</p>
      <p>Or press Open: there are examples that run at once.</p>
    </div>
  );
}
