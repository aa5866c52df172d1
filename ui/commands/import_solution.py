"""`eoloom import`: a solution of AI4Experiments as a pipeline file with its components."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.options import ComponentFolders

EPILOG = """
[b]Examples[/b]

  eoloom import solution.zip --output sudoku.yaml
"""


def import_solution(
    archive: Annotated[Path, typer.Argument(help="The solution.zip.", show_default=False)],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The pipeline file.", show_default=False)
    ],
    component_folders: ComponentFolders = None,
) -> None:
    """Write the pipeline of a solution.zip, with warnings for what has no counterpart.

    What it brings of its own are container images, which run where their containers do.
    """
    from composer.errors import SolutionError
    from composer.pipeline_file import save_pipeline
    from composer.registry import Registry
    from composer.solution import import_solution as read_solution
    from ui.errors import EnvironmentFaultError, UiError
    from ui.formatting import format_path
    from ui.output import Output

    try:
        content = archive.read_bytes()
    except OSError as error:
        raise UiError(f"cannot read {archive}: {error.strerror}") from error
    try:
        imported = read_solution(content, Registry.discover(component_folders or ()))
    except SolutionError as error:
        raise UiError(f"{archive}: {error}") from error
    try:
        save_pipeline(imported.pipeline, output)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
    told = Output(as_json=False)
    for warning in imported.warnings:
        told.warn(warning)
    images = ", ".join(component.reference for component in imported.onboarded)
    if images:
        told.line(f"its own components: {images}", "dim")
    told.line(f"wrote {format_path(output)}")
