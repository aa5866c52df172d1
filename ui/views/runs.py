"""Runs: the history, and one run."""

from __future__ import annotations

import streamlit as st

from ui.formatting import format_seconds, format_time, plural
from ui.markdown import plain
from ui.run_history import STATES, History, read_history
from ui.views.orchestrator import signed_in
from ui.views.pages import runs_page
from ui.views.run import show_run
from ui.views.session import guarded, journal
from ui.views.states import state_text

_WIDTHS = (1.3, 3.6, 2.2, 1.7, 1.0, 4.2)


@guarded
@signed_in
def runs() -> None:
    """Show the page."""
    run = str(st.query_params.get("run", ""))
    if run:
        show_run(run)
    else:
        _history()


def _history() -> None:
    st.markdown("### Runs")
    with journal() as opened:
        if opened is None or not opened.runs(1):
            st.info(
                "There are no runs yet. Open an example on the page Compose and press Run.",
                icon=":material/play_circle:",
            )
            return
        state, pipeline, text = _filters(opened.pipelines())
        # Other filters begin at their first page; the key makes it a widget of its own.
        key = f"history-{state}-{pipeline}-{text}"
        page = int(st.session_state.get(key, 1))
        found = read_history(opened, state=state, pipeline=pipeline, text=text, page=page)
    if not found.rows:
        st.info("No run fits these filters.")
        return
    _rows(found)
    count, pages = st.columns([1, 1], vertical_alignment="center")
    shown = f"{found.first:,} to {found.last:,} of {plural(found.total, 'run')}"
    count.caption(f"{shown}, the newest first")
    with pages.container(horizontal=True, horizontal_alignment="right"):
        if found.pages > 1:
            st.pagination(found.pages, default=found.page, key=key)


def _filters(pipelines: list[str]) -> tuple[str, str, str]:
    state, pipeline, text = st.columns([1, 1.4, 2])
    chosen = state.selectbox(
        "State", ("", *map(str, STATES)), format_func=lambda word: word or "all states"
    )
    named = pipeline.selectbox(
        "Pipeline", ("", *pipelines), format_func=lambda word: word or "all pipelines"
    )
    typed = text.text_input("Search", placeholder="part of a run's name", max_chars=120)
    return chosen, named, typed.strip()


def _rows(found: History) -> None:
    with st.container(gap=None, border=True):
        heads = st.columns(_WIDTHS, vertical_alignment="center")
        names = ("State", "Run", "Pipeline", "Started", "Duration", "Message")
        for column, name in zip(heads, names, strict=True):
            column.markdown(f"**{name}**")
        for row in found.rows:
            state, run, pipeline, started, duration, message = st.columns(
                _WIDTHS, vertical_alignment="center"
            )
            state.markdown(state_text(row.state))
            run.page_link(runs_page(), label=plain(row.id), query_params={"run": row.id})
            pipeline.markdown(plain(row.pipeline))
            started.markdown(format_time(row.started))
            duration.markdown("" if row.seconds is None else format_seconds(row.seconds))
            message.markdown(plain(row.message[:140]), help=_whole(row.message))


def _whole(message: str) -> str | None:
    return plain(message) if len(message) > 140 else None
