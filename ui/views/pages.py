"""The pages, by which they link to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.drafting import normal
from ui.views.session import workspace

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

    from ui.drafting import Editing


def compose_page() -> Page:
    """Return the canvas."""
    from ui.views.compose import compose

    return st.Page(
        compose, title="Compose", url_path="compose", icon=":material/hub:", default=True
    )


def runs_page() -> Page:
    """Return the history, and with the parameter `run` one run."""
    from ui.views.runs import runs

    return st.Page(runs, title="Runs", url_path="runs", icon=":material/play_circle:")


def results_page() -> Page:
    """Return the page of maps and numbers; the parameter `run` names whose."""
    from ui.views.results import results

    return st.Page(results, title="Results", url_path="results", icon=":material/map:")


def discover_page() -> Page:
    """Return all components, and with the parameter `component` one of them."""
    from ui.views.discover import discover

    return st.Page(discover, title="Discover", url_path="discover", icon=":material/search:")


def deploy_page() -> Page:
    """Return the page for pipelines on clusters."""
    from ui.views.deploy import deploy

    return st.Page(deploy, title="Deploy", url_path="deploy", icon=":material/cloud_upload:")


def open_in_compose(document: dict[str, Any]) -> None:
    """Go to the canvas with a pipeline, in a draft of its own."""
    editing: Editing | None = st.session_state.get("editing")
    st.session_state.pop("shown_run", None)
    if editing is None:
        draft = workspace().new_draft(normal(document))
        st.switch_page(compose_page(), query_params={"draft": draft.id})
    editing.open(document)
    st.switch_page(compose_page())
