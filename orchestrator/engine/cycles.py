"""Pipelines whose operations feed themselves: when the work in a cycle is done.

In a chain the end of data travels along the links. In a cycle it cannot: every operation waits for
another. There the work is done when all that comes from outside has ended, nothing waits in a link,
and nobody is busy; then the links within the cycle end, and with them its operations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import networkx as nx

from orchestrator.engine.link import Link
from orchestrator.engine.plan import Plan
from orchestrator.engine.worker import Worker

_INTERVAL_S: Final = 0.05


@dataclass(frozen=True)
class Cycle:
    """Operations that feed each other, the links among them and those that come from outside."""

    workers: tuple[Worker, ...]
    inner: tuple[Link, ...]
    outer: tuple[Link, ...]

    async def end_when_done(self, quiet_s: float) -> None:
        """Wait until the cycle has nothing left to do, then end the links within it."""
        while not self._is_done(quiet_s):  # noqa: ASYNC110 - silence sets no event
            await asyncio.sleep(_INTERVAL_S)
        for link in self.inner:
            link.end()

    def _is_done(self, quiet_s: float) -> bool:
        """Look at one moment: nothing else runs meanwhile in this event loop."""
        return (
            all(link.ended and not len(link) for link in self.outer)
            and not any(len(link) for link in self.inner)
            and all(worker.is_quiet(quiet_s) for worker in self.workers)
        )


def find_cycles(plan: Plan, links: Sequence[Link], workers: Sequence[Worker]) -> Iterator[Cycle]:
    """Yield the cycles of a pipeline; most have none."""
    graph = nx.DiGraph([(link.source, link.target) for link in plan.links])
    by_key = {worker.step.key: worker for worker in workers}
    for group in nx.strongly_connected_components(graph):
        inner: list[Link] = []
        outer: list[Link] = []
        for planned, link in zip(plan.links, links, strict=True):
            if planned.target in group:
                (inner if planned.source in group else outer).append(link)
        if inner:
            yield Cycle(tuple(by_key[key] for key in group), tuple(inner), tuple(outer))
