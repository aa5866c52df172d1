"""Bounded fan-out: whoever watches runs can neither slow nor crash them, nor fill the memory.

Each observer has a queue of its own. When it is full the oldest is dropped and counted. With nobody
watching, publishing is one look at an empty list. All of it lives in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from orchestrator.service.errors import TooManyError

T = TypeVar("T")


class Subscription(Generic[T]):
    """What one observer has not yet taken."""

    def __init__(self, wants: Callable[[T], bool], limit: int) -> None:
        self._wants = wants
        self._limit = limit
        self._queue: deque[T] = deque()
        self._dropped = 0
        self._arrival = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, item: T) -> None:
        """Append what the observer wants; drop the oldest where it does not keep up."""
        if self._closed or not self._wants(item):
            return
        if len(self._queue) >= self._limit:
            self._queue.popleft()
            self._dropped += 1
        self._queue.append(item)
        self._arrival.set()

    def close(self) -> None:
        """Say that no more comes; what waits is still given."""
        self._closed = True
        self._arrival.set()

    async def get(self) -> tuple[T, int] | None:
        """Return the next item and how many were dropped just before it; None at the end."""
        while not self._queue:
            if self._closed:
                return None
            self._arrival.clear()
            await self._arrival.wait()
        dropped, self._dropped = self._dropped, 0
        return self._queue.popleft(), dropped


class Fanout(Generic[T]):
    """Gives everything that is published to everyone who watches."""

    def __init__(self, queue_items: int, per_user: int) -> None:
        self._queue_items = queue_items
        self._per_user = per_user
        self._subscriptions: list[Subscription[T]] = []
        self._users: Counter[str | None] = Counter()
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._subscriptions)

    def publish(self, item: T) -> None:
        """Offer an item to all; returns at once."""
        for subscription in self._subscriptions:
            subscription.offer(item)

    @contextlib.contextmanager
    def subscribe(
        self, user: str | None, wants: Callable[[T], bool] = lambda _: True
    ) -> Iterator[Subscription[T]]:
        """Watch within a `with` statement. Raises TooManyError where the user watches enough."""
        if self._users[user] >= self._per_user:
            raise TooManyError(f"you watch {self._per_user} streams of events already")
        subscription = Subscription(wants, self._queue_items)
        if self._closed:
            subscription.close()
        self._subscriptions.append(subscription)
        self._users[user] += 1
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            self._users[user] -= 1
            self._users += Counter()  # forget users who watch nothing any more

    def close(self) -> None:
        """End all subscriptions, also those to come."""
        self._closed = True
        for subscription in self._subscriptions:
            subscription.close()
