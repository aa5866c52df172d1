"""`eoloom share` and `remove`: who sees onboarded components, and forgetting them."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ui.commands.options import AsJson

SHARE_EPILOG = """
[b]Examples[/b]

  eoloom share segment --visibility public

  eoloom share segment@1.2.0 --visibility shared --share-with ada
"""

REMOVE_EPILOG = """
[b]Examples[/b]

  eoloom remove segment@1.2.0
"""

VisibilityName = Literal["private", "shared", "public"]

ShareWith = Annotated[
    list[str] | None,
    typer.Option(
        "--share-with",
        metavar="USER",
        help="Who may use it, for --visibility shared. Repeatable.",
        show_default=False,
    ),
]
Reference = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION]", help="One of your onboarded components.", show_default=False
    ),
]


def share(
    component: Reference,
    *,
    visibility: Annotated[
        VisibilityName,
        typer.Option("--visibility", help="Who may see and use it.", show_default=False),
    ],
    share_with: ShareWith = None,
    as_json: AsJson = False,
) -> None:
    """Change who may see and use an onboarded component of yours; the newest version by default."""
    from composer.store import Visibility, own_user
    from ui.component_view import visibility_text
    from ui.documents import stored_document
    from ui.output import Output
    from ui.registry import open_store

    name, _, version = component.partition("@")
    with open_store() as store:
        found = store.get(own_user(), name, version or None)
        changed = store.set_visibility(
            found.owner, found.name, found.version, Visibility(visibility), share_with or ()
        )
    output = Output(as_json=as_json)
    output.document(stored_document(changed))
    if not as_json:
        output.line(f"{changed.name}@{changed.version} is {visibility_text(changed)}")


def remove(component: Reference, *, as_json: AsJson = False) -> None:
    """Forget an onboarded component of yours. Its image stays where it is.

    Pipelines that use it can then be neither checked nor resumed.
    """
    from composer.store import own_user
    from ui.documents import stored_document
    from ui.errors import UiError
    from ui.output import Output
    from ui.registry import open_store

    name, _, version = component.partition("@")
    with open_store() as store:
        found = store.get(own_user(), name, version or None)
        versions = store.versions(found.owner, name)
        if not version and len(versions) > 1:
            raise UiError(
                f"{name} has the versions {', '.join(versions)}; say which, as {name}@VERSION"
            )
        store.remove(found.owner, found.name, found.version)
    output = Output(as_json=as_json)
    output.document(stored_document(found))
    if not as_json:
        output.line(f"removed {found.name}@{found.version}")
