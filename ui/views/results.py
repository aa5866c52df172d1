"""Results: what a run has left, on a map and in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import streamlit as st

from orchestrator.engine.run import State
from orchestrator.result_files import read_results
from ui.formatting import format_time, plural
from ui.map_layers import map_bounds
from ui.markdown import plain
from ui.result_items import read_item, read_parents
from ui.result_layers import layers_of
from ui.result_outlines import outlines
from ui.run_view import state_of
from ui.views.pages import runs_page
from ui.views.result_sections import show_sections
from ui.views.session import guarded, journal, orchestrator_settings, page_settings
from ui.views.states import state_text
from ui.web_component import mount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.journal import Journal, RunRecord
    from orchestrator.result_files import Result
    from ui.map_layers import ItemLayers
    from ui.result_items import ItemView

_RUNS: Final = 200
"""The latest ones, to choose from; older ones are opened from the page Runs."""
_REFRESH_S: Final = 3.0
_RUN: Final = "results-run"
_ITEM: Final = "results-item"
_STEPS: Final = "results-steps"
_MAP: Final = "result-map"


@guarded
def results() -> None:
    """Show the page."""
    with journal() as opened:
        records = _records(opened)
    if not records:
        st.markdown("### Results")
        st.info(
            "There are no runs yet. Open an example on the page Compose and press Run.",
            icon=":material/play_circle:",
        )
        return
    chosen, item, steps = st.columns([3, 4, 1.5], vertical_alignment="bottom")
    with chosen:
        record = _choose_run(records)
    found = _results(record)
    with steps:
        with_steps = st.toggle(
            "Steps", key=_STEPS, help="Also what was made on the way to the results"
        )
    _tell_state(record, found)
    if not _is_here(record):
        st.warning(
            f"The files of this run are in {plain(str(record.folder))}, which is not in the runs "
            "folder of this page, so they cannot be shown here."
        )
        return
    terminal = [result for result in found if result.terminal]
    shown = found if with_steps or not terminal else terminal
    with item:
        result = _choose_item(record, shown)
    if result is not None:
        _show(record, result, shown)


def _records(opened: Journal | None) -> list[RunRecord]:
    """Return the runs to choose from: the latest, and the one that the address names."""
    if opened is None:
        return []
    records = opened.runs(_RUNS)
    named = str(st.session_state.get(_RUN) or st.query_params.get("run", ""))
    if named and records:
        # Its whole name, the start of it, or `last`, as everywhere.
        st.session_state[_RUN] = opened.run(named).id
        if st.session_state[_RUN] not in {record.id for record in records}:
            records.append(opened.run(named))
    return records


def _choose_run(records: Sequence[RunRecord]) -> RunRecord:
    by_id = {record.id: record for record in records}
    run = st.selectbox(
        "Run",
        list(by_id),
        key=_RUN,
        format_func=lambda name: _label(by_id[name]),
        on_change=lambda: st.session_state.pop(_ITEM, None),
    )
    st.query_params["run"] = run
    return by_id[run]


def _label(record: RunRecord) -> str:
    return f"{record.pipeline} · {format_time(record.started)} · {state_of(record)}"


def _results(record: RunRecord) -> tuple[Result, ...]:
    ended = record.ended.isoformat() if record.ended else ""
    if not ended:
        return read_results(record.folder)
    return _kept_results(str(record.folder), ended)


@st.cache_data(max_entries=16, show_spinner=False)
def _kept_results(folder: str, ended: str) -> tuple[Result, ...]:
    del ended  # a run that was resumed has others
    return read_results(Path(folder))


def _is_here(record: RunRecord) -> bool:
    """Whether the routes give the files of the run: they know the runs folder only."""
    expected = orchestrator_settings().runs_folder.resolve() / record.id
    return record.folder.resolve() == expected and expected.is_dir()


def _tell_state(record: RunRecord, found: Sequence[Result]) -> None:
    state = state_of(record)
    if state == State.RUNNING:
        st.fragment(_follow, run_every=_REFRESH_S)(record, len(found))
    elif state != State.SUCCEEDED:
        message = f": {plain(record.message)}" if record.message else ""
        left = f" It had left {plural(len(found), 'result')}." if found else ""
        line, link = st.columns([8, 1], vertical_alignment="center")
        line.markdown(f"{state_text(state)}{message}.{left}")
        link.page_link(runs_page(), label="The run", query_params={"run": record.id})
    elif not found:
        st.info("This run has left no results: its pipeline keeps nothing, or found nothing.")


def _follow(record: RunRecord, known: int) -> None:
    """Tell of a run in progress, and show the page anew when it has left something more."""

    def tell() -> None:
        with journal() as opened:
            current = opened.run(record.id) if opened else record
        count = len(read_results(record.folder))
        if count != known or state_of(current) != State.RUNNING:
            st.rerun()
        st.markdown(f"{state_text('running')}, {plural(count, 'result')} so far")

    guarded(tell)()


def _choose_item(record: RunRecord, shown: Sequence[Result]) -> Result | None:
    if not shown:
        return None
    by_path = {str(result.path.relative_to(record.folder.resolve())): result for result in shown}
    named = str(st.query_params.get("item", ""))
    if _ITEM not in st.session_state and named in by_path:
        st.session_state[_ITEM] = named
    elif st.session_state.get(_ITEM) not in by_path:
        st.session_state.pop(_ITEM, None)
    count = plural(len(by_path), "item")
    path = st.selectbox(
        f"Item ({count})",
        list(by_path),
        key=_ITEM,
        format_func=lambda name: f"{by_path[name].item or Path(name).name} · {by_path[name].node}",
    )
    st.query_params["item"] = path
    return by_path[path]


def _show(record: RunRecord, result: Result, shown: Sequence[Result]) -> None:
    folder = record.folder.resolve()
    item = read_item(folder, result)
    if item is None:
        st.info(
            f"`{result.node}` gave messages that are no items, so there is nothing to draw; "
            "they can be downloaded."
        )
        st.fragment(show_sections)(record, result, None, None)
        return
    layers = layers_of(folder, item, read_parents(folder, item))
    for note in layers.notes[:5]:
        st.warning(plain(note), icon=":material/layers_clear:")
    _map(folder, item, layers, shown)
    # The map stays as it is while somebody looks through the sections.
    st.fragment(show_sections)(record, result, item, layers)


def _map(folder: Path, item: ItemView, layers: ItemLayers, shown: Sequence[Result]) -> None:
    settings = page_settings()
    basemap = None
    if settings.basemap_url:
        basemap = {"url": settings.basemap_url, "attribution": settings.basemap_attribution}
    mount(
        "map",
        {
            "subject": f"{folder.name}/{item.path}/{len(layers.layers)}",
            "layers": layers.as_data(),
            "outlines": outlines(folder, shown, item.result),
            "bounds": map_bounds(layers.layers, item),
            "left": layers.left,
            "right": layers.right,
            "basemap": basemap,
        },
        key=_MAP,
        on_picked_change=_take_picked,
    )


def _take_picked() -> None:
    """Show the item whose outline was clicked."""
    picked = (st.session_state.get(_MAP) or {}).get("picked")
    if picked:
        st.session_state[_ITEM] = str(picked)
