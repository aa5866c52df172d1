"""`eoloom export`: a pipeline as a solution of AI4Experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ui.commands.options import ComponentFolders, Overrides, PipelineArgument

EPILOG = """
[b]Examples[/b]

  eoloom export examples/s2_change.yaml --output s2-change.zip

  eoloom export examples/s2_change.yaml --to blueprint --output blueprint.json
"""


def export(
    file: PipelineArgument,
    *,
    to: Annotated[
        Literal["solution", "blueprint"],
        typer.Option("--to", help="A whole solution.zip, or its blueprint.json alone."),
    ] = "solution",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write.", show_default=False)
    ],
    overrides: Overrides = None,
    component_folders: ComponentFolders = None,
) -> None:
    """Write a pipeline as AI4Experiments reads it, with warnings for what has no counterpart."""
    from composer.blueprint_export import export_blueprint
    from composer.graph import compose
    from composer.pipeline_file import load_pipeline
    from composer.registry import Registry
    from composer.solution import export_solution
    from ui.errors import EnvironmentFaultError
    from ui.formatting import format_path
    from ui.output import Output

    registry = Registry.discover(component_folders or ())
    graph = compose(load_pipeline(file, overrides or ()), registry, cycles=True)
    if to == "solution":
        solution = export_solution(graph)
        content, warnings = solution.content, solution.warnings
    else:
        blueprint = export_blueprint(graph)
        content, warnings = blueprint.blueprint.encode(), blueprint.warnings
    try:
        output.write_bytes(content)
    except OSError as error:
        raise EnvironmentFaultError(f"cannot write {output}: {error.strerror}") from error
    told = Output(as_json=False)
    for warning in warnings:
        told.warn(warning)
    told.line(f"wrote {format_path(output)}")
