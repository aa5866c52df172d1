"""What is deployed in a namespace: list it, look at it, scale it, remove it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.backends.kubernetes.apply import SCALE_MANAGER, members
from orchestrator.backends.kubernetes.apply_set import PARENTS, parent_key
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import ClusterError, DeploymentNotFoundError
from orchestrator.backends.kubernetes.objects import (
    Object,
    ObjectKey,
    key_of,
    labels_of,
    node_of,
    replicas_of,
    selector_of,
)
from orchestrator.backends.kubernetes.readiness import Readiness, look
from orchestrator.render import labels
from orchestrator.render.ownership import is_kept

_POLL_S: Final = 0.5


@dataclass(frozen=True)
class Deployed:
    """One deployment. created: in RFC 3339; run: the id of its run; user: who deployed it."""

    name: str
    namespace: str
    pipeline: str
    run: str
    user: str
    created: str
    is_going: bool = False
    """Whether it is being removed."""


@dataclass(frozen=True)
class Removal:
    """What undeploying has removed and what it has kept."""

    removed: tuple[ObjectKey, ...]
    kept: tuple[ObjectKey, ...]


def deployed(cluster: Cluster) -> list[Deployed]:
    """Return the deployments of the namespace, by name."""
    parents, _ = cluster.list(cluster.resource("v1", "ConfigMap"), labels=PARENTS)
    return sorted(map(_deployed, parents), key=lambda each: each.name)


def find(cluster: Cluster, name: str) -> tuple[Deployed, dict[str, Any]]:
    """Return a deployment and its parent. Raises DeploymentNotFoundError naming those there are."""
    parent = cluster.get(parent_key(name, cluster.namespace))
    if parent is None or labels_of(parent).get(labels.INSTANCE) != name:
        there = ", ".join(each.name for each in deployed(cluster)) or "nothing"
        raise DeploymentNotFoundError(
            f"the namespace {cluster.namespace} has no deployment {name!r}; it has: {there}"
        )
    return _deployed(parent), parent


def readiness(cluster: Cluster, name: str) -> Readiness:
    """Return how a deployment stands now. Raises DeploymentNotFoundError."""
    find(cluster, name)
    return look(cluster, name)


def running_pod(cluster: Cluster, name: str, node: str) -> ObjectKey:
    """Return a pod of a node that runs. Raises DeploymentNotFoundError, ClusterError."""
    find(cluster, name)
    pods, _ = cluster.list(cluster.resource("v1", "Pod"), labels=selector_of(name))
    mine = [pod for pod in pods if node_of(pod) == node]
    running = [pod for pod in mine if (pod.get("status") or {}).get("phase") == "Running"]
    if running:
        return key_of(running[0])
    if mine:
        raise ClusterError(f"no pod of {node} runs yet; `eoloom deployments show {name}` says why")
    nodes = ", ".join(sorted({node_of(pod) for pod in pods})) or "none"
    raise ClusterError(f"the deployment {name} has no pods of a node {node!r}; it has: {nodes}")


def scale(cluster: Cluster, name: str, node: str, replicas: int) -> int:
    """Set how many replicas a node has; return how many it had.

    The change has a field manager of its own: until the next deployment it stands, which then
    takes back what the pipeline file says. Raises DeploymentNotFoundError, ClusterError where the
    pipeline has no such node or an autoscaler keeps its replicas.
    """
    find(cluster, name)
    resource = cluster.resource("apps/v1", "Deployment")
    found, _ = cluster.list(resource, labels=selector_of(name))
    by_node = {node_of(each): each for each in found}
    if node not in by_node:
        nodes = ", ".join(sorted(by_node)) or "none"
        raise ClusterError(f"the deployment {name} has no node {node!r}; it has: {nodes}")
    workload = by_node[node]
    _refuse_autoscaled(cluster, name, node, workload)
    path = resource.path(cluster.namespace, workload["metadata"]["name"], "scale")
    cluster.request(
        "PATCH",
        path,
        query={"fieldManager": SCALE_MANAGER},
        body={"spec": {"replicas": replicas}},
        content_type="application/merge-patch+json",
        subject=f"node {node}",
    )
    return replicas_of(workload)


def undeploy(
    cluster: Cluster,
    name: str,
    *,
    delete_results: bool = False,
    timeout_s: float = 300.0,
    tell: Callable[[tuple[ObjectKey, ...]], None] = lambda _: None,
) -> Removal:
    """Remove a deployment and wait until all of it, its pods too, is gone.

    The claim with the results is kept unless delete_results, and so is a volume that was made for
    it; what is in a volume of its own is never deleted. tell: called with what is still
    there, whenever that has changed. Raises DeploymentNotFoundError, ClusterError where something
    is still there after timeout_s, naming it and what holds it.
    """
    _, parent = find(cluster, name)
    found = members(cluster, name, parent)
    kept = [each for each in found if is_kept(each)]
    removed = [key_of(parent), *(key_of(each) for each in found if not is_kept(each))]
    cluster.delete(key_of(parent), propagation="Foreground")
    # The collector follows owners; what lost its reference is removed by name.
    for key in reversed(removed[1:]):
        cluster.delete(key, propagation="Foreground")
    if delete_results:
        # The claim goes first: a volume stays as long as it is claimed.
        for each in reversed(kept):
            cluster.delete(key_of(each))
            removed.append(key_of(each))
        kept = []
    _wait_until_gone(cluster, name, removed, timeout_s, tell)
    return Removal(tuple(removed), tuple(key_of(each) for each in kept))


def _wait_until_gone(
    cluster: Cluster,
    name: str,
    keys: list[ObjectKey],
    timeout_s: float,
    tell: Callable[[tuple[ObjectKey, ...]], None],
) -> None:
    deadline = time.monotonic() + timeout_s
    told: tuple[ObjectKey, ...] = ()
    while True:
        pods, _ = cluster.list(cluster.resource("v1", "Pod"), labels=selector_of(name))
        found = [each for key in keys if (each := cluster.get(key)) is not None] + pods
        left = tuple(key_of(each) for each in found)
        if not left:
            return
        if left != told:
            tell(left)
            told = left
        if time.monotonic() > deadline:
            lines = "\n".join(f"  {key_of(each)}{_holding(each)}" for each in found)
            raise ClusterError(f"{name} is not gone after {timeout_s:g} s; still there:\n{lines}")
        keys = [key for key in keys if key in left]
        time.sleep(_POLL_S)


def _holding(an_object: Object) -> str:
    finalizers = an_object["metadata"].get("finalizers") or []
    return f", held by {', '.join(finalizers)}" if finalizers else ""


def _refuse_autoscaled(cluster: Cluster, name: str, node: str, workload: Object) -> None:
    try:
        resource = cluster.resource("autoscaling/v2", "HorizontalPodAutoscaler")
    except ClusterError:
        return
    for scaler in cluster.list(resource, labels=selector_of(name))[0]:
        if scaler["spec"]["scaleTargetRef"]["name"] == workload["metadata"]["name"]:
            raise ClusterError(
                f"node {node} of {name} has an autoscaler, which would set its replicas again; "
                "deploy it without one first"
            )


def _deployed(parent: Object) -> Deployed:
    metadata = parent["metadata"]
    annotations = metadata.get("annotations") or {}
    return Deployed(
        name=metadata["name"],
        namespace=metadata["namespace"],
        pipeline=labels_of(parent).get(labels.PART_OF, ""),
        run=annotations.get(labels.RUN, ""),
        user=annotations.get(labels.USER, ""),
        created=str(metadata.get("creationTimestamp") or ""),
        is_going=bool(metadata.get("deletionTimestamp")),
    )
