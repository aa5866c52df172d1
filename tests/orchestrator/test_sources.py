"""Sources: how often they are called, and what happens while they cannot answer."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from orchestrator.backends.addresses import RemoteBackend
from orchestrator.engine.message import Message
from orchestrator.engine.plan import Plan, Step
from orchestrator.engine.run import Run, State
from orchestrator.events import Event, Kind
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import Execute, Execution, make_plan, step


def feeding(source: Step) -> Plan:
    steps = [source, step("work", "relay")]
    return make_plan(steps, [f"{source.key} -> work.relay"])


async def run_until(execute: Execute, plan: Plan, count: int, **settings: float) -> Execution:
    """Run a pipeline without end until so many messages have come out."""

    def stop(execution: Execution) -> None:
        if len(execution.emitted["work.relay"]) >= count:
            task.cancel()

    task = asyncio.create_task(
        execute(replace(plan, live=True), recorded=stop, live_pause_s=0.02, **settings)
    )
    execution = await asyncio.wait_for(task, 30)
    assert execution.outcome.state is State.CANCELLED, execution.outcome.message
    return execution


async def test_a_source_of_a_stream_is_called_as_often_as_the_plan_says(execute: Execute) -> None:
    execution = await execute(feeding(step("source", "produce", {"iterations": 3}, count=2)))
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.emitted["work.relay"] == [b"m1", b"m2"] * 3
    assert execution.messages["source.produce#6"] == b"m2"


async def test_what_a_source_of_a_stream_gave_is_not_given_twice(execute: Execute) -> None:
    """A run that goes on calls it from the first time on; nothing of it is new."""
    plan = feeding(step("source", "produce", {"iterations": 3}, count=2, die_at=4))
    execution = await execute(plan, log=True)
    assert execution.outcome.state is State.FAILED  # each process dies at its fourth message
    alive = feeding(step("source", "produce", {"iterations": 3}, count=2))
    again = await execute(alive, log=True)
    assert again.outcome.state is State.SUCCEEDED
    assert sorted(again.messages) == sorted(
        f"{key}#{number}" for key in ("source.produce", "work.relay") for number in range(1, 7)
    )


@pytest.mark.parametrize(("operation", "first"), [("poll", 3), ("produce", 1)])
async def test_a_source_that_fails_for_a_while_is_called_again(
    execute: Execute, operation: str, first: int
) -> None:
    """Although its manifest does not call it idempotent: it had given nothing."""
    source = step("source", operation, count=5, fail_at=[1, 2], status="UNAVAILABLE")
    execution = await execute(feeding(source))
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    expected = [f"m{number}".encode() for number in range(first, 6)]
    assert execution.emitted["work.relay"] == expected
    assert len(execution.told(Kind.RETRY)) == 2


@pytest.mark.parametrize("operation", ["poll", "produce"])
async def test_a_source_that_fails_too_often_ends_the_run(execute: Execute, operation: str) -> None:
    source = step("source", operation, count=5, fail_at=[1, 2, 3], status="UNAVAILABLE")
    execution = await execute(feeding(source), attempts=3)
    assert execution.outcome.message == (
        f"node source: {operation}: scripted failure at 3 [UNAVAILABLE]"
    )


async def test_a_stream_that_has_begun_is_not_called_again(execute: Execute) -> None:
    source = step("source", "produce", count=5, fail_at=[3], status="UNAVAILABLE")
    execution = await execute(feeding(source))
    assert "scripted failure at 3 [UNAVAILABLE]" in execution.outcome.message
    assert execution.told(Kind.RETRY) == []


async def test_a_lasting_fault_of_a_source_is_not_waited_for(execute: Execute) -> None:
    execution = await execute(feeding(step("source", "poll", count=5, fail_at=[1])))
    assert "scripted failure at 1 [INVALID_ARGUMENT]" in execution.outcome.message
    assert execution.told(Kind.RETRY) == []


@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED"])
@pytest.mark.parametrize("operation", ["poll", "produce"])
async def test_a_live_run_waits_for_its_source_without_end(
    execute: Execute, operation: str, status: str
) -> None:
    """Also for a stream that had given something."""
    away = list(range(3, 12))
    source = step("source", operation, count=14, fail_at=away, status=status)
    execution = await run_until(execute, feeding(source), 5, attempts=2, backoff_s=0.01)
    assert execution.emitted["work.relay"][:2] == [b"m1", b"m2"]
    assert len(execution.told(Kind.RETRY)) == len(away)


class Polled:
    """A source elsewhere that is stopped in order and started again, while it is being called."""

    def __init__(self, folder: Path) -> None:
        self.address = f"unix:{folder}/source.sock"
        self._given = itertools.count(1)
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server()
        handlers = {"poll": grpc.unary_unary_rpc_method_handler(self._answer)}
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("tests.Scripted", handlers)]
        )
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        assert self._server is not None
        await self._server.stop(0.2)

    async def _answer(self, _: bytes, __: object) -> bytes:
        await asyncio.sleep(0.001)
        return f"m{next(self._given)}".encode()


async def test_a_live_run_outlasts_every_orderly_restart_of_its_source(tmp_path: Path) -> None:
    """What arrives while a server stops is refused in one way or another, as the moment has it."""
    source, emitted, wanted = Polled(tmp_path), [], asyncio.Event()

    def record(_: Step, message: Message) -> None:
        emitted.append(message.payload)
        wanted.set()

    plan = make_plan([step("source", "poll")], [])
    run = Run(
        "test-run",
        replace(plan, live=True),
        RemoteBackend({"source": source.address}),
        record=record,
        observer=lambda _: None,
        settings=OrchestratorSettings(backoff_s=0.01),
    )
    await source.start()
    work = asyncio.create_task(run.execute())
    for _ in range(20):
        wanted.clear()
        answered = asyncio.create_task(wanted.wait())
        await asyncio.wait({answered, work}, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert not work.done(), work.result().message
        assert answered.done()
        await source.stop()
        await source.start()
    work.cancel()
    assert (await work).state is State.CANCELLED
    await source.stop()
    assert emitted == [f"m{number}".encode() for number in range(1, len(emitted) + 1)]


async def test_a_source_that_takes_a_stream_is_waited_for_too(execute: Execute) -> None:
    """Its input has no fields; it is called with one empty message."""
    away = {"fail_at": [1, 2], "status": "UNAVAILABLE"}
    source = step("source", "mark", {"source": True}, mark="m", **away)
    execution = await execute(feeding(source))
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.emitted["work.relay"] == [b"m"]
    live = step("source", "mark", {"source": True}, mark="m", **away | {"fail_at": [2, 3, 4, 5]})
    execution = await run_until(execute, feeding(live), 3, attempts=2, backoff_s=0.01)
    assert len(execution.told(Kind.RETRY)) == 4


async def test_the_pauses_of_a_live_run_grow_up_to_a_bound(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.engine.calls._LONGEST_PAUSE_S", 0.1)
    times: list[float] = []

    def observe(event: Event) -> None:
        if event.kind is Kind.RETRY:
            times.append(event.time.timestamp())

    source = step("source", "poll", count=12, fail_at=list(range(1, 9)), status="UNAVAILABLE")

    def stop(_: Execution) -> None:
        task.cancel()

    plan = replace(feeding(source), live=True)
    task = asyncio.create_task(execute(plan, observe, recorded=stop, backoff_s=0.02))
    await asyncio.wait_for(task, 30)
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert len(pauses) == 7
    assert min(pauses[:3]) < 0.09, pauses
    assert min(pauses[3:]) > 0.09, pauses
    # Without the bound the last would be 1.28 s, and those before half as long each.
    assert sum(pauses[3:]) < 2.0, pauses


async def test_a_live_stream_that_ends_by_itself_is_opened_again(execute: Execute) -> None:
    """And takes up what has arrived meanwhile; nothing is lost on the way."""
    plan = make_plan(
        [
            step("source", "poll", count=9, delays_s=[0.1]),
            step("head", "first", count=2),
            step("work", "relay"),
        ],
        ["source.poll -> head.first", "head.first -> work.relay"],
    )
    execution = await run_until(execute, plan, 9)
    assert execution.emitted["work.relay"] == [f"m{i}".encode() for i in range(1, 10)]
    assert execution.parents["head.first#3"] == ("source.poll#3",)
