"""The script that Streamlit runs: the frame around all pages."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from ui.views.pages import compose_page, deploy_page, discover_page, results_page, runs_page

# The width belongs to the canvas; Streamlit's own margins would take a fifth of a small screen.
_STYLE = """
<style>
.block-container { padding: 4rem 1.2rem 0.5rem; }
/* Whatever runs here says so itself; this one would flicker with every look at a run. */
[data-testid="stAppDeployButton"], [data-testid="stStatusWidget"] { display: none; }
</style>
"""

# A file of ours: Streamlit's own symbols are fetched from a server of Google's.
_ICON = Path(__file__).with_name("icon.svg")

st.set_page_config(page_title="EO Loom", page_icon=str(_ICON), layout="wide")
st.html(_STYLE)
st.navigation(
    [compose_page(), runs_page(), results_page(), discover_page(), deploy_page()],
    position="top",
).run()
