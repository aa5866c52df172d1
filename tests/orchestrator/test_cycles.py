"""Pipelines that feed themselves, and pipelines that never end by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from orchestrator.engine.run import State
from tests.orchestrator.conftest import Execute, make_plan, step


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_cycle_ends_when_nothing_is_left_in_it(execute: Execute, concurrency: int) -> None:
    """As in a solver and an evaluator that send each other what is not yet good enough."""
    plan = make_plan(
        [
            step("puzzles", "produce", count=4, delays_s=[0.05]),
            step("evaluator", "route", {"concurrency": concurrency}, stop_at=6),
            step("solver", "relay", {"concurrency": concurrency}, mark="*", delays_s=[0.01]),
        ],
        [
            "puzzles.produce -> evaluator.route",
            "evaluator.route -> solver.relay",
            "solver.relay -> evaluator.route",
        ],
    )
    execution = await asyncio.wait_for(execute(plan), 30)
    assert execution.outcome.state is State.SUCCEEDED
    solved = sorted(m for m in execution.emitted["solver.relay"] if m.count(b"*") == 6)
    assert solved == [f"m{i}******".encode() for i in (1, 2, 3, 4)]


async def test_a_cycle_with_a_stream_in_it_ends_after_a_while_of_silence(execute: Execute) -> None:
    plan = make_plan(
        [
            step("puzzles", "produce", count=2),
            step("evaluator", "route", stop_at=3),
            step("solver", "mark", mark="*"),
        ],
        [
            "puzzles.produce -> evaluator.route",
            "evaluator.route -> solver.mark",
            "solver.mark -> evaluator.route",
        ],
    )
    execution = await asyncio.wait_for(execute(plan, cycle_quiet_s=0.3), 30)
    assert execution.outcome.state is State.SUCCEEDED
    assert sorted(m for m in execution.emitted["solver.mark"] if m.endswith(b"***")) == [
        b"m1***",
        b"m2***",
    ]


@pytest.mark.parametrize("source", ["produce", "poll"])
async def test_a_live_run_goes_on_until_it_is_stopped(execute: Execute, source: str) -> None:
    plan = make_plan(
        [step("source", source, count=3), step("work", "relay")],
        [f"source.{source} -> work.relay"],
    )
    task = asyncio.create_task(execute(replace(plan, live=True), live_pause_s=0.05))
    await asyncio.sleep(2)
    task.cancel()
    execution = await task
    assert execution.outcome.state is State.CANCELLED
    # The scripted stream begins anew with each call; the polled one has really ended.
    least = 9 if source == "produce" else 3
    assert len(execution.emitted["work.relay"]) >= least
