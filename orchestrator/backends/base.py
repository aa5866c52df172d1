"""What every backend does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.engine.channels import ChannelSecurity
from orchestrator.engine.plan import NodePlan
from orchestrator.events import Kind

# Called with the node's name and one record of its log: `message`, `level`, `operation`, and
# `progress` or `notice` where the component reported one.
LogSink = Callable[[str, Mapping[str, Any]], None]

# Called with the node's name, the kind of an event and its detail: what else happens to it.
Tell = Callable[[str, Kind, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Death:
    """How a component has ended although nobody stopped it.

    reason: in words. killed: whether by a signal, and not because it needed too much memory, so
    that it may do better the next time.
    """

    reason: str
    killed: bool = False


class Backend(Protocol):
    """Starts the components of one run and removes all that it started."""

    async def start(self, node: NodePlan) -> tuple[str, ...]:
        """Start a component and return the gRPC targets at which it will answer.

        One target per replica, or a single `dns:///` target that resolves to all of them. Called
        again for a node whose component has died: what is left of it is removed first, and the
        targets may be others. Raises OrchestratorError where it cannot be started.
        """
        ...

    def security(self, node: str, asked: ChannelSecurity | None) -> ChannelSecurity | None:
        """Return the TLS of the channels to a node that has been started.

        asked: what the settings say, for components that the backend gives no certificates.
        """
        ...

    @property
    def starts_components(self) -> bool:
        """Whether it starts them, and not somebody else, for whom a run can only wait."""
        ...

    @property
    def shares_folder(self) -> bool:
        """Whether components write into the run's own shared folder, so that it is here at once.

        Known as soon as one has been started.
        """
        ...

    async def died(self, node: str) -> Death:
        """Wait until a component, or a replica of it, ends although nobody stopped it.

        Waits for what the latest start of the node has made.
        """
        ...

    async def stop(self) -> None:
        """Stop every component and remove what the start made. May be called twice."""
        ...
