"""`eoloom onboard`: container images of others as components."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from ui.commands.options import AsJson, ComponentFolders
from ui.commands.share import ShareWith, VisibilityName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from composer.component import Component
    from composer.parameters import ParameterSchema
    from composer.store import StoredComponent

EPILOG = """
[b]Examples[/b]

  eoloom onboard --image registry.example/team/segment:1.2 --proto model.proto

  eoloom onboard --image segment:1.2 --proto model.proto --version 1.2.0 --licence MIT

  eoloom onboard --image burnt-area:0.1.0 --component ./burnt-area --visibility public
"""

_ADVICE: Final = "give another one with --name"

# Probes and shared folders of AI4EU are not components here.
NodeTypeName = Literal["MLModel", "DataBroker", "DataMapper", "Splitter", "Collator"]

Image = Annotated[
    str,
    typer.Option("--image", help="The container image. It is not fetched.", show_default=False),
]
ContractFile = Annotated[
    Path | None,
    typer.Option(
        "--proto",
        metavar="FILE",
        help="The image's contract, its /model.proto; - reads stdin.",
        show_default=False,
    ),
]
ComponentFolder = Annotated[
    Path | None,
    typer.Option(
        "--component",
        metavar="DIR",
        help="Instead of --proto: the folder of a component of EO Loom, from which the image was "
        "built. Its component.yaml says all the rest.",
        show_default=False,
    ),
]
Name = Annotated[str, typer.Option("--name", help="By default from the name of the image.")]
Version = Annotated[
    str, typer.Option("--version", help="MAJOR.MINOR.PATCH, else 1.0.0; a version never changes.")
]
Service = Annotated[
    str, typer.Option("--service", help="One of several services of the contract; else all.")
]
Title = Annotated[str, typer.Option("--title", help="What people see.")]
Description = Annotated[str, typer.Option("--description", help="What it does.")]
Licence = Annotated[
    str, typer.Option("--licence", help="An SPDX expression, such as Apache-2.0; else NOASSERTION.")
]
ChosenNodeType = Annotated[
    NodeTypeName | None,
    typer.Option(
        "--node-type", help="What it is in AI4Experiments, else MLModel.", show_default=False
    ),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option(
        "--parameters",
        metavar="FILE",
        help="JSON schema of its parameters, if it takes them as EO Loom's components do.",
        show_default=False,
    ),
]
ChosenVisibility = Annotated[
    VisibilityName, typer.Option("--visibility", help="Who may see and use it.")
]


def onboard(
    *,
    image: Image,
    proto: ContractFile = None,
    component_folder: ComponentFolder = None,
    name: Name = "",
    version: Version = "",
    service: Service = "",
    title: Title = "",
    description: Description = "",
    licence: Licence = "",
    node_type: ChosenNodeType = None,
    parameters: ParametersFile = None,
    visibility: ChosenVisibility = "private",
    share_with: ShareWith = None,
    component_folders: ComponentFolders = None,
    as_json: AsJson = False,
) -> None:
    """Make a container image a component that pipelines can use, by its contract.

    Any proto3 file will do that imports no more than google/protobuf. Nothing is fetched or
    started. The component is yours (EOLOOM_USER, else your name on this system) and lies in the
    registry database (EOLOOM_DATABASE_URL, else a file in your data folder).
    """
    from ui.onboarding import refuse_taken_name

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
    _tell(component, _keep(component, visibility, share_with or ()), as_json=as_json)


@dataclass(frozen=True)
class _Kept:
    """A component in the registry database. before: as it stood there already, if it did."""

    stored: StoredComponent
    versions: tuple[str, ...]
    before: StoredComponent | None

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing had to be done, not even with who may see it."""
        now, before = self.stored, self.before
        return before is not None and (now.visibility, now.shared_with) == (
            before.visibility,
            before.shared_with,
        )


def _keep(component: Component, visibility: VisibilityName, users: Sequence[str]) -> _Kept:
    """Put a component into the registry database. Raises StoreError."""
    from composer.errors import UnknownComponentError
    from composer.store import Visibility, own_user
    from ui.registry import open_store

    owner, manifest = own_user(), component.manifest
    with open_store() as store:
        before = None
        with contextlib.suppress(UnknownComponentError):
            before = store.get(owner, manifest.name, manifest.version)
        stored = store.add(
            component, owner=owner, visibility=Visibility(visibility), shared_with=users
        )
        return _Kept(stored, store.versions(owner, manifest.name), before)


def _tell(component: Component, kept: _Kept, *, as_json: bool) -> None:
    from ui.component_details import show_component
    from ui.component_view import visibility_text
    from ui.documents import component_details
    from ui.output import Output

    output = Output(as_json=as_json)
    details = component_details(component, kept.versions, kept.stored)
    output.document(details | {"is_new": kept.before is None})
    if as_json:
        return
    reference = component.reference
    if kept.is_unchanged:
        output.line(f"{reference} is there already, unchanged", "bold")
    elif kept.before is not None:
        seen = visibility_text(kept.stored)
        output.line(f"{reference} is there already; it is {seen} now", "bold green")
    else:
        output.line(f"onboarded {reference}", "bold green")
    output.line()
    show_component(component, kept.versions, kept.stored, output)
    output.line()
    output.line("next", "bold")
    output.line(f"  component: {reference}    in a node of a pipeline file")
    output.line("  eoloom validate FILE     checks what it is linked to")
    output.line(f"  eoloom share {reference} --visibility ...     changes who may use it")


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
