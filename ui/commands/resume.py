"""`eoloom resume`: go on with a run that did not come to its end."""

from __future__ import annotations

from ui.commands.options import (
    AsJson,
    Cache,
    ChosenBackend,
    ComponentFolders,
    Live,
    RunArgument,
    RunsFolder,
)
from ui.commands.run import execute

EPILOG = """
[b]Examples[/b]

  eoloom resume last

  eoloom resume s2-change-20240513
"""


def resume(
    run: RunArgument,
    *,
    backend: ChosenBackend = None,
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
    """
    from orchestrator.embedded import load_resumable
    from ui.output import Output
    from ui.registry import find_components
    from ui.settings import load_settings

    settings = load_settings(runs_folder, cache=cache)
    registry = find_components(component_folders)
    record, graph = load_resumable(run, registry, settings)
    execute(graph, settings, Output(as_json=as_json), live=live, resume=record, backend=backend)
