"""`eoloom run`: run a pipeline here or at a service, watch it, and say what came of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

import typer

from ui.commands.options import (
    AsJson,
    Cache,
    ChosenBackend,
    ComponentFolders,
    Live,
    Overrides,
    PipelineArgument,
    RunsFolder,
    Server,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from composer.graph import Graph
    from orchestrator.backends.name import BackendName
    from orchestrator.embedded import RunReport
    from orchestrator.events import Event
    from orchestrator.journal import RunRecord
    from orchestrator.settings import OrchestratorSettings
    from ui.exits import ExitCode
    from ui.live import Watch
    from ui.output import Output
    from ui.run_view import RunView
    from ui.state import NodeLabel

EPILOG = """
[b]Examples[/b]

  eoloom run examples/demo.yaml

  eoloom run examples/s2_change.yaml --set scenes.catalogue=./my-catalogue --set clean.resolution=20

  eoloom run examples/demo.yaml --backend docker

  EOLOOM_SERVER_TOKEN_FILE=... eoloom run examples/demo.yaml --server orchestrator.example:8061

  eoloom run examples/demo.yaml --json > run.json
"""


def run(
    file: PipelineArgument,
    *,
    overrides: Overrides = None,
    backend: ChosenBackend = None,
    server: Server = None,
    runs_folder: RunsFolder = None,
    cache: Cache = None,
    live: Live = True,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline: one process or container per node, results as a STAC catalogue.

    Ctrl-C stops the components in order and keeps what they have made; a second one ends them at
    once. With --json progress goes to stderr.

    With --server an orchestrator service runs it, and it is entered here as well: its events, its
    results and their files, as of a run of this machine.
    """
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from ui.output import Output
    from ui.registry import find_components
    from ui.server_settings import load_server_settings
    from ui.settings import load_settings

    registry = find_components(component_folders)
    service = load_server_settings(server)
    if service is not None:
        from ui.commands.run_at_server import run_at_server

        refuse_own(backend, cache)
        settings = load_settings(runs_folder)
        output = Output(as_json=as_json)
        run_at_server(
            file, overrides or (), service, settings, output, registry=registry, live=live
        )
    graph = compose(load_pipeline(file, overrides or ()), registry)
    settings = load_settings(runs_folder, cache=cache)
    execute(graph, settings, Output(as_json=as_json), live=live, backend=backend)


def refuse_own(backend: BackendName | None, cache: bool | None) -> None:
    """Refuse options that a service decides itself. Raises BadParameter."""
    for name, value in (("--backend", backend), ("--cache/--no-cache", cache)):
        if value is not None:
            raise typer.BadParameter(
                "the service decides this for its runs; leave it out", param_hint=name
            )


def execute(
    graph: Graph,
    settings: OrchestratorSettings,
    output: Output,
    *,
    live: bool,
    resume: RunRecord | None = None,
    redrive: bool = False,
    backend: BackendName | None = None,
) -> NoReturn:
    """Run a pipeline, or go on with a run of it; show it and exit with the code of how it went."""
    from orchestrator.embedded import run_pipeline
    from orchestrator.stopping import kill_components
    from ui.interrupts import run_interruptibly
    from ui.state import labels_of

    begun: list[str] = []

    def note(event: Event) -> None:
        if not begun:
            begun.append(event.run)

    with open_watch(labels_of(graph), output, live=live) as watch:
        report = run_interruptibly(
            lambda: run_pipeline(
                graph,
                settings,
                [note, watch.observe],
                resume=resume,
                redrive=redrive,
                backend=backend,
            ),
            watch.say,
            lambda: kill_components(begun, settings),
        )
    tell_end(_read(report, settings), output)
    raise typer.Exit(exit_code_of(report.state))


def open_watch(labels: Sequence[NodeLabel], output: Output, *, live: bool) -> Watch:
    """Return what shows a run while it goes: a live table on a terminal, else lines."""
    from ui.live import LineWatch, LiveWatch

    kind = LiveWatch if live and output.console.is_terminal and not output.as_json else LineWatch
    return kind(labels, output.console)


def _read(report: RunReport, settings: OrchestratorSettings) -> RunView:
    from orchestrator.journal import Journal
    from ui.run_view import read_run

    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        return read_run(journal, report.id)


def tell_end(view: RunView, output: Output) -> None:
    """Write how a run ended, as text or as the JSON document, and why it failed."""
    from orchestrator.engine.run import State
    from ui.documents import run_document
    from ui.summary import show_end, show_failure

    output.document(run_document(view))
    if not output.as_json:
        show_end(view, output)
    if view.state not in {State.SUCCEEDED, State.CANCELLED}:
        show_failure(view, output)


def exit_code_of(state: str) -> ExitCode:
    """Return the exit code for how a run ended."""
    from orchestrator.engine.run import State
    from ui.exits import ExitCode

    codes: dict[str, ExitCode] = {
        State.SUCCEEDED: ExitCode.SUCCESS,
        State.CANCELLED: ExitCode.INTERRUPTED,
    }
    return codes.get(state, ExitCode.RUN_FAILED)
