"""A component that is stopped in order ends its streams; nobody may take that for their end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.plan import Plan, Step
from orchestrator.engine.run import State
from orchestrator.events import Kind
from tests.orchestrator.conftest import Execute, make_plan, step

COUNT = 5


def pipeline(work: Step, **source: Any) -> Plan:
    return make_plan(
        [step("source", "produce", count=COUNT, **source), work],
        [f"source.produce -> {work.key}"],
    )


def cut_off(form: str, **stop: Any) -> Plan:
    """A pipeline in which the stream of one form ends early, with OK."""
    stop.setdefault("stop_pause_s", 0.02)
    if form == "produce":
        return pipeline(step("work", "relay"), **stop)
    return pipeline(step("work", form, **stop))


EXPECTED = {
    "produce": [f"m{number}".encode() for number in range(1, COUNT + 1)],
    "split": [f"m{number}/{part}".encode() for number in range(1, COUNT + 1) for part in (0, 1)],
    "gather": [b"m1,m2,m3,m4,m5"],
}


@pytest.mark.parametrize("form", EXPECTED)
async def test_a_stream_that_ends_because_its_component_is_stopped_is_taken_up_again(
    execute: Execute, tmp_path: Path, form: str
) -> None:
    plan = cut_off(form, stop_order_at=3, stop_once=str(tmp_path / "stopped"))
    execution = await execute(plan, log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    [told] = execution.told(Kind.NOTICE)
    assert told.endswith("; started again (1 of 2)")
    ids = sorted(key for key in execution.messages if key.startswith("work."))
    assert [execution.messages[key] for key in sorted(ids, key=_number)] == EXPECTED[form]


@pytest.mark.parametrize("form", EXPECTED)
async def test_a_run_that_cannot_go_on_says_that_its_data_are_not_whole(
    execute: Execute, form: str
) -> None:
    execution = await execute(cut_off(form, stop_order_at=3), restarts=0)
    assert execution.outcome.state is State.FAILED
    assert execution.outcome.failed_node == ("source" if form == "produce" else "work")


async def test_a_source_that_ends_its_stream_and_then_stops_is_asked(execute: Execute) -> None:
    """Its connection had not gone yet."""
    for _ in range(4):
        execution = await execute(cut_off("produce", stop_order_at=3, stop_pause_s=0), restarts=0)
        assert execution.outcome.failed_node == "source"


async def test_a_component_that_ends_after_its_stream_is_believed_the_second_time(
    execute: Execute,
) -> None:
    """It gave the same again and ended there again: that is all there is."""
    execution = await execute(cut_off("produce", stop_order_at=4, stop_pause_s=0), log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.messages["work.relay#3"] == b"m3"
    assert "work.relay#4" not in execution.messages


def _number(key: str) -> int:
    return int(key.rpartition("#")[2])
