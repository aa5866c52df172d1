"""Ports, and the two rules that decide whether a link may join them.

*Structure*, the rule of AI4EU Experiments: both messages have the same field numbers, with equal
types and roles, recursively; names do not count.
*Meaning*, ours: the collections that one side emits are among those that the other accepts, unless
either is silent.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from composer.manifest import FromParameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from composer.contract import Contract, Field, Message
    from composer.manifest import OperationManifest

MAX_DIFFERENCES: Final = 4
"""How many differing fields of a message are named."""


class Side(StrEnum):
    """Which end of an operation a port is."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True)
class Port:
    """One side of an operation."""

    component: str
    operation: str
    side: Side
    message: Message
    stream: bool
    contract: Contract = field(repr=False)
    """Where the messages inside `message` are found."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing can pass: the message has no fields."""
        return not self.message.fields

    def __str__(self) -> str:
        stream = "stream " if self.stream else ""
        return f"{self.side} of {self.component}.{self.operation} ({stream}{self.message.name})"


def input_port(component: str, contract: Contract, operation: str) -> Port:
    """Return the input of an operation. Raises KeyError if there is no such operation."""
    rpc = contract.operations[operation]
    return Port(component, operation, Side.INPUT, rpc.input, rpc.input_stream, contract)


def output_port(component: str, contract: Contract, operation: str) -> Port:
    """Return the output of an operation. Raises KeyError if there is no such operation."""
    rpc = contract.operations[operation]
    return Port(component, operation, Side.OUTPUT, rpc.output, rpc.output_stream, contract)


def structural_difference(output: Port, input_: Port) -> str | None:
    """Return in words how the messages of two ports first differ, or None if they match.

    "First" is breadth first: the outermost messages that differ are described, with every field
    in which they do. Messages that contain themselves match if no difference can be reached.
    """
    return message_difference(
        output.contract, output.message.name, input_.contract, input_.message.name
    )


def message_difference(sender: Contract, sent: str, receiver: Contract, taken: str) -> str | None:
    """Return how two messages first differ, each named in its contract, or None if they match."""
    waiting = deque([(sent, taken, "")])
    compared = {(sent, taken)}
    while waiting:
        left_name, right_name, path = waiting.popleft()
        left = {f.number: f for f in sender.messages[left_name].fields}
        right = {f.number: f for f in receiver.messages[right_name].fields}
        differences = [_differ(left.get(n), right.get(n)) for n in sorted({*left, *right})]
        found = [words for words in differences if words]
        if found:
            return _sentence(path, found)
        for pair in _nested(left, right):
            names = pair[0].message or "", pair[1].message or ""
            if names not in compared:
                compared.add(names)
                waiting.append((*names, f"{path}.{_joint_name(*pair)}"))
    return None


def _sentence(path: str, differences: list[str]) -> str:
    place = f"in {path.lstrip('.')}: " if path else ""
    hidden = len(differences) - MAX_DIFFERENCES
    more = f"; and {hidden} more" if hidden > 0 else ""
    return f"{place}{'; '.join(differences[:MAX_DIFFERENCES])}{more}"


def _differ(left: Field | None, right: Field | None) -> str | None:
    """Say how one field of the sender differs from that of the receiver, if it does."""
    if left is None:
        return f"field {_describe(right)} is only in the receiver's message"
    if right is None:
        return f"field {_describe(left)} is only in the sender's message"
    if (left.role, left.type, left.key) == (right.role, right.type, right.key):
        return None
    return f"field {_describe(left)} is sent, {_describe(right)} is expected"


def _describe(field_: Field | None) -> str:
    if field_ is None:
        return "nothing"
    key = f"{field_.key} to " if field_.key else ""
    return f"{field_.number} ({field_.name}: {field_.role} {key}{field_.message or field_.type})"


def _nested(left: Mapping[int, Field], right: Mapping[int, Field]) -> Iterator[tuple[Field, Field]]:
    for number, inner in left.items():
        if inner.message is not None:
            yield inner, right[number]


def _joint_name(left: Field, right: Field) -> str:
    return left.name if left.name == right.name else f"{left.name}|{right.name}"


def emitted_collections(
    manifest: OperationManifest, params: Mapping[str, Any], schema: Mapping[str, Any]
) -> tuple[str, ...] | None:
    """Return the collections that an operation emits with these parameters; None if silent.

    Where the manifest leaves it to a parameter, its default in `schema` counts if the node does
    not set it, and an empty value is silent.
    """
    if not isinstance(manifest.emits, FromParameter):
        return manifest.emits
    name = manifest.emits.parameter
    value = params.get(name, schema.get("properties", {}).get(name, {}).get("default"))
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(value) or None


def refused_collections(
    emitted: Sequence[str] | None, accepted: Sequence[str] | None
) -> tuple[str, ...]:
    """Return those emitted collections that the receiver does not accept."""
    if emitted is None or accepted is None:
        return ()
    return tuple(name for name in emitted if name not in accepted)
