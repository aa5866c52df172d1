"""What the pods of components and of the orchestrator have in common.

Every pod keeps the restricted Pod Security Standard
(https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted), mounts no token
of the API server, and sees of the volume only what its run needs.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orchestrator.profiles import Placement, Profile, Toleration
    from orchestrator.render.context import Context

USER: Final = 10_001
"""Numeric, because a kubelet cannot tell from a name that it is not root."""

_CATEGORIES: Final = 1024

VOLUME: Final = "runs"
SCRATCH: Final = "scratch"
SCRATCH_PATH: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_MAKE_FOLDER: Final = (
    "import os, sys; os.umask(0o002); os.makedirs(sys.argv[1], mode=0o2775, exist_ok=True)"
)


def pod_security(context: Context) -> dict[str, Any]:
    """Return the security context of a pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # Going through a large volume at every start would take minutes.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
        "seLinuxOptions": {"level": _selinux_level(context.claim)},
    }


def _selinux_level(claim: str) -> str:
    """Return the SELinux level of all pods that share a claim.

    On nodes with SELinux each pod has a level of its own otherwise, and may not read what another
    has written; those without ignore it.
    https://kubernetes.io/docs/tasks/configure-pod-container/security-context/#assign-selinux-labels-to-a-container
    """
    number = int.from_bytes(hashlib.sha256(claim.encode()).digest()[:8], "big")
    # Two different ones of the 1,024 categories, the lower one first.
    first = number % _CATEGORIES
    second = (first + 1 + number // _CATEGORIES % (_CATEGORIES - 1)) % _CATEGORIES
    return f"s0:c{min(first, second)},c{max(first, second)}"


def container_security(*, read_only: bool = True) -> dict[str, Any]:
    """Return the security context of a container.

    read_only: its root file system. Images of others may write into theirs, which is thrown away
    with the container.
    """
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": read_only,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }


def pod(context: Context, containers: list[dict[str, Any]], folder_image: str) -> dict[str, Any]:
    """Return what every pod has; `folder_image` has a Python that can make the run's folder."""
    profile = context.profile
    spec: dict[str, Any] = {
        "serviceAccountName": context.name(),
        "automountServiceAccountToken": False,
        # Variables for every Service of the namespace would only be in the way.
        "enableServiceLinks": False,
        "securityContext": pod_security(context),
        "initContainers": [_make_folder(context, folder_image)],
        "containers": containers,
        "volumes": [
            {"name": VOLUME, "persistentVolumeClaim": {"claimName": context.claim}},
            {"name": SCRATCH, "emptyDir": {"sizeLimit": profile.scratch}},
        ],
    }
    if profile.images.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in profile.images.pull_secrets]
    return spec | placement(profile.placement)


def placement(chosen: Placement) -> dict[str, Any]:
    """Return on which nodes of the cluster a pod runs."""
    spec: dict[str, Any] = {}
    if chosen.node_selector:
        spec["nodeSelector"] = dict(chosen.node_selector)
    if chosen.tolerations:
        spec["tolerations"] = tolerations(chosen.tolerations)
    if chosen.priority_class:
        spec["priorityClassName"] = chosen.priority_class
    return spec


def tolerations(chosen: tuple[Toleration, ...]) -> list[dict[str, Any]]:
    """Return tolerations as a pod has them."""
    return [toleration.model_dump(exclude_none=True) for toleration in chosen]


def gpu_placement(profile: Profile) -> dict[str, Any]:
    """Return on which nodes of the cluster a pod with a GPU runs."""
    if profile.gpu is None:
        return {}
    chosen = placement(profile.placement)
    spec: dict[str, Any] = {
        "nodeSelector": chosen.get("nodeSelector", {}) | (profile.gpu.node_selector or {}),
        "tolerations": chosen.get("tolerations", []) + tolerations(profile.gpu.tolerations),
        "runtimeClassName": profile.gpu.runtime_class,
    }
    return {key: value for key, value in spec.items() if value}


def scratch_mount() -> dict[str, Any]:
    """Return the mount of what a container may write beside the shared folder."""
    return {"name": SCRATCH, "mountPath": SCRATCH_PATH}


def run_folder(context: Context, run: str) -> str:
    """Return where a run lies on the volume, which may belong to several pipelines."""
    return f"{context.deployment}/{run}"


def environment(values: dict[str, str]) -> list[dict[str, Any]]:
    """Return plain variables as a container has them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def _make_folder(context: Context, image: str) -> dict[str, Any]:
    """Return the container that makes the shared folder before the others mount it.

    A kubelet makes a missing folder too, but as root, and its parents without write permission
    for anybody else.
    """
    path = f"/volume/{run_folder(context, context.run)}/shared"
    return {
        "name": "make-folder",
        "image": image,
        "command": ["python", "-c", _MAKE_FOLDER, path],
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"memory": "64Mi"},
        },
        "securityContext": container_security(),
        "volumeMounts": [{"name": VOLUME, "mountPath": "/volume"}],
    }
