"""`eoloom graph`: a picture of a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Force,
    Overrides,
    PictureFile,
    PipelineArgument,
)

if TYPE_CHECKING:
    from ui.drawing import Drawing
    from ui.output import Output

EPILOG = """
[b]Examples[/b]

  eoloom graph examples/demo.yaml

  eoloom graph examples/demo.yaml --output demo.svg
"""


def graph(
    file: PipelineArgument,
    *,
    picture: PictureFile = None,
    force: Force = False,
    overrides: Overrides = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Draw a pipeline: nodes, operations, and links with what travels along them.

    A pipeline with faults is drawn with its faults marked, where its components are known; the
    exit code is 2 then.
    """
    from composer.errors import PipelineError
    from composer.pipeline_file import load_pipeline
    from ui.drawing import draw_pipeline
    from ui.output import Output
    from ui.output_path import refuse_existing
    from ui.registry import find_components

    if picture is not None:
        refuse_existing(picture, force=force)
    output = Output(as_json=as_json)
    registry = find_components(component_folders)
    drawing = draw_pipeline(load_pipeline(file, overrides or ()), registry)
    if picture is not None:
        from ui.picture import save_picture

        save_picture(drawing, picture)
    if not drawing.faults:
        output.document(_document(drawing, picture))
    if not as_json:
        _show(drawing, picture, output)
    if drawing.faults:
        raise PipelineError(drawing.faults, str(file))


def _document(drawing: Drawing, picture: Path | None) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "name": drawing.name,
        "title": drawing.title,
        "nodes": [asdict(box) for box in drawing.boxes],
        "links": [
            asdict(arrow) | {"source": str(arrow.source), "target": str(arrow.target)}
            for arrow in drawing.arrows
        ],
        "picture": picture.absolute() if picture else None,
    }


def _show(drawing: Drawing, picture: Path | None, output: Output) -> None:
    from ui.text_picture import text_list, text_picture

    if picture is not None:
        output.line(f"wrote {picture}")
        return
    text = text_picture(drawing)
    width = max((line.cell_len for line in text.split("\n")), default=0)
    too_wide = output.console.is_terminal and width > output.console.width
    output.line(drawing.title, "bold")
    output.line()
    output.show(text_list(drawing) if too_wide else text)
