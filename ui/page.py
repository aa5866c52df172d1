"""The script that Streamlit runs: the frame around all pages."""

from __future__ import annotations

import contextlib
from pathlib import Path

import streamlit as st

from ui.errors import EnvironmentFaultError
from ui.views.orchestrator import show_orchestrator
from ui.views.pages import compose_page, deploy_page, discover_page, results_page, runs_page
from ui.views.session import keep_to_user

# The width belongs to the canvas; Streamlit's own margins would take a fifth of a small screen.
_STYLE = """
<style>
.block-container { padding: 4rem 1.2rem 0.5rem; }
/* Whatever runs here says so itself; this one would flicker with every look at a run. */
[data-testid="stAppDeployButton"], [data-testid="stStatusWidget"] { display: none; }
/* In the header, where it takes no room from the canvas; on a narrow screen above the page. */
.st-key-orchestrator { position: fixed; top: 0.7rem; right: 3.5rem; width: fit-content;
  z-index: 999991; }
@media (max-width: 900px) { .st-key-orchestrator { position: static; } }
/* Where the page's process is gone; a page that only begins is connected before that. */
.stApp[data-test-connection-state]:not([data-test-connection-state="CONNECTED"])::before {
  content: "No connection to EO Loom: is it still running? Runs go on without it. What you draw is "
    "kept by this browser, and stored when it answers again.";
  position: fixed; inset: 0 0 auto 0; z-index: 1000000; padding: 8px 20px; text-align: center;
  background: #9a3412; color: #ffffff; opacity: 0; animation: eoloom-appear 0s 3s forwards;
}
@keyframes eoloom-appear { to { opacity: 1; } }
/* What is replaced stays for a moment: below what replaces it, not beside it, where it would move
   a button away from below the cursor. */
.st-key-run-action { display: grid; justify-items: end; align-items: center; }
.st-key-run-action > * { grid-area: 1 / 1; }
.st-key-run-action > [data-stale="false"] { z-index: 1; }
</style>
"""

# A file of ours: Streamlit's own symbols are fetched from a server of Google's.
_ICON = Path(__file__).with_name("icon.svg")

st.set_page_config(page_title="EO Loom", page_icon=str(_ICON), layout="wide")
st.html(_STYLE)
with contextlib.suppress(EnvironmentFaultError):  # each page says so
    keep_to_user()
    show_orchestrator()
st.navigation(
    [compose_page(), runs_page(), results_page(), discover_page(), deploy_page()],
    position="top",
).run()
