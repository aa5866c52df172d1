"""`eoloom provenance`: what a run did, as other systems read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Force,
    OutputPath,
    RunArgument,
    RunsFolder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.graph import Graph
    from orchestrator.events import Event
    from orchestrator.journal import RunRecord
    from orchestrator.provenance.account import RunAccount
    from orchestrator.provenance.crate_options import CrateOptions

EPILOG = """
[b]Examples[/b]

  eoloom provenance last --output crate.zip

  eoloom provenance last --output crate --agent "Ada Lovelace <https://orcid.org/0000-0000-0000-0000>" --licence CC-BY-4.0

  eoloom provenance last --to openlineage --output events.ndjson
"""  # noqa: E501 - a command line must not be broken

_AGENT: Final = re.compile(r"\s*([^<>]+?)\s*(?:<(https?://[^<>\s]+)>)?\s*")


class Form(StrEnum):
    """What `--to` takes."""

    RO_CRATE = "ro-crate"
    OPENLINEAGE = "openlineage"


def _check_licence(text: str) -> str:
    """Return an SPDX expression as SPDX writes it, or a URL as it is."""
    from orchestrator.extras import missing_extra

    try:
        from orchestrator.provenance.licence import LicenceError, canonical_licence
    except ModuleNotFoundError as error:
        raise missing_extra("a check of licences", "provenance") from error
    try:
        return canonical_licence(text) if text else ""
    except LicenceError as error:
        raise typer.BadParameter(str(error)) from error


ChosenForm = Annotated[
    Form,
    typer.Option(
        "--to",
        help="ro-crate: a Workflow Run RO-Crate, as a folder or file.zip; openlineage: events, one "
        "JSON document a line.",
    ),
]
WithData = Annotated[
    bool,
    typer.Option(
        "--data/--no-data",
        help="Of a crate: take the files of the results along, or only describe them.",
    ),
]
Agent = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of a crate: who started the run, as `Name` or `Name <https://orcid.org/...>`; by "
        "default the owner of its folder.",
        show_default=False,
    ),
]
Licence = Annotated[
    str,
    typer.Option(
        metavar="SPDX",
        help="Of a crate: the licence of the results, as an SPDX expression or URL.",
        callback=_check_licence,
        show_default=False,
    ),
]


def provenance(
    run: RunArgument,
    *,
    to: ChosenForm = Form.RO_CRATE,
    output_path: OutputPath,
    with_data: WithData = True,
    agent: Agent = "",
    licence: Licence = "",
    force: Force = False,
    runs_folder: RunsFolder = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Write what a run did, with what, and what came of it, for archives and catalogues.

    A run that failed can be written too, and says so. Secret parameters are left out. A folder
    has to be new or empty.
    """
    from orchestrator.embedded import load_run
    from orchestrator.engine.run import State
    from orchestrator.errors import PermanentError
    from orchestrator.provenance.account import read_account
    from orchestrator.provenance.crate_options import CrateOptions
    from ui.formatting import format_path
    from ui.output import Output
    from ui.output_path import refuse_existing
    from ui.registry import find_components
    from ui.run_view import state_of
    from ui.settings import load_settings

    # What is in the folder of a crate may be the very files of another run.
    refuse_existing(output_path, force=force or output_path.is_dir())
    registry = find_components(component_folders)
    record, graph, events = load_run(run, registry, load_settings(runs_folder))
    if state_of(record) == State.RUNNING:
        raise PermanentError(
            f"run {record.id} has not ended; `eoloom watch {record.id}` waits for its end"
        )
    output = Output(as_json=as_json)
    written = _Written()
    if to is Form.RO_CRATE:
        name, uri = _read_agent(agent)
        options = CrateOptions(name, uri, licence, with_data=with_data)
        written = _write_crate(read_account(record, graph, events), output_path, options)
    else:
        _write_events(record, graph, events, output_path)
    for warning in written.warnings():
        output.warn(warning)
    output.document(
        {
            "run": record.id,
            "format": to,
            "path": output_path.absolute(),
            "missing": written.missing,
            "untraced": written.untraced,
        }
    )
    if not as_json:
        output.line(f"wrote {format_path(output_path)}")


@dataclass(frozen=True)
class _Written:
    """What became of a crate. missing: files that are gone; untraced: items of unknown origin."""

    missing: Sequence[str] = ()
    untraced: Sequence[str] = ()

    def warnings(self) -> Iterator[str]:
        from orchestrator.engine.message_log import MESSAGES_FILE
        from ui.formatting import format_path, plural

        if self.missing:
            yield (
                f"{plural(len(self.missing), 'file')} of the run's results are gone and were left "
                f"out, such as {format_path(self.missing[0])}"
            )
        if self.untraced:
            yield (
                f"the run's {MESSAGES_FILE} is damaged or cut off: the crate does not say what "
                f"{plural(len(self.untraced), 'result')} came from, such as {self.untraced[0]}"
            )


def _read_agent(text: str) -> tuple[str, str]:
    """Return the name and the URI of `Name <https://...>`; both empty if nothing is given."""
    if not text:
        return "", ""
    given = _AGENT.fullmatch(text)
    if given is None:
        raise typer.BadParameter(
            f"{text!r} is neither `Name` nor `Name <https://...>`", param_hint="--agent"
        )
    return given[1], given[2] or ""


def _write_crate(account: RunAccount, path: Path, options: CrateOptions) -> _Written:
    """Write the crate with a picture of the pipeline."""
    from orchestrator.extras import missing_extra
    from ui.drawing import draw_graph
    from ui.figure_files import figure_bytes
    from ui.picture import make_picture

    try:
        from orchestrator.provenance.ro_crate import write_crate
    except ModuleNotFoundError as error:
        raise missing_extra("an RO-Crate", "provenance") from error
    drawing = draw_graph(account.graph)
    picture = figure_bytes(lambda: make_picture(drawing), "svg")
    missing = write_crate(account, path, replace(options, picture=picture)).missing
    return _Written(missing, [result.item or result.path.name for result in account.untraced])


def _write_events(record: RunRecord, graph: Graph, events: Sequence[Event], path: Path) -> None:
    from orchestrator.extras import missing_extra
    from ui.errors import EnvironmentFaultError

    try:
        from orchestrator.provenance.open_lineage import run_events, to_json
    except ModuleNotFoundError as error:
        raise missing_extra("OpenLineage", "provenance") from error

    try:
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{to_json(event)}\n" for event in run_events(record, graph, events))
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {path}: {error.strerror}") from error
