import "@xyflow/react/dist/style.css";
import { createRoot, type Root } from "react-dom/client";
import type { Mount } from "../streamlit";
import { Composer } from "./Composer";
import { createEditor, type Editor } from "./store";
import "./style.css";
import type { ComposerData } from "./types";

interface Mounted {
  root: Root;
  editor: Editor;
  host: HTMLElement;
}

const mounted = new WeakMap<object, Mounted>();

/** The composer in a Streamlit page. Streamlit calls it again whenever the data have changed. */
const mount: Mount<ComposerData> = ({ parentElement, data, setStateValue }) => {
  let found = mounted.get(parentElement);
  if (!found) {
    const host = document.createElement("div");
    host.className = "eoloom-composer";
    parentElement.appendChild(host);
    found = { root: createRoot(host), editor: createEditor(), host };
    mounted.set(parentElement, found);
  }
  const dark = isDark(found.host);
  found.host.classList.toggle("dark", dark);
  found.root.render(
    <Composer
      editor={found.editor}
      data={data}
      dark={dark}
      send={(revision) => setStateValue("revision", revision)}
    />,
  );
};

/** Whether the page's theme is dark: Streamlit tells its colours as CSS variables. */
function isDark(host: HTMLElement): boolean {
  const colour = getComputedStyle(host).getPropertyValue("--st-background-color").trim();
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})/i.exec(colour);
  if (!hex) return matchMedia("(prefers-color-scheme: dark)").matches;
  const [red = 255, green = 255, blue = 255] = hex.slice(1).map((part) => parseInt(part, 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
}

export default mount;
