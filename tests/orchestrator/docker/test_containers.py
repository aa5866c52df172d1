"""Containers of a run: started, limited, followed, called, and gone afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from tests.orchestrator.conftest import Execute, make_plan, step
from tests.orchestrator.docker.conftest import left_of, with_image
from tests.orchestrator.docker.images import SCRIPTED, build

MIB = 1024 * 1024


def relay(count: int = 3, **params: Any) -> Any:
    """A source and a relay behind it; `params` are the relay's."""
    steps = [step("source", "produce", count=count), step("work", "relay", mark="*", **params)]
    return make_plan(steps, ["source.produce -> work.relay"])


async def test_messages_go_through_containers(in_containers: Execute, tmp_path: Path) -> None:
    execution = await in_containers(with_image(relay()))
    assert execution.outcome.state is State.SUCCEEDED
    assert execution.emitted["work.relay"] == [b"m1*", b"m2*", b"m3*"]
    assert (tmp_path / "logs" / "work.log").exists()


async def test_a_container_has_what_the_plan_gives_and_no_more(
    in_containers: Execute, client: Any
) -> None:
    seen: dict[str, Any] = {}

    def look(event: Event) -> None:
        if event.kind is Kind.NODE_READY and event.node == "work":
            filters = {"label": [f"org.eoloom.run={event.run}", "org.eoloom.node=work"]}
            (container,) = client.containers.list(filters=filters)
            seen.update(container.attrs)

    plan = with_image(relay(), cpu=0.5, memory_bytes=200 * MIB)
    assert (await in_containers(plan, look)).outcome.state is State.SUCCEEDED
    host = seen["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (5e8, 200 * MIB, 200 * MIB)
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["CapDrop"] == ["ALL"]
    assert "NET_RAW" not in host["CapAdd"]
    assert not host["Privileged"]
    ports = seen["NetworkSettings"]["Ports"]["8061/tcp"]
    assert [port["HostIp"] for port in ports] == ["127.0.0.1"]


async def test_replicas_share_the_work(in_containers: Execute, tmp_path: Path) -> None:
    plan = with_image(relay(12, delays_s=[0.1]), own={"work": {"replicas": 3}})
    execution = await in_containers(plan)
    assert execution.outcome.state is State.SUCCEEDED
    assert len(execution.emitted["work.relay"]) == 12
    logs = {path.name for path in (tmp_path / "logs").iterdir()}
    assert logs == {"source.log", "work-1.log", "work-2.log", "work-3.log"}


async def test_a_killed_container_is_named_with_its_last_words(in_containers: Execute) -> None:
    execution = await in_containers(with_image(relay(die_at=2)))
    assert execution.outcome.state is State.FAILED
    assert execution.outcome.failed_node == "work"
    assert "its container was killed by SIGKILL" in execution.outcome.message
    assert "the script says: die" in execution.outcome.message
    assert "logs/work.log" in execution.outcome.message


async def test_too_little_memory_is_said_in_words(in_containers: Execute) -> None:
    steps = [step("source", "produce", count=1, size=400 * MIB)]
    plan = with_image(make_plan(steps, []), memory_bytes=128 * MIB)
    execution = await in_containers(plan)
    assert "needed more than its 0.125 GiB of memory" in execution.outcome.message


async def test_a_container_that_does_not_start_says_why(
    in_containers: Execute, client: Any
) -> None:
    image = build(client, "eoloom-tests/crash:1.0", f'FROM {SCRIPTED}\nCMD ["crash"]\n')
    execution = await in_containers(with_image(relay(), image))
    assert "did not start: its container ended with code 3" in execution.outcome.message
    assert "no such module: imaginary" in execution.outcome.message


async def test_a_container_that_is_killed_before_it_serves_is_started_again(
    in_containers: Execute, client: Any
) -> None:
    image = build(client, "eoloom-tests/late:1.0", f'FROM {SCRIPTED}\nCMD ["late"]\n')
    running = asyncio.create_task(in_containers(with_image(relay(), image), restarts=2))
    filters = {"ancestor": image, "label": "org.eoloom.node=work", "status": "running"}
    killed = False
    while not killed and not running.done():
        for container in await asyncio.to_thread(client.containers.list, filters=filters):
            await asyncio.to_thread(container.kill)
            killed = True
        await asyncio.sleep(0.05)
    execution = await asyncio.wait_for(running, 120)
    assert execution.outcome.state is State.SUCCEEDED, execution.outcome.message
    assert execution.emitted["work.relay"] == [b"m1*", b"m2*", b"m3*"]
    (notice,) = [told for told in execution.told(Kind.NOTICE) if "did not start" in told]
    assert "its container was killed by SIGKILL" in notice
    assert notice.endswith("; started again (1 of 2)")


@pytest.mark.parametrize(
    ("command", "advice"),
    [(("python",), "eoloom images build scripted"), ((), "docker login")],
)
async def test_a_missing_image_is_one_message_with_advice(
    in_containers: Execute, command: tuple[str, ...], advice: str
) -> None:
    missing = "localhost:1/eoloom/nothing:9"
    plan = with_image(relay(), missing, command=command)
    execution = await in_containers(plan)
    assert f"there is no image {missing}" in execution.outcome.message
    assert advice in execution.outcome.message
    assert len(execution.outcome.message.splitlines()) == 1


async def test_components_of_a_run_cannot_reach_each_other(
    in_containers: Execute, client: Any
) -> None:
    answers = []

    def look(event: Event) -> None:
        if event.kind is Kind.OPERATION_ENDED and event.node == "source":
            filters = {"label": f"org.eoloom.run={event.run}"}
            source, work = sorted(
                client.containers.list(filters=filters),
                key=lambda c: str(c.labels["org.eoloom.node"]),
            )
            (network,) = work.attrs["NetworkSettings"]["Networks"].values()
            script = (
                "import socket; "
                f"socket.create_connection(({network['IPAddress']!r}, 8061), timeout=1)"
            )
            answers.append(source.exec_run(["python3", "-c", script]))

    await in_containers(with_image(relay(delays_s=[0.5])), look)
    (answer,) = answers
    assert answer.exit_code == 1
    assert b"timed out" in answer.output


async def test_a_stopped_run_leaves_nothing(in_containers: Execute, client: Any) -> None:
    begun = asyncio.Event()

    def look(event: Event) -> None:
        if event.kind is Kind.NODE_READY:
            begun.set()

    task = asyncio.create_task(in_containers(with_image(relay(hang_at=1)), look))
    await begun.wait()
    task.cancel()
    execution = await task
    assert execution.outcome.state is State.CANCELLED


async def test_a_run_stopped_while_it_starts_leaves_nothing(
    in_containers: Execute, client: Any
) -> None:
    for pause_s in (0.05, 0.3, 0.6):
        task = asyncio.create_task(in_containers(with_image(relay())))
        await asyncio.sleep(pause_s)
        task.cancel()
        execution = await task
        assert execution.outcome.state is State.CANCELLED
        assert left_of(client, "") == []
