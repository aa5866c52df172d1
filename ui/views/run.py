"""One run: its picture, its nodes, logs, events and dead letters, and what can be done with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from orchestrator.backends.record import BackendRecord
from orchestrator.dead_letters import read_dead_letters
from orchestrator.embedded import load_run
from orchestrator.events import Kind
from orchestrator.stopping import stop_run
from ui.formatting import format_bytes, format_seconds, format_time
from ui.log_tail import MAX_LINES, log_files, read_tail
from ui.markdown import plain
from ui.run_continuing import Continuing
from ui.run_crate import crate_address
from ui.run_page import (
    MAX_EVENTS,
    RunPage,
    cpu_words,
    document_of,
    event_words,
    node_rows,
    pipeline_text,
    read_events,
    read_page,
)
from ui.running import ShownRun
from ui.views.orchestrator import environment
from ui.views.pages import open_in_compose, results_page, runs_page
from ui.views.refreshing import refreshed
from ui.views.session import (
    journal,
    orchestrator_settings,
    palette_digest,
    registry,
    tell_failure,
    user,
)
from ui.views.states import ACTION_KEY, state_text
from ui.views.text_box import text_box
from ui.web_component import mount

if TYPE_CHECKING:
    from orchestrator.journal import Journal

_REFRESH_S = 1.0
"""How often a run in progress is read anew."""

_PICTURE_HEIGHT = 300

_ACTION_WIDTH = 110
"""Of the place for Stop or Resume, in pixels."""

_SECTIONS = ("Nodes", "Logs", "Events", "Dead letters", "Pipeline file")


def show_run(run: str) -> None:
    """Show one run, again and again while it goes on."""
    with journal() as opened:
        if opened is not None:  # the address may have the beginning of a name, or `last`
            run = st.query_params["run"] = opened.run(run).id
    watched: ShownRun | None = st.session_state.get("watched_run")
    if watched is None or watched.run != run:
        watched = st.session_state.watched_run = ShownRun(run=run)
        st.session_state.pop("continuing", None)
    with journal() as opened:
        if opened is not None:
            watched.nodes(opened, registry())  # so that an end is known before anything is shown
    refreshed(_show, _REFRESH_S if _goes_on(watched) else None)(watched)


def _goes_on(watched: ShownRun) -> bool:
    return not watched.has_ended or "continuing" in st.session_state


def _show(watched: ShownRun) -> bool:
    """Show the run, and return whether something may change."""
    with journal() as opened:
        if opened is None:
            tell_failure("there are no runs yet")
            return False
        _poll_continuing(opened)
        page = read_page(opened, watched.run)
        nodes = watched.nodes(opened, registry()) or {}
        _head(page, opened)
        _failure(page)
        document = document_of(page.record)
        _picture(page, document, nodes)
        _section(page, document, nodes, opened)
    # Until what was shown of it is its end, too.
    return page.is_running or _goes_on(watched)


def _poll_continuing(opened: Journal) -> None:
    continuing: Continuing | None = st.session_state.get("continuing")
    if continuing is None:
        return
    if continuing.has_begun(opened):
        del st.session_state["continuing"]
        st.session_state.watched_run = ShownRun(run=continuing.run)
        st.rerun()
    if continuing.failure:
        del st.session_state["continuing"]
        st.session_state.continuing_failure = (continuing.run, continuing.failure)
        st.rerun()


def _head(page: RunPage, opened: Journal) -> None:
    record, whole = page.record, page.whole
    back, title, buttons = st.columns([0.9, 5, 5], vertical_alignment="center")
    back.page_link(runs_page(), label="Runs", icon=":material/arrow_back:")
    title.markdown(f"#### {plain(record.pipeline)} :small[{state_text(page.state)}]")
    with buttons.container(horizontal=True, horizontal_alignment="right"):
        _buttons(page, opened)
    shown = (
        ("Run", record.id),
        ("Started", format_time(record.started)),
        ("Duration", format_seconds(record.seconds) if page.state != "died" else "unknown"),
        ("Results", f"{page.results:,}"),
        ("Bytes moved", format_bytes(whole.bytes_out)),
        ("Processor time", cpu_words(whole.cpu_s, is_running=page.is_running)),
    )
    with st.container(horizontal=True, gap="large"):
        for label, value in shown:
            st.markdown(f":gray[{label}]  \n**{plain(value)}**", width="content")


def _buttons(page: RunPage, opened: Journal) -> None:
    run = page.record.id
    if "continuing" in st.session_state:
        st.markdown("The run goes on …")
        return
    # In a place of its own, so that nothing beside it moves when it is there no longer.
    with st.container(key=ACTION_KEY, width=_ACTION_WIDTH):
        _action(page, opened)
    if st.button(
        "Results",
        icon=":material/map:",
        disabled=not page.results,
        help="On a map, in numbers, and as files" if page.results else "It has left none so far",
        key="results-of-run",
    ):
        st.switch_page(results_page(), query_params={"run": run})
    if st.button(
        "RO-Crate",
        icon=":material/archive:",
        disabled=page.is_running,
        help="When it has ended" if page.is_running else "For archives: data and provenance",
        key="crate-of-run",
    ):
        _crate(run)
    help_ = "Open its pipeline on the page Compose"
    if st.button("Edit", icon=":material/hub:", help=help_, key="edit-run"):
        open_in_compose(document_of(page.record))


def _action(page: RunPage, opened: Journal) -> None:
    help_ = "What it has made is kept, and it can be resumed"
    if page.is_running and st.button("Stop", icon=":material/stop_circle:", help=help_):
        with st.spinner("Stopping …"):
            stop_run(page.record, opened, orchestrator_settings())
        st.rerun()
    help_ = "Go on where it ended: no finished call is made again"
    if page.can_resume and st.button(
        "Resume", type="primary", icon=":material/resume:", help=help_
    ):
        _continue(page.record.id, redrive=False)


def _continue(run: str, *, redrive: bool) -> None:
    st.session_state.pop("continuing_failure", None)
    st.session_state.continuing = Continuing.begin(
        run, orchestrator_settings(), user(), environment(), redrive=redrive
    )
    st.rerun()


@st.dialog("RO-Crate of the run")
def _crate(run: str) -> None:
    st.write(
        "A zip archive that says what the run did, with which components and parameters, and "
        "what came of it (Workflow Run RO-Crate). Secret parameters are left out."
    )
    with_data = st.toggle("With the files of the results", value=True)
    address = crate_address(run, with_data=with_data)
    st.link_button("Download", address, type="primary", icon=":material/download:")


def _failure(page: RunPage) -> None:
    run, said = st.session_state.get("continuing_failure", ("", ""))
    if said and run == page.record.id:
        st.error("It could not go on:", icon=":material/error:")
        text_box(said, label="what the process has said", key="said", height=260)
    if page.failure is None or "continuing" in st.session_state:
        return
    st.error(f"The run {page.state}: {plain(page.failure.message)}", icon=":material/error:")
    if page.failure.log.lines:
        st.caption(f"The last words of {plain(page.failure.node)}; the rest is among the logs")
        text_box("\n".join(page.failure.log.lines), label="the last words", key="last-words")


def _picture(page: RunPage, document: dict[str, Any], nodes: dict[str, Any]) -> None:
    if not document["nodes"]:
        st.warning("The pipeline file of this run is gone; there is no picture of it.")
        return
    mount(
        "composer",
        {
            "load": 1,
            "draft": page.record.id,
            "document": document,
            "stored": 0,
            "palette": palette_digest(),
            "problems": [],
            "checked": 0,
            "run": nodes,
            "readOnly": True,
            "height": _PICTURE_HEIGHT,
        },
        key=f"picture-{page.record.id}",
    )


def _section(
    page: RunPage, document: dict[str, Any], nodes: dict[str, Any], opened: Journal
) -> None:
    chosen = st.segmented_control(
        "What is shown", _SECTIONS, default="Nodes", required=True, label_visibility="collapsed"
    )
    if chosen == "Nodes":
        _nodes(page, document, nodes)
    elif chosen == "Logs":
        _logs(page, list(nodes) or list(document["nodes"]))
    elif chosen == "Events":
        _events(page, opened)
    elif chosen == "Dead letters":
        _dead_letters(page)
    else:
        text = pipeline_text(page.record)
        text_box(text or "(the file is gone)", label="pipeline file", key="pipeline-file")


def _nodes(page: RunPage, document: dict[str, Any], nodes: dict[str, Any]) -> None:
    rows = node_rows(nodes, page, document, orchestrator_settings())
    if not rows:
        st.caption("No component has started yet.")
        return
    st.table([{key: plain(text) for key, text in row.items()} for row in rows], border="horizontal")
    for name, node in nodes.items():
        if node.get("webInterface"):
            st.link_button(f"Web page of {name}", node["webInterface"], icon=":material/language:")


def _logs(page: RunPage, names: list[str]) -> None:
    failed = page.failure.node if page.failure else ""
    begin = names.index(failed) if failed in names else 0
    chosen, hint = st.columns([2, 5], vertical_alignment="bottom")
    node = chosen.selectbox("Node", names, index=begin if names else None)
    files = log_files(page.record.folder, node) if node else ()
    if not files:
        st.caption("It has said nothing yet." if page.is_running else "There is no log of it.")
        return
    path = files[0]
    if files[1:]:
        path = st.selectbox("Replica", files, format_func=lambda file: file.stem)
    tail = read_tail(path)
    more = "" if tail.is_whole else f"the last {MAX_LINES} lines; all of it is in {path}"
    hint.caption(more or str(path))
    text_box(
        "\n".join(tail.lines) or "(nothing)",
        label=f"log of {path.stem}",
        key=f"log-{path.stem}",
        follow=True,
    )


def _events(page: RunPage, opened: Journal) -> None:
    events = read_events(opened, page.record.id)
    st.table(
        [
            {
                "Time": event.time.astimezone().strftime("%H:%M:%S"),
                "What": event.kind.value.replace("-", " "),
                "Node": plain(event.node),
                "": plain(event_words(event)[:400]),
            }
            for event in events
        ],
        border="horizontal",
        height=460 if len(events) > 11 else "content",
    )
    if len(events) == MAX_EVENTS:
        st.caption(f"The newest {MAX_EVENTS}; the journal has the others.")


def _dead_letters(page: RunPage) -> None:
    if not page.dead:
        st.caption("No message was set aside. Nodes with on_error: skip set aside what fails.")
        return
    if page.is_running:
        st.caption(f"{page.dead:,} so far; what they are is shown when the run has ended.")
        return
    loaded = load_run(page.record.id, registry(), orchestrator_settings(), kinds=[Kind.DEAD_LETTER])
    letters = read_dead_letters(*loaded)
    if not letters:
        st.caption("All messages that were set aside have been answered since.")
        return
    rows = [
        {"Node": x.node, "Operation": x.operation, "Message": x.message, "Why": x.reason[:400]}
        for x in letters[:MAX_EVENTS]
    ]
    st.table([{k: plain(v) for k, v in row.items()} for row in rows], border="horizontal")
    if server := BackendRecord(page.record.folder).server:
        st.caption(
            f"The run was made at {plain(server)}, where they cannot be tried again from here."
        )
        return
    help_ = "Try them again, and all that comes behind them"
    if st.button(f"Try {len(letters):,} again", icon=":material/replay:", help=help_):
        _continue(page.record.id, redrive=True)
