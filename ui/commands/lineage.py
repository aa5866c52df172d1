"""`eoloom lineage`: what a result was made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.options import (
    AsJson,
    ComponentFolders,
    Force,
    PictureFile,
    RunArgument,
    RunsFolder,
)

if TYPE_CHECKING:
    from rich.tree import Tree

    from orchestrator.lineage import Ancestor

EPILOG = """
[b]Examples[/b]

  eoloom lineage last S2A_33TWL_20230815_0_L2A

  eoloom lineage last S2A_33TWL_20230815_0_L2A --output lineage.svg

  eoloom lineage last change.detect#1 --json
"""


def lineage(
    run: RunArgument,
    item: Annotated[
        str,
        typer.Argument(
            metavar="ITEM", help="The id of an item, or of a message.", show_default=False
        ),
    ],
    *,
    picture: PictureFile = None,
    force: Force = False,
    runs_folder: RunsFolder = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Show which items, and which components, a result was made from."""
    from orchestrator.embedded import load_run
    from orchestrator.lineage import read_lineage
    from ui.formatting import format_path
    from ui.output import Output
    from ui.output_path import refuse_existing
    from ui.registry import find_components
    from ui.settings import load_settings

    if picture is not None:
        refuse_existing(picture, force=force)
    registry = find_components(component_folders)
    record, graph, _ = load_run(run, registry, load_settings(runs_folder), kinds=[])
    ancestor = read_lineage(record, graph, item)
    output = Output(as_json=as_json)
    if picture is not None:
        from ui.lineage_picture import save_lineage

        save_lineage(ancestor, picture)
    output.document(asdict(ancestor))
    if as_json:
        return
    if picture is not None:
        output.line(f"wrote {format_path(picture)}")
    else:
        output.show(_tree(ancestor))


def _tree(ancestor: Ancestor, above: Tree | None = None) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    label = Text.assemble(
        (ancestor.item or ancestor.message, "bold"),
        (f"  {ancestor.message}, {ancestor.component}", "dim"),
        (" (as above)" if ancestor.is_repeated else "", "dim"),
    )
    tree = Tree(label) if above is None else above.add(label)
    for parent in ancestor.parents:
        _tree(parent, tree)
    return tree
