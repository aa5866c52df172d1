"""Queues: bounded, fair, and nothing lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.link import Inlet, Link, Outlet
from orchestrator.engine.message import Message, Received


def message(number: int, sender: str = "a.op", size: int = 1) -> Message:
    return Message(b"x" * size, f"{sender}#{number}")


async def test_a_full_link_holds_its_sender_until_there_is_room() -> None:
    link = Link(max_messages=2, max_bytes=1000)
    await link.put(message(1))
    await link.put(message(2))
    third = asyncio.create_task(link.put(message(3)))
    await asyncio.sleep(0)
    assert not third.done()
    assert link.take() == message(1)
    await asyncio.wait_for(third, 1)
    assert len(link) == 2


async def test_bytes_are_bounded_too_but_one_message_always_fits() -> None:
    link = Link(max_messages=100, max_bytes=10)
    await asyncio.wait_for(link.put(message(1, size=50)), 1)
    second = asyncio.create_task(link.put(message(2, size=1)))
    await asyncio.sleep(0)
    assert not second.done()
    assert link.queued_bytes == 50
    link.take()
    await asyncio.wait_for(second, 1)
    assert link.queued_bytes == 1


async def test_what_waits_is_delivered_after_the_sender_ended() -> None:
    link = Link(10, 1000)
    inlet = Inlet([[link]])
    await link.put(message(1))
    link.end()
    assert await inlet.get() == message(1)
    assert await inlet.get() is None


async def test_a_busy_sender_does_not_starve_another() -> None:
    busy, quiet = Link(100, 1000), Link(100, 1000)
    inlet = Inlet([[busy, quiet]])
    for number in range(10):
        await busy.put(message(number))
    await quiet.put(message(0, "b.op"))
    first_two = [await inlet.get(), await inlet.get()]
    assert message(0, "b.op") in first_two


async def test_every_link_out_of_a_port_gets_the_same_message() -> None:
    links = [Link(10, 1000), Link(10, 1000)]
    sent = message(1)
    await Outlet(links).put(sent)
    assert [link.take() is sent for link in links] == [True, True]


async def test_senders_of_an_abandoned_link_go_on_and_are_counted() -> None:
    link = Link(1, 1000)
    inlet = Inlet([[link]])
    await link.put(message(1))
    waiting = asyncio.create_task(link.put(message(2)))
    await asyncio.sleep(0)
    inlet.abandon()
    await asyncio.wait_for(waiting, 1)
    await link.put(message(3))
    assert inlet.discarded == 3


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=40), st.integers(1, 5))
def test_order_within_each_link_is_kept_and_nothing_is_lost(
    sent: list[tuple[int, int]], capacity: int
) -> None:
    async def exchange() -> list[Message]:
        links = [Link(capacity, 60) for _ in range(3)]
        inlet = Inlet([links])

        async def send(index: int) -> None:
            for number, (target, size) in enumerate(sent):
                if target == index:
                    await links[index].put(message(number, f"s{index}.op", size))
            links[index].end()

        senders = [asyncio.create_task(send(index)) for index in range(3)]
        arrived = []
        while (taken := await inlet.get()) is not None:
            arrived.append(taken)
        await asyncio.gather(*senders)
        return arrived

    arrived = asyncio.run(exchange())
    for index in range(3):
        numbers = [int(m.id.split("#")[1]) for m in arrived if m.id.startswith(f"s{index}.")]
        assert numbers == [n for n, (target, _) in enumerate(sent) if target == index]


@pytest.mark.parametrize(
    ("ids", "ranges"),
    [
        ([], ()),
        (["a.op#1"], ("a.op#1",)),
        (["a.op#1", "a.op#2", "b.op#5", "a.op#3"], ("a.op#1-3", "b.op#5")),
    ],
)
def test_lineage_is_written_as_ranges(ids: list[str], ranges: tuple[str, ...]) -> None:
    received = Received()
    for name in ids:
        received.add(Message(b"", name))
    assert received.parents() == ranges


async def test_a_request_is_put_together_from_one_part_of_each_group() -> None:
    before, after = Link(10, 1000), Link(10, 1000)
    inlet = Inlet([[before], [after]])
    for number in (1, 2, 3):
        await before.put(Message(f"b{number}".encode(), f"x.op#{number}"))
    await after.put(Message(b"a1", "y.op#1"))
    await after.put(Message(b"a2", "y.op#2"))
    after.end()
    joined = [await inlet.get(), await inlet.get()]
    assert joined == [Message(b"b1a1", "x.op#1+y.op#1"), Message(b"b2a2", "x.op#2+y.op#2")]
    assert joined[0] is not None
    assert joined[0].origins == ("x.op#1", "y.op#1")
    assert await inlet.get() is None
    assert inlet.discarded == 1


async def test_what_was_put_together_before_is_so_again_whatever_comes_first() -> None:
    before, after = Link(10, 1000), Link(10, 1000)
    inlet = Inlet([[before], [after]], ["x.op#2+y.op#1", "x.op#9+y.op#3", "x.op#3+y.op#2"])
    for number in (1, 2, 3, 4):
        await before.put(Message(b"b", f"x.op#{number}"))
    first = asyncio.create_task(inlet.get())
    await asyncio.sleep(0)
    assert not first.done()
    for number in (2, 1, 3):
        await after.put(Message(b"a", f"y.op#{number}"))
    before.end()  # so that the ninth does not come
    after.end()
    ids = []
    taken = await first
    while taken is not None:
        ids.append(taken.id)
        taken = await inlet.get()
    assert ids == ["x.op#2+y.op#1", "x.op#3+y.op#2", "x.op#1+y.op#3"]
    assert inlet.discarded == 1


async def test_a_message_that_is_scattered_gives_parts_with_numbers() -> None:
    link = Link(10, 1000, lambda payload: [bytes([byte]) for byte in payload])
    await link.put(Message(b"abc", "x.op#4"))
    assert [link.take() for _ in range(3)] == [
        Message(b"a", "x.op#4/0"),
        Message(b"b", "x.op#4/1"),
        Message(b"c", "x.op#4/2"),
    ]
    received = Received()
    for number in range(3):
        received.add(Message(b"", f"x.op#4/{number}"))
    assert received.parents() == ("x.op#4",)
