"""Which operations are remembered at all, and what a component is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from composer.component import Component
from composer.contract import Field, Message, Role
from orchestrator.call_memory.digests import FileDigests
from orchestrator.call_memory.identity import identity
from orchestrator.call_memory.index import CallIndex, KeptAnswer, KeptCall
from orchestrator.call_memory.memory import RunCalls
from orchestrator.engine.plan import NodePlan, Plan, PlanLink, Step
from tests.orchestrator.call_memory.conftest import chain, component, make_plan, step
from tests.orchestrator.call_memory.test_references import Memory


def remembered(tmp_path: Path, plan: Plan, known: Component | None = None) -> set[str]:
    """The keys of the operations whose calls may be remembered."""
    index = CallIndex("", tmp_path)
    components = {node.name: known or component() for node in plan.nodes}
    calls = RunCalls(
        index,
        plan,
        components=components,
        place=lambda _: "local",
        shared=tmp_path,
        warn=pytest.fail,
    )
    try:
        return {step.key for step in plan.steps if calls.of(step) is not None}
    finally:
        index.close()


def change(plan: Plan, operation: str, **values: object) -> Plan:
    steps = [
        replace(s, **values) if s.operation == operation else s  # type: ignore[arg-type]
        for s in plan.steps
    ]
    return replace(plan, steps=tuple(steps))


def test_only_what_is_declared_deterministic(tmp_path: Path) -> None:
    assert remembered(tmp_path, chain()) == {"source.make", "work.shape", "pairs.pair"}
    plan = change(chain(), "shape", deterministic=False)
    assert remembered(tmp_path, plan) == {"source.make", "pairs.pair"}


def test_no_sinks_and_no_sources_that_are_asked_until_they_have_no_more(tmp_path: Path) -> None:
    plan = change(change(chain(), "shape", sink=True), "make", server_streaming=False)
    assert remembered(tmp_path, plan) == {"pairs.pair"}


def test_nothing_in_live_runs(tmp_path: Path) -> None:
    assert remembered(tmp_path, replace(chain(), live=True)) == set()


def test_nothing_within_cycles(tmp_path: Path) -> None:
    plan = chain()
    back = PlanLink("pairs.pair", "work.shape")
    assert remembered(tmp_path, replace(plan, links=(*plan.links, back))) == {"source.make"}


def words() -> Plan:
    steps: list[Step] = [step("source", "words", words=["a"]), step("work", "shout")]
    return make_plan(steps, ["source.words -> work.shout"])


def test_other_messages_not_where_files_are_exchanged_beside_them(tmp_path: Path) -> None:
    plan = words()
    assert remembered(tmp_path, plan) == {"source.words", "work.shout"}
    nodes = [replace(node, shared_folder="/data") for node in plan.nodes]
    assert remembered(tmp_path, replace(plan, nodes=tuple(nodes))) == set()


def test_messages_that_hold_items_are_not_taken_for_mere_bytes(tmp_path: Path) -> None:
    messages = {
        "tests.Nothing": Message("tests.Nothing", ()),
        "tests.Word": Message("tests.Word", (Field(1, "w", Role.SINGLE, "message", "Item"),)),
        "Item": Message("Item", (Field(9, "assets", Role.REPEATED, "message", "Asset"),)),
        "Asset": Message("Asset", (Field(2, "href", Role.SINGLE, "string"),)),
    }
    contract = SimpleNamespace(messages=messages)
    known = cast(Component, SimpleNamespace(contract=contract, is_onboarded=True))
    assert remembered(tmp_path, words(), known) == set()


def test_a_component_is_another_when_its_source_changes(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "algorithm.py").write_text("a = 1")
    known = SimpleNamespace(is_onboarded=False, is_built_in=False, folder=folder)
    node = NodePlan("n", "work", "1", ("python", "-m", "work"))

    def now(node: NodePlan = node) -> str:
        return identity(node, cast(Component, known), FileDigests(Memory()))

    before = now()
    (folder / "__pycache__" / "algorithm.pyc").write_bytes(b"compiled")
    assert now() == before
    assert now(replace(node, version="2")) != before
    assert now(replace(node, image="r/work@sha256:1")) != before
    (folder / "algorithm.py").write_text("a = 2")
    assert now() != before


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    index = CallIndex("", tmp_path)
    for key in ("old", "used", "new"):
        index.keep(KeptCall(key, "o", [KeptAnswer(b"x" * 10_000, 1)], [], [tmp_path]))
    index.used("old", tmp_path / "again")
    index.shrink(25_000)
    assert [key for key in ("old", "used", "new") if index.call(key)] == ["old", "new"]
    index.close()
