"""Kubernetes objects as plain dicts: which is which, in which order, what in them matters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, Final, NamedTuple, TypeVar

from orchestrator.render import labels

Object = Mapping[str, Any]
T = TypeVar("T", bound=Object)

# What others need comes first; deleting goes the other way round.
_ORDER: Final = (
    "Namespace",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "NetworkPolicy",
    "Service",
    "Deployment",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "Ingress",
    "Job",
)

CLUSTER_KINDS: Final = frozenset({"PersistentVolume"})
"""Kinds of members that belong to no namespace."""

WORKLOADS: Final = frozenset({"Deployment", "StatefulSet", "Job"})
"""Kinds that make pods."""


class ObjectKey(NamedTuple):
    """What an object is called. namespace: empty for objects of the cluster."""

    api_version: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def group_kind(self) -> str:
        """`Deployment.apps`; for the core group the kind alone."""
        group, slash, _ = self.api_version.partition("/")
        return f"{self.kind}.{group}" if slash else self.kind


def key_of(an_object: Object) -> ObjectKey:
    """Return an object's key."""
    metadata = an_object.get("metadata") or {}
    return ObjectKey(
        str(an_object.get("apiVersion", "")),
        str(an_object.get("kind", "")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name") or ""),
    )


def in_order(objects: Iterable[T]) -> list[T]:
    """Return objects so that what others need comes first; unknown kinds before workloads."""
    unknown = _ORDER.index("Service")
    ranks = {kind: rank for rank, kind in enumerate(_ORDER)}
    return sorted(objects, key=lambda each: ranks.get(str(each.get("kind")), unknown))


def labels_of(an_object: Object) -> Mapping[str, str]:
    """Return an object's labels."""
    labels: Mapping[str, str] = (an_object.get("metadata") or {}).get("labels") or {}
    return labels


def pod_template_of(an_object: Object) -> Object | None:
    """Return the pod template of a workload, or None for other kinds."""
    if an_object.get("kind") not in WORKLOADS:
        return None
    template: Object | None = (an_object.get("spec") or {}).get("template")
    return template


def replicas_of(an_object: Object) -> int:
    """Return how many pods a workload wants at once."""
    spec = an_object.get("spec") or {}
    if an_object.get("kind") == "Job":
        return int(spec.get("parallelism", 1))
    return int(spec.get("replicas", 1))


def node_of(an_object: Object) -> str:
    """Return the node of the pipeline that an object belongs to, or `orchestrator`, or its name."""
    found = labels_of(an_object)
    if found.get(labels.NODE):
        return found[labels.NODE]
    if found.get(labels.ROLE) == labels.ORCHESTRATOR_ROLE:
        return labels.ORCHESTRATOR_ROLE
    return str(an_object["metadata"]["name"])


def is_finished(job: Object) -> bool:
    """Whether an object is a Job that has ended, either way."""
    return _is_job_with(job, {"Complete", "Failed"})


def has_failed(job: Object) -> bool:
    """Whether an object is a Job that has failed, and is not tried again by itself."""
    return _is_job_with(job, {"Failed"})


def _is_job_with(job: Object, types: Set[str]) -> bool:
    conditions = (job.get("status") or {}).get("conditions") or []
    return job.get("kind") == "Job" and any(
        condition["type"] in types and condition["status"] == "True" for condition in conditions
    )


def selector_of(deployment: str, node: str = "") -> str:
    """Return the selector of a deployment's objects and pods, or of those of one node.

    node: as `node_of` names it, so `orchestrator` too.
    """
    selector = f"{labels.INSTANCE}={deployment}"
    if node == labels.ORCHESTRATOR_ROLE:
        return f"{selector},{labels.ROLE}={node}"
    return f"{selector},{labels.NODE}={node}" if node else selector
