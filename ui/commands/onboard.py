"""`eoloom onboard`, `share` and `remove`: images of others as components, and who sees them."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from ui.commands.options import AsJson, ComponentFolders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.component import Component
    from composer.parameters import ParameterSchema
    from composer.store import ComponentStore

EPILOG = """
[b]Examples[/b]

  eoloom onboard --image registry.example/team/segment:1.2 --proto model.proto

  eoloom onboard --image segment:1.2 --proto model.proto --version 1.2.0 --licence MIT

  eoloom onboard --image burnt-area:0.1.0 --component ./burnt-area --visibility public
"""

SHARE_EPILOG = """
[b]Examples[/b]

  eoloom share segment --visibility public

  eoloom share segment@1.2.0 --visibility shared --share-with ada
"""

REMOVE_EPILOG = """
[b]Examples[/b]

  eoloom remove segment@1.2.0
"""

_ADVICE: Final = "give another one with --name"

VisibilityName = Literal["private", "shared", "public"]
# Probes and shared folders of AI4EU are not components here.
NodeTypeName = Literal["MLModel", "DataBroker", "DataMapper", "Splitter", "Collator"]

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


def onboard(
    *,
    image: Annotated[
        str,
        typer.Option("--image", help="The container image. It is not fetched.", show_default=False),
    ],
    proto: Annotated[
        Path | None,
        typer.Option(
            "--proto",
            metavar="FILE",
            help="The image's contract, its /model.proto; - reads stdin.",
            show_default=False,
        ),
    ] = None,
    component_folder: Annotated[
        Path | None,
        typer.Option(
            "--component",
            metavar="DIR",
            help="Instead of --proto: the folder of a component of EO Loom, from which the image "
            "was built. Its component.yaml says all the rest.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="By default from the name of the image.")
    ] = "",
    version: Annotated[
        str,
        typer.Option("--version", help="MAJOR.MINOR.PATCH, else 1.0.0; a version never changes."),
    ] = "",
    service: Annotated[
        str,
        typer.Option("--service", help="One of several services of the contract; else all."),
    ] = "",
    title: Annotated[str, typer.Option("--title", help="What people see.")] = "",
    description: Annotated[str, typer.Option("--description", help="What it does.")] = "",
    licence: Annotated[
        str,
        typer.Option("--licence", help="An SPDX expression, such as Apache-2.0; else NOASSERTION."),
    ] = "",
    node_type: Annotated[
        NodeTypeName | None,
        typer.Option(
            "--node-type", help="What it is in AI4Experiments, else MLModel.", show_default=False
        ),
    ] = None,
    parameters: Annotated[
        Path | None,
        typer.Option(
            "--parameters",
            metavar="FILE",
            help="JSON schema of its parameters, if it takes them as EO Loom's components do.",
            show_default=False,
        ),
    ] = None,
    visibility: Annotated[
        VisibilityName, typer.Option("--visibility", help="Who may see and use it.")
    ] = "private",
    share_with: ShareWith = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Make a container image a component that pipelines can use, by its contract.

    Any proto3 file will do that imports no more than google/protobuf. Nothing is fetched or
    started. The component is yours (EOLOOM_USER, else your name on this system) and lies in the
    registry database (EOLOOM_DATABASE_URL, else a file in your data folder).
    """
    from composer.store import Visibility, own_user
    from ui.component_details import show_component
    from ui.documents import component_details
    from ui.onboarding import refuse_taken_name
    from ui.output import Output

    words = {
        "name": name,
        "version": version,
        "service": service,
        "title": title,
        "description": description,
        "licence": licence,
        "node_type": node_type,
        "parameters": parameters,
    }
    given = {option: value for option, value in words.items() if value}
    if component_folder is None:
        component = _from_proto(image, proto, given)
        refuse_taken_name(component, component_folders or (), _ADVICE)
    else:
        component = _from_folder(image, component_folder, proto, given)
        refuse_taken_name(component, (), _ADVICE)
    with _open_store() as store:
        stored = store.add(
            component,
            owner=own_user(),
            visibility=Visibility(visibility),
            shared_with=share_with or (),
        )
        versions = store.versions(stored.owner, stored.name)
    output = Output(as_json=as_json)
    output.document(component_details(component, versions, stored))
    if as_json:
        return
    output.line(f"onboarded {component.reference}", "bold green")
    output.line()
    show_component(component, versions, stored, output)
    output.line()
    output.line("next", "bold")
    output.line(f"  component: {component.reference}    in a node of a pipeline file")
    output.line("  eoloom validate FILE     checks what it is linked to")
    output.line(f"  eoloom share {component.reference} --visibility ...     changes who may use it")


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

    name, _, version = component.partition("@")
    with _open_store() as store:
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

    name, _, version = component.partition("@")
    with _open_store() as store:
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


def _from_proto(image: str, proto: Path | None, given: dict[str, Any]) -> Component:
    """Make a component of an image and its contract; given: the options that say more."""
    from composer.component import Source
    from composer.manifest import NodeType
    from composer.onboarding import describe_image
    from composer.protoc import compile_proto
    from ui.errors import UiError

    if proto is None:
        raise UiError("say what the image can do: --proto FILE, or --component DIR")
    text = _read(proto)
    with _naming(proto):
        source = Source(text, compile_proto(text))
    options = dict(given)
    if "node_type" in options:
        options["node_type"] = NodeType(options["node_type"])
    if "parameters" in options:
        options["schema"] = _schema(options.pop("parameters"))
    return describe_image(image, source, **options)


def _from_folder(image: str, folder: Path, proto: Path | None, given: dict[str, Any]) -> Component:
    """Make a component of an image and the folder that it was built from."""
    from composer.onboarding import onboard_folder
    from ui.errors import UiError

    if proto is not None or given:
        options = ["proto"] if proto is not None else []
        names = [f"--{option.replace('_', '-')}" for option in (*options, *given)]
        raise UiError(f"the component in {folder} says itself what is in {', '.join(names)}")
    return onboard_folder(image, folder)


@contextlib.contextmanager
def _open_store() -> Iterator[ComponentStore]:
    from composer.store import ComponentStore

    with contextlib.closing(ComponentStore()) as store:
        yield store


def _read(path: Path) -> str:
    """Return the text of a file. Raises UiError."""
    from composer.protoc import MAX_PROTO_BYTES
    from ui.errors import UiError

    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(MAX_PROTO_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(MAX_PROTO_BYTES + 1)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UiError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UiError(f"{path}: not UTF-8 text") from error


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Name the file in which something is wrong."""
    from composer.errors import ComposerError
    from ui.errors import UiError

    try:
        yield
    except ComposerError as error:
        raise UiError(f"{path}: {error}") from error


def _schema(path: Path) -> ParameterSchema:
    from composer.parameters import parse_schema

    text = _read(path)
    with _naming(path):
        return parse_schema(text)
