"""Runs at an orchestrator service, followed here as if they were of this machine."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from composer.registry import Registry
    from orchestrator.journal import RunRecord
    from orchestrator.service_client.mirrored_run import MirroredRun, MirrorReport
    from orchestrator.service_client.settings import ServerSettings
    from orchestrator.settings import OrchestratorSettings
    from ui.output import Output
    from ui.state import NodeLabel


def run_at_server(
    file: Path,
    overrides: Sequence[str],
    server: ServerSettings,
    settings: OrchestratorSettings,
    output: Output,
    *,
    registry: Registry,
    live: bool,
) -> NoReturn:
    """Let the service run a pipeline file; show it and exit with the code of how it went."""
    text = _read_text(file)
    labels = _labels(text, overrides, registry)
    _follow(lambda run: run.begin(text, overrides), labels, server, settings, output, live=live)


def resume_at_server(
    record: RunRecord,
    server: ServerSettings,
    settings: OrchestratorSettings,
    output: Output,
    *,
    registry: Registry,
    live: bool,
) -> NoReturn:
    """Follow a run of the service again, or let it go on there; exit as `run_at_server`."""
    from orchestrator.journal import Journal
    from ui.following import read_labels

    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        labels = read_labels(record, journal, registry)
    _follow(lambda run: run.resume(record), labels, server, settings, output, live=live)


def _follow(
    work: Callable[[MirroredRun], Coroutine[Any, Any, MirrorReport]],
    labels: Sequence[NodeLabel],
    server: ServerSettings,
    settings: OrchestratorSettings,
    output: Output,
    *,
    live: bool,
) -> NoReturn:
    from orchestrator.journal import Journal
    from orchestrator.service_client.mirrored_run import MirroredRun
    from ui.commands.run import exit_code_of, open_watch, tell_end
    from ui.interrupts import run_interruptibly
    from ui.run_view import read_run

    with open_watch(labels, output, live=live) as watch:
        run = MirroredRun(server, settings, [watch.observe])
        report = run_interruptibly(lambda: work(run), watch.say, run.leave)
    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        view = read_run(journal, report.id)
    tell_end(view, output)
    raise typer.Exit(exit_code_of(report.state))


def _read_text(file: Path) -> str:
    """Return the text of a pipeline file. Raises PipelineError where it is no YAML."""
    from composer.pipeline_file import load_pipeline

    load_pipeline(file)  # says in its own words what cannot be read
    return file.read_text(encoding="utf-8")


def _labels(text: str, overrides: Sequence[str], registry: Registry) -> list[NodeLabel]:
    """Return the nodes of a pipeline, also of one whose components only the service has."""
    from composer.errors import ComposerError
    from composer.graph import compose
    from composer.pipeline_file import parse_pipeline
    from ui.state import NodeLabel, labels_of

    pipeline = parse_pipeline(text, overrides)
    try:
        return labels_of(compose(pipeline, registry))
    except ComposerError:
        return [
            NodeLabel(name, node.component, ()) for name, node in pipeline.pipeline.nodes.items()
        ]
