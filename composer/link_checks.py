"""Checks of links: both ends exist, and what leaves one may enter the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from composer.contract import Kind
from composer.errors import Fault, FaultCode
from composer.names import nearest
from composer.pipeline import End, Link
from composer.ports import (
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


def check_links(file: PipelineFile, nodes: Mapping[str, PlannedNode]) -> CheckedLinks:
    """Check every link between the nodes."""
    checked = CheckedLinks(inputs=set(file.mentioned), outputs=set(file.mentioned))
    names_meant = _Misspelt(file.pipeline.nodes)
    numbers: dict[Link, int] = {}
    for number, link in enumerate(file.pipeline.links):
        place, line = f"link {link}", file.link_line(number)
        source = _resolve(link.source, file, nodes, names_meant)
        target = _resolve(link.target, file, nodes, names_meant)
        checked.outputs.add(source.meant)
        checked.inputs.add(target.meant)
        found = [*source.faults, *target.faults]
        if link in numbers:
            first = file.link_line(numbers[link])
            message = f"is there already{f', in line {first}' if first else ''}"
            found = [_Found(message, FaultCode.DUPLICATE_LINK)]
        elif source.exists and target.exists:
            against = list(_join(link, nodes))
            found.extend(against)
            if not any(fault.code in _NO_WAY for fault in against):
                checked.links.append(link)
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
    end: End, file: PipelineFile, nodes: Mapping[str, PlannedNode], names_meant: _Misspelt
) -> _Resolved:
    if end.field is not None:
        whole = _resolve(end.whole, file, nodes, names_meant)
        message = f"one field of a message cannot be linked; link {end.whole}"
        found = _Found(message, FaultCode.FIELD_LINK)
        return _Resolved(whole.meant, False, (*whole.faults, found))
    if end.node in nodes:
        operations = nodes[end.node].component.contract.operations
        if end.operation in operations:
            return _Resolved(end, True)
        suggestion = nearest(end.operation, operations)
        if suggestion is None and len(operations) == 1:
            suggestion = next(iter(operations))
        message = f"node {end.node} has no operation {end.operation!r}"
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


def _join(link: Link, nodes: Mapping[str, PlannedNode]) -> Iterator[_Found]:
    """Yield why what leaves the source of a link may not enter its target."""
    if link.source == link.target:
        yield _Found("leads from an operation to itself", FaultCode.SELF_LINK)
        return
    source, target = nodes[link.source.node], nodes[link.target.node]
    sent = source.component.contract.operations[link.source.operation]
    taken = target.component.contract.operations[link.target.operation]
    if not sent.output.fields:
        message = f"{link.source} is a sink: its output {sent.output.name} has no fields"
        yield _Found(message, FaultCode.LINK_FROM_SINK)
    if taken.kind is Kind.SOURCE:
        message = f"{link.target} is a source: its input {taken.input.name} has no fields"
        yield _Found(message, FaultCode.LINK_INTO_SOURCE)
    if not sent.output.fields or not taken.input.fields:
        return
    yield from _structure(link, source, target)
    yield from _meaning(link, source, target)


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
