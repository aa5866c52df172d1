"""Links between operations: queues bounded in messages and bytes; nothing is ever dropped.

A full link holds its sender back. Several links into one port interleave fairly; several links
out of a port each get the same message, by reference. All of it lives in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from orchestrator.engine.message import Message


class Link:
    """A queue from one operation to another."""

    def __init__(self, max_messages: int, max_bytes: int) -> None:
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._queue: deque[Message] = deque()
        self._bytes = 0
        self._space = asyncio.Event()
        self._space.set()
        self._arrival = asyncio.Event()
        self.ended = False
        self.abandoned = False
        self._counting = True
        self.discarded = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait in the link."""
        return self._bytes

    def notify(self, arrival: asyncio.Event) -> None:
        """Set the event by which the receiver learns of arrivals and of the end."""
        self._arrival = arrival

    async def put(self, message: Message) -> None:
        """Append, waiting while the link is full. One message always fits into an empty link."""
        while self._is_full(message) and not self.abandoned:
            self._space.clear()
            await self._space.wait()
        if self.abandoned:
            self.discarded += self._counting
            return
        self._queue.append(message)
        self._bytes += len(message.payload)
        self._arrival.set()

    def take(self) -> Message | None:
        """Remove and return the first message, or None where there is none."""
        if not self._queue:
            return None
        message = self._queue.popleft()
        self._bytes -= len(message.payload)
        self._space.set()
        return message

    def end(self) -> None:
        """Say that the sender has ended; what waits is still delivered."""
        self.ended = True
        self._arrival.set()

    def abandon(self, *, count: bool = True) -> None:
        """Say that the receiver takes no more; senders go on, what they send is counted."""
        self.abandoned = True
        self._counting = count
        self.discarded += len(self._queue) if count else 0
        self._queue.clear()
        self._bytes = 0
        self._space.set()

    def _is_full(self, message: Message) -> bool:
        if not self._queue:
            return False
        over = self._bytes + len(message.payload) > self._max_bytes
        return over or len(self._queue) >= self._max_messages


class Inlet:
    """The receiving side of a port: all links that end in it, taken from in turn."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = deque(links)
        self._arrival = asyncio.Event()
        self.waiting = False
        for link in links:
            link.notify(self._arrival)

    async def get(self) -> Message | None:
        """Return the next message, or None when every sender has ended and nothing waits."""
        while True:
            message = self._take()
            if message is not None:
                return message
            if all(link.ended for link in self._links):
                return None
            self._arrival.clear()
            self.waiting = True
            try:
                await self._arrival.wait()
            finally:
                self.waiting = False

    def abandon(self) -> None:
        """Take no more from any link; what waits and what still comes is counted as discarded."""
        for link in self._links:
            link.abandon()

    def forget(self) -> None:
        """Take no more, and do not count it: it has all been taken in an earlier attempt."""
        for link in self._links:
            link.abandon(count=False)

    @property
    def queued(self) -> int:
        """Messages that wait."""
        return sum(len(link) for link in self._links)

    @property
    def discarded(self) -> int:
        """Messages that were sent after the receiver had stopped taking."""
        return sum(link.discarded for link in self._links)

    def _take(self) -> Message | None:
        for _ in range(len(self._links)):
            message = self._links[0].take()
            # The next call starts with the next link, so that none waits behind a busy one.
            self._links.rotate(-1)
            if message is not None:
                return message
        return None


class Outlet:
    """The sending side of a port: all links that start in it."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._links = tuple(links)
        self.waiting = False

    async def put(self, message: Message) -> None:
        """Give the message to every link, waiting for those that are full."""
        self.waiting = True
        try:
            for link in self._links:
                await link.put(message)
        finally:
            self.waiting = False

    def end(self) -> None:
        """Tell every receiver that no more comes."""
        for link in self._links:
            link.end()
