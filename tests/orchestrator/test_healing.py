"""A run goes on by itself after a component of it has died."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchestrator.backends.addresses import RemoteBackend
from orchestrator.backends.local import LocalBackend
from orchestrator.engine.message_log import MESSAGES_FILE
from orchestrator.engine.plan import OnError, Plan, PlanLink, Step
from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from tests.orchestrator.conftest import Execute, Execution, make_plan, step

COUNT = 8


def processes(node: str) -> list[psutil.Process]:
    """The running processes of a node: plans here give every process its node's name."""
    children = psutil.Process().children()
    return [
        child
        for child in children
        if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()[-1] == node
    ]


def named(steps: list[Step], links: list[str]) -> Plan:
    return make_plan(steps, links, {step.node: step.node for step in steps})


def unary(folder: Path) -> Plan:
    """Two sources of both kinds, calls at once, in order and not."""
    notes = str(folder / "notes.txt")
    slow = {"delays_s": [0.03, 0.005, 0.02], "notes": notes}
    return named(
        [
            step("stream", "produce", count=COUNT, delays_s=[0.01]),
            step("poll", "poll", count=COUNT, delays_s=[0.01]),
            step("work", "relay", {"concurrency": 3, "idempotent": True}, **slow),
            step("more", "relay", {"concurrency": 2, "ordered": False}, mark="*", **slow),
        ],
        ["stream.produce -> work.relay", "poll.poll -> work.relay", "work.relay -> more.relay"],
    )


def answer_stream(folder: Path) -> Plan:
    notes = str(folder / "notes.txt")
    return named(
        [
            step("stream", "produce", count=COUNT, delays_s=[0.01]),
            step("work", "split", times=3, pause_s=0.01, notes=notes),
            step("more", "relay", mark="*", notes=notes),
        ],
        ["stream.produce -> work.split", "work.split -> more.relay"],
    )


def request_stream(folder: Path) -> Plan:
    notes = str(folder / "notes.txt")
    return named(
        [
            step("poll", "poll", count=COUNT, delays_s=[0.02]),
            step("pairs", "pair", delays_s=[0.01]),
            step("work", "relay", mark="*", notes=notes),
            step("all", "gather", delays_s=[0.01]),
        ],
        ["poll.poll -> pairs.pair", "pairs.pair -> work.relay", "work.relay -> all.gather"],
    )


def cycle(folder: Path) -> Plan:
    notes = str(folder / "notes.txt")
    return named(
        [
            step("puzzles", "produce", count=3, delays_s=[0.05]),
            step("evaluator", "route", stop_at=4, delays_s=[0.005]),
            step("solver", "relay", mark="*", delays_s=[0.01], notes=notes),
        ],
        [
            "puzzles.produce -> evaluator.route",
            "evaluator.route -> solver.relay",
            "solver.relay -> evaluator.route",
        ],
    )


def chain(work: Step, count: int = 5) -> Plan:
    steps = [step("source", "produce", count=count), work, step("all", "gather")]
    return make_plan(steps, ["source.produce -> work.relay", "work.relay -> all.gather"])


def payloads(execution: Execution) -> dict[str, Counter[bytes]]:
    """What every operation has emitted, each message once."""
    found: dict[str, Counter[bytes]] = {}
    for key, payload in execution.messages.items():
        found.setdefault(key.rpartition("#")[0], Counter())[payload] += 1
    return found


def notes(folder: Path) -> Counter[str]:
    file = folder / "notes.txt"
    return Counter(file.read_text().splitlines() if file.exists() else [])


class Killer:
    """Kills a node once a run has emitted so many messages."""

    def __init__(self, node: str, after: int) -> None:
        self._node = node
        self._after = after
        self.done = False

    def __call__(self, execution: Execution) -> None:
        if not self.done and len(execution.messages) >= self._after:
            self.done = True
            for process in processes(self._node):
                process.kill()


# Of each form, how many calls may be made twice after the death of a node: those under way in that
# node, and streams under way in the others. Unary calls of the others go on.
FORMS: list[tuple[Callable[[Path], Plan], dict[str, int]]] = [
    (unary, {"stream": 0, "poll": 0, "work": 3, "more": 2}),
    (answer_stream, {"stream": 1, "work": 1, "more": 2}),
    (request_stream, {"poll": 0, "pairs": 0, "work": 1, "all": 0}),
    (cycle, {"puzzles": 0, "evaluator": 0, "solver": 1}),
]


@pytest.mark.parametrize(("form", "most"), FORMS, ids=[form.__name__ for form, _ in FORMS])
async def test_whatever_dies_at_whatever_moment_the_results_are_the_same(
    execute: Execute, tmp_path: Path, form: Callable[[Path], Plan], most: dict[str, int]
) -> None:
    plan = form(tmp_path)
    undisturbed = await execute(plan)
    expected, calls = payloads(undisturbed), notes(tmp_path)
    total = len(undisturbed.messages)
    choice = random.Random(form.__name__)
    for node in plan.nodes:
        (tmp_path / MESSAGES_FILE).unlink(missing_ok=True)
        (tmp_path / "notes.txt").unlink(missing_ok=True)
        after = choice.randrange(1, total * 3 // 4)
        moment = f"{node.name} after {after} of {total}"
        killer = Killer(node.name, after)
        execution = await asyncio.wait_for(execute(plan, log=True, recorded=killer), 60)
        assert execution.outcome.state is State.SUCCEEDED, (moment, execution.outcome.message)
        assert payloads(execution) == expected, moment
        [told] = execution.told(Kind.NOTICE)
        assert "process was killed by SIGKILL" in told
        assert told.endswith("; started again (1 of 2)")
        repeated = notes(tmp_path) - calls
        assert repeated.total() <= most[node.name], (moment, repeated)
    assert processes(node.name) == []


@pytest.mark.parametrize("operation", ["relay", "mark"])
async def test_parts_that_belonged_together_do_so_after_a_death(
    execute: Execute, operation: str
) -> None:
    """Those of one side come in the order in which they are ready, which is never the same."""
    delays = {"delays_s": [0.06, 0.005, 0.03, 0.001]}
    unordered = {"concurrency": 3, "ordered": False}
    plan = make_plan(
        [
            step("left", "produce", count=10),
            step("right", "poll", count=10, delays_s=[0.01]),
            step("work", "relay", unordered, die_at=8, **delays),
            step("fuse", operation),
        ],
        ["left.produce -> work.relay"],
    )
    fuse = f"fuse.{operation}"
    joined = [PlanLink("work.relay", fuse, group="a"), PlanLink("right.poll", fuse, group="b")]
    links = tuple(link._replace(parts=lambda part: [b"<" + part + b">"]) for link in joined)
    execution = await execute(replace(plan, links=(*plan.links, *links)), log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert len(execution.told(Kind.NOTICE)) == 1
    parts = Counter(
        part
        for key, payload in execution.messages.items()
        if key.startswith("fuse.")
        for part in payload.strip(b"<>").split(b"><")
    )
    assert parts == {f"m{number}".encode(): 2 for number in range(1, 11)}


async def test_without_restarts_a_death_ends_the_run(execute: Execute) -> None:
    plan = chain(step("work", "relay", die_at=3))
    execution = await execute(plan, log=True, restarts=0)
    assert execution.outcome.state is State.FAILED
    assert execution.outcome.message.startswith(
        "node work: its process was killed by SIGKILL, after saying: the script says: die (log: "
    )
    assert execution.outcome.message.endswith("work.log)")


async def test_a_run_that_keeps_no_messages_cannot_go_on(execute: Execute) -> None:
    execution = await execute(chain(step("work", "relay", die_at=3)))
    assert execution.outcome.state is State.FAILED


async def test_restarts_are_counted(execute: Execute) -> None:
    """Each process answers two messages and dies at the third."""
    plan = chain(step("work", "relay", die_at=3), count=6)
    execution = await execute(plan, log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.messages["all.gather#1"] == b"m1,m2,m3,m4,m5,m6"
    ends = [told.rpartition("; ")[2] for told in execution.told(Kind.NOTICE)]
    assert ends == ["started again (1 of 2)", "started again (2 of 2)"]


async def test_a_component_that_others_start_is_waited_for_however_often(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pods are moved for as long as a run lasts."""
    elsewhere = property(lambda _: RemoteBackend({}).starts_components)
    monkeypatch.setattr(LocalBackend, "starts_components", elsewhere)
    plan = chain(step("work", "relay", die_at=3), count=14)
    execution = await execute(plan, log=True, restarts=2)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    told = execution.told(Kind.NOTICE)
    assert len(told) == 6
    assert all(text.endswith("; waiting until it serves again") for text in told)


async def test_a_source_that_stays_goes_on_where_it_was(execute: Execute) -> None:
    """What it gives next may be what it gave first; that is no repetition."""
    plan = make_plan(
        [
            step("source", "poll", count=9, delays_s=[0.03], same=True),
            step("work", "relay", die_at=4),
        ],
        ["source.poll -> work.relay"],
    )
    execution = await execute(plan, log=True)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert len(execution.told(Kind.NOTICE)) == 2
    assert payloads(execution)["work.relay"] == {b"same": 9}


async def test_a_source_that_repeats_itself_is_not_taken_at_its_word_twice(
    execute: Execute,
) -> None:
    """It dies, and while it gives again what it gave before, another component dies."""
    plan = named(
        [step("source", "poll", count=12, delays_s=[0.05]), step("work", "relay")],
        ["source.poll -> work.relay"],
    )
    kill_source = Killer("source", after=12)
    killed_work = False

    def observe(event: Event) -> None:
        nonlocal killed_work
        if event.kind is Kind.NODE_READY and kill_source.done and not killed_work:
            killed_work = True
            # By then the source has repeated some of the six messages, but not all.
            asyncio.get_running_loop().call_later(0.15, processes("work")[0].kill)

    execution = await execute(plan, observe, log=True, recorded=kill_source)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert len(execution.told(Kind.NOTICE)) == 2
    expected = {f"m{number}".encode(): 1 for number in range(1, 13)}
    assert payloads(execution)["work.relay"] == expected


async def test_too_many_deaths_end_the_run(execute: Execute) -> None:
    plan = chain(step("work", "relay", die_at=3), count=7)
    execution = await execute(plan, log=True)
    assert execution.outcome.failed_node == "work"
    assert execution.outcome.message.endswith(
        "; it had been started again 2 times before (EOLOOM_RESTARTS)"
    )
    assert execution.messages["work.relay#6"] == b"m6"


async def test_a_live_run_forgives_deaths_that_are_long_ago(
    execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each process answers two messages and dies at the third, so that it dies four times."""
    monkeypatch.setattr("orchestrator.engine.healing._FORGIVEN_S", 0.2)
    source = step("source", "poll", count=9, delays_s=[0.15])
    plan = make_plan([source, step("work", "relay", die_at=3)], ["source.poll -> work.relay"])

    def stop(execution: Execution) -> None:
        if "work.relay#9" in execution.messages:
            task.cancel()

    task = asyncio.create_task(execute(replace(plan, live=True), log=True, recorded=stop))
    execution = await asyncio.wait_for(task, 60)
    assert execution.outcome.state is State.CANCELLED, execution.outcome.message
    assert len(execution.told(Kind.NOTICE)) == 4
    expected = {f"m{number}".encode(): 1 for number in range(1, 10)}
    assert payloads(execution)["work.relay"] == expected


@pytest.mark.parametrize("starts", [True, False])
async def test_what_dies_again_without_any_progress_ends_the_run(
    execute: Execute, starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalBackend, "starts_components", starts)
    execution = await execute(chain(step("work", "relay", die_at=1)), log=True, restarts=50)
    assert execution.outcome.failed_node == "work"
    assert len(execution.told(Kind.NOTICE)) == 1
    assert execution.outcome.message.endswith(
        "; it had been started again before and has done nothing since then"
    )


async def test_what_cannot_start_is_not_started_again(execute: Execute) -> None:
    steps, links = (
        [step("source", "produce", count=3), step("work", "relay")],
        ["source.produce -> work.relay"],
    )
    execution = await execute(make_plan(steps, links, {"work": "crash"}), log=True)
    assert "work: did not start: its process ended with code 3" in execution.outcome.message
    assert execution.told(Kind.NOTICE) == []


@pytest.mark.parametrize("kills", [1, 2, 3])
async def test_what_is_killed_before_it_serves_is_started_again(
    execute: Execute, kills: int
) -> None:
    steps, links = (
        [step("source", "produce", count=3), step("work", "relay")],
        ["source.produce -> work.relay"],
    )
    # It takes 1.5 s to start.
    running = asyncio.create_task(execute(make_plan(steps, links, {"work": "late"})))
    killed: set[int] = set()
    while len(killed) < kills and not running.done():
        for process in processes("late"):
            if process.pid not in killed:
                process.kill()
                killed.add(process.pid)
                break
        await asyncio.sleep(0.02)
    execution = await asyncio.wait_for(running, 60)
    notices = execution.told(Kind.NOTICE)
    if kills == 3:
        assert "work: did not start: its process was killed by SIGKILL" in execution.outcome.message
        assert len(notices) == 2
    else:
        assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
        assert execution.emitted["work.relay"] == [b"m1", b"m2", b"m3"]
        assert len(notices) == kills
        assert notices[-1].endswith(f"; started again ({kills} of 2)")


async def test_a_death_makes_no_dead_letter(execute: Execute) -> None:
    plan = chain(step("work", "relay", {"on_error": OnError.SKIP}, die_at=4))
    execution = await execute(plan, log=True)
    assert execution.messages["all.gather#1"] == b"m1,m2,m3,m4,m5"
    assert execution.told(Kind.DEAD_LETTER) == []


async def test_dead_letters_that_are_tried_again_stay_so_after_a_death(execute: Execute) -> None:
    """What an earlier attempt has skipped is not skipped once more; what this one skips is."""
    links = ["source.produce -> work.relay", "work.relay -> end.relay"]

    def plan(fail_at: list[int]) -> Plan:
        work = step("work", "relay", {"on_error": OnError.SKIP}, fail_at=fail_at, delays_s=[0.1])
        return named([step("source", "produce", count=5), work, step("end", "relay")], links)

    first = await execute(plan([2, 4]), log=True)
    assert first.emitted["work.relay"] == [b"m1", b"m3", b"m5"]
    # Of the two that are tried again, the first fails again; then the last component dies.
    again = await execute(plan([1]), log=True, redrive=True, recorded=Killer("end", after=10))
    assert again.outcome.state is State.SUCCEEDED, again.outcome.message
    assert len(again.told(Kind.NOTICE)) == 1
    assert set(again.emitted["end.relay"]) == {b"m1", b"m3", b"m4", b"m5"}
    assert [e.detail["input"] for e in again.events if e.kind is Kind.DEAD_LETTER] == [
        "source.produce#2"
    ]


@pytest.mark.parametrize("status", ["UNAVAILABLE", "CANCELLED"])
async def test_a_component_that_does_not_answer_for_long_is_started_again(
    execute: Execute, status: str
) -> None:
    """It lives and refuses more often than a call is tried; anew it works."""
    plan = chain(
        step("work", "relay", {"idempotent": True}, fail_at=list(range(3, 99)), status=status),
        count=5,
    )
    execution = await execute(plan, log=True, attempts=2)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.messages["all.gather#1"] == b"m1,m2,m3,m4,m5"
    assert len(execution.told(Kind.NOTICE)) == 2


@pytest.mark.parametrize("moment", [Kind.NODE_READY, Kind.COUNTS, Kind.NOTICE])
async def test_a_run_is_stopped_within_a_second(execute: Execute, moment: Kind) -> None:
    """While it starts, while calls are under way, and while it starts a component again."""
    plan = make_plan(
        [
            step("source", "produce", count=50, delays_s=[0.02]),
            step("work", "relay", {"concurrency": 4}, delays_s=[0.1], die_at=20),
            step("slow", "relay", {"concurrency": 4}, hang_at=3),
        ],
        ["source.produce -> work.relay", "source.produce -> slow.relay"],
    )
    stopped_at = 0.0

    def stop(event: Event) -> None:
        nonlocal stopped_at
        if event.kind is moment and not stopped_at:
            if moment is Kind.COUNTS and event.detail["answered"] < 5:
                return
            stopped_at = time.monotonic()
            task.cancel()

    task = asyncio.create_task(execute(plan, stop, log=True))
    execution = await asyncio.wait_for(task, 30)
    assert time.monotonic() - stopped_at < 1.0
    assert execution.outcome.state is State.CANCELLED
    assert [node for node in ("source", "work", "slow") if processes(node)] == []
