"""Components as the canvas shows them: what they are, their ports, and which ports fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from composer.contract import Role
from composer.manifest import FromParameter
from composer.ports import message_difference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.component import Component
    from composer.contract import Contract, Field, Message
    from composer.registry import Registry


def palette(registry: Registry) -> list[dict[str, Any]]:
    """Return every version of every component, by name, the newest version first."""
    structures = _Structures()
    versions = (
        registry.find(f"{newest.manifest.name}@{version}")
        for newest in registry.components
        for version in registry.versions(newest.manifest.name)
    )
    return [_component(component, structures) for component in versions]


class _Structures:
    """Numbers for messages: those that the composer's structural rule joins share one.

    The canvas then has to compare numbers only.
    """

    def __init__(self) -> None:
        self._known: list[tuple[Contract, str]] = []
        self._numbers: dict[tuple[int, str], int] = {}

    def number(self, contract: Contract, message: str) -> int:
        """Return the number of a message of a contract."""
        key = (id(contract), message)
        if key not in self._numbers:
            self._numbers[key] = self._find(contract, message)
        return self._numbers[key]

    def _find(self, contract: Contract, message: str) -> int:
        for number, (other, name) in enumerate(self._known):
            if message_difference(contract, message, other, name) is None:
                return number
        self._known.append((contract, message))
        return len(self._known) - 1


def _component(component: Component, structures: _Structures) -> dict[str, Any]:
    manifest = component.manifest
    return {
        "reference": component.reference,
        "name": manifest.name,
        "version": manifest.version,
        "title": manifest.title,
        "description": manifest.description,
        "licence": manifest.licence,
        "keywords": list(manifest.keywords),
        "nodeType": manifest.node_type.value,
        "builtIn": component.is_built_in,
        "operations": list(_operations(component, structures)),
        "schema": dict(component.schema.schema),
        "resources": manifest.resources.model_dump(),
    }


def _operations(component: Component, structures: _Structures) -> Iterable[dict[str, Any]]:
    contract = component.contract
    for name, operation in contract.operations.items():
        declared = component.manifest.operations[name]
        accepts = list(declared.accepts) if declared.accepts is not None else None
        yield {
            "name": name,
            "description": declared.description,
            "input": _port(
                contract, operation.input, accepts, structures, stream=operation.input_stream
            ),
            "output": _port(
                contract,
                operation.output,
                _emits(declared.emits),
                structures,
                stream=operation.output_stream,
            ),
        }


def _emits(emits: Iterable[str] | FromParameter | None) -> list[str] | dict[str, str] | None:
    if isinstance(emits, FromParameter):
        return {"parameter": emits.parameter}
    return list(emits) if emits is not None else None


def _port(
    contract: Contract,
    message: Message,
    collections: list[str] | dict[str, str] | None,
    structures: _Structures,
    *,
    stream: bool,
) -> dict[str, Any] | None:
    """Return one side of an operation; None where nothing can pass."""
    if not message.fields:
        return None
    return {
        "message": message.name.rpartition(".")[2],
        "type": f"message {structures.number(contract, message.name)}",
        "stream": stream,
        "collections": collections,
        "fields": [_field(contract, field, structures) for field in message.fields],
    }


def _field(contract: Contract, field: Field, structures: _Structures) -> dict[str, Any]:
    number = structures.number(contract, field.message) if field.message else None
    kind = field.type if number is None else f"message {number}"
    name = (field.message or field.enum or field.type).rpartition(".")[2]
    if field.role is Role.MAP:
        kind, label = f"map {field.key} {kind}", f"map<{field.key}, {name}>"
    else:
        label = f"repeated {name}" if field.role is Role.REPEATED else name
    return {
        "name": field.name,
        "number": field.number,
        "role": field.role.value,
        "type": kind,
        "label": label,
    }
