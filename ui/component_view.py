"""A component and its parameters, in words. Knows no terminal and no web page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from composer.contract import Kind
from composer.manifest import FromParameter
from composer.parameters import PATH_FORMAT
from ui.formatting import format_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from composer.component import Component
    from composer.contract import Operation
    from composer.manifest import Collections
    from composer.store import StoredComponent

_TYPES: Final = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
    "null": "nothing",
}
_FORMATS: Final = {
    PATH_FORMAT: "path or URL",
    "date": "date",
    "date-time": "time",
    "uri": "URL",
    "password": "secret",
}
_DEPTH: Final = 3
"""Levels of mappings within mappings that are listed one by one."""


@dataclass(frozen=True)
class OperationView:
    """One operation with its ports."""

    name: str
    kind: Kind
    ports: str
    """Such as `Item -> stream Item`; a source has nothing before the arrow, a sink none after."""
    description: str
    accepts: str
    emits: str
    """Collections; empty if the manifest is silent."""
    promises: tuple[str, ...]
    """Of idempotent, deterministic, unordered: those that hold."""
    timeout_s: float


@dataclass(frozen=True)
class ParameterView:
    """One parameter, or one key of a parameter that is a mapping."""

    name: str
    type: str
    unit: str
    default: str
    """As it would stand in a pipeline file; empty if there is none."""
    bounds: str
    description: str
    examples: str
    is_required: bool


def operation_views(component: Component) -> tuple[OperationView, ...]:
    """Return the operations of a component in the order of its contract."""
    views = []
    for name, operation in component.contract.operations.items():
        declared = component.manifest.operations[name]
        promises = {
            "idempotent": declared.idempotent,
            "deterministic": declared.deterministic,
            "unordered": not declared.ordered,
        }
        views.append(
            OperationView(
                name=name,
                kind=operation.kind,
                ports=ports_text(operation),
                description=declared.description,
                accepts=_collections(declared.accepts),
                emits=_collections(declared.emits),
                promises=tuple(word for word, holds in promises.items() if holds),
                timeout_s=declared.timeout_s,
            )
        )
    return tuple(views)


def short_name(message: str) -> str:
    """Return the name of a message without its package."""
    return message.rpartition(".")[2]


def ports_text(operation: Operation) -> str:
    """Return the two ports of an operation: `Item -> stream Item`."""
    sides = []
    for message, stream in (
        (operation.input, operation.input_stream),
        (operation.output, operation.output_stream),
    ):
        name = short_name(message.name) if message.fields else ""
        sides.append(f"stream {name}" if stream and name else name)
    return " ".join(filter(None, (sides[0], "->", sides[1])))


def visibility_text(stored: StoredComponent) -> str:
    """Return who may use a component beside its owner: `private`, `shared with ada, bob`."""
    users = ", ".join(stored.shared_with)
    return f"shared with {users}" if users else str(stored.visibility)


def entry_of(component: Component, stored: Iterable[StoredComponent]) -> StoredComponent | None:
    """Return what the registry database has of a component; None for one with a folder."""
    if not component.is_onboarded:
        return None
    key = (component.manifest.name, component.manifest.version)
    return next((entry for entry in stored if (entry.name, entry.version) == key), None)


def _collections(collections: Collections | FromParameter | None) -> str:
    if isinstance(collections, FromParameter):
        return f"parameter {collections.parameter}"
    return ", ".join(collections or ())


def parameter_views(schema: Mapping[str, Any]) -> tuple[ParameterView, ...]:
    """Return the parameters that a JSON schema describes, those within mappings as `a.b`."""
    return tuple(_below(schema, schema, "", _DEPTH))


def _below(
    whole: Mapping[str, Any], schema: Mapping[str, Any], prefix: str, depth: int
) -> Iterator[ParameterView]:
    required = set(schema.get("required", ()))
    for name, property_ in schema.get("properties", {}).items():
        if not isinstance(property_, dict):
            continue
        resolved = _resolve(whole, property_)
        yield ParameterView(
            name=f"{prefix}{name}",
            type=_type(whole, resolved),
            unit=str(resolved.get("unit", "")),
            default=format_value(resolved["default"]) if "default" in resolved else "",
            bounds=_bounds(whole, resolved),
            description=" ".join(str(resolved.get("description", "")).split()),
            examples=", ".join(map(format_value, _list(resolved.get("examples")))),
            is_required=name in required,
        )
        for mapping in (resolved, *_alternatives(whole, resolved)) if depth > 1 else ():
            yield from _below(whole, mapping, f"{prefix}{name}.", depth - 1)


def _resolve(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema with the definition that it refers to; its own keys count first."""
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    found = whole.get("$defs", {}).get(name)
    return {**(found if isinstance(found, dict) else {}), **schema}


def _alternatives(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = [*_list(schema.get("anyOf")), *_list(schema.get("oneOf"))]
    return [_resolve(whole, one) for one in found if isinstance(one, dict)]


def _type(whole: Mapping[str, Any], schema: Mapping[str, Any], depth: int = _DEPTH) -> str:
    alternatives = _alternatives(whole, schema)
    if alternatives and depth:
        words = [_type(whole, alternative, depth - 1) for alternative in alternatives]
        return " or ".join(dict.fromkeys(words))
    choices = _list(schema.get("enum")) or ([schema["const"]] if "const" in schema else [])
    if choices:
        return " | ".join(map(format_value, choices))
    kind, items = schema.get("type"), schema.get("items")
    if kind == "array" and isinstance(items, dict) and depth:
        return f"list of {_type(whole, _resolve(whole, items), depth - 1)}"
    if kind == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    kinds = kind if isinstance(kind, list) else [kind]
    return " or ".join(_TYPES.get(str(one), "any") for one in kinds)


def _bounds(whole: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return the bounds of a number: `10 to 600`, `>= 1`; of a list or text: its length."""
    found = [_range(one) for one in (schema, *_alternatives(whole, schema))]
    return " or ".join(filter(None, found))


def _range(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    words = [
        f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", ">="),
            ("exclusiveMinimum", ">"),
            ("maximum", "<="),
            ("exclusiveMaximum", "<"),
        )
        if key in schema
    ]
    for noun in ("Items", "Length"):
        least, most = schema.get(f"min{noun}"), schema.get(f"max{noun}")
        unit = {"Items": "items", "Length": "characters"}[noun]
        if least is not None and most is not None:
            words.append(f"{least} to {most} {unit}" if least != most else f"{least} {unit}")
        elif least is not None or most is not None:
            words.append(f">= {least} {unit}" if most is None else f"<= {most} {unit}")
    return ", ".join(words)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
