"""`eoloom resume`: go on with a run that did not come to its end."""

from __future__ import annotations

import contextlib

from ui.commands.options import (
    AsJson,
    Cache,
    ChosenBackend,
    ComponentFolders,
    Live,
    RunArgument,
    RunsFolder,
    Server,
)
from ui.commands.run import execute, refuse_own

EPILOG = """
[b]Examples[/b]

  eoloom resume last

  eoloom resume s2-change-20240513
"""


def resume(
    run: RunArgument,
    *,
    backend: ChosenBackend = None,
    server: Server = None,
    runs_folder: RunsFolder = None,
    cache: Cache = None,
    live: Live = True,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that failed, was stopped or was killed.

    No finished call is made again: what was computed is taken from the run's folder, and its
    results are the same as if nothing had happened. Components run where they did before, unless
    --backend says otherwise.

    A run at an orchestrator service is followed again where it still goes on, and goes on there
    where it does not.
    """
    from orchestrator.embedded import load_resumable
    from ui.output import Output
    from ui.registry import find_components
    from ui.server_settings import settings_of_mirror
    from ui.settings import load_settings, open_journal

    settings = load_settings(runs_folder, cache=cache)
    registry = find_components(component_folders)
    journal = open_journal(settings)
    if journal is not None:
        with contextlib.closing(journal):
            known = journal.run(run)
        service = settings_of_mirror(known, server)
        if service is not None:
            from ui.commands.run_at_server import resume_at_server

            refuse_own(backend, cache)
            output = Output(as_json=as_json)
            resume_at_server(known, service, settings, output, registry=registry, live=live)
    record, graph = load_resumable(run, registry, settings)
    execute(graph, settings, Output(as_json=as_json), live=live, resume=record, backend=backend)
