"""Checks of nodes on their own: their names, components and parameters."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from composer.errors import Fault, FaultCode, UnknownComponentError
from composer.names import dns_label
from composer.plan import PlannedNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from composer.component import Component
    from composer.pipeline_file import PipelineFile
    from composer.registry import Registry

RESERVED: Final = frozenset({"orchestrator"})
"""Names that AI4EU's dockerinfo.json has beside those of the nodes."""


def plan_nodes(
    file: PipelineFile, registry: Registry
) -> tuple[dict[str, PlannedNode], list[Fault]]:
    """Return each node whose component exists, and everything that is wrong with any node."""
    nodes: dict[str, PlannedNode] = {}
    faults: list[Fault] = []
    for name, node in file.pipeline.nodes.items():
        faults.extend(_name_faults(file, name))
        try:
            component = registry.find(node.component)
        except UnknownComponentError as error:
            line = file.line("nodes", name, "component")
            code = FaultCode.UNKNOWN_COMPONENT
            faults.append(Fault(f"node {name}", str(error), code, error.suggestion, line))
            continue
        refused = list(_parameter_faults(file, name, component))
        faults.extend(refused)
        params = dict(node.params)
        if not refused:
            base = functools.partial(file.base, name)
            params = component.schema.with_absolute_paths(params, base)
        nodes[name] = PlannedNode(name, component, params, node)
    return nodes, faults


def _name_faults(file: PipelineFile, name: str) -> Iterator[Fault]:
    line = file.line("nodes", name)
    try:
        dns_label(name)
    except ValueError as error:
        yield Fault(f"node {name}", f"the name {error}", FaultCode.NAME, line=line)
    if name in RESERVED:
        yield Fault(f"node {name}", "the name is reserved", FaultCode.NAME, line=line)


def _parameter_faults(file: PipelineFile, name: str, component: Component) -> Iterator[Fault]:
    for refusal in component.schema.check(file.pipeline.nodes[name].params):
        path = ".".join(map(str, refusal.place))
        if file.is_overridden(name, refusal.place):
            place, line = f"override {name}.{path}", None
        else:
            place = f"node {name}, parameter {path}" if path else f"node {name}"
            line = file.line("nodes", name, "params", *refusal.place)
        code = FaultCode.UNKNOWN_PARAMETER if refusal.is_unknown else FaultCode.PARAMETER
        yield Fault(place, refusal.message, code, refusal.suggestion, line)
