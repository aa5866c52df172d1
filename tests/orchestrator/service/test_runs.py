"""Many runs of one process, as tasks that stand for runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.run import State
from orchestrator.errors import NotResumableError, RunNotFoundError, SettingsError
from orchestrator.events import Event, Kind, Observer
from orchestrator.journal import RunRecord
from orchestrator.service.errors import StoppingError, TooManyError
from orchestrator.service.messages import run_message
from orchestrator.service.runs import RunRegistry, ServiceRun
from orchestrator.service.settings import ServiceSettings
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.v1 import orchestrator_pb2 as v1

Launch = Callable[[Observer], Awaitable[None]]


def make_registry(folder: Path, database_url: str = "", **settings: Any) -> RunRegistry:
    orchestrator = OrchestratorSettings(runs_folder=folder / "runs", database_url=database_url)
    return RunRegistry(ServiceSettings(**settings), orchestrator)


@pytest.fixture
async def registry(tmp_path: Path, database_url: str) -> AsyncIterator[RunRegistry]:
    (tmp_path / "data").mkdir()
    made = make_registry(tmp_path, database_url, max_runs_per_user=3, max_runs=4)
    yield made
    await made.close(2)


def record(registry: RunRegistry, run: str) -> None:
    """Enter a run into the journal, as one of this process."""
    registry.journal.open_run(RunRecord.begun(run, "p", "", Path("x")))


def launch(run: str, work: Callable[[], Awaitable[Any]], state: State = State.SUCCEEDED) -> Launch:
    """A run that does some work, and is stopped as real ones are."""

    async def happen(observer: Observer) -> None:
        observer(Event(run, Kind.RUN_STARTED))
        ended = state
        try:
            await work()
        except asyncio.CancelledError:
            ended = State.CANCELLED
        observer(Event(run, Kind.RUN_CLOSED, detail={"state": ended, "message": ""}))

    return happen


async def forever() -> None:
    await asyncio.Event().wait()


async def nothing() -> None:
    await asyncio.sleep(0)


async def test_a_run_is_active_until_its_last_word(registry: RunRegistry) -> None:
    done = asyncio.Event()
    run = await registry.start(ServiceRun("a", "label"), launch("r1", done.wait))
    assert registry.active("r1") is run
    assert registry.labelled("a", "label") == [run]
    assert registry.labelled("b", "label") == []
    done.set()
    while run.active:
        await asyncio.sleep(0)
    assert run.state is State.SUCCEEDED
    assert registry.active("r1") is None
    assert registry.known("r1") is run


async def test_what_prevents_a_beginning_is_raised_and_leaves_nothing(
    registry: RunRegistry,
) -> None:
    async def fail(_: Observer) -> None:
        raise SettingsError("no room")

    with pytest.raises(SettingsError, match="no room"):
        await registry.start(ServiceRun("a"), fail)
    with pytest.raises(SettingsError, match="no room"):
        await registry.start(ServiceRun("a", id="r1"), fail)
    assert registry.active("r1") is None
    assert registry.known("r1") is None


@pytest.mark.parametrize("error", [SettingsError("disk full"), ZeroDivisionError("x")])
async def test_a_run_that_breaks_is_closed_for_all_who_watch(
    registry: RunRegistry, error: Exception
) -> None:
    async def happen(observer: Observer) -> None:
        observer(Event("r1", Kind.RUN_STARTED))
        raise error

    record(registry, "r1")
    with registry.events.subscribe("a") as subscription:
        run = await registry.start(ServiceRun("a"), happen)
        kinds = []
        while Kind.RUN_CLOSED not in kinds:
            item = await subscription.get()
            assert item is not None
            kinds.append(item[0].event.kind)
    assert run.state is State.FAILED
    assert str(error) in run.message
    assert registry.journal.run("r1").state == State.FAILED


async def test_cancelling_twice_does_not_interrupt_the_stopping(registry: RunRegistry) -> None:
    stopped = asyncio.Event()

    async def stop_slowly() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.2)
            stopped.set()

    run = await registry.start(ServiceRun("a"), launch("r1", stop_slowly))
    await asyncio.gather(registry.cancel(run), registry.cancel(run))
    assert stopped.is_set()
    assert run.state is State.CANCELLED


async def test_a_run_goes_on_only_once_at_a_time(registry: RunRegistry) -> None:
    await registry.start(ServiceRun("a", id="r1"), launch("r1", forever))
    with pytest.raises(NotResumableError, match="r1 is still running"):
        await registry.start(ServiceRun("a", id="r1"), launch("r1", forever))


async def test_there_is_room_for_so_many(registry: RunRegistry) -> None:
    for number in range(3):
        await registry.start(ServiceRun("a"), launch(f"a{number}", forever))
    with pytest.raises(TooManyError, match="3 runs of yours"):
        await registry.start(ServiceRun("a"), launch("a3", forever))
    await registry.start(ServiceRun("b"), launch("b0", forever))
    with pytest.raises(TooManyError, match="4 runs are going on"):
        await registry.start(ServiceRun("c"), launch("c0", forever))


async def test_closing_stops_all_in_the_order_of_their_start(tmp_path: Path) -> None:
    registry = make_registry(tmp_path)
    order: list[str] = []

    def named(name: str) -> Launch:
        async def work() -> None:
            try:
                await forever()
            finally:
                order.append(name)

        return launch(name, work)

    for name in ("r1", "r2", "r3"):
        await registry.start(ServiceRun("a"), named(name))
    await registry.close(5)
    assert order == ["r1", "r2", "r3"]
    with pytest.raises(StoppingError):
        await registry.start(ServiceRun("a"), launch("r4", nothing))


async def test_a_run_that_does_not_stop_does_not_hold_up_the_end(tmp_path: Path) -> None:
    registry = make_registry(tmp_path)

    async def stubborn() -> None:
        try:
            await forever()
        finally:
            await forever()

    run = await registry.start(ServiceRun("a"), launch("r1", stubborn))
    await registry.close(0.05)
    assert not run.active


async def test_records_are_those_of_the_user(registry: RunRegistry) -> None:
    for user, name in (("a", "r1"), ("b", "r2"), ("a", "r10")):
        record(registry, name)
        await registry.start(ServiceRun(user), launch(name, nothing))
    assert [r.id for r in registry.records("a", 10)] == ["r10", "r1"]
    assert [r.id for r in registry.records("a", 1)] == ["r10"]
    assert len(registry.records(None, 10)) == 3
    assert registry.record("r1", "a").id == "r1"
    for name, user in (("r2", "a"), ("r", "b"), ("last", "b"), ("", "b")):
        with pytest.raises(RunNotFoundError, match="you have no run"):
            registry.record(name, user)


async def test_what_a_killed_process_of_the_same_number_left_is_interrupted(
    tmp_path: Path,
) -> None:
    """In a container the orchestrator always has the same number."""
    registry = make_registry(tmp_path)
    entry = RunRecord.begun("r1", "p", "", Path("x"))
    assert entry.process_started is not None
    earlier = entry.process_started - timedelta(hours=1)
    registry.journal.open_run(replace(entry, process_started=earlier))
    left = registry.record("r1", None)
    assert run_message(left, registry.known("r1")).state == v1.STATE_INTERRUPTED
    await registry.close(0)
