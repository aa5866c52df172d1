"""Wait until a deployment serves, and say what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import ClusterAccessError, ClusterError
from orchestrator.backends.kubernetes.logs import last_line
from orchestrator.backends.kubernetes.objects import Object, node_of, replicas_of, selector_of
from orchestrator.backends.kubernetes.reasons import (
    Reason,
    claim_reasons,
    pod_reasons,
    workload_reasons,
)
from orchestrator.backends.kubernetes.watching import Snapshot

# How long what cannot pass by itself is looked at before it counts: rollouts show old pods' faults.
_PATIENCE_S: Final = 10.0
# Events and logs are asked for at most so often.
_LOOK_S: Final = 2.0

Watched = Sequence[tuple[str, str]]
_WATCHED: Final[Watched] = (("apps/v1", "Deployment"), ("batch/v1", "Job"), ("v1", "Pod"))


@dataclass(frozen=True)
class NodeState:
    """One workload: how many of its pods are ready. done: a Job that has succeeded."""

    node: str
    kind: str
    ready: int
    wanted: int
    done: bool = False
    failed: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it serves, or has served."""
        return self.done or (self.ready >= self.wanted and not self.failed)


@dataclass(frozen=True)
class Readiness:
    """How a deployment stands: its workloads, and why some are not ready."""

    nodes: tuple[NodeState, ...] = ()
    reasons: tuple[Reason, ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def is_ready(self) -> bool:
        """Whether all of it serves."""
        return bool(self.nodes) and all(node.is_ready for node in self.nodes)

    @property
    def is_hopeless(self) -> bool:
        """Whether something will not pass by waiting."""
        return any(not reason.may_pass for reason in self.reasons)


def wait_until_ready(
    cluster: Cluster,
    name: str,
    *,
    timeout_s: float,
    tell: Callable[[Readiness], None] = lambda _: None,
    patience_s: float = _PATIENCE_S,
) -> Readiness:
    """Wait until all pods of a deployment serve; return how it stands then.

    It is not ready where the time is up, or where something cannot pass by itself and has stayed
    so for patience_s. tell: called whenever something has changed. Raises ClusterAccessError where
    the cluster stays away.
    """
    started = time.monotonic()
    hopeless_since: float | None = None
    told: Readiness | None = None
    resources = [cluster.resource(*kind) for kind in _WATCHED]
    with Snapshot(cluster, resources, selector_of(name)) as snapshot:
        while True:
            snapshot.wait(min(_LOOK_S, timeout_s, patience_s) if told is not None else 0.2)
            elapsed = time.monotonic() - started
            if snapshot.is_complete:
                readiness = _look(cluster, snapshot, elapsed)
                if readiness != told:
                    tell(readiness)
                    told = readiness
                if readiness.is_ready:
                    return readiness
                if not readiness.is_hopeless:
                    hopeless_since = None
                elif hopeless_since is None:
                    hopeless_since = elapsed
                if hopeless_since is not None and elapsed - hopeless_since >= patience_s:
                    return readiness
            if elapsed >= timeout_s:
                return told or Readiness(seconds=elapsed)
            if told is not None:
                # Events come in bursts, and each look asks the cluster for more.
                time.sleep(min(0.2, timeout_s))


def look(cluster: Cluster, name: str) -> Readiness:
    """Return how a deployment stands now."""
    return assess(cluster, *(_listed(cluster, name, *kind) for kind in _WATCHED))


def _listed(cluster: Cluster, name: str, api_version: str, kind: str) -> list[dict[str, Any]]:
    resource = cluster.resource(api_version, kind)
    return cluster.list(resource, labels=selector_of(name))[0]


def _look(cluster: Cluster, snapshot: Snapshot, seconds: float) -> Readiness:
    found = assess(cluster, *(snapshot.of(kind) for _, kind in _WATCHED))
    return Readiness(found.nodes, found.reasons, seconds)


def assess(
    cluster: Cluster, deployments: Sequence[Object], jobs: Sequence[Object], pods: Sequence[Object]
) -> Readiness:
    """Return how workloads stand; asks the cluster for events only where something is not ready."""
    current = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    nodes = [_deployment_state(each) for each in deployments]
    nodes += [_job_state(each, current) for each in jobs]
    nodes.sort(key=lambda state: state.node)
    unready = {state.node for state in nodes if not state.is_ready}
    if not unready:
        return Readiness(tuple(nodes))
    events = _Events(cluster)
    reasons: list[Reason] = []
    for workload in (*deployments, *jobs):
        if node_of(workload) in unready:
            reasons += workload_reasons(workload, events.of(workload))
    for pod in current:
        if node_of(pod) in unready:
            reasons += pod_reasons(pod, events.of(pod), _last_words(cluster, pod))
    reasons += _volume_reasons(
        cluster, [p for p in current if node_of(p) in unready], reasons, events
    )
    # Replicas wait for the same reasons; once is enough.
    return Readiness(tuple(nodes), tuple(dict.fromkeys(reasons)))


def _deployment_state(deployment: Object) -> NodeState:
    status = deployment.get("status") or {}
    wanted = replicas_of(deployment)
    is_current = int(status.get("observedGeneration") or 0) >= int(
        deployment["metadata"].get("generation") or 0
    )
    # Pods of the version before do not count.
    ready = min(int(status.get("availableReplicas") or 0), int(status.get("updatedReplicas") or 0))
    return NodeState(node_of(deployment), "Deployment", ready if is_current else 0, wanted)


def _job_state(job: Object, pods: Sequence[Object]) -> NodeState:
    """Return how a Job stands; while it works, it is as ready as its pods."""
    status = job.get("status") or {}
    conditions = {
        condition["type"]
        for condition in status.get("conditions") or []
        if condition["status"] == "True"
    }
    mine = [
        pod
        for pod in pods
        if any(
            owner.get("uid") == job["metadata"].get("uid")
            for owner in pod["metadata"].get("ownerReferences") or []
        )
    ]
    running = sum((pod.get("status") or {}).get("phase") == "Running" for pod in mine)
    return NodeState(
        node_of(job),
        "Job",
        running,
        replicas_of(job),
        done="Complete" in conditions,
        failed="Failed" in conditions,
    )


class _Events:
    """Warnings of the namespace, asked for once and only if somebody wants them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._events: list[dict[str, Any]] | None = None

    def of(self, an_object: Object) -> list[dict[str, Any]]:
        """Return the events about an object."""
        if self._events is None:
            try:
                self._events, _ = self._cluster.list(self._cluster.resource("v1", "Event"))
            except ClusterAccessError:
                self._events = []  # not allowed to read them: conditions have to do
        uid = an_object["metadata"].get("uid")
        return [
            event for event in self._events if (event.get("involvedObject") or {}).get("uid") == uid
        ]


def _last_words(cluster: Cluster, pod: Object) -> str:
    """Return the last line of a container that has ended and has not done its work, or nothing."""
    status = pod.get("status") or {}
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    for container in statuses:
        state, last = container.get("state") or {}, container.get("lastState") or {}
        is_previous = "terminated" in last and "terminated" not in state
        # Those before the others have mostly done their work, and say nothing.
        if is_previous or state.get("terminated", {}).get("exitCode", 0) != 0:
            try:
                return last_line(cluster, pod, str(container["name"]), previous=is_previous)
            except (ClusterError, ClusterAccessError):
                return ""  # the node has removed it already
    return ""


def _volume_reasons(
    cluster: Cluster, pods: Sequence[Object], others: Sequence[Reason], events: _Events
) -> list[Reason]:
    """Return why claims of pods that have no node yet are not bound.

    Of a class that waits for its first consumer the scheduler says nothing while the volume cannot
    be made: the pod is just pending. Where there are other reasons, a volume that may still come is
    not told beside them, unless they are about it.
    """
    waiting = [pod for pod in pods if not pod["spec"].get("nodeName")]
    if not waiting:
        return []
    found = [
        reason
        for claim in _claims_of(cluster, waiting)
        for reason in claim_reasons(claim, events.of(claim))
    ]
    if not others or any("volume is not there yet" in other.text for other in others):
        return found
    return [reason for reason in found if not reason.may_pass]


def _claims_of(cluster: Cluster, pods: Sequence[Object]) -> list[dict[str, Any]]:
    names = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods
        for volume in pod["spec"].get("volumes") or []
        if "persistentVolumeClaim" in volume
    }
    try:
        claims, _ = cluster.list(cluster.resource("v1", "PersistentVolumeClaim"))
    except ClusterAccessError:
        return []  # not allowed to read them: what the pods say has to do
    return [claim for claim in claims if claim["metadata"]["name"] in names]
