"""`eoloom lineage`: what a result was made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ui.commands.options import AsJson, ComponentFolders, RunsFolder

if TYPE_CHECKING:
    from rich.tree import Tree

    from orchestrator.lineage import Ancestor

EPILOG = """
[b]Examples[/b]

  eoloom lineage last S2A_33TWL_20230815_0_L2A

  eoloom lineage last change.detect#1 --json
"""


def lineage(
    run: Annotated[str, typer.Argument(help="The run's name, the start of it, or `last`.")],
    item: Annotated[str, typer.Argument(help="The id of an item, or of a message.")],
    *,
    runs_folder: RunsFolder = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Show which items, and which components, a result was made from."""
    from composer.registry import Registry
    from orchestrator.embedded import load_run
    from orchestrator.lineage import read_lineage
    from ui.output import Output
    from ui.settings import load_settings

    registry = Registry.discover(component_folders or ())
    record, graph, _ = load_run(run, registry, load_settings(runs_folder))
    ancestor = read_lineage(record, graph, item)
    output = Output(as_json=as_json)
    output.document(asdict(ancestor))
    if not as_json:
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
