"""`eoloom run`: run a pipeline here, watch it, and say what came of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NoReturn

import typer

from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Live,
    Overrides,
    PipelineArgument,
    RunsFolder,
)

if TYPE_CHECKING:
    from composer.graph import Graph
    from orchestrator.embedded import RunReport
    from orchestrator.journal import RunRecord
    from orchestrator.settings import OrchestratorSettings
    from ui.live import Watch
    from ui.output import Output
    from ui.run_view import RunView

EPILOG = """
[b]Examples[/b]

  eoloom run examples/demo.yaml

  eoloom run examples/s2_change.yaml --set scenes.catalogue=./my-catalogue --set clean.resolution=20

  eoloom run examples/demo.yaml --json > run.json
"""


def run(
    file: PipelineArgument,
    *,
    overrides: Overrides = None,
    runs_folder: RunsFolder = None,
    live: Live = True,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline on this machine: one process per node, results as a STAC catalogue.

    Ctrl-C stops the components in order and keeps what they have made; a second one ends them at
    once. With --json progress goes to stderr.
    """
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from composer.registry import Registry
    from ui.output import Output
    from ui.settings import load_settings

    registry = Registry.discover(component_folders or ())
    graph = compose(load_pipeline(file, overrides or ()), registry)
    execute(graph, load_settings(runs_folder), Output(as_json=as_json), live=live)


def execute(
    graph: Graph,
    settings: OrchestratorSettings,
    output: Output,
    *,
    live: bool,
    resume: RunRecord | None = None,
    redrive: bool = False,
) -> NoReturn:
    """Run a pipeline, or go on with a run of it; show it and exit with the code of how it went."""
    from orchestrator.embedded import run_pipeline
    from orchestrator.engine.run import State
    from ui.exits import ExitCode
    from ui.interrupts import run_interruptibly

    with _watch(graph, output, live=live) as watch:
        report = run_interruptibly(
            lambda: run_pipeline(graph, settings, [watch.observe], resume=resume, redrive=redrive),
            watch.say,
        )
    _tell(_read(report, settings), output)
    codes = {State.SUCCEEDED: ExitCode.SUCCESS, State.CANCELLED: ExitCode.INTERRUPTED}
    raise typer.Exit(codes.get(report.state, ExitCode.RUN_FAILED))


def _watch(graph: Graph, output: Output, *, live: bool) -> Watch:
    from ui.live import LineWatch, LiveWatch
    from ui.state import NodeLabel

    labels = [
        NodeLabel(
            name,
            node.component.reference,
            tuple(planned.operation.name for planned in graph.operations_of(name)),
        )
        for name, node in graph.nodes.items()
    ]
    kind = LiveWatch if live and output.console.is_terminal and not output.as_json else LineWatch
    return kind(labels, output.console)


def _read(report: RunReport, settings: OrchestratorSettings) -> RunView:
    from orchestrator.journal import Journal
    from ui.run_view import read_run

    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        return read_run(journal, report.id)


def _tell(view: RunView, output: Output) -> None:
    from orchestrator.engine.run import State
    from ui.documents import run_document
    from ui.summary import show_end, show_failure

    output.document(run_document(view))
    if not output.as_json:
        show_end(view, output)
    if view.state == State.FAILED:
        show_failure(view, output)
