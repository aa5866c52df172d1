"""`eoloom new-component`: the project of a new component, ready to be changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ui.commands.options import AsJson

EPILOG = """
[b]Examples[/b]

  eoloom new-component burnt-area

  eoloom new-component burnt-area --folder ~/components --title "Burnt area mapping"
"""


def new_component(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Lower-case letters, digits and hyphens, such as burnt-area.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Where its folder is made.")
    ] = Path(),
    title: Annotated[
        str, typer.Option("--title", help="What people see; made from the name by default.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a new component: contract, parameters, algorithm, service and tests that pass."""
    from ui.errors import UiError
    from ui.formatting import format_path, plural
    from ui.output import Output
    from ui.scaffold import ScaffoldError, create_component

    output = Output(as_json=as_json)
    try:
        files = create_component(name, folder, title=title)
    except ScaffoldError as error:
        raise UiError(str(error)) from error
    place = folder.absolute() / name
    output.document({"folder": place, "files": files})
    if as_json:
        return
    output.line(f"made {format_path(place)} ({plural(len(files), 'file')})", "bold green")
    for path in files:
        output.line(f"  {path.relative_to(place)}", "dim")
    output.line("next", "bold")
    output.line(f"  cd {format_path(place)} && pytest")
    output.line(f"  eoloom components {name} --components {format_path(place)}")
