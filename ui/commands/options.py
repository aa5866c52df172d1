"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PipelineArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="The pipeline file.", show_default=False)
]

AsJson = Annotated[
    bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else there.")
]

ComponentFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--components",
        metavar="DIR",
        envvar="EOLOOM_COMPONENTS_PATH",
        help="A folder of components, or the folder of one, beside the built-in ones. Repeatable; "
        "the variable holds folders separated by ':'.",
        show_default=False,
    ),
]

Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NODE.PARAMETER=VALUE",
        help="Set a parameter of a node; the value is YAML. Repeatable.",
        show_default=False,
    ),
]

RunsFolder = Annotated[
    Path | None,
    typer.Option(
        "--runs-folder",
        metavar="DIR",
        help="Where runs and their journal are kept; else EOLOOM_RUNS_FOLDER, else ./runs.",
        show_default=False,
    ),
]

Live = Annotated[
    bool, typer.Option("--live/--no-live", help="A live table, or plain lines of progress.")
]
