"""Splitters, Collators and DataMappers of Acumos, replaced by links of single fields.

These nodes of a blueprint move fields from message to message and compute nothing. Each is taken
out by joining every link into it with every link out of it, so that chains of them work too.
Fields are known by their numbers here; a position is the number of a field, or None for the whole
message.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from composer.blueprint import MAX_LINKS
from composer.errors import SolutionError
from composer.manifest import NodeType

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from composer.blueprint import Blueprint, BlueprintNode, MappedField

MAPPERS: Final = frozenset({NodeType.SPLITTER, NodeType.COLLATOR, NodeType.DATA_MAPPER})

MAX_JOINS: Final = 1_000_000

Position = int | None
_NOWHERE: Final = -1
"""A position that cannot be reached."""


@dataclass(frozen=True)
class Edge:
    """A link between operations of containers, whose names are in lower case."""

    source: str
    operation: str
    target: str
    target_operation: str
    source_position: Position = None
    target_position: Position = None
    sender: str = ""
    """The container that the target knows as its source; `receiver` likewise."""
    receiver: str = ""
    sender_operation: str = ""
    receiver_operation: str = ""


@dataclass(frozen=True)
class Transfer:
    """What one line of a mapper moves from where to where; empty names are any."""

    taken: Position = None
    given: Position = None
    source: str = ""
    source_operation: str = ""
    target: str = ""
    target_operation: str = ""


@dataclass(frozen=True)
class Literal:
    """A value that a mapper writes into one field of every target."""

    target: str
    operation: str
    position: int
    value: Any


@dataclass
class Rewired:
    """The links between containers when all mappers are taken out."""

    edges: list[Edge] = field(default_factory=list)
    literals: list[Literal] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def is_mapper(node: BlueprintNode) -> bool:
    """Say whether a node only maps fields and says which: others are containers."""
    has_map = node.splitter_map or node.collator_map or node.data_map
    return node.type in MAPPERS and has_map is not None


def rewire(blueprint: Blueprint) -> Rewired:
    """Return the links of a blueprint without its mappers. Raises SolutionError for too many."""
    edges = [
        Edge(
            source=node.container_name.lower(),
            operation=operation.operation_signature.operation_name,
            target=connection.container_name.lower(),
            target_operation=connection.operation_signature.operation_name,
            sender=node.container_name.lower(),
            receiver=connection.container_name.lower(),
            sender_operation=operation.operation_signature.operation_name,
            receiver_operation=connection.operation_signature.operation_name,
        )
        for node in blueprint.nodes
        for operation in node.operation_signature_list
        for connection in operation.connected_to
    ]
    rewired = Rewired(edges)
    for node in filter(is_mapper, blueprint.nodes):
        _take_out(node, rewired)
    return rewired


def _take_out(node: BlueprintNode, rewired: Rewired) -> None:
    name = node.container_name.lower()
    into = [e for e in rewired.edges if e.target == name != e.source]
    out = [e for e in rewired.edges if e.source == name != e.target]
    rest = [e for e in rewired.edges if name not in {e.source, e.target}]
    transfers = list(_transfers(node, rewired.warnings))
    if len(into) * len(transfers) * len(out) > MAX_JOINS:
        raise SolutionError(f"blueprint.json: {node.container_name} joins too many links")
    joined: dict[Edge, None] = {}
    for first in into:
        for transfer in transfers:
            for second in out:
                edge = _joined(first, transfer, second)
                if edge is None:
                    continue
                if _NOWHERE in {edge.source_position, edge.target_position}:
                    rewired.warnings.append(
                        f"{node.node_type} {node.container_name}: a field within a field, from "
                        f"{first.source} to {second.target}, cannot be linked; it is left out"
                    )
                else:
                    joined[edge] = None
        if len(joined) + len(rest) > MAX_LINKS:
            raise SolutionError(f"blueprint.json: its mappers make more than {MAX_LINKS} links")
    if not joined:
        rewired.warnings.append(
            f"{node.node_type} {node.container_name}: no field passes through it; it is left out"
        )
    rewired.edges = [*rest, *joined]
    rewired.literals += _literals(node, out, rewired.warnings)


def _joined(first: Edge, transfer: Transfer, second: Edge) -> Edge | None:
    """Return the link that a transfer makes of one into and one out of a mapper, if it does."""
    if not (
        transfer.source in {"", first.sender}
        and transfer.source_operation in {"", first.sender_operation}
        and transfer.target in {"", second.receiver}
        and transfer.target_operation in {"", second.receiver_operation}
    ):
        return None
    entered = _pass(first.source_position, first.target_position, transfer.taken, transfer.given)
    if entered is None:
        return None
    left = _pass(*entered, second.source_position, second.target_position)
    if left is None:
        return None
    return replace(
        first,
        source_position=left[0],
        target=second.target,
        target_operation=second.target_operation,
        target_position=left[1],
        receiver=first.receiver,
        sender=second.sender,
        sender_operation=second.sender_operation,
    )


def _pass(
    source: Position, here: Position, taken: Position, given: Position
) -> tuple[Position, Position] | None:
    """Pass on what lies at a position here: return where it comes from and where it goes.

    Something of the source lies `here`; what lies at `taken` goes to `given`. None if that is
    something else; _NOWHERE where it would be a field within a field.
    """
    if here == taken:
        return source, given
    if here is None:  # a part of what lies here is taken
        return (taken if source is None else _NOWHERE), given
    if taken is None:  # what lies here is a part of what is taken
        return source, (here if given is None else _NOWHERE)
    return None


def _transfers(node: BlueprintNode, warnings: list[str]) -> Iterator[Transfer]:
    if node.splitter_map is not None:
        if node.splitter_map.splitter_type.lower().startswith("copy"):
            yield Transfer()
            return
        fields = [output.output_field for output in node.splitter_map.map_outputs]
        yield from _splitter(node, fields, warnings)
    elif node.collator_map is not None:
        is_array = node.collator_map.collator_type.lower().startswith("array")
        fields = [line.input_field for line in node.collator_map.map_inputs]
        yield from _collator(node, fields, warnings, is_array=is_array)
    elif node.data_map is not None:
        for source in node.data_map.map_inputs:
            for line in source.input_fields:
                taken = _position(node, line.tag, warnings)
                given = _position(node, line.mapped_to_field, warnings)
                if taken is not None and given is not None and _NOWHERE not in {taken, given}:
                    yield Transfer(taken, given)


def _splitter(
    node: BlueprintNode, fields: Sequence[MappedField], warnings: list[str]
) -> Iterator[Transfer]:
    for line in fields:
        taken = _position(node, line.mapped_to_field, warnings)
        given = _position(node, line.parameter_tag, warnings)
        if taken is not None and _NOWHERE not in {taken, given}:
            target = line.target_name.lower()
            yield Transfer(taken, given, target=target, target_operation=line.operation_name)


def _collator(
    node: BlueprintNode, fields: Sequence[MappedField], warnings: list[str], *, is_array: bool
) -> Iterator[Transfer]:
    for line in fields:
        taken = None if is_array else _position(node, line.parameter_tag, warnings)
        # An Array-based Collator fills the list that is the only field of its message.
        number = line.mapped_to_field or ("1" if is_array else "")
        given = _position(node, number, warnings)
        is_mapped = line.source_name and given is not None
        if is_mapped and _NOWHERE not in {taken, given}:
            source = line.source_name.lower()
            yield Transfer(taken, given, source=source, source_operation=line.operation_name)


def _position(node: BlueprintNode, tag: str, warnings: list[str]) -> Position:
    """Return the number of a field; None if it is empty."""
    text = tag.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 9 and int(text):
        return int(text)
    warnings.append(
        f"{node.node_type} {node.container_name}: {text[:80]!r} is not the number of a field; "
        "it is left out"
    )
    return _NOWHERE


def _literals(node: BlueprintNode, out: Sequence[Edge], warnings: list[str]) -> Iterator[Literal]:
    """Yield the values that a Collator is given instead of a source."""
    for line in node.collator_map.map_inputs if node.collator_map else ():
        given = line.input_field
        if given.source_name or not given.other_attributes:
            continue
        position = _position(node, given.mapped_to_field, warnings)
        try:
            value = json.loads(given.other_attributes)
        except (ValueError, RecursionError):
            value = given.other_attributes
        if position is None or position == _NOWHERE:
            continue
        for edge in out:
            if edge.source_position is None and edge.target_position is None:
                yield Literal(edge.target, edge.target_operation, position, value)
