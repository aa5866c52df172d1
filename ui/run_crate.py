"""A run as an RO-Crate, made while it is sent: crates with data can be larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.embedded import load_run
from orchestrator.engine.run import State
from orchestrator.errors import PermanentError
from orchestrator.extras import missing_extra
from orchestrator.provenance.account import read_account
from orchestrator.provenance.crate_options import CrateOptions
from ui.drawing import draw_graph
from ui.figure_files import figure_bytes
from ui.page_settings import PageSettings
from ui.picture import make_picture
from ui.registry import find_components
from ui.run_view import state_of
from ui.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES: Final = 1024 * 1024


def crate_chunks(run: str, *, with_data: bool) -> Iterator[bytes]:
    """Return the crate of a run as chunks of a zip file.

    Raises PermanentError while the run goes on, RunNotFoundError, PipelineError where a component
    of it has gone, and SettingsError where packages are missing.
    """
    try:
        from orchestrator.provenance.ro_crate import build_crate
    except ModuleNotFoundError as error:
        raise missing_extra("an RO-Crate", "provenance") from error

    registry = find_components(PageSettings().components_folders)
    record, graph, events = load_run(run, registry, load_settings())
    if state_of(record) == State.RUNNING:
        raise PermanentError(f"run {record.id} has not ended; its crate can be made then")
    drawing = draw_graph(graph)
    picture = figure_bytes(lambda: make_picture(drawing), "svg")
    options = CrateOptions(picture=picture, with_data=with_data)
    built, _ = build_crate(read_account(record, graph, events), options)
    return _stream(built)


def _stream(built: Any) -> Iterator[bytes]:
    yield from built.stream_zip(chunk_size=_CHUNK_BYTES)
