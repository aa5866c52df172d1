from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.local import LocalBackend
from orchestrator.engine.instruments import UNWATCHED, Instruments
from orchestrator.engine.message_log import MESSAGES_FILE, MessageLog
from orchestrator.engine.plan import NodePlan, Plan, PlanLink, Step
from orchestrator.engine.run import Outcome, Run
from orchestrator.events import Event, Kind
from orchestrator.settings import OrchestratorSettings

SCRIPTED = Path(__file__).parents[1] / "fakes" / "scripted_component.py"

FORMS: dict[str, dict[str, bool]] = {
    "poll": {"source": True},
    "produce": {"source": True, "server_streaming": True},
    "relay": {},
    "route": {"server_streaming": True},
    "mark": {"client_streaming": True, "server_streaming": True},
    "split": {"server_streaming": True},
    "gather": {"client_streaming": True},
    "pair": {"client_streaming": True, "server_streaming": True},
    "first": {"client_streaming": True, "server_streaming": True},
    "sink": {"sink": True},
    "drain": {"client_streaming": True, "sink": True},
}


def step(node: str, operation: str, options: dict[str, Any] | None = None, **params: Any) -> Step:
    """A step of the scripted component; its form follows from the operation's name."""
    form = FORMS[operation] | (options or {})
    return Step(node, operation, "tests.Scripted", params=params, **form)


def make_plan(steps: list[Step], links: list[str], behaviour: dict[str, str] | None = None) -> Plan:
    """A plan with one scripted process per node; `links` are texts `a.op -> b.op`."""
    nodes = dict.fromkeys(step.node for step in steps)
    command = ("python", str(SCRIPTED))
    return Plan(
        name="test",
        digest="",
        nodes=tuple(
            NodePlan(name, "scripted", "1", (*command, (behaviour or {}).get(name, "")))
            for name in nodes
        ),
        steps=tuple(steps),
        links=tuple(PlanLink(*link.split(" -> ")) for link in links),
    )


@dataclass
class Execution:
    """What a run did."""

    outcome: Outcome
    emitted: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    messages: dict[str, bytes] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def told(self, kind: Kind) -> list[str]:
        """The messages of all events of a kind."""
        return [str(e.detail.get("message", "")) for e in self.events if e.kind is kind]


Execute = Callable[..., Awaitable[Execution]]


@pytest.fixture
def execute(tmp_path: Path) -> Execute:
    """Run a plan of scripted components as real processes.

    log: whether the run keeps its messages, so that it can go on after a component's death, and
    in another run of the same test. redrive: whether its dead letters are tried again. recorded:
    called with the execution so far at every message. instruments: watch its calls.
    """

    async def run(
        plan: Plan,
        observer: Any = None,
        *,
        log: bool = False,
        redrive: bool = False,
        recorded: Any = None,
        instruments: Instruments = UNWATCHED,
        **settings: Any,
    ) -> Execution:
        chosen = OrchestratorSettings(**{"stop_grace_s": 2.0, "backoff_s": 0.05} | settings)
        execution = Execution(Outcome("running"))  # type: ignore[arg-type]

        def record(step: Step, message: Any) -> None:
            execution.emitted[step.key].append(message.payload)
            execution.messages[message.id] = message.payload
            execution.parents[message.id] = message.parents
            if recorded:
                recorded(execution)

        def observe(event: Event) -> None:
            execution.events.append(event)
            if observer:
                observer(event)

        backend = LocalBackend(tmp_path, chosen, lambda *_: None)
        path = tmp_path / MESSAGES_FILE
        with MessageLog(path, plan, redrive=redrive) if log else contextlib.nullcontext() as kept:
            execution.outcome = await Run(
                "test-run",
                plan,
                backend,
                record=record,
                observer=observe,
                settings=chosen,
                log=kept,
                instruments=instruments,
            ).execute()
        return execution

    return run
