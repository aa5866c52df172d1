"""Bounded fan-out."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.service.errors import TooManyError
from orchestrator.service.observers import Fanout


async def test_each_observer_gets_what_it_wants_in_order() -> None:
    fanout: Fanout[int] = Fanout(10, 5)
    with fanout.subscribe("a") as everything, fanout.subscribe("b", lambda n: n % 2 == 0) as even:
        for number in range(4):
            fanout.publish(number)
        assert [await everything.get() for _ in range(4)] == [(n, 0) for n in range(4)]
        assert [await even.get() for _ in range(2)] == [(0, 0), (2, 0)]


async def test_the_oldest_are_dropped_and_counted() -> None:
    fanout: Fanout[int] = Fanout(3, 5)
    with fanout.subscribe("a") as subscription:
        for number in range(1_000):
            fanout.publish(number)
        assert len(subscription) == 3
        assert [await subscription.get() for _ in range(3)] == [(997, 997), (998, 0), (999, 0)]


async def test_an_observer_waits_for_what_is_to_come() -> None:
    fanout: Fanout[str] = Fanout(3, 5)
    with fanout.subscribe("a") as subscription:
        waiting = asyncio.create_task(subscription.get())
        await asyncio.sleep(0)
        fanout.publish("now")
        assert await waiting == ("now", 0)


async def test_closing_gives_what_waits_and_then_ends() -> None:
    fanout: Fanout[str] = Fanout(3, 5)
    with fanout.subscribe("a") as subscription:
        fanout.publish("last")
        fanout.close()
        fanout.publish("too late")
        assert await subscription.get() == ("last", 0)
        assert await subscription.get() is None
    with fanout.subscribe("b") as late:
        assert await late.get() is None


async def test_nothing_is_kept_of_those_who_have_gone() -> None:
    fanout: Fanout[int] = Fanout(3, 1)
    for _ in range(100):
        with fanout.subscribe("a"):
            assert fanout
    assert not fanout
    fanout.publish(1)


async def test_one_user_cannot_take_the_places_of_others() -> None:
    fanout: Fanout[int] = Fanout(3, 2)
    with fanout.subscribe("a"), fanout.subscribe("a"):
        with pytest.raises(TooManyError, match="2 streams"), fanout.subscribe("a"):
            pass
        with fanout.subscribe("b"):
            pass
    with fanout.subscribe("a"):
        pass
