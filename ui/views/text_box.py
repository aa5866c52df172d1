"""A long text in a box of its own, which the keyboard can scroll.

Streamlit's own box for code cannot be reached by the keyboard.
"""

from __future__ import annotations

from typing import Final

import streamlit as st

_STYLE: Final = """
pre {
  margin: 0; padding: 10px 12px; overflow: auto; max-height: var(--most);
  background: var(--st-secondary-background-color); color: var(--st-text-color);
  border: 1px solid var(--st-border-color); border-radius: 6px;
  font: 12px/1.5 var(--st-code-font, monospace); white-space: pre-wrap; overflow-wrap: anywhere;
}
pre:focus-visible { outline: 2px solid var(--st-primary-color); }
pre .added { color: light-dark(#116329, #56d364); }
pre .removed { color: light-dark(#a40e26, #ff8b83); }
pre { color-scheme: light; }
pre.dark { color-scheme: dark; }
"""

# Texts are set as texts: nothing in them is taken for HTML. The end of a log is kept in view unless
# somebody has scrolled away from it.
_SCRIPT: Final = """
export default function ({ parentElement, data }) {
  let box = parentElement.querySelector("pre");
  if (!box) {
    box = document.createElement("pre");
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    parentElement.appendChild(box);
  }
  const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 30;
  box.setAttribute("aria-label", data.label);
  box.style.setProperty("--most", data.height + "px");
  box.classList.toggle("dark", data.dark);
  if (box.dataset.text !== data.text) {
    box.dataset.text = data.text;
    box.replaceChildren(...data.text.split("\\n").map((line) => {
      const part = document.createElement("span");
      if (data.diff && /^[+-]/.test(line)) part.className = line[0] === "+" ? "added" : "removed";
      part.textContent = line + "\\n";
      return part;
    }));
    if (data.follow && atEnd) box.scrollTop = box.scrollHeight;
  }
}
"""


def text_box(
    text: str, *, label: str, key: str, height: int = 420, follow: bool = False, diff: bool = False
) -> None:
    """Show a text.

    label: what it is, for screen readers. height: the most, in pixels. follow: show the end, and
    what is added there. diff: colour the lines of a unified diff.
    """
    component = st.components.v2.component("eoloom-text-box", css=_STYLE, js=_SCRIPT)
    component(
        key=key,
        data={
            "text": text,
            "label": label,
            "height": height,
            "follow": follow,
            "diff": diff,
            "dark": st.context.theme.type == "dark",
        },
    )
