"""The components of one run: started, waited for, watched and stopped, node by node."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Protocol

from orchestrator.engine.channels import channel_security, open_channel, wait_until_ready
from orchestrator.engine.replicas import Replicas
from orchestrator.engine.tasks import first_error
from orchestrator.errors import ChannelError, ComponentDiedError, ComponentNotReadyError
from orchestrator.events import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.backends.base import Backend
    from orchestrator.engine.plan import NodePlan, Plan
    from orchestrator.settings import OrchestratorSettings


class Tell(Protocol):
    """Called with what happens to a node: its name, no operation, the kind and its detail."""

    def __call__(self, node: str, operation: str, kind: Kind, **detail: Any) -> None:
        """Tell."""
        ...


class Nodes:
    """The components of a plan, started by a backend, and the channels to them."""

    def __init__(
        self, plan: Plan, backend: Backend, settings: OrchestratorSettings, tell: Tell
    ) -> None:
        self._plan = {node.name: node for node in plan.nodes}
        self._backend = backend
        self._settings = settings
        self._tell = tell
        self._replicas: dict[str, Replicas] = {}

    @property
    def replicas(self) -> Mapping[str, Replicas]:
        """What answers, by node."""
        return self._replicas

    def announce(self) -> None:
        """Tell what will be started. From now on calls can be prepared; they wait for `start`."""
        for node in self._plan.values():
            self._announce(node)

    async def start(self) -> None:
        """Start all components side by side and wait until each serves; then let calls be made.

        So nothing is computed in a run that cannot begin. Raises NodeError for the first component
        that does not serve.
        """
        await first_error(self._start(node) for node in self._plan.values())
        for replicas in self._replicas.values():
            replicas.serve()

    async def start_again(self, node: str) -> None:
        """Start a component that has died once more and wait until it serves.

        Raises NodeError where it does not.
        """
        await self._replicas[node].close()
        self._announce(self._plan[node])
        await self._start(self._plan[node])
        self._replicas[node].serve()

    async def fail_on_death(self, node: str) -> None:
        """Wait until a component that has served dies. Raises ComponentDiedError then."""
        await self._replicas[node].wait_until_serving()
        death = await self._backend.died(node)
        raise ComponentDiedError(node, death.reason, killed=death.killed)

    async def stop(self) -> None:
        """Stop all components; nothing of them stays."""
        await asyncio.gather(*(replicas.close() for replicas in self._replicas.values()))
        await self._backend.stop()
        for node in self._replicas:
            self._tell(node, "", Kind.NODE_STOPPED)

    def _announce(self, node: NodePlan) -> None:
        self._replicas[node.name] = Replicas(node.replicas)
        self._tell(
            node.name, "", Kind.NODE_STARTING, component=node.component, version=node.version
        )

    async def _start(self, node: NodePlan) -> None:
        """Start a component until it serves; one that is killed meanwhile, as often as any other.

        One that ends by itself would do so again.
        """
        restarts = self._settings.restarts
        for number in range(1, restarts + 1):
            try:
                await self._start_once(node)
            except ComponentDiedError as error:
                if not error.killed:
                    raise
                told = f"{error.reason}; started again ({number} of {restarts})"
                self._tell(node.name, "", Kind.NOTICE, message=told)
                await self._replicas[node.name].close()
            else:
                return
        await self._start_once(node)

    async def _start_once(self, node: NodePlan) -> None:
        started = time.monotonic()
        asked = channel_security(self._settings)
        targets = await self._backend.start(node)
        security = self._backend.security(node.name, asked)
        size = self._settings.max_message_bytes
        channels = [open_channel(target, size, security) for target in targets]
        replicas = self._replicas[node.name]
        replicas.open(channels)
        timeout_s = self._settings.start_timeout_s
        ready = asyncio.create_task(
            first_error(wait_until_ready(channel, timeout_s) for channel in channels)
        )
        death = asyncio.create_task(self._backend.died(node.name))
        try:
            await asyncio.wait({ready, death}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                ended = await death
                raise ComponentDiedError(
                    node.name, f"did not start: {ended.reason}", killed=ended.killed
                )
            await ready
        except TimeoutError as error:
            reason = f": {error}" if str(error) else ""
            raise ComponentNotReadyError(
                node.name,
                f"{node.component} did not become healthy within "
                f"{timeout_s:g} s (EOLOOM_START_TIMEOUT_S){reason}",
            ) from error
        except ChannelError as error:
            raise ComponentNotReadyError(
                node.name, f"{node.component} at {', '.join(targets)}: {error}"
            ) from error
        finally:
            ready.cancel()
            death.cancel()
            await asyncio.gather(ready, death, return_exceptions=True)
        self._tell(node.name, "", Kind.NODE_READY, seconds=time.monotonic() - started)
