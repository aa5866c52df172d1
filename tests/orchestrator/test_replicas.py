"""Several replicas of a component share its calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.calls import Caller
from orchestrator.engine.plan import NodePlan, Plan
from orchestrator.engine.replicas import Replicas
from orchestrator.engine.run import Run, State
from orchestrator.events import Kind
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import Execute, Execution, make_plan, step


def replicated(plan: Plan, node: str, replicas: int) -> Plan:
    nodes = (replace(n, replicas=replicas) if n.name == node else n for n in plan.nodes)
    return replace(plan, nodes=tuple(nodes))


def slow_plan(replicas: int, **work: Any) -> Plan:
    steps = [step("source", "produce", count=16), step("work", "relay", delays_s=[0.1], **work)]
    plan = make_plan(steps, ["source.produce -> work.relay"], {"work": "work"})
    return replicated(plan, "work", replicas)


async def test_each_replica_is_a_process_with_a_log_of_its_own(
    execute: Execute, tmp_path: Path
) -> None:
    seen: set[int] = set()

    def look(_: Execution) -> None:
        children = psutil.Process().children()
        seen.update(c.pid for c in children if c.cmdline()[-1:] == ["work"])

    execution = await execute(slow_plan(3), recorded=look)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert len(seen) == 3
    names = {path.name for path in (tmp_path / "logs").iterdir()}
    assert names == {"source.log", "work-1.log", "work-2.log", "work-3.log"}


async def test_replicas_work_at_once_and_answers_keep_their_order(execute: Execute) -> None:
    execution = await execute(slow_plan(4))
    assert execution.emitted["work.relay"] == [f"m{i}".encode() for i in range(1, 17)]
    # One after another they would take 1.6 s, four at once 0.4 s.
    assert execution.outcome.counts["work.relay"].seconds < 1.0


async def test_the_replica_that_dies_is_named_and_started_again(
    execute: Execute, tmp_path: Path
) -> None:
    """Of eight messages each of two replicas has had four; the fifth call is the end of one."""
    plan = slow_plan(2, die_at=7)
    execution = await execute(plan, log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.emitted["work.relay"][-1] == b"m16"
    told = execution.told(Kind.NOTICE)[0]
    assert told.startswith("the process of replica work-"), told
    assert "was killed by SIGKILL" in told
    assert len(execution.messages) == 32


async def test_behind_one_name_there_may_be_several(tmp_path: Path) -> None:
    """As with a headless service of Kubernetes: one target, and as many calls as replicas."""

    class OneName(LocalBackend):
        async def start(self, node: NodePlan) -> tuple[str, ...]:
            return await super().start(replace(node, replicas=1))

    settings = OrchestratorSettings(stop_grace_s=2)
    outcome = await Run(
        "one-name",
        slow_plan(4),
        OneName(tmp_path, settings, lambda *_: None),
        record=lambda *_: None,
        observer=lambda _: None,
        settings=settings,
    ).execute()
    assert outcome.state is State.SUCCEEDED, outcome.message
    assert outcome.counts["work.relay"].seconds < 1.0


class FakeCall:
    """A call that goes on until it is ended."""

    def __init__(self) -> None:
        self._callbacks: list[Any] = []
        self._ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def add_done_callback(self, callback: Any) -> None:
        self._callbacks.append(callback)

    def __await__(self) -> Any:
        return self._ended.__await__()

    def end(self) -> None:
        self._ended.set_result(b"")
        for callback in self._callbacks:
            callback(self)


class FakeChannel:
    """A channel whose calls a test can end."""

    def __init__(self) -> None:
        self.calls: list[FakeCall] = []

    def unary_unary(self, _: str) -> Any:
        return self._call

    unary_stream = stream_stream = unary_unary

    def _call(self, *_: Any, **__: Any) -> FakeCall:
        self.calls.append(FakeCall())
        return self.calls[-1]


@pytest.mark.parametrize("form", ["unary", "stream", "requests"])
async def test_the_least_busy_replica_is_called(form: str) -> None:
    channels = [FakeChannel(), FakeChannel()]
    replicas = Replicas(2)
    replicas.open(channels)  # type: ignore[arg-type] # fakes
    replicas.serve()
    settings = OrchestratorSettings()
    streams = Caller(step("work", "pair"), replicas, "run", settings)
    caller = Caller(step("work", "relay"), replicas, "run", settings)
    await streams.wait_until_serving()
    await caller.wait_until_serving()
    streams.requests()  # a stream stays with its replica, the first
    calls = []

    async def call() -> None:
        if form == "unary":
            calls.append(asyncio.create_task(caller.unary(b"", lambda *_: None)))
            await asyncio.sleep(0)
        else:
            calls.append(caller.stream(b"") if form == "stream" else caller.requests())

    for _ in range(3):
        await call()
    assert [len(channel.calls) for channel in channels] == [2, 2]
    channels[1].calls[0].end()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await call()
    assert [len(channel.calls) for channel in channels] == [2, 3]
    for channel in channels:
        for left in channel.calls:
            if not left._ended.done():
                left.end()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [replica.calls for replica in replicas] == [0, 0]
