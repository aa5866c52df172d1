"""The graph of a pipeline: composed from a pipeline and a registry, with all checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import networkx as nx

from composer.contract import Kind
from composer.errors import Fault, FaultCode, PipelineError
from composer.input_checks import CheckedInputs, check_inputs
from composer.link_checks import CheckedLinks, check_links
from composer.node_checks import plan_nodes
from composer.pipeline import End, Pipeline
from composer.pipeline_file import PipelineFile
from composer.plan import PlannedNode, PlannedOperation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    from composer.pipeline import Link
    from composer.registry import Registry

    Network: TypeAlias = nx.MultiDiGraph[End]


@dataclass(frozen=True)
class Graph:
    """A pipeline that fits together: what an orchestrator runs."""

    pipeline: Pipeline
    nodes: Mapping[str, PlannedNode]
    """In the order of the pipeline file."""
    operations: tuple[PlannedOperation, ...]
    """Those in use, senders before receivers; within a cycle in the order of the file."""
    network: Network = field(repr=False)
    """Operations as `End`, links as edges with the attribute `link`; frozen."""

    @property
    def sources(self) -> tuple[PlannedOperation, ...]:
        """The operations with which a run begins."""
        return tuple(o for o in self.operations if o.kind is Kind.SOURCE)

    @property
    def terminals(self) -> tuple[PlannedOperation, ...]:
        """The operations whose messages are the results of a run."""
        return tuple(o for o in self.operations if o.is_terminal)

    def operations_of(self, node: str) -> tuple[PlannedOperation, ...]:
        """Return the operations of a node that are in use."""
        return tuple(o for o in self.operations if o.node.name == node)

    def pinned(self) -> Pipeline:
        """Return the pipeline with `name@version` and absolute paths: it runs alike elsewhere."""
        nodes = {
            name: node.options.model_copy(
                update={"component": node.component.reference, "params": dict(node.params)}
            )
            for name, node in self.nodes.items()
        }
        return self.pipeline.model_copy(update={"nodes": nodes})


def compose(
    pipeline: Pipeline | PipelineFile, registry: Registry, *, cycles: bool = False
) -> Graph:
    """Check a pipeline against the components that there are, and return its graph.

    Relative paths in the parameters of a pipeline that is not from a file are relative to the
    current folder. With `cycles`, operations may feed themselves through others. Raises
    PipelineError with every fault of the file and of the pipeline.
    """
    file = pipeline if isinstance(pipeline, PipelineFile) else PipelineFile(pipeline)
    nodes, node_faults = plan_nodes(file, registry)
    links = check_links(file, nodes, cycles=cycles)
    inputs = check_inputs(file, nodes, links)
    used = _used_operations(nodes, links, inputs)
    network = _network(used, links.links)
    faults = [*file.faults, *node_faults, *links.faults, *inputs.faults]
    faults.extend(_unlinked(file, nodes, links, inputs, used))
    operations = _plan(nodes, network, links, inputs)
    if len(nodes) == len(file.pipeline.nodes) and not file.left_out:
        faults.extend(_sourceless(nodes, operations))
    if not cycles:
        faults.extend(_cycles(file, network))
    if faults:
        raise PipelineError(faults, file.source)
    return Graph(file.pipeline, dict(nodes), operations, nx.freeze(network))


def _used_operations(
    nodes: Mapping[str, PlannedNode], links: CheckedLinks, inputs: CheckedInputs
) -> list[End]:
    """Return the operations in use: linked ones, those with literals, and the only one of a node.

    The only operation of a node that works in the shared folder need not be called.
    """
    linked = links.inputs | links.outputs | inputs.literals.keys()
    used = []
    for name, node in nodes.items():
        operations = node.component.contract.operations
        ends = [End(name, operation) for operation in operations]
        only = operations[ends[0].operation] if len(ends) == 1 else None
        is_called = only and (only.kind is Kind.SOURCE or not node.options.shared_folder)
        used += ends if is_called else [end for end in ends if end in linked]
    return used


def _network(used: Sequence[End], links: Sequence[Link]) -> Network:
    network: Network = nx.MultiDiGraph()
    network.add_nodes_from(used)
    for link in links:
        network.add_edge(link.source.whole, link.target.whole, link=link)
    return network


def _unlinked(
    file: PipelineFile,
    nodes: Mapping[str, PlannedNode],
    links: CheckedLinks,
    inputs: CheckedInputs,
    used: Sequence[End],
) -> Iterator[Fault]:
    """Yield nodes that nothing is linked to, and inputs that nothing comes to."""
    touched = links.touched | {end.node for end in inputs.literals}
    touched |= {name for name, node in nodes.items() if node.options.shared_folder}
    is_alone = len(file.pipeline.nodes) == 1 and not file.left_out
    for name, node in nodes.items():
        line = file.line("nodes", name)
        operations = node.component.contract.operations
        if name not in touched and not (is_alone and len(operations) == 1):
            several = f" (it has {', '.join(operations)})" if len(operations) > 1 else ""
            message = f"none of its operations is linked{several}"
            yield Fault(f"node {name}", message, FaultCode.ISOLATED_NODE, line=line)
            continue
        for end in (end for end in used if end.node == name):
            operation = operations[end.operation]
            has_input = end in links.inputs or end in inputs.literals
            if operation.kind is not Kind.SOURCE and not has_input:
                place = f"node {name}, operation {end.operation}"
                message = f"nothing is linked to its input ({operation.input.name})"
                yield Fault(place, message, FaultCode.UNLINKED_INPUT, line=line)


def _sourceless(
    nodes: Mapping[str, PlannedNode], operations: Sequence[PlannedOperation]
) -> Iterator[Fault]:
    if not nodes:
        yield Fault("pipeline", "it has no nodes", FaultCode.NO_SOURCE)
        return
    if all(operation.kind is not Kind.SOURCE for operation in operations):
        message = "it has no source: an operation whose input has no fields"
        yield Fault("pipeline", message, FaultCode.NO_SOURCE)


def _cycles(file: PipelineFile, network: Network) -> Iterator[Fault]:
    """Yield the shortest cycle through the first of each group that feed each other."""
    position = {end: number for number, end in enumerate(network)}
    for group in nx.strongly_connected_components(network):
        if len(group) < 2:
            continue
        first = min(group, key=position.__getitem__)
        ways = (
            nx.shortest_path(network, n, first) for n in network.successors(first) if n in group
        )
        way = [first, *min(ways, key=len)]
        link = network.edges[way[0], way[1], 0]["link"]
        line = file.link_line(file.pipeline.links.index(link))
        path = " -> ".join(map(str, way))
        yield Fault("links", f"they make a cycle: {path}", FaultCode.CYCLE, line=line)


def _plan(
    nodes: Mapping[str, PlannedNode], network: Network, links: CheckedLinks, inputs: CheckedInputs
) -> tuple[PlannedOperation, ...]:
    operations = []
    position = {link: number for number, link in enumerate(links.links)}
    for end in _in_order(network):
        node = nodes[end.node]
        incoming = _links(network.in_edges(end, data=True), position)
        outgoing = _links(network.out_edges(end, data=True), position)
        operation = PlannedOperation(
            node=node,
            operation=node.component.contract.operations[end.operation],
            incoming=incoming,
            outgoing=outgoing,
            field_links=tuple(links.field_links[i] for i in incoming if i in links.field_links),
            literals=inputs.literals.get(end, b""),
        )
        operations.append(operation)
    return tuple(operations)


def _links(
    edges: Iterable[tuple[End, End, Mapping[str, Link]]], position: Mapping[Link, int]
) -> tuple[Link, ...]:
    """Return the links of edges in the order of the file."""
    return tuple(sorted((edge["link"] for _, _, edge in edges), key=position.__getitem__))


def _in_order(network: Network) -> list[End]:
    """Return the operations, senders before receivers, otherwise in the order of the file."""
    position = {end: number for number, end in enumerate(network)}
    groups = nx.condensation(network)
    members = {
        group: sorted(data["members"], key=position.__getitem__)
        for group, data in groups.nodes(data=True)
    }
    ordered = nx.lexicographical_topological_sort(groups, key=lambda g: position[members[g][0]])
    return [end for group in ordered for end in members[group]]
