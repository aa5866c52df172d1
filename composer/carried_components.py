"""Components that a blueprint of ours brings along: what their images and contracts do not say.

Who imports it elsewhere gets them back with their parameters, and with what their operations
accept and emit. They stand under `eoloom`, which the tools of AI4EU leave aside, and may come from
anybody.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from composer.component import DESCRIPTORS, PROTO, Component, Source, hold_component
from composer.errors import ManifestError
from composer.manifest import Manifest
from composer.names import VERSION, version_key
from composer.parameters import parse_schema
from composer.validation import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from composer.flatten import FlatContract

# What is about the place where it lies, or follows from the image.
_LEFT_OUT: Final = {"command", "image", "proto", "descriptors"}


class CarriedComponent(BaseModel):
    """One component in a blueprint."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    manifest: dict[str, JsonValue]
    """As in component.yaml, without image and files."""
    parameters: dict[str, JsonValue]
    """JSON schema."""
    proto: str
    """Text of the contract."""


def carry(component: Component, flat: FlatContract) -> dict[str, Any]:
    """Return a component as a blueprint carries it.

    flat: its contract as one file, for a component whose own has imports.
    """
    manifest = component.manifest.model_dump(mode="json", exclude=_LEFT_OUT, exclude_defaults=True)
    if component.source is None:
        manifest["service"] = flat.service
    return CarriedComponent(
        manifest=manifest,
        parameters=dict(component.schema.schema),
        proto=flat.text if component.source is None else component.source.text,
    ).model_dump()


def parse_carried(value: Any) -> CarriedComponent:
    """Read what a blueprint carries. Raises ManifestError."""
    try:
        return CarriedComponent.model_validate(value)
    except ValidationError as error:
        raise ManifestError("; ".join(map(str, explain(error, CarriedComponent, value)))) from error


def pinned_reference(carried: Iterable[str], reference: str) -> str | None:
    """Return which of the carried components is meant by `name`, the newest, or `name@version`."""
    if "@" in reference:
        return reference if reference in carried else None
    named = [key for key in carried if key.partition("@")[0] == reference]
    known = [key for key in named if re.match(VERSION, key.partition("@")[2])]
    return max(known, key=lambda key: version_key(key.partition("@")[2]), default=None)


def restore(
    carried: CarriedComponent, image: str, free_name: Callable[[str], str], descriptors: bytes
) -> Component:
    """Return the component again.

    image: of the container, whatever it was where it came from. free_name: what it may be called,
    by its own name. descriptors: of its contract.

    Raises ManifestError or ContractError.
    """
    values: dict[str, Any] = {key: v for key, v in carried.manifest.items() if key not in _LEFT_OUT}
    values |= {"image": image, "proto": PROTO, "descriptors": DESCRIPTORS}
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        raise ManifestError("; ".join(map(str, explain(error, Manifest, values)))) from error
    manifest = manifest.model_copy(update={"name": free_name(manifest.name)})
    schema = parse_schema(json.dumps(carried.parameters))
    return hold_component(manifest, Source(carried.proto, descriptors), schema)
