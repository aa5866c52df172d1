"""A pipeline as a Compose file: containers that run it once, without EO Loom's command line.

Pure: from a plan to plain data. The format: https://github.com/compose-spec/compose-spec; of it
only what Docker Compose 1.29 understands as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.backends.docker.containers import (
    GRPC_PORT,
    KEPT_CAPABILITIES,
    PROCESSES,
    PROXIES,
    SHARED_FOLDER,
    WEB_PORT,
)
from orchestrator.engine.plan import NodePlan, Plan

_USER: Final = "${EOLOOM_USER:-10001:10001}"
_GROUP: Final = "${EOLOOM_GROUP:-10001}"
_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_S3_ENDPOINT",
    "AWS_NO_SIGN_REQUEST",
)


@dataclass(frozen=True)
class ComposeOptions:
    """What the file needs to know beside the plan.

    image: of the orchestrator. results, files: folders beside the file, for what the run leaves
    and for what the orchestrator reads. run: the run's name. ours: nodes whose images are those of
    our components. mounts: paths of this machine that a node reads, by node.
    """

    image: str
    run: str
    ours: frozenset[str]
    mounts: Mapping[str, tuple[str, ...]]
    results: str = "results"
    files: str = "pipeline"


def addresses(plan: Plan) -> dict[str, str]:
    """Return the gRPC target of each node: all replicas of its service."""
    return {node.name: f"dns:///{node.name}:{GRPC_PORT}" for node in plan.nodes}


def compose_document(plan: Plan, options: ComposeOptions) -> dict[str, Any]:
    """Return the content of docker-compose.yaml."""
    services = {node.name: _component(node, options) for node in plan.nodes}
    return {"services": services | {orchestrator_name(plan): _orchestrator(plan, options)}}


def orchestrator_name(plan: Plan) -> str:
    """Return the name of the orchestrator's service; nodes keep theirs."""
    name = "orchestrator"
    while any(node.name == name for node in plan.nodes):
        name += "-of-run"
    return name


def _component(node: NodePlan, options: ComposeOptions) -> dict[str, Any]:
    place = node.shared_folder or SHARED_FOLDER
    shared = f"./{options.results}/{options.run}/shared"
    service: dict[str, Any] = {
        "image": node.image,
        "init": True,
        "cpus": node.cpu,
        "mem_limit": node.memory_bytes,
        "pids_limit": PROCESSES,
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "group_add": [_GROUP],
        "environment": {"SHARED_FOLDER_PATH": place, **dict.fromkeys(PROXIES)},
        "volumes": [
            {"type": "bind", "source": shared, "target": place},
            *(
                {"type": "bind", "source": path, "target": path, "read_only": True}
                for path in options.mounts.get(node.name, ())
            ),
        ],
    }
    if node.replicas > 1:
        service["scale"] = node.replicas
    if node.gpus:
        gpus = {"driver": "nvidia", "count": node.gpus, "capabilities": ["gpu"]}
        service["deploy"] = {"resources": {"reservations": {"devices": [gpus]}}}
    if node.name not in options.ours:
        return service | {
            "cap_add": list(KEPT_CAPABILITIES),
            # On any free port: `docker compose port SERVICE 8062` says which.
            "ports": [f"127.0.0.1::{WEB_PORT}"],
        }
    service["environment"] |= {"HOME": "/tmp", **dict.fromkeys(_CREDENTIALS)}  # noqa: S108
    return service | {
        "user": _USER,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "healthcheck": {
            "test": ["CMD", "python", "-m", "components.kit.health"],
            "interval": "5s",
            "timeout": "5s",
            "start_period": "60s",
            "retries": 3,
        },
    }


def _orchestrator(plan: Plan, options: ComposeOptions) -> dict[str, Any]:
    conditions = {
        node.name: {
            "condition": "service_healthy" if node.name in options.ours else "service_started"
        }
        for node in plan.nodes
    }
    return {
        "image": options.image,
        "init": True,
        "entrypoint": ["python", "-m", "orchestrator.deployed"],
        "user": _USER,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "environment": {
            "EOLOOM_DEPLOYED_RUN": options.run,
            "EOLOOM_DEPLOYED_FOLDER": "/pipeline",
            "EOLOOM_RUNS_FOLDER": "/runs",
        },
        "volumes": [
            {
                "type": "bind",
                "source": f"./{options.files}",
                "target": "/pipeline",
                "read_only": True,
            },
            {"type": "bind", "source": f"./{options.results}", "target": "/runs"},
        ],
        "depends_on": conditions,
    }
