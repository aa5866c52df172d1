"""Our React components in Streamlit pages.

Their code lies in `ui/canvas`; the browser loads it once, from a route of ours, and keeps it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_LOADER = """
const loaded = {};
function load(name) {
  const base = new URL("bundle/", document.baseURI);
  if (!document.querySelector(`link[data-eoloom="${name}"]`)) {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.dataset.eoloom = name;
    style.href = new URL(name + ".css", base).href;
    document.head.appendChild(style);
  }
  loaded[name] ??= fetched(new URL(name + ".js", base).href).catch((error) => {
    delete loaded[name];
    throw error;
  });
  return loaded[name];
}
// A browser remembers that an address has failed; the server may only have been starting.
async function fetched(address, attempt = 0) {
  try {
    return await import(attempt ? `${address}?${attempt}` : address);
  } catch (error) {
    if (attempt === 4) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return fetched(address, attempt + 1);
  }
}
export default function (component) {
  let unmount;
  let gone = false;
  load("NAME").then((module) => {
    if (!gone) unmount = module.default(component);
  }).catch((error) => {
    console.error(error);
    component.parentElement.textContent =
      "This part of the page could not be loaded. Is EO Loom still running? Then reload the page.";
  });
  return () => {
    gone = true;
    if (unmount) unmount();
  };
}
"""


def web_component(name: str) -> ComponentRenderer:
    """Return the component of a module of the bundle, such as `composer`."""
    return st.components.v2.component(
        f"eoloom-{name}", js=_LOADER.replace("NAME", name), isolate_styles=False
    )


def mount(name: str, data: Any, *, key: str, **callbacks: Any) -> Any:
    """Show a component; `key` keeps it alive while the page runs again."""
    return web_component(name)(key=key, data=data, **callbacks)
