"""What is remembered does not wait for components; what has to be computed waits for all."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import psutil
import pytest

from orchestrator.engine.plan import Plan
from orchestrator.engine.run import State
from orchestrator.events import Kind
from tests.orchestrator.call_memory.conftest import Laboratory, chain

CRASHES = ("python", "-c", "raise SystemExit('no such model')")


def with_command(plan: Plan, command: tuple[str, ...], *nodes: str) -> Plan:
    changed = (replace(n, command=command) if n.name in nodes else n for n in plan.nodes)
    return replace(plan, nodes=tuple(changed))


def started(events: list[Any], kind: Kind) -> set[str]:
    return {event.node for event in events if event.kind is kind}


async def test_a_run_that_is_wholly_remembered_waits_for_no_component(
    laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    first = await laboratory.run("first", chain())
    monkeypatch.setattr("orchestrator.engine.nodes.wait_until_ready", never)
    second = await asyncio.wait_for(laboratory.run("second", chain()), 30)
    assert second.outcome.state is State.SUCCEEDED, second.outcome.message
    assert second.emitted == first.emitted
    assert second.files() == first.files()
    nodes = {"source", "work", "pairs"}
    assert started(second.events, Kind.NODE_STARTING) == nodes
    assert started(second.events, Kind.NODE_STOPPED) == nodes
    assert started(second.events, Kind.NODE_READY) == set()
    assert [
        p for p in psutil.Process().children() if "tests.fakes.item_component" in p.cmdline()
    ] == []


async def test_what_has_to_be_computed_waits_for_all_components(laboratory: Laboratory) -> None:
    await laboratory.run("first", chain())
    broken = with_command(chain(mark="z"), CRASHES, "pairs")
    second = await laboratory.run("second", broken)
    assert second.outcome.state is State.FAILED
    assert second.outcome.failed_node == "pairs"
    assert "did not start: its process ended with code 1" in second.outcome.message
    assert "no such model" in second.outcome.message
    assert second.calls == Counter()
