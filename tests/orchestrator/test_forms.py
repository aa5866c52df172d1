"""Every form of operation, linked to every other, ends when the data does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from orchestrator.engine.run import State
from tests.orchestrator.conftest import Execute, make_plan, step

SOURCES = ["poll", "produce"]
RELAYS = ["relay", "split", "gather", "pair"]
SINKS = ["sink", "drain"]


def expected(operation: str, messages: list[str]) -> list[str]:
    """What an operation makes of a sequence, said once more and independently."""
    match operation:
        case "relay":
            return messages
        case "split":
            return [f"{m}/{i}" for m in messages for i in (0, 1)]
        case "gather":
            return [",".join(messages)]
        case _:
            return [f"{a}+{b}" for a, b in pairwise(messages)]


@pytest.mark.parametrize("first", RELAYS)
async def test_any_form_may_follow_any_other(execute: Execute, tmp_path: Path, first: str) -> None:
    """One run per first form, with all second forms and all sinks fanned out behind it."""
    steps = [step("source", "produce", count=4), step("first", first)]
    links = [f"source.produce -> first.{first}"]
    for second in RELAYS:
        for sink in SINKS:
            steps += [
                step(f"{second}-{sink}", second),
                step(f"{second}-{sink}-end", sink, file=str(tmp_path / f"{second}-{sink}.txt")),
            ]
            links += [
                f"first.{first} -> {second}-{sink}.{second}",
                f"{second}-{sink}.{second} -> {second}-{sink}-end.{sink}",
            ]
    execution = await execute(make_plan(steps, links))
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    once = expected(first, ["m1", "m2", "m3", "m4"])
    for second in RELAYS:
        for sink in SINKS:
            file = tmp_path / f"{second}-{sink}.txt"
            arrived = file.read_text().splitlines() if file.exists() else []
            assert arrived == expected(second, once)


@pytest.mark.parametrize("end", ["NOT_FOUND", "OUT_OF_RANGE"])
async def test_a_unary_source_is_called_until_it_has_no_more(execute: Execute, end: str) -> None:
    plan = make_plan(
        [step("source", "poll", count=3, end=end), step("all", "gather")],
        ["source.poll -> all.gather"],
    )
    execution = await execute(plan)
    assert execution.emitted["all.gather"] == [b"m1,m2,m3"]


async def test_a_unary_source_may_be_limited_to_some_iterations(execute: Execute) -> None:
    plan = make_plan(
        [step("source", "poll", {"iterations": 2}, count=10), step("all", "gather")],
        ["source.poll -> all.gather"],
    )
    execution = await execute(plan)
    assert execution.emitted["all.gather"] == [b"m1,m2"]


async def test_fan_in_interleaves_and_loses_nothing(execute: Execute) -> None:
    plan = make_plan(
        [
            step("a", "produce", count=50),
            step("b", "produce", count=50, delays_s=[0.001]),
            step("all", "pair"),
        ],
        ["a.produce -> all.pair", "b.produce -> all.pair"],
    )
    execution = await execute(plan)
    assert execution.outcome.counts["all.pair"].received == 100
    assert execution.outcome.counts["all.pair"].answered == 99


async def test_two_operations_of_one_node_share_its_process(execute: Execute) -> None:
    plan = make_plan(
        [step("both", "produce", count=3), step("both", "gather")],
        ["both.produce -> both.gather"],
    )
    execution = await execute(plan)
    assert execution.emitted["both.gather"] == [b"m1,m2,m3"]


async def test_calls_at_once_keep_the_order_of_their_requests(execute: Execute) -> None:
    slow_first = [0.2, 0.1, 0.1, 0.1]
    plan = make_plan(
        [
            step("source", "produce", count=8),
            step("work", "relay", {"concurrency": 4}, delays_s=slow_first),
        ],
        ["source.produce -> work.relay"],
    )
    execution = await execute(plan)
    assert execution.emitted["work.relay"] == [f"m{i}".encode() for i in range(1, 9)]
    # Twice four at once take 0.4 s, all one after another 1 s.
    assert execution.outcome.counts["work.relay"].seconds < 0.8


async def test_answers_may_leave_as_they_come(execute: Execute) -> None:
    """Where the manifest says that their order does not matter, nobody waits for a slow one."""
    plan = make_plan(
        [
            step("source", "produce", count=8),
            step(
                "work", "relay", {"concurrency": 4, "ordered": False}, delays_s=[0.5] + [0.01] * 9
            ),
        ],
        ["source.produce -> work.relay"],
    )
    execution = await execute(plan)
    assert execution.emitted["work.relay"][-1] == b"m1"
    assert sorted(execution.emitted["work.relay"]) == [f"m{i}".encode() for i in range(1, 9)]
    assert execution.parents["work.relay#8"] == ("source.produce#1",)


async def test_an_aggregator_without_input_is_still_asked(execute: Execute) -> None:
    plan = make_plan(
        [step("source", "produce", count=0), step("all", "gather")],
        ["source.produce -> all.gather"],
    )
    execution = await execute(plan)
    assert execution.emitted["all.gather"] == [b""]


async def test_lineage_names_every_message_that_was_used(execute: Execute) -> None:
    plan = make_plan(
        [
            step("source", "produce", count=3),
            step("work", "relay"),
            step("pairs", "pair"),
            step("all", "gather"),
        ],
        ["source.produce -> work.relay", "work.relay -> pairs.pair", "pairs.pair -> all.gather"],
    )
    parents = (await execute(plan)).parents
    assert parents["source.produce#1"] == ()
    assert parents["work.relay#2"] == ("source.produce#2",)
    assert parents["all.gather#1"] == ("pairs.pair#1-2",)


async def test_a_message_of_any_size_passes(execute: Execute, tmp_path: Path) -> None:
    """Larger than gRPC's usual 4 MiB, and larger than a whole link may hold."""
    size = 12 * 1024 * 1024
    plan = make_plan(
        [step("source", "produce", count=3, size=size), step("work", "relay")],
        ["source.produce -> work.relay"],
    )
    execution = await execute(plan, queue_bytes=1024)
    assert [len(m) for m in execution.emitted["work.relay"]] == [size] * 3


async def test_a_stream_that_ends_early_says_what_it_left(execute: Execute) -> None:
    plan = make_plan(
        [step("source", "produce", count=500), step("head", "first", count=2)],
        ["source.produce -> head.first"],
    )
    execution = await execute(plan, queue_messages=4)
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.emitted["head.first"] == [b"m1", b"m2"]
    assert execution.outcome.counts["source.produce"].answered == 500


async def test_nothing_at_all_is_not_silent(execute: Execute) -> None:
    from orchestrator.events import Kind

    plan = make_plan(
        [step("source", "produce", count=1), step("pairs", "pair")],
        ["source.produce -> pairs.pair"],
    )
    execution = await execute(plan)
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.told(Kind.NOTICE) == ["pair ended without any result"]
