"""A pipeline as boxes and arrows, valid or with faults that have a place in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import networkx as nx

from composer.contract import Kind
from composer.errors import PipelineError
from composer.graph import Graph, compose
from composer.layout import layered_layout
from composer.link_checks import check_links
from composer.node_checks import plan_nodes
from composer.pipeline import End
from composer.plan import PlannedOperation
from ui.component_view import short_name
from ui.formatting import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from composer.errors import Fault
    from composer.pipeline import Link
    from composer.pipeline_file import PipelineFile
    from composer.plan import PlannedNode
    from composer.registry import Registry

MOST_PARAMETERS: Final = 5
_VALUE_LENGTH: Final = 26


@dataclass(frozen=True)
class Port:
    """One side of an operation; `message` without its package."""

    message: str
    stream: bool


@dataclass(frozen=True)
class Row:
    """One operation of a box. A source has no input, a sink no output."""

    operation: str
    input: Port | None
    output: Port | None


@dataclass(frozen=True)
class Box:
    """One node and where it stands: columns from the left, rows from the top."""

    node: str
    title: str
    reference: str
    kind: Kind
    rows: tuple[Row, ...]
    parameters: tuple[str, ...]
    """`name: value` of those that the pipeline sets, the first few."""
    column: int
    row: float
    is_faulty: bool = False


@dataclass(frozen=True)
class Arrow:
    """One link."""

    source: End
    target: End
    message: str
    is_stream: bool
    """Whether the sender streams; `takes_stream`: whether the receiver takes a stream."""
    takes_stream: bool
    is_faulty: bool = False


@dataclass(frozen=True)
class Drawing:
    """A whole pipeline."""

    name: str
    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    faults: tuple[Fault, ...] = ()


def draw_pipeline(file: PipelineFile, registry: Registry) -> Drawing:
    """Return the drawing of a pipeline, with its faults marked where it has some.

    Raises PipelineError for one that cannot be drawn: not readable, or with unknown components.
    """
    try:
        return _drawing(compose(file, registry), ())
    except PipelineError as error:
        graph = _sketch(file, registry)
        if graph is None:
            raise
        return _drawing(graph, error.faults)


def draw_graph(graph: Graph) -> Drawing:
    """Return the drawing of a composed pipeline."""
    return _drawing(graph, ())


def _sketch(file: PipelineFile, registry: Registry) -> Graph | None:
    """Return a graph of what there is, unchecked, or None if some node is not understood."""
    nodes, _ = plan_nodes(file, registry)
    if file.left_out or not nodes or len(nodes) != len(file.pipeline.nodes):
        return None
    links = check_links(file, nodes).links
    network: nx.MultiDiGraph[End] = nx.MultiDiGraph()
    for link in links:
        network.add_edge(link.source.whole, link.target.whole, link=link)
    operations = tuple(
        PlannedOperation(
            node,
            operation,
            tuple(link for link in links if link.target.whole == End(name, rpc)),
            tuple(link for link in links if link.source.whole == End(name, rpc)),
        )
        for name, node in nodes.items()
        for rpc, operation in node.component.contract.operations.items()
    )
    used = tuple(
        operation
        for operation in operations
        if operation.incoming or operation.outgoing or _is_only(operation)
    )
    return Graph(file.pipeline, nodes, used, network)


def _is_only(operation: PlannedOperation) -> bool:
    return len(operation.node.component.contract.operations) == 1


def _drawing(graph: Graph, faults: Sequence[Fault]) -> Drawing:
    places = {fault.place for fault in faults}
    faulty_nodes = {_node_of(place) for place in places}
    positions = layered_layout(graph)
    boxes = tuple(
        Box(
            node=name,
            title=node.component.manifest.title,
            reference=node.component.reference,
            kind=_kind(graph.operations_of(name)),
            rows=tuple(map(_row, graph.operations_of(name))),
            parameters=tuple(_parameters(graph, node)),
            column=positions[name].column,
            row=positions[name].row,
            is_faulty=name in faulty_nodes,
        )
        for name, node in graph.nodes.items()
    )
    links = {link for operation in graph.operations for link in operation.outgoing}
    arrows = tuple(
        _arrow(graph, link, is_faulty=f"link {link}" in places)
        for link in dict.fromkeys(graph.pipeline.links)
        if link in links
    )
    pipeline = graph.pipeline
    return Drawing(pipeline.name, pipeline.title or pipeline.name, boxes, arrows, tuple(faults))


def _node_of(place: str) -> str:
    """Return the node in the place of a fault: `node clean, parameter resolution`."""
    if place.startswith("override "):
        return place.removeprefix("override ").partition(".")[0]
    return place.removeprefix("node ").partition(",")[0] if place.startswith("node ") else ""


def _kind(operations: Sequence[PlannedOperation]) -> Kind:
    """Return what a node is as a whole: a source if any of its operations is one."""
    kinds = {operation.kind for operation in operations}
    if Kind.SOURCE in kinds:
        return Kind.SOURCE
    return Kind.SINK if kinds == {Kind.SINK} else Kind.RELAY


def _row(planned: PlannedOperation) -> Row:
    rpc = planned.operation
    sides = (
        Port(short_name(message.name), stream) if message.fields else None
        for message, stream in ((rpc.input, rpc.input_stream), (rpc.output, rpc.output_stream))
    )
    return Row(rpc.name, *sides)


def _parameters(graph: Graph, node: PlannedNode) -> Iterator[str]:
    """Yield parameters as the file gives them, where paths are still short."""
    given = graph.pipeline.nodes[node.name].params
    for number, (name, value) in enumerate(given.items()):
        if number == MOST_PARAMETERS and len(given) > MOST_PARAMETERS + 1:
            yield f"and {len(given) - MOST_PARAMETERS} more"
            return
        is_secret = node.component.schema.is_secret(name)
        yield f"{name}: {'(secret)' if is_secret else format_value(value, _VALUE_LENGTH)}"


def _arrow(graph: Graph, link: Link, *, is_faulty: bool) -> Arrow:
    sender = graph.nodes[link.source.node].component.contract.operations[link.source.operation]
    receiver = graph.nodes[link.target.node].component.contract.operations[link.target.operation]
    return Arrow(
        source=link.source.whole,
        target=link.target.whole,
        message=short_name(sender.output.name),
        is_stream=sender.output_stream,
        takes_stream=receiver.input_stream,
        is_faulty=is_faulty,
    )
