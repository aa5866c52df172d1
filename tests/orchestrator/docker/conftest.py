"""Runs in containers of a real Docker engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.engine.plan import Plan
from orchestrator.engine.run import Outcome, Run
from orchestrator.events import Event, Kind
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import Execute, Execution
from tests.orchestrator.docker.images import SCRIPTED, build_greeter, build_scripted

RUN = "org.eoloom.run"


@pytest.fixture(scope="session")
def client(docker_engine: Any) -> Any:
    """The engine."""
    return docker_engine


@pytest.fixture(scope="session")
def scripted(client: Any) -> str:
    """The image of the scripted component."""
    return build_scripted(client)


@pytest.fixture(scope="session")
def greeter(client: Any) -> str:
    """The image of a component as others make them."""
    return build_greeter(client)


def left_of(client: Any, run: str) -> list[Any]:
    """What the engine still has of a run."""
    filters = {"label": f"{RUN}={run}"}
    return [
        *client.containers.list(all=True, filters=filters, ignore_removed=True),
        *client.networks.list(filters=filters),
        *client.volumes.list(filters=filters),
    ]


def with_image(
    plan: Plan, image: str = SCRIPTED, own: dict[str, dict[str, Any]] | None = None, **options: Any
) -> Plan:
    """The plan with nodes that are images.

    options: fields of all nodes; own: those of single ones.
    """
    fields = {"image": image, "command": ()} | options
    return replace(
        plan,
        nodes=tuple(replace(n, **(fields | (own or {}).get(n.name, {}))) for n in plan.nodes),
    )


@pytest.fixture
def in_containers(tmp_path: Path, scripted: str, client: Any, request: Any) -> Execute:
    """Run a plan of scripted components in containers; nothing may be left of it."""
    name = f"test-{abs(hash(request.node.nodeid)) % 10**8}"

    async def run(plan: Plan, observer: Any = None, **settings: Any) -> Execution:
        chosen = OrchestratorSettings(
            **{"stop_grace_s": 2.0, "backoff_s": 0.05, "restarts": 0} | settings
        )
        execution = Execution(Outcome("running"))  # type: ignore[arg-type]

        def observe(event: Event) -> None:
            execution.events.append(event)
            if observer:
                observer(event)

        def log(node: str, record: Any) -> None:
            if "notice" in record:
                observe(Event(name, Kind.NOTICE, node, "", {"message": record["message"]}))

        def tell(node: str, kind: Kind, detail: Any) -> None:
            observe(Event(name, kind, node, "", detail))

        execution.outcome = await Run(
            name,
            plan,
            DockerBackend(name, tmp_path, chosen, log, tell),
            record=lambda step, message: execution.emitted[step.key].append(message.payload),
            observer=observe,
            settings=chosen,
        ).execute()
        assert left_of(client, name) == []
        return execution

    return run
