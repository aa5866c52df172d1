"""The replicas of one component: a channel to each, and how many calls each is busy with.

Components keep nothing between calls, so any replica may take any call; the one with the fewest
calls under way gets the next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import grpc

from orchestrator.engine.channels import takes_calls


class Replica:
    """One gRPC target: a replica, or all of them behind one name. calls: under way there."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls = 0


class Replicas:
    """All that answers for one node; nothing until the components of the run serve.

    count: how many replicas there are, which may be more than channels where one name stands for
    all of them.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._replicas: tuple[Replica, ...] = ()
        self._started = asyncio.Event()
        self._serving = asyncio.Event()
        self._since: float | None = None

    @property
    def serving_since(self) -> float | None:
        """When calls began to be made, by the monotonic clock; None before."""
        return self._since

    def open(self, channels: Sequence[grpc.aio.Channel]) -> None:
        """Take the channels, one per target; nobody is called before `serve`."""
        self._replicas = tuple(Replica(channel) for channel in channels)
        self._started.set()

    def serve(self) -> None:
        """Let calls be made."""
        self._since = time.monotonic()
        self._serving.set()

    async def wait_until_started(self) -> None:
        """Return when it is settled what runs where, healthy or not yet."""
        await self._started.wait()

    async def wait_until_serving(self) -> None:
        """Return when calls may be made; for ever none are where a component cannot be started."""
        await self._serving.wait()

    async def take_calls(self, *, ask: bool) -> bool:
        """Whether none is being stopped, as far as that can be seen, see `takes_calls`.

        Of many behind one name it cannot, while others serve.
        """
        return all([await takes_calls(replica.channel, ask=ask) for replica in self._replicas])

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas)

    async def close(self) -> None:
        """Close all channels; calls under way end at once."""
        await asyncio.gather(
            *(replica.channel.close() for replica in self._replicas), return_exceptions=True
        )
