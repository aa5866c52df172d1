"""A project: one namespace, with what its users may use of the cluster in all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from orchestrator.render import labels

if TYPE_CHECKING:
    from orchestrator.profiles import Profile

_NAME: Final = "eoloom-project"


def render_project(namespace: str, profile: Profile) -> tuple[dict[str, Any], ...]:
    """Return the namespace, its quota where the profile sets one, and its limits.

    Making them takes rights in the whole cluster, which deploying a pipeline does not.
    """
    objects = [_namespace(namespace, profile)]
    quota = _quota(profile)
    if quota:
        objects.append(_object("ResourceQuota", namespace, {"hard": quota}))
    objects.append(_object("LimitRange", namespace, {"limits": _limits(profile)}))
    return tuple(objects)


def _namespace(namespace: str, profile: Profile) -> dict[str, Any]:
    # https://kubernetes.io/docs/concepts/security/pod-security-admission/
    standard = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    version = {"pod-security.kubernetes.io/enforce-version": f"v{profile.kubernetes}"}
    own = {labels.MANAGED_BY: labels.MANAGER}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": own | standard | version},
    }


def _quota(profile: Profile) -> dict[str, str]:
    project = profile.project
    gpu = profile.gpu.resource if profile.gpu else "nvidia.com/gpu"
    hard = {
        "requests.cpu": project.cpu,
        "requests.memory": project.memory,
        "limits.memory": project.memory,
        f"requests.{gpu}": project.gpus,
        "pods": project.pods,
        "persistentvolumeclaims": project.claims,
        "requests.storage": project.storage,
    }
    return {name: str(value) for name, value in hard.items() if value is not None}


def _limits(profile: Profile) -> list[dict[str, Any]]:
    """Return the limits: what a container gets that says nothing, and its bound."""
    project = profile.project
    limits: dict[str, Any] = {
        "type": "Container",
        "defaultRequest": {"cpu": project.container_cpu, "memory": project.container_memory},
        "default": {"memory": project.container_memory},
    }
    if project.container_memory_max is not None:
        limits["max"] = {"memory": project.container_memory_max}
    return [limits]


def _object(kind: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        "name": _NAME,
        "namespace": namespace,
        "labels": {labels.MANAGED_BY: labels.MANAGER},
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec}
