"""What every backend does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from orchestrator.engine.plan import NodePlan

# Called with the node's name and one record of its log: `message`, `level`, `operation`, and
# `progress` or `notice` where the component reported one.
LogSink = Callable[[str, Mapping[str, Any]], None]


class Backend(Protocol):
    """Starts the components of one run and removes all that it started."""

    async def start(self, node: NodePlan) -> str:
        """Start a component and return the gRPC address at which it will answer.

        Raises OrchestratorError where it cannot be started.
        """
        ...

    async def died(self, node: str) -> str:
        """Wait until a component ends although nobody stopped it; return why, in words."""
        ...

    async def stop(self) -> None:
        """Stop every component and remove what the start made. May be called twice."""
        ...
