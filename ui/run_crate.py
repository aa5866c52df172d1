"""A run as an RO-Crate, made while it is sent: crates with data can be larger than memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from orchestrator.embedded import load_run
from orchestrator.engine.run import State
from orchestrator.errors import PermanentError
from orchestrator.extras import missing_extra
from orchestrator.provenance.account import read_account
from orchestrator.provenance.crate_options import CrateOptions
from ui.drawing import draw_graph
from ui.figure_files import figure_bytes
from ui.picture import make_picture
from ui.run_view import state_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.registry import Registry
    from orchestrator.settings import OrchestratorSettings

_CHUNK_BYTES: Final = 1024 * 1024


def crate_address(run: str, *, with_data: bool) -> str:
    """Return where the page gives the crate of a run, relative to the page."""
    return f"crates/{quote(run)}.zip" + ("" if with_data else "?data=0")


def crate_chunks(
    run: str, registry: Registry, settings: OrchestratorSettings, *, with_data: bool
) -> Iterator[bytes]:
    """Return the crate of a run as chunks of a zip file.

    Raises PermanentError while the run goes on, RunNotFoundError, PipelineError where a component
    of it has gone, and SettingsError where packages are missing.
    """
    try:
        from orchestrator.provenance.ro_crate import build_crate
    except ModuleNotFoundError as error:
        raise missing_extra("an RO-Crate", "provenance") from error

    record, graph, events = load_run(run, registry, settings)
    if state_of(record) == State.RUNNING:
        raise PermanentError(f"run {record.id} has not ended; its crate can be made then")
    drawing = draw_graph(graph)
    picture = figure_bytes(lambda: make_picture(drawing), "svg")
    options = CrateOptions(picture=picture, with_data=with_data)
    built, _ = build_crate(read_account(record, graph, events), options)
    return _stream(built)


def _stream(built: Any) -> Iterator[bytes]:
    yield from built.stream_zip(chunk_size=_CHUNK_BYTES)
