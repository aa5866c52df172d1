"""The RO-Crate of a run as one archive, for whoever downloads it. Knows no Streamlit."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.embedded import load_run
from orchestrator.provenance.account import read_account
from orchestrator.provenance.crate_options import CrateOptions
from ui.errors import UiError
from ui.formatting import format_bytes

if TYPE_CHECKING:
    from composer.registry import Registry
    from orchestrator.settings import OrchestratorSettings

MAX_ARCHIVE_BYTES: Final = 1 << 30
"""It is held in memory while it is downloaded."""


def crate_archive(
    run: str, registry: Registry, settings: OrchestratorSettings, *, with_data: bool
) -> bytes:
    """Return the crate of a run that has ended, as a zip archive.

    Raises what `load_run` raises, and SettingsError where the extra `provenance` is missing.
    """
    from orchestrator.extras import missing_extra
    from ui.drawing import draw_graph
    from ui.figure_files import figure_bytes
    from ui.picture import make_picture

    try:
        from orchestrator.provenance.ro_crate import write_crate
    except ModuleNotFoundError as error:
        raise missing_extra("an RO-Crate", "provenance") from error
    record, graph, events = load_run(run, registry, settings)
    account = read_account(record, graph, events)
    picture = figure_bytes(lambda: make_picture(draw_graph(graph)), "svg")
    with tempfile.TemporaryDirectory(prefix="eoloom-crate-") as folder:
        path = Path(folder) / f"{record.id}.crate.zip"
        write_crate(account, path, CrateOptions(with_data=with_data, picture=picture))
        size = path.stat().st_size
        if size > MAX_ARCHIVE_BYTES:
            raise UiError(
                f"the crate has {format_bytes(size)}, too much for a browser's download; "
                f"`eoloom provenance {record.id}` writes it to a file, or leave the data out"
            )
        return path.read_bytes()
