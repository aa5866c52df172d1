"""An image and the text of its contract become a component.

Any valid proto3 file will do: with a package, Google's well-known types, enums, `optional`, maps,
nested messages, and several services, which are one component together. The image itself is
neither fetched nor started here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from composer.component import (
    DESCRIPTORS,
    PROTO,
    Component,
    Source,
    hold_component,
    load_component,
)
from composer.contract import read_contract, services_of
from composer.errors import ContractError, ManifestError
from composer.manifest import Manifest, NodeType
from composer.names import as_dns_label, nearest
from composer.parameters import NO_PARAMETERS, ParameterSchema
from composer.protoc import compile_proto
from composer.validation import explain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

FIRST_VERSION: Final = "1.0.0"
NO_LICENCE: Final = "NOASSERTION"
"""What SPDX writes where nothing is known (https://spdx.github.io/spdx-spec/v2.3/package-information/)."""


def onboard(
    image: str,
    proto: str,
    *,
    name: str | None = None,
    version: str = FIRST_VERSION,
    service: str | None = None,
    title: str | None = None,
    description: str | None = None,
    licence: str = NO_LICENCE,
    node_type: NodeType = NodeType.MODEL,
    keywords: Iterable[str] = (),
    schema: ParameterSchema = NO_PARAMETERS,
) -> Component:
    """Return the component that an image is, by the text of its .proto file.

    name: a DNS label; by default from the image's name.
    service: the only one that is meant, where the file has several; with its package or without.
    schema: of the parameters, for an image that takes them as the built-in components do.

    Raises ProtoError with the lines of the file, ContractError or ManifestError.
    """
    return describe_image(
        image,
        Source(proto, compile_proto(proto)),
        name=name,
        version=version,
        service=service,
        title=title,
        description=description,
        licence=licence,
        node_type=node_type,
        keywords=keywords,
        schema=schema,
    )


def describe_image(
    image: str,
    source: Source,
    *,
    name: str | None = None,
    version: str = FIRST_VERSION,
    service: str | None = None,
    title: str | None = None,
    description: str | None = None,
    licence: str = NO_LICENCE,
    node_type: NodeType = NodeType.MODEL,
    keywords: Iterable[str] = (),
    schema: ParameterSchema = NO_PARAMETERS,
) -> Component:
    """Return the component that an image is, by its compiled contract; as `onboard`."""
    first, *further = choose_services(source.descriptors, service)
    contract = read_contract(source.descriptors, first, further)
    label = as_dns_label(name_of_image(image)) if name is None else name
    values: dict[str, Any] = {
        "name": label,
        "version": version,
        "title": title or label,
        "description": description or f"{', '.join((first, *further))} of the image {image}.",
        "licence": licence,
        "image": image,
        "node_type": node_type,
        "proto": PROTO,
        "descriptors": DESCRIPTORS,
        "service": first,
        "further_services": tuple(further),
        "keywords": tuple(keywords),
        "operations": {
            name: {"description": str(operation)} for name, operation in contract.operations.items()
        },
    }
    return hold_component(_manifest(values), source, schema)


def onboard_folder(image: str, folder: Path) -> Component:
    """Return the component of a folder as one that others know by its image alone.

    Its manifest says all the rest: name, version, what its ports mean. Raises ManifestError or
    ContractError.
    """
    found = load_component(folder)
    values = found.manifest.model_dump(exclude={"command"})
    values |= {"image": image, "proto": PROTO, "descriptors": DESCRIPTORS}
    manifest = _manifest(values)
    descriptors = (found.root / found.manifest.descriptors).read_bytes()
    return hold_component(manifest, Source(found.proto_text, descriptors), found.schema)


def _manifest(values: dict[str, Any]) -> Manifest:
    try:
        return Manifest.model_validate(values)
    except ValidationError as error:
        findings = explain(error, Manifest, values)
        raise ManifestError("; ".join(map(str, findings))) from error


def choose_services(descriptors: bytes, name: str | None = None) -> list[str]:
    """Return the full names of the services that are meant: the named one, or all with an rpc.

    Raises ContractError.
    """
    services = services_of(descriptors)
    if not services:
        raise ContractError("the file has no service")
    if name is None:
        fitting = [service for service, operations in services.items() if operations]
        if not fitting:
            raise ContractError(f"no service of the file has an rpc: {', '.join(services)}")
        return fitting
    fitting = [s for s in services if name in {s, s.rpartition(".")[2]}]
    if not fitting:
        meant = nearest(name, services)
        hint = f"; did you mean {meant!r}?" if meant else f"; it has {', '.join(services)}"
        raise ContractError(f"the file has no service {name!r}{hint}")
    if not services[fitting[0]]:
        raise ContractError(f"the service {fitting[0]} has no rpc")
    return fitting


def name_of_image(image: str) -> str:
    """Return the last part of an image's name, without registry, tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]
