"""How the container of a node is made: limits, restrictions, ports, environment, folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestrator.backends.docker import certificates
from orchestrator.backends.docker.paths import ReadOnlyMount
from orchestrator.engine.plan import NodePlan

if TYPE_CHECKING:
    from orchestrator.backends.docker.images import Image

GRPC_PORT: Final = 8061
WEB_PORT: Final = 8062
"""AI4EU's ports: of the service, and of the page that a container may have."""

SHARED_FOLDER: Final = "/shared"

PROCESSES: Final = 4096
_LOG_FILES: Final = {"max-size": "20m", "max-file": "3"}

# What containers of others keep, besides what nobody needs who serves gRPC: an entry point that
# sets up folders as root and goes on as another user works.
KEPT_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "NET_BIND_SERVICE",
    "SETGID",
    "SETUID",
)

# Settings of ours and credentials for object stores that components of ours are given.
_PASSED: Final = ("AWS_", "EODATA_", "EOLOOM_LOG_LEVEL", "EOLOOM_THREADS", "EOLOOM_STOP_GRACE_S")
# Of those, variables that name files of this machine.
_PATHS: Final = ("_FILE", "_BUNDLE")
PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Surroundings:
    """What all containers of a run have in common.

    shared: the folder of this machine, or the name of the volume, that they share. network: its
    name. publish: the address on which ports are published. cpus: cores of the engine. user, group:
    who runs the orchestrator. is_rootless: whether root in a container is that user. by_tls:
    whether components of ours are given certificates.
    """

    shared: str
    network: str
    publish: str
    cpus: int
    user: int
    group: int
    is_rootless: bool
    max_message_bytes: int
    environment: Mapping[str, str]
    by_tls: bool = False


def container_options(
    node: NodePlan, image: Image, mounts: Sequence[ReadOnlyMount], around: Surroundings
) -> dict[str, Any]:
    """Return the keyword arguments of `containers.create` for one replica of a node."""
    from docker.types import DeviceRequest, LogConfig, Mount

    place = node.shared_folder or SHARED_FOLDER
    kind: Literal["bind", "volume"] = "bind" if around.shared.startswith("/") else "volume"
    options: dict[str, Any] = {
        "image": image.id,
        "detach": True,
        "init": True,
        "hostname": node.name,
        "network": around.network,
        "nano_cpus": round(min(node.cpu, around.cpus or node.cpu) * 1e9),
        "mem_limit": node.memory_bytes,
        "memswap_limit": node.memory_bytes,
        "pids_limit": PROCESSES,
        "environment": _environment(node, image, place, around),
        "ports": {
            f"{port}/tcp": (around.publish, None)
            for port in (GRPC_PORT, WEB_PORT)
            if port == GRPC_PORT or not image.is_ours or WEB_PORT in image.ports
        },
        "mounts": [
            Mount(place, around.shared, type=kind),
            *(Mount(m.path, m.path, type="bind", read_only=True) for m in mounts),
            *([certificates.mount()] if image.is_ours and around.by_tls else []),
        ],
        "log_config": LogConfig(type=LogConfig.types.JSON, config=_LOG_FILES),
        **_restrictions(image, around),
    }
    if node.gpus:
        options["device_requests"] = [DeviceRequest(count=node.gpus, capabilities=[["gpu"]])]
    return options


def _restrictions(image: Image, around: Surroundings) -> dict[str, Any]:
    """Return what a container may not do.

    Ours run unprivileged with a read-only root. Those of others run as they were made, because an
    AI4EU container that writes beside its program or starts as root must run unchanged; they
    cannot gain privileges and keep few capabilities.
    """
    restrictions: dict[str, Any] = {
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        # The shared folder may be written by its group, whoever the container's user is.
        "group_add": [str(around.group)],
    }
    if not image.is_ours:
        return restrictions | {"cap_add": list(KEPT_CAPABILITIES)}
    restrictions |= {"read_only": True, "tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777"}}  # noqa: S108
    if around.is_rootless:
        restrictions["user"] = "0:0"
    elif around.user:
        restrictions["user"] = f"{around.user}:{around.group}"
    return restrictions


def _environment(node: NodePlan, image: Image, place: str, around: Surroundings) -> dict[str, str]:
    proxies = {name: around.environment[name] for name in PROXIES if name in around.environment}
    environment = proxies | {"SHARED_FOLDER_PATH": place}
    if not image.is_ours:
        return environment
    passed = {
        name: value
        for name, value in around.environment.items()
        if name.startswith(_PASSED) and not name.endswith(_PATHS)
    }
    return {
        **passed,
        **environment,
        # The user of the orchestrator has no home in the container.
        "HOME": "/tmp",  # noqa: S108
        "EOLOOM_LOG_FORMAT": "json",
        "EOLOOM_MAX_MESSAGE_BYTES": str(around.max_message_bytes),
        "PYTHONUNBUFFERED": "1",
        **(certificates.ENVIRONMENT if around.by_tls else {}),
    }


def make_shared_folder(folder: Path) -> None:
    """Make the folder that containers share: its group, the orchestrator's, may write there.

    What is made in it belongs to that group. Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mode = folder.stat().st_mode
    wanted = mode | 0o2070
    if mode != wanted and folder.stat().st_uid == os.geteuid():
        folder.chmod(wanted & 0o7777)
