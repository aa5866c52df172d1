"""The replicas of one component: a channel to each, and how many calls each is busy with.

Components keep nothing between calls, so any replica may take any call; the one with the fewest
calls under way gets the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import grpc


class Replica:
    """One gRPC target: a replica, or all of them behind one name. calls: under way there."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.calls = 0


class Replicas:
    """All that answers for one node.

    channels: one per target. count: how many replicas there are, which may be more than targets
    where one name stands for all of them.
    """

    def __init__(self, channels: Sequence[grpc.aio.Channel], count: int) -> None:
        self._replicas = tuple(Replica(channel) for channel in channels)
        self.count = max(count, len(self._replicas))

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas)

    async def close(self) -> None:
        """Close all channels; calls under way end at once."""
        await asyncio.gather(
            *(replica.channel.close() for replica in self._replicas), return_exceptions=True
        )
