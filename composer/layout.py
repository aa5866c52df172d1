"""Where the nodes of a picture go: columns from source to sink, rows with few crossings.

The layers and the barycentre ordering are those of Sugiyama, Tagawa and Toda (1981),
doi:10.1109/TSMC.1981.4308636.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import networkx as nx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from composer.graph import Graph

_SWEEPS: Final = 8


@dataclass(frozen=True)
class Position:
    """Where a node stands: whole columns from the left, rows from the top, centred about 0."""

    column: int
    row: float


def layered_layout(graph: Graph) -> dict[str, Position]:
    """Return a position for each node, in the order of the pipeline file.

    A link leads at least one column to the right, unless nodes feed each other: those share one.
    """
    network: nx.DiGraph[str] = nx.DiGraph()
    network.add_nodes_from(graph.nodes)
    network.add_edges_from((a.node, b.node) for a, b in graph.network.edges() if a.node != b.node)
    columns = _columns(network)
    for sweep in range(_SWEEPS):
        if sweep % 2 == 0:
            _reorder(columns, network.predecessors)
        else:
            _reorder(columns[::-1], network.successors)
    positions = {
        name: Position(number, row - (len(column) - 1) / 2)
        for number, column in enumerate(columns)
        for row, name in enumerate(column)
    }
    return {name: positions[name] for name in graph.nodes}


def _columns(network: nx.DiGraph[str]) -> list[list[str]]:
    """Put each node one column to the right of the last one that leads to it."""
    groups = nx.condensation(network)
    depth: dict[int, int] = {}
    for group in nx.topological_sort(groups):
        depth[group] = 1 + max((depth[before] for before in groups.predecessors(group)), default=-1)
    columns: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in network:
        columns[depth[groups.graph["mapping"][name]]].append(name)
    return columns


def _reorder(columns: Sequence[list[str]], neighbours: Callable[[str], Iterator[str]]) -> None:
    """Sort each column by the mean row of its neighbours in the columns that came before it."""
    rows: dict[str, float] = {}
    for column in columns:
        current = {name: row - (len(column) - 1) / 2 for row, name in enumerate(column)}

        def mean(name: str, current: dict[str, float] = current) -> float:
            before = [rows[other] for other in neighbours(name) if other in rows]
            return sum(before) / len(before) if before else current[name]

        column.sort(key=mean)
        rows.update((name, row - (len(column) - 1) / 2) for row, name in enumerate(column))
