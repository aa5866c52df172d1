import "leaflet/dist/leaflet.css";
import { createRoot, type Root } from "react-dom/client";
import type { Mount } from "../streamlit";
import { ResultMap } from "./ResultMap";
import "./style.css";
import type { MapData } from "./types";

interface Mounted {
  root: Root;
  host: HTMLElement;
}

const mounted = new WeakMap<object, Mounted>();

/** The map in a Streamlit page. Streamlit calls it again whenever the data have changed. */
const mount: Mount<MapData> = ({ parentElement, data, setStateValue }) => {
  let found = mounted.get(parentElement);
  if (!found) {
    const host = document.createElement("div");
    host.className = "eoloom-map";
    parentElement.appendChild(host);
    found = { root: createRoot(host), host };
    mounted.set(parentElement, found);
  }
  found.root.render(<ResultMap data={data} pick={(id) => setStateValue("picked", id)} />);
};

export default mount;
