"""Streams of requests that fail where what has failed is skipped."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.engine.plan import OnError, Plan
from orchestrator.engine.run import State
from orchestrator.events import Kind
from tests.orchestrator.conftest import Execute, Execution, make_plan, step

AFTER = {"gather": [b"m4,m5,m6"], "pair": [b"m1+m2", b"m4+m5", b"m5+m6"]}


def skipping(operation: str, **script: object) -> Plan:
    """What the component has read when it fails is what it was given, no more and no less.

    The source is slow, and a failure comes after the write of its message has returned.
    """
    steps = [
        step("source", "produce", count=6, delays_s=[0.3]),
        step("work", operation, {"on_error": OnError.SKIP}, fail_after_s=0.1, **script),
        step("end", "relay"),
    ]
    return make_plan(
        steps, [f"source.produce -> work.{operation}", f"work.{operation} -> end.relay"]
    )


def dead(execution: Execution) -> list[str]:
    return [e.detail["input"] for e in execution.events if e.kind is Kind.DEAD_LETTER]


@pytest.mark.parametrize("operation", ["gather", "pair"])
async def test_what_a_failed_stream_was_given_becomes_dead_letters(
    execute: Execute, operation: str
) -> None:
    execution = await execute(skipping(operation, fail_at=[3]))
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.emitted["end.relay"] == AFTER[operation]
    assert dead(execution) == [f"source.produce#{number}" for number in (1, 2, 3)]
    assert all("scripted failure at 3" in told for told in execution.told(Kind.DEAD_LETTER))
    assert execution.outcome.counts[f"work.{operation}"].failed == 3
    last = execution.parents[f"work.{operation}#{len(AFTER[operation])}"]
    assert last == ("source.produce#4-6",)


async def test_a_stream_that_fails_at_its_last_message_is_not_opened_for_nothing(
    execute: Execute,
) -> None:
    execution = await execute(skipping("gather", fail_at=[6]))
    assert execution.outcome.state is State.SUCCEEDED
    assert len(dead(execution)) == 6
    assert execution.emitted["work.gather"] == []


async def test_every_message_may_fail(execute: Execute) -> None:
    execution = await execute(skipping("pair", fail_at=list(range(1, 99))))
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert sorted(dead(execution)) == [f"source.produce#{number}" for number in range(1, 7)]


async def test_a_stream_that_fails_without_any_input_ends_the_run(execute: Execute) -> None:
    plan = make_plan(
        [
            step("source", "produce", count=2, delays_s=[0.3]),
            step("work", "pair", {"on_error": OnError.SKIP}, fail_to_open_at=[1]),
        ],
        ["source.produce -> work.pair"],
    )
    execution = await execute(plan)
    assert execution.outcome.message == "node work: pair: cannot open 1 [UNAVAILABLE]"


async def test_a_live_run_waits_for_a_stream_that_cannot_be_opened(execute: Execute) -> None:
    plan = make_plan(
        [
            step("source", "produce", count=3, delays_s=[0.4]),
            step("work", "pair", {"on_error": OnError.SKIP}, fail_to_open_at=[1, 2, 3]),
        ],
        ["source.produce -> work.pair"],
    )

    def stop(execution: Execution) -> None:
        if execution.emitted["work.pair"]:
            task.cancel()

    live = replace(plan, live=True)
    task = asyncio.create_task(execute(live, recorded=stop, live_pause_s=0.02))
    execution = await asyncio.wait_for(task, 20)
    assert execution.emitted["work.pair"] == [b"m1+m2"]
    assert len(execution.told(Kind.RETRY)) == 3
    assert dead(execution) == []


async def test_without_skip_a_failed_stream_ends_the_run(execute: Execute) -> None:
    plan = make_plan(
        [step("source", "produce", count=6), step("work", "pair", fail_at=[3])],
        ["source.produce -> work.pair"],
    )
    execution = await execute(plan)
    assert execution.outcome.message == (
        "node work: pair: scripted failure at 3 [INVALID_ARGUMENT]"
    )


@pytest.mark.parametrize("operation", ["gather", "pair"])
async def test_a_run_that_goes_on_knows_what_had_failed(execute: Execute, operation: str) -> None:
    """The first attempt ends behind the stream; the second one makes no dead letter again."""
    failing = skipping(operation, fail_at=[3])
    dying = make_plan(
        [*failing.steps[:2], step("end", "relay", fail_at=[len(AFTER[operation])])],
        [f"{link.source} -> {link.target}" for link in failing.links],
    )
    first = await execute(dying, log=True)
    assert first.outcome.failed_node == "end"
    second = await execute(skipping(operation), log=True)
    assert second.outcome.state is State.SUCCEEDED, second.outcome.message
    assert dead(second) == []
    assert second.emitted["end.relay"] == AFTER[operation]


async def test_dead_letters_of_a_stream_are_tried_again(execute: Execute) -> None:
    """They come behind what it was given since, in the stream that was open last."""
    await execute(skipping("pair", fail_at=[3]), log=True)
    again = await execute(skipping("pair"), log=True, redrive=True)
    assert again.outcome.state is State.SUCCEEDED
    assert again.emitted["work.pair"] == [
        b"m1+m2",
        b"m4+m5",
        b"m5+m6",
        b"m6+m1",
        b"m1+m2",
        b"m2+m3",
    ]
    assert dead(await execute(skipping("pair"), log=True)) == []
