"""Checks of inputs: what the links and literals of one operation make together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from composer.contract import Role
from composer.errors import Fault, FaultCode
from composer.literals import encode_literals
from composer.names import alternatives, nearest
from composer.pipeline import End

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from composer.contract import Message
    from composer.link_checks import CheckedLinks
    from composer.pipeline import Link
    from composer.pipeline_file import PipelineFile
    from composer.plan import PlannedNode


@dataclass
class CheckedInputs:
    """The literals of all operations, and what does not go together."""

    literals: dict[End, bytes] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def check_inputs(
    file: PipelineFile, nodes: Mapping[str, PlannedNode], links: CheckedLinks
) -> CheckedInputs:
    """Check what comes to each input, all links and literals together."""
    incoming: dict[End, list[Link]] = {}
    for link in links.links:
        incoming.setdefault(link.target.whole, []).append(link)
    checked = CheckedInputs()
    for end, several in incoming.items():
        operation = nodes[end.node].component.contract.operations[end.operation]
        checked.faults.extend(_link_faults(file, operation.input, several))
    for name, node in nodes.items():
        for operation_name in node.options.values:
            end = End(name, operation_name)
            _check_literals(file, node, end, incoming.get(end, []), checked)
    return checked


def _link_faults(file: PipelineFile, message: Message, links: Sequence[Link]) -> Iterator[Fault]:
    """Yield links that exclude an earlier one into the same input."""
    whole = next((link for link in links if link.target.field is None), None)
    taken: dict[str, Link] = {}
    for link in links:
        target = link.target
        known = message.field(target.field) if target.field else None
        if known is None:
            continue
        place, line = f"link {link}", file.link_line(file.pipeline.links.index(link))
        if whole is not None:
            words = f"whole messages are linked to {target.whole} as well ({whole})"
            yield Fault(place, words, FaultCode.FIELD_LINK, line=line)
            continue
        # Members of a oneof exclude each other as two links into one field do.
        first = taken.setdefault(known.oneof or known.name, link)
        if first is not link and (known.role is Role.SINGLE or first.target != target):
            words = f"{first} leads there already, and only one value can"
            yield Fault(place, words, FaultCode.FIELD_LINK, line=line)


def _check_literals(
    file: PipelineFile,
    node: PlannedNode,
    end: End,
    links: Sequence[Link],
    checked: CheckedInputs,
) -> None:
    contract = node.component.contract
    place = f"node {end.node}, values {end.operation}"
    line = file.line("nodes", end.node, "values", end.operation)
    operation = contract.operations.get(end.operation)
    if operation is None:
        suggestion = nearest(end.operation, contract.operations)
        words = f"node {end.node} has no operation {end.operation!r}"
        words += "" if suggestion else alternatives(contract.operations)
        checked.faults.append(Fault(place, words, FaultCode.UNKNOWN_OPERATION, suggestion, line))
        return
    values = node.options.values[end.operation]
    if values and (whole := next((link for link in links if link.target.field is None), None)):
        words = f"whole messages are linked to it ({whole}), so that no value has a place"
        checked.faults.append(Fault(place, words, FaultCode.VALUE, line=line))
        return
    literals = encode_literals(contract, operation.input.name, values)
    for misfit in literals.misfits:
        path = ".".join(map(str, (end.operation, *misfit.place)))
        code = FaultCode.UNKNOWN_FIELD if misfit.is_unknown else FaultCode.VALUE
        where = file.line("nodes", end.node, "values", end.operation, *misfit.place)
        checked.faults.append(
            Fault(f"node {end.node}, values {path}", misfit.message, code, misfit.suggestion, where)
        )
    linked = {link.target.field for link in links}
    for name in values:
        if name in linked:
            where = file.line("nodes", end.node, "values", end.operation, name)
            words = "is linked as well: a field has a link or a value"
            checked.faults.append(Fault(f"{place}.{name}", words, FaultCode.VALUE, line=where))
    if literals.content:
        checked.literals[end] = literals.content
