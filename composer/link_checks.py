"""Checks of links: both ends exist, and what leaves one may enter the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from composer.contract import Kind
from composer.errors import Fault, FaultCode
from composer.fields import Content, FieldEnd, FieldLink, content_difference, way_of
from composer.names import alternatives, nearest
from composer.pipeline import End, Link
from composer.ports import (
    Side,
    emitted_collections,
    input_port,
    output_port,
    refused_collections,
    structural_difference,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from composer.pipeline_file import PipelineFile
    from composer.plan import PlannedNode

MAX_SUGGESTIONS: Final = 50
_NO_WAY: Final = {FaultCode.SELF_LINK, FaultCode.LINK_FROM_SINK, FaultCode.LINK_INTO_SOURCE}


@dataclass
class CheckedLinks:
    """What the links of a pipeline join, and what is wrong with them."""

    links: list[Link] = field(default_factory=list)
    """Those along which messages could pass if their types were right, each once."""
    field_links: dict[Link, FieldLink] = field(default_factory=dict)
    """Those that start or end in a field, and can be made."""
    faults: list[Fault] = field(default_factory=list)
    inputs: set[End] = field(default_factory=set)
    """Inputs that a link leads to or was probably meant to; `outputs` likewise.

    A misspelt link is one fault: it does not also leave its ends unlinked.
    """
    outputs: set[End] = field(default_factory=set)

    @property
    def touched(self) -> set[str]:
        """Names of all nodes that are linked, or were probably meant to be."""
        return {end.node for end in self.inputs | self.outputs}


def check_links(
    file: PipelineFile, nodes: Mapping[str, PlannedNode], *, cycles: bool = False
) -> CheckedLinks:
    """Check every link between the nodes; with `cycles`, one may lead back to where it starts."""
    checked = CheckedLinks(inputs=set(file.mentioned), outputs=set(file.mentioned))
    names_meant = _Misspelt(file.pipeline.nodes)
    numbers: dict[Link, int] = {}
    for number, link in enumerate(file.pipeline.links):
        place, line = f"link {link}", file.link_line(number)
        source = _resolve(link.source, Side.OUTPUT, file, nodes, names_meant)
        target = _resolve(link.target, Side.INPUT, file, nodes, names_meant)
        checked.outputs.add(source.meant)
        checked.inputs.add(target.meant)
        found = [*source.faults, *target.faults]
        if link in numbers:
            first = file.link_line(numbers[link])
            message = f"is there already{f', in line {first}' if first else ''}"
            found = [_Found(message, FaultCode.DUPLICATE_LINK)]
        elif source.exists and target.exists:
            against = list(_join(link, nodes, cycles=cycles))
            found.extend(against)
            if not any(fault.code in _NO_WAY for fault in against):
                checked.links.append(link)
            if not against and (link.source.field or link.target.field):
                checked.field_links[link] = _field_link(link, nodes)
        numbers.setdefault(link, number)
        checked.faults.extend(
            Fault(place, fault.message, fault.code, fault.suggestion, line) for fault in found
        )
    return checked


@dataclass(frozen=True)
class _Found:
    """A fault of a link, without its place."""

    message: str
    code: FaultCode
    suggestion: str | None = None


@dataclass(frozen=True)
class _Resolved:
    """One end of a link, and the operation that it was probably meant to be."""

    meant: End
    exists: bool
    faults: tuple[_Found, ...] = ()


class _Misspelt:
    """Nearest names of nodes, for some names only.

    To compare a thousand unknown names with a thousand nodes would take many seconds, and nobody
    reads as many suggestions.
    """

    def __init__(self, valid: Iterable[str]) -> None:
        self._valid = tuple(valid)
        self._found: dict[str, str | None] = {}

    def of(self, name: str) -> str | None:
        if name not in self._found and len(self._found) < MAX_SUGGESTIONS:
            self._found[name] = nearest(name, self._valid)
        return self._found.get(name)


def _resolve(
    end: End,
    side: Side,
    file: PipelineFile,
    nodes: Mapping[str, PlannedNode],
    names_meant: _Misspelt,
) -> _Resolved:
    if end.field is not None:
        return _resolve_field(end, side, _resolve(end.whole, side, file, nodes, names_meant), nodes)
    if end.node in nodes:
        operations = nodes[end.node].component.contract.operations
        if end.operation in operations:
            return _Resolved(end, True)
        suggestion = nearest(end.operation, operations)
        if suggestion is None and len(operations) == 1:
            suggestion = next(iter(operations))
        others = "" if suggestion else alternatives(operations)
        message = f"node {end.node} has no operation {end.operation!r}{others}"
        meant = End(end.node, suggestion or end.operation)
        found = _Found(message, FaultCode.UNKNOWN_OPERATION, suggestion)
        return _Resolved(meant, False, (found,))
    names = file.pipeline.nodes
    if end.node in names or end.node in file.left_out or not names:
        return _Resolved(end, False)  # the node itself has a fault
    suggestion = names_meant.of(end.node)
    meant = End(suggestion or end.node, end.operation)
    found = _Found(f"there is no node {end.node!r}", FaultCode.UNKNOWN_NODE, suggestion)
    return _Resolved(meant, False, (found,))


def _resolve_field(
    end: End, side: Side, whole: _Resolved, nodes: Mapping[str, PlannedNode]
) -> _Resolved:
    """Return the field of an end whose operation was resolved."""
    message = _content(end.whole, side, nodes).message if whole.exists else None
    # Without a message, or without fields at all, something else is wrong and is reported.
    if message is None or not message.fields or message.field(end.field or ""):
        return whole
    suggestion = nearest(end.field or "", [field.name for field in message.fields])
    others = "" if suggestion else alternatives(field.name for field in message.fields)
    words = f"{message.name} has no field {end.field!r}{others}"
    return _Resolved(whole.meant, False, (_Found(words, FaultCode.UNKNOWN_FIELD, suggestion),))


def _content(end: End, side: Side, nodes: Mapping[str, PlannedNode]) -> Content:
    """Return what passes at an end of a link that exists."""
    contract = nodes[end.node].component.contract
    operation = contract.operations[end.operation]
    message = operation.output if side is Side.OUTPUT else operation.input
    return Content(contract, message, message.field(end.field) if end.field else None)


def _field_link(link: Link, nodes: Mapping[str, PlannedNode]) -> FieldLink:
    """Return a link of fields that fit."""
    sent, taken = (
        _content(link.source, Side.OUTPUT, nodes),
        _content(link.target, Side.INPUT, nodes),
    )
    way = way_of(sent, taken)
    assert way is not None, "links that do not fit were sorted out"  # noqa: S101 - for mypy
    return FieldLink(
        link,
        FieldEnd.of(sent.field) if sent.field else None,
        FieldEnd.of(taken.field) if taken.field else None,
        way,
    )


def _join(link: Link, nodes: Mapping[str, PlannedNode], *, cycles: bool) -> Iterator[_Found]:
    """Yield why what leaves the source of a link may not enter its target."""
    if link.source.whole == link.target.whole and not cycles:
        yield _Found("leads from an operation to itself", FaultCode.SELF_LINK)
        return
    source, target = nodes[link.source.node], nodes[link.target.node]
    sent = source.component.contract.operations[link.source.operation]
    taken = target.component.contract.operations[link.target.operation]
    if not sent.output.fields:
        message = f"{link.source.whole} is a sink: its output {sent.output.name} has no fields"
        yield _Found(message, FaultCode.LINK_FROM_SINK)
    if taken.kind is Kind.SOURCE:
        message = f"{link.target.whole} is a source: its input {taken.input.name} has no fields"
        yield _Found(message, FaultCode.LINK_INTO_SOURCE)
    if not sent.output.fields or not taken.input.fields:
        return
    if link.source.field or link.target.field:
        yield from _field_structure(link, nodes)
        return
    yield from _structure(link, source, target)
    yield from _meaning(link, source, target)


def _field_structure(link: Link, nodes: Mapping[str, PlannedNode]) -> Iterator[_Found]:
    sent, taken = (
        _content(link.source, Side.OUTPUT, nodes),
        _content(link.target, Side.INPUT, nodes),
    )
    difference = content_difference(sent, taken)
    if difference:
        message = f"{link.source} sends {sent}, {link.target} takes {taken}: {difference}"
        yield _Found(message, FaultCode.STRUCTURE)


def _structure(link: Link, source: PlannedNode, target: PlannedNode) -> Iterator[_Found]:
    output = output_port(source.name, source.component.contract, link.source.operation)
    input_ = input_port(target.name, target.component.contract, link.target.operation)
    difference = structural_difference(output, input_)
    if difference:
        message = (
            f"{link.source} sends {output.message.name}, {link.target} takes "
            f"{input_.message.name}: {difference}"
        )
        yield _Found(message, FaultCode.STRUCTURE)


def _meaning(link: Link, source: PlannedNode, target: PlannedNode) -> Iterator[_Found]:
    emitted = emitted_collections(
        source.manifest_of(link.source.operation), source.params, source.component.schema.schema
    )
    accepted = target.manifest_of(link.target.operation).accepts
    refused = refused_collections(emitted, accepted)
    if refused:
        message = (
            f"{link.source} emits {', '.join(refused)}, {link.target} accepts "
            f"{', '.join(accepted or ())}"
        )
        yield _Found(message, FaultCode.MEANING)
