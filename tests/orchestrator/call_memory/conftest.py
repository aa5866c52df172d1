from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from composer.component import Component
from composer.contract import Field, Message, Role
from orchestrator.backends.local import LocalBackend
from orchestrator.call_memory.memory import run_calls
from orchestrator.call_memory.references import ITEM
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.plan import NodePlan, OnError, Plan, PlanLink, Step
from orchestrator.engine.run import Outcome, Run
from orchestrator.events import Event, Kind
from orchestrator.settings import OrchestratorSettings

ROOT = Path(__file__).parents[3]
WORD = "tests.Word"

FORMS: dict[str, dict[str, Any]] = {
    "make": {"source": True, "server_streaming": True, "input_message": "tests.Nothing"},
    "shape": {},
    "both": {"server_streaming": True},
    "pair": {"client_streaming": True, "server_streaming": True},
    "total": {"client_streaming": True},
    "words": {
        "source": True,
        "server_streaming": True,
        "input_message": "tests.Nothing",
        "output_message": WORD,
    },
    "shout": {"input_message": WORD, "output_message": WORD},
}

MESSAGES = {
    "tests.Nothing": Message("tests.Nothing", ()),
    WORD: Message(WORD, (Field(1, "text", Role.SINGLE, "string"),)),
}


def component() -> Component:
    """What the memory asks of a component: its contract, and that it is known by its image."""
    contract = SimpleNamespace(messages=MESSAGES)
    return cast(Component, SimpleNamespace(contract=contract, is_onboarded=True))


def step(node: str, operation: str, **params: Any) -> Step:
    messages = {"input_message": ITEM, "output_message": ITEM}
    form = messages | FORMS[operation]
    return Step(node, operation, "tests.Items", params=params, deterministic=True, **form)


def make_plan(steps: list[Step], links: list[str]) -> Plan:
    command = ("python", "-m", "tests.fakes.item_component")
    nodes = dict.fromkeys(step.node for step in steps)
    return Plan(
        name="test",
        digest="",
        nodes=tuple(NodePlan(name, "items", "1", command, folder=str(ROOT)) for name in nodes),
        steps=tuple(steps),
        links=tuple(PlanLink(*link.split(" -> ")) for link in links),
    )


def chain(*, count: int = 3, text: str = "t", mark: str = "s") -> Plan:
    """A source, a unary operation, and a stream."""
    steps = [
        step("source", "make", count=count, text=text),
        step("work", "shape", mark=mark),
        step("pairs", "pair"),
    ]
    return make_plan(steps, ["source.make -> work.shape", "work.shape -> pairs.pair"])


def with_version(plan: Plan, node: str, version: str) -> Plan:
    nodes = (replace(n, version=version) if n.name == node else n for n in plan.nodes)
    return replace(plan, nodes=tuple(nodes))


def skipping(plan: Plan) -> Plan:
    return replace(plan, steps=tuple(replace(s, on_error=OnError.SKIP) for s in plan.steps))


@dataclass
class Done:
    """What a run did: the calls that were noted, answers, lineage and files by their hrefs."""

    outcome: Outcome
    shared: Path
    calls: Counter[str] = field(default_factory=Counter)
    emitted: dict[str, bytes] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def cached(self) -> dict[str, int]:
        return {key: counts.cached for key, counts in self.outcome.counts.items() if counts.cached}

    @property
    def notices(self) -> list[str]:
        return [str(e.detail["message"]) for e in self.events if e.kind is Kind.NOTICE]

    def files(self) -> dict[str, str]:
        paths = [path for path in self.shared.rglob("*") if path.is_file()]
        return {path.relative_to(self.shared).as_posix(): path.read_text() for path in paths}


class Laboratory:
    """Runs plans one after the other in one folder of runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes = folder / "notes.txt"
        self.fail = folder / "fail.txt"

    def settings(self, **settings: Any) -> OrchestratorSettings:
        options = {"runs_folder": self.folder, "stop_grace_s": 2.0, "backoff_s": 0.05}
        return OrchestratorSettings(**options | settings)

    async def run(self, name: str, plan: Plan, **settings: Any) -> Done:
        """Run, or go on with the run of that name."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        done = Done(Outcome("running"), folder / "shared")  # type: ignore[arg-type]
        chosen = self.settings(**settings)
        before = self._noted()

        def record(step: Step, message: Any) -> None:
            done.emitted[message.id] = message.payload
            done.parents[message.id] = message.parents

        with (
            MessageLog(folder / "messages.log", plan) as log,
            run_calls(
                chosen,
                plan,
                components={node.name: component() for node in plan.nodes},
                place=lambda _: "local",
                shared=done.shared,
                warn=lambda text: done.events.append(
                    Event(name, Kind.NOTICE, detail={"message": text})
                ),
            ) as call_memory,
        ):
            done.outcome = await Run(
                name,
                plan,
                LocalBackend(folder, chosen, lambda *_: None),
                record=record,
                observer=done.events.append,
                settings=chosen,
                log=log,
                call_memory=call_memory,
            ).execute()
        done.calls = self._noted() - before
        return done

    def _noted(self) -> Counter[str]:
        return Counter(self.notes.read_text().splitlines() if self.notes.exists() else [])


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    made = Laboratory(tmp_path)
    monkeypatch.setenv("ITEM_NOTES", str(made.notes))
    monkeypatch.setenv("ITEM_FAIL", str(made.fail))
    return made
