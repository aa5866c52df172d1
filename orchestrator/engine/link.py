"""Links between operations: queues bounded in messages and bytes; nothing is ever dropped.

A full link holds its sender back. Several links into one port interleave fairly; several links
out of a port each get the same message, by reference. All of it lives in one event loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchestrator.engine.message import Message

Parts = Callable[[bytes], list[bytes]]


class Link:
    """A queue from one operation to another.

    parts: for a link of fields, what one message gives to requests; each part is queued by itself.
    """

    def __init__(self, max_messages: int, max_bytes: int, parts: Parts | None = None) -> None:
        self._parts = parts
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
        """Append, waiting while the link is full. One message always fits into an empty link.

        Raises ValueError where a link of fields is given what is no message.
        """
        if self._parts is None:
            await self._put(message)
            return
        parts = self._parts(message.payload)
        for number, part in enumerate(parts):
            name = message.id if len(parts) == 1 else f"{message.id}/{number}"
            await self._put(Message(part, name, message.parents, message.changed))

    async def _put(self, message: Message) -> None:
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
    """The receiving side of a port.

    groups: links into the whole message are one group and are taken from in turn. Links into
    fields are one group per field, or per link into a repeated field: a request is put together
    from one part of each group. joined: the ids of requests that an earlier attempt has put
    together; they come first, of the same parts, in whatever order those arrive.
    """

    def __init__(self, groups: Sequence[Sequence[Link]], joined: Iterable[str] = ()) -> None:
        self._groups = [deque(group) for group in groups]
        self._joined = deque(joined)
        # Parts that have come before those with which they belong together.
        self._early: list[dict[str, Message]] = [{} for _ in groups]
        self._discarded_early = 0
        self._links = [link for group in groups for link in group]
        self._arrival = asyncio.Event()
        self.waiting = False
        for link in self._links:
            link.notify(self._arrival)

    async def get(self) -> Message | None:
        """Return the next message, or None when no more can be had from the senders."""
        while True:
            if (request := self._as_before() or self._anew()) is not None:
                return request
            if not all(map(self._may_give_more, range(len(self._groups)))):
                self._discard_rest()
                return None
            if not self._groups:
                return None
            self._arrival.clear()
            self.waiting = True
            try:
                await self._arrival.wait()
            finally:
                self.waiting = False

    def _as_before(self) -> Message | None:
        """Return the next request of an earlier attempt, once all of its parts have come."""
        while self._joined:
            wanted = list(enumerate(self._joined[0].split("+")))
            missing = [group for group, part in wanted if not self._find(group, part)]
            if not missing:
                self._joined.popleft()
                return _join([self._early[group].pop(part) for group, part in wanted])
            if all(any(not link.ended for link in self._groups[group]) for group in missing):
                return None
            self._joined.popleft()  # one of its parts is not given any more
        return None

    def _find(self, group: int, part: str) -> bool:
        """Whether a part has come; what comes before it is laid aside."""
        early = self._early[group]
        while part not in early and any(self._groups[group]):
            message = _take_in_turn(self._groups[group])
            early[message.id] = message
        return part in early

    def _anew(self) -> Message | None:
        """Return a request of what has come first, unless one of an earlier attempt is due."""
        ready = all(map(_has_any, self._groups, self._early))
        if self._joined or not self._groups or not ready:
            return None
        parts = [
            early.pop(next(iter(early))) if early else _take_in_turn(group)
            for group, early in zip(self._groups, self._early, strict=True)
        ]
        return parts[0] if len(parts) == 1 else _join(parts)

    def _may_give_more(self, group: int) -> bool:
        links = self._groups[group]
        return bool(self._early[group]) or any(link or not link.ended for link in links)

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
        return sum(map(len, self._links)) + sum(map(len, self._early))

    @property
    def discarded(self) -> int:
        """Messages that were sent after the receiver had stopped taking."""
        return self._discarded_early + sum(link.discarded for link in self._links)

    def _discard_rest(self) -> None:
        """One group has ended: what the others still give has no counterpart."""
        if len(self._groups) > 1:
            self._discarded_early += sum(map(len, self._early))
            self._early = [{} for _ in self._groups]
            self.abandon()


def _has_any(group: Iterable[Link], early: Mapping[str, Message]) -> bool:
    return bool(early) or any(group)


def _take_in_turn(group: deque[Link]) -> Message:
    """Return the first message of the next link that has one; none waits behind a busy one."""
    while True:
        link = group[0]
        group.rotate(-1)
        message = link.take()
        if message is not None:
            return message


def _join(parts: Sequence[Message]) -> Message:
    """Return the request: serialised parts that follow each other are one message."""
    return Message(
        b"".join(part.payload for part in parts),
        "+".join(part.id for part in parts),
        changed=any(part.changed for part in parts),
    )


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
