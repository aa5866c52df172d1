"""What happens when components fail, hang, die or never start."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from tests.orchestrator.conftest import SCRIPTED, Execute, make_plan, step

LINKS = ["source.produce -> work.relay", "work.relay -> all.gather"]


def scripted_processes() -> list[psutil.Process]:
    """The scripted components that this test process has started and that still run."""
    children = psutil.Process().children(recursive=True)
    running = [c for c in children if c.status() != psutil.STATUS_ZOMBIE]
    # Servers that other tests share may be children of this process too.
    return [c for c in running if any("scripted_component" in part for part in c.cmdline())]


def chain(**work: object) -> tuple[list, list[str]]:
    options = {k: work.pop(k) for k in ("idempotent", "on_error", "timeout_s") if k in work}
    steps = [step("source", "produce", count=5), step("work", "relay", options, **work)]
    return [*steps, step("all", "gather")], LINKS


async def test_a_failure_ends_the_run_and_names_its_place(execute: Execute) -> None:
    execution = await execute(make_plan(*chain(fail_at=[3])))
    outcome = execution.outcome
    assert outcome.state is State.FAILED
    assert outcome.failed_node == "work"
    assert outcome.message == "node work: relay: scripted failure at 3 [INVALID_ARGUMENT]"
    assert execution.emitted["work.relay"] == [b"m1", b"m2"]
    assert scripted_processes() == []


@pytest.mark.parametrize("operation", ["pair", "gather"])
async def test_the_reason_of_a_stream_survives_writes_under_way(
    execute: Execute, operation: str
) -> None:
    """gRPC would replace it by "Internal error from Core" now and then."""
    for _ in range(6):
        plan = make_plan(
            [step("source", "produce", count=3000), step("work", operation, fail_at=[40])],
            [f"source.produce -> work.{operation}"],
        )
        outcome = (await execute(plan)).outcome
        reason = f"node work: {operation}: scripted failure at 40 [INVALID_ARGUMENT]"
        assert outcome.message == reason


@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED"])
async def test_a_temporary_fault_is_tried_again_where_that_is_safe(
    execute: Execute, status: str
) -> None:
    plan = make_plan(*chain(fail_at=[2, 3], status=status, idempotent=True))
    execution = await execute(plan)
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.emitted["all.gather"] == [b"m1,m2,m3,m4,m5"]
    assert len(execution.told(Kind.RETRY)) == 2


async def test_what_must_not_be_repeated_is_not(execute: Execute) -> None:
    execution = await execute(make_plan(*chain(fail_at=[2], status="UNAVAILABLE")))
    assert execution.outcome.state is State.FAILED
    assert "scripted failure at 2 [UNAVAILABLE]" in execution.outcome.message


async def test_attempts_end(execute: Execute) -> None:
    script = chain(fail_at=list(range(1, 99)), status="UNAVAILABLE", idempotent=True)
    execution = await execute(make_plan(*script), attempts=3)
    assert execution.outcome.state is State.FAILED
    assert len(execution.told(Kind.RETRY)) == 2


async def test_skip_makes_a_dead_letter_and_goes_on(execute: Execute) -> None:
    execution = await execute(make_plan(*chain(fail_at=[3], on_error="skip")))
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.emitted["all.gather"] == [b"m1,m2,m4,m5"]
    letters = [e for e in execution.events if e.kind is Kind.DEAD_LETTER]
    assert [e.detail["input"] for e in letters] == ["source.produce#3"]
    assert "scripted failure at 3" in letters[0].detail["message"]


async def test_a_component_that_dies_is_named_with_its_last_words(execute: Execute) -> None:
    execution = await execute(make_plan(*chain(die_at=3)))
    assert execution.outcome.state is State.FAILED
    assert execution.outcome.message.startswith(
        "node work: its process was killed by SIGKILL, after saying: the script says: die (log: "
    )
    assert execution.emitted["work.relay"] == [b"m1", b"m2"]
    assert scripted_processes() == []


async def test_a_component_that_dies_while_it_does_nothing_is_noticed(execute: Execute) -> None:
    plan = make_plan(
        [
            step("source", "produce", count=2, delays_s=[60]),
            step("work", "relay"),
        ],
        ["source.produce -> work.relay"],
        {"work": "work-marker"},
    )

    def kill_work(event: Event) -> None:
        if event.kind is Kind.NODE_READY and event.node == "work":
            asyncio.get_running_loop().call_later(0.3, os.kill, newest_child(), signal.SIGKILL)

    def newest_child() -> int:
        return next(p.pid for p in scripted_processes() if p.cmdline()[-1] == "work-marker")

    execution = await asyncio.wait_for(execute(plan, kill_work), 20)
    assert execution.outcome.failed_node == "work", execution.outcome.message
    assert "killed by SIGKILL" in execution.outcome.message


async def test_a_component_that_cannot_start_says_why(execute: Execute) -> None:
    steps, links = chain()
    execution = await execute(make_plan(steps, links, {"work": "crash"}))
    assert execution.outcome.message.startswith(
        "node work: did not start: its process ended with code 3, "
        "after saying: no such module: imaginary"
    )
    assert scripted_processes() == []


async def test_a_component_that_starts_late_is_waited_for(execute: Execute) -> None:
    steps, links = chain()
    execution = await execute(make_plan(steps, links, {"all": "late"}))
    assert execution.emitted["all.gather"] == [b"m1,m2,m3,m4,m5"]


async def test_a_component_that_never_serves_is_given_up_and_killed(execute: Execute) -> None:
    steps, links = chain()
    execution = await execute(
        make_plan(steps, links, {"work": "deaf"}), start_timeout_s=1.5, stop_grace_s=0.5
    )
    assert execution.outcome.message.startswith(
        "node work: scripted did not become healthy within 1.5 s (EOLOOM_START_TIMEOUT_S)"
    )
    assert scripted_processes() == []


async def test_a_unary_call_has_a_deadline(execute: Execute) -> None:
    execution = await execute(make_plan(*chain(hang_at=2, timeout_s=0.5)))
    assert execution.outcome.state is State.FAILED
    assert "[DEADLINE_EXCEEDED]" in execution.outcome.message


@pytest.mark.parametrize("operation", ["pair", "gather"])
async def test_a_stream_with_work_may_not_be_silent_for_ever(
    execute: Execute, operation: str
) -> None:
    plan = make_plan(
        [step("source", "produce", count=5), step("work", operation, {"timeout_s": 1}, hang_at=3)],
        [f"source.produce -> work.{operation}"],
    )
    execution = await execute(plan)
    assert execution.outcome.state is State.FAILED
    assert "nothing came for 1 s although there was work" in execution.outcome.message


async def test_a_stream_without_work_may_wait_as_long_as_it_takes(execute: Execute) -> None:
    plan = make_plan(
        [
            step("source", "produce", count=3, delays_s=[1.2]),
            step("work", "pair", {"timeout_s": 0.5}),
        ],
        ["source.produce -> work.pair"],
    )
    execution = await execute(plan)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message


async def test_a_slow_receiver_holds_a_fast_sender_back(execute: Execute, tmp_path: Path) -> None:
    """What has been taken from the source but not delivered is bounded all along."""
    waiting = []

    def observe(event: Event) -> None:
        if event.kind is Kind.COUNTS and event.operation == "sink":
            waiting.append(event.detail["queued"])

    plan = make_plan(
        [
            step("source", "produce", count=200),
            step("end", "sink", delays_s=[0.01], file=str(tmp_path / "out")),
        ],
        ["source.produce -> end.sink"],
    )
    execution = await execute(plan, observe, queue_messages=5, counts_interval_s=0.05)
    assert len((tmp_path / "out").read_text().splitlines()) == 200
    assert execution.outcome.state is State.SUCCEEDED
    assert max(waiting) <= 5


async def test_stopping_leaves_nothing_running(execute: Execute) -> None:
    plan = make_plan(
        [step("source", "produce", count=10_000, delays_s=[0.01]), step("work", "relay")],
        ["source.produce -> work.relay"],
    )
    task = asyncio.create_task(execute(plan))
    await asyncio.sleep(2)
    started = time.monotonic()
    task.cancel()
    execution = await task
    assert execution.outcome.state is State.CANCELLED
    assert execution.emitted["work.relay"]
    assert time.monotonic() - started < 5
    assert scripted_processes() == []


async def test_an_observer_that_fails_does_not_end_the_run(execute: Execute) -> None:
    def broken(_: Event) -> None:
        raise RuntimeError("observer")

    execution = await execute(make_plan(*chain()), broken)
    assert execution.outcome.state is State.SUCCEEDED


def test_components_end_when_the_orchestrator_is_killed(tmp_path: Path) -> None:
    """kill -9 leaves no time to stop anything."""
    program = f"""
import asyncio
from pathlib import Path
from orchestrator.backends.local import LocalBackend
from orchestrator.engine.plan import NodePlan
from orchestrator.settings import OrchestratorSettings
async def main():
    backend = LocalBackend(Path({str(tmp_path)!r}), OrchestratorSettings(), lambda *_: None)
    for name in "ab":
        await backend.start(NodePlan(name, "scripted", "1", ("python", {str(SCRIPTED)!r}, name)))
    pids = [e.process.pid for es in backend._processes.values() for e in es]
    print(*pids, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    starter = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        cwd=SCRIPTED.parents[2],
    )
    assert starter.stdout is not None
    with starter, starter.stdout:
        children = [psutil.Process(int(pid)) for pid in starter.stdout.readline().split()]
        time.sleep(1.0)
        starter.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


async def test_sockets_of_a_killed_orchestrator_are_removed(
    execute: Execute, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = next(pid for pid in itertools.count(5_000_000) if not psutil.pid_exists(pid))
    left = tmp_path / f"eoloom-sockets-{ended}-abc"
    in_use = tmp_path / f"eoloom-sockets-{os.getpid()}-abc"
    left.mkdir()
    in_use.mkdir()
    await execute(make_plan(*chain()))
    assert [p.name for p in tmp_path.glob("eoloom-sockets-*")] == [in_use.name]


async def test_a_container_image_is_not_run_as_a_process(execute: Execute) -> None:
    plan = make_plan(*chain())
    images = tuple(replace(node, command=()) for node in plan.nodes)
    execution = await execute(replace(plan, nodes=images))
    assert execution.outcome.message == (
        "node source: scripted is a container image; local processes cannot run it"
    )
