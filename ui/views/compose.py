"""Compose: the canvas, and what is done with a pipeline as a whole."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.drafting import Editing, Owners
from ui.markdown import plain
from ui.problems import Checked, Checker
from ui.running import ShownRun
from ui.views import compose_dialogs as dialogs
from ui.views.orchestrator import sign_in, signed_in
from ui.views.pages import results_page, runs_page
from ui.views.refreshing import refreshed
from ui.views.session import (
    guarded,
    journal,
    orchestrator_settings,
    palette_digest,
    registry,
    workspace,
)
from ui.web_component import mount

_REFRESH_S = 1.0
"""How often a run in progress is shown anew."""


@st.cache_resource
def _owners() -> Owners:
    return Owners(lambda session: get_instance().is_active_session(session))


@guarded
@signed_in
def compose() -> None:
    """Show the page."""
    editing = _editing()
    if editing.copied:
        st.info("Another tab works on this draft; this one is a copy of it.")
    _canvas(editing)


def _editing() -> Editing:
    if "editing" not in st.session_state:
        context = get_script_run_ctx()
        session = context.session_id if context else ""
        identifier = str(st.query_params.get("draft", ""))
        st.session_state.editing = Editing.begin(workspace(), identifier, _owners(), session)
    editing: Editing = st.session_state.editing
    st.query_params["draft"] = editing.draft.id
    return editing


def _canvas(editing: Editing) -> None:
    """Show the canvas, again and again while a run is going on; only this part of the page."""
    run: ShownRun | None = st.session_state.get("shown_run")
    goes_on = run is not None and not run.has_ended
    refreshed(_drawing, _REFRESH_S if goes_on else None)(editing)


def _drawing(editing: Editing) -> bool:
    """Show name, buttons and canvas, and return whether a run may change something in them."""
    state = st.session_state.get("composer")
    if state is not None and state.get("revision"):
        editing.revise(state["revision"])
    checker: Checker = st.session_state.setdefault("checker", Checker())
    checked = checker.check(editing.draft, registry(), workspace().folder)
    run: ShownRun | None = st.session_state.get("shown_run")
    overlay = None
    if run is not None:
        with journal() as opened:
            overlay = run.nodes(opened, registry())
    _bar(editing, checked)
    mount(
        "composer",
        {
            "load": editing.load,
            "draft": editing.draft.id,
            "document": editing.draft.document,
            "stored": editing.draft.revision,
            "palette": palette_digest(),
            "problems": list(checked.problems),
            "checked": editing.draft.revision,
            "run": overlay,
            "readOnly": False,
        },
        key="composer",
        on_revision_change=lambda: None,
    )
    return run is not None and not run.has_ended


def _bar(editing: Editing, checked: Checked) -> None:
    """Show the name, whether it is saved, the run, and the buttons."""
    draft = editing.draft
    name, new, open_, save, more, run = st.columns(
        [6, 1, 1, 1, 1, 1], vertical_alignment="center", gap="small"
    )
    saved = f"version {draft.base}" if draft.base else "not saved yet"
    state = saved if draft.is_saved or not draft.base else f"changed since {saved}"
    name.markdown(f"#### {plain(draft.name)} :gray[:small[{state}]]")
    if new.button("New", use_container_width=True, help="Begin an empty pipeline"):
        dialogs.begin(editing)
    if open_.button("Open", use_container_width=True, help="Saved pipelines, examples and files"):
        dialogs.open_pipeline(editing)
    if save.button("Save", use_container_width=True, help="Keep this as the next version"):
        dialogs.save(editing)
    if more.button("More", use_container_width=True, help="Versions, export, name"):
        dialogs.more(editing, checked)
    server = sign_in()
    can_run = server is None or server.answer().can_run
    place = "on this machine" if server is None else f"at {server.address}"
    if run.button(
        "Run",
        type="primary",
        use_container_width=True,
        disabled=checked.graph is None or not can_run,
        help="Mend the problems first"
        if checked.graph is None
        else f"Run it {place}"
        if can_run
        else "The orchestrator does not answer",
    ):
        dialogs.run(editing, orchestrator_settings())
    shown: ShownRun | None = st.session_state.get("shown_run")
    if shown is not None:
        _run_line(shown)


def _run_line(shown: ShownRun) -> None:
    """Show how the run stands, and where more of it is."""
    sentence, links = st.columns([2, 1], vertical_alignment="center")
    sentence.markdown(shown.sentence)
    with links.container(
        horizontal=True, horizontal_alignment="right", vertical_alignment="center"
    ):
        if shown.run and shown.has_ended:
            st.page_link(results_page(), label="Results", query_params={"run": shown.run})
        if shown.run:
            label = "Logs and more" if shown.has_ended else "Stop, logs and more"
            st.page_link(runs_page(), label=label, query_params={"run": shown.run})
        if st.button("Hide", help="Show the pipeline without the run", key="hide-run"):
            del st.session_state["shown_run"]
            st.rerun()
