"""`eoloom import`: a solution of AI4Experiments as a pipeline file with its components."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders

EPILOG = """
[b]Examples[/b]

  eoloom import solution.zip --output sudoku.yaml
"""


def import_solution(
    archive: Annotated[
        Path, typer.Argument(metavar="ARCHIVE", help="The solution.zip.", show_default=False)
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The pipeline file.", show_default=False)
    ],
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Write the pipeline of a solution.zip, with warnings for what has no counterpart.

    What it brings of its own are container images: they are onboarded as components of yours,
    which nobody else sees.
    """
    from composer.errors import SolutionError
    from composer.pipeline_file import save_pipeline
    from composer.solution import import_solution as read_solution
    from ui.errors import EnvironmentFaultError, UiError
    from ui.formatting import format_path
    from ui.output import Output
    from ui.registry import find_components, keep_components

    try:
        content = archive.read_bytes()
    except OSError as error:
        raise UiError(f"cannot read {archive}: {error.strerror}") from error
    try:
        imported = read_solution(content, find_components(component_folders))
    except SolutionError as error:
        raise UiError(f"{archive}: {error}") from error
    # First, because without them the file would be of no use.
    keep_components(imported.onboarded)
    try:
        save_pipeline(imported.pipeline, output)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
    told = Output(as_json=as_json)
    for warning in imported.warnings:
        told.warn(warning)
    references = [component.reference for component in imported.onboarded]
    told.document(
        {"output": output.resolve(), "onboarded": references, "warnings": imported.warnings}
    )
    if as_json:
        return
    if references:
        told.line(f"onboarded {', '.join(references)}", "dim")
    told.line(f"wrote {format_path(output)}")
