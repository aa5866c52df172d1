"""Onboarding by a form: texts in, a component of the user's out. Knows no Streamlit."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.component import Source
from composer.manifest import NodeType
from composer.onboarding import FIRST_VERSION, NO_LICENCE, describe_image
from composer.parameters import parse_schema
from composer.protoc import MAX_PROTO_BYTES, compile_proto
from composer.registry import Registry
from composer.store import ComponentStore, Visibility
from ui.errors import UiError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from composer.component import Component
    from composer.store import StoredComponent

NODE_TYPES: Final = (
    NodeType.MODEL,
    NodeType.DATA_BROKER,
    NodeType.DATA_MAPPER,
    NodeType.SPLITTER,
    NodeType.COLLATOR,
)
"""Probes and shared folders of AI4EU are not components here."""

_AROUND: Final = 2


@dataclass(frozen=True)
class OnboardForm:
    """What somebody has filled in. keywords, shared_with: separated by commas."""

    image: str
    proto: str
    name: str = ""
    version: str = FIRST_VERSION
    service: str = ""
    title: str = ""
    description: str = ""
    licence: str = ""
    keywords: str = ""
    node_type: NodeType = NodeType.MODEL
    parameters: str = ""
    visibility: Visibility = Visibility.PRIVATE
    shared_with: str = ""


def describe(form: OnboardForm) -> Component:
    """Return the component of a form; nothing is kept.

    Raises UiError where something is missing, ProtoError with the line of the contract,
    ContractError and ManifestError.
    """
    if not form.image.strip():
        raise UiError("name the container image")
    if not form.proto.strip():
        raise UiError("give the contract: the text of the image's /model.proto")
    given: dict[str, Any] = {
        "name": form.name.strip() or None,
        "version": form.version.strip() or FIRST_VERSION,
        "service": form.service.strip() or None,
        "title": form.title.strip() or None,
        "description": form.description.strip() or None,
        "licence": form.licence.strip() or NO_LICENCE,
        "keywords": split(form.keywords),
        "node_type": form.node_type,
    }
    if form.parameters.strip():
        given["schema"] = parse_schema(form.parameters)
    source = Source(form.proto, compile_proto(form.proto))
    return describe_image(form.image.strip(), source, **given)


def onboard(form: OnboardForm, *, owner: str, folders: Iterable[Path] = ()) -> StoredComponent:
    """Keep the component of a form as the owner's.

    folders: of further components, whose names are taken too. Raises what `describe` raises,
    StoreError, and UiError for a name that is taken.
    """
    component = describe(form)
    refuse_taken_name(component, folders, "give another one")
    with contextlib.closing(ComponentStore()) as store:
        return store.add(
            component,
            owner=owner,
            visibility=form.visibility,
            shared_with=split(form.shared_with),
        )


def refuse_taken_name(component: Component, folders: Iterable[Path], advice: str) -> None:
    """Raise UiError for a name under which a component would be hidden by one with a folder."""
    name = component.manifest.name
    if Registry.discover(folders).versions(name):
        raise UiError(
            f"{name} is the name of a component that is built in or in a folder of yours; {advice}"
        )


def share(stored: StoredComponent, visibility: Visibility, shared_with: str) -> StoredComponent:
    """Change who may see and use a component. Raises UnknownComponentError."""
    with contextlib.closing(ComponentStore()) as store:
        return store.set_visibility(
            stored.owner, stored.name, stored.version, visibility, split(shared_with)
        )


def remove(stored: StoredComponent) -> None:
    """Forget one version of a component; its image stays. Raises UnknownComponentError."""
    with contextlib.closing(ComponentStore()) as store:
        store.remove(stored.owner, stored.name, stored.version)


def decode_proto(content: bytes, name: str) -> str:
    """Return the text of an uploaded file. Raises UiError."""
    if len(content) > MAX_PROTO_BYTES:
        raise UiError(f"{name} is larger than {MAX_PROTO_BYTES >> 20} MiB; it is no contract")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UiError(f"{name}: not UTF-8 text") from error


def excerpt(text: str, line: int) -> str:
    """Return the lines around a fault with their numbers; the faulty one is marked."""
    lines = text.splitlines()
    begin, end = max(line - 1 - _AROUND, 0), min(line + _AROUND, len(lines))
    width = len(str(end))
    return "\n".join(
        f"{'>' if number == line else ' '} {number:{width}}  {lines[number - 1][:200]}"
        for number in range(begin + 1, end + 1)
    )


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a text between commas."""
    return tuple(part for part in (part.strip() for part in text.split(",")) if part)
