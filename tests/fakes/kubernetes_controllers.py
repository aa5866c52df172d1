"""What controllers, the scheduler and the nodes of the fake cluster do, as a test scripts it.

Pods of Deployments and Jobs are made at once and get the outcome of their node; what an owner
leaves behind is collected after a moment.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kubernetes_store import Key, Object, Store, now

RESTRICTED = "pod-security.kubernetes.io/enforce"
_INSTANCE_NODE = "eoloom.org/node"


@dataclass(frozen=True)
class Outcome:
    """What becomes of the pods of a node.

    status: of the pod. events: reason and message of each. log: what its container says; previous:
    what the one before has said. refused: why no pod can be made at all.
    """

    status: Object = field(default_factory=dict)
    events: tuple[tuple[str, str], ...] = ()
    log: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    refused: str = ""


def ready(*log: str) -> Outcome:
    """It serves."""
    state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
    return Outcome(_status("Running", state, is_ready=True), log=log)


def waiting(reason: str, message: str, *events: tuple[str, str]) -> Outcome:
    """Its container cannot be started."""
    state = {"waiting": {"reason": reason, "message": message}}
    return Outcome(_status("Pending", state), events=events)


def unschedulable(message: str) -> Outcome:
    """No node takes it."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return Outcome({"phase": "Pending", "conditions": [condition | {"message": message}]})


def crashing(code: int, *log: str, reason: str = "Error", restarts: int = 3) -> Outcome:
    """Its container ends again and again."""
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting"}}
    last = {"terminated": {"exitCode": code, "reason": reason}}
    status = _status("Running", state)
    status["containerStatuses"][0] |= {"lastState": last, "restartCount": restarts}
    return Outcome(status, previous=log)


def unhealthy(message: str) -> Outcome:
    """It runs, and its probe fails."""
    status = _status("Running", {"running": {"startedAt": "2026-01-01T00:00:00Z"}})
    return Outcome(status, events=(("Unhealthy", message),))


def starting(*events: tuple[str, str]) -> Outcome:
    """It is on a node, and its container is being made."""
    state = {"waiting": {"reason": "ContainerCreating"}}
    return Outcome(_status("Pending", state), events=events)


def succeeded(*log: str) -> Outcome:
    """It has done its work, as a Job's."""
    state = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    return Outcome(_status("Succeeded", state), log=log)


def failed(code: int, *log: str, message: str = "") -> Outcome:
    """It has ended with an exit code that its Job does not try again.

    message: what it has left for the cluster; log: what it has said.
    """
    ended = {"exitCode": code, "reason": "Error", "message": message}
    status = _status("Failed", {"terminated": ended})
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    status["initContainerStatuses"] = [
        status["containerStatuses"][0] | {"name": "make-folder", "state": done}
    ]
    return Outcome(status, log=log)


def refused(message: str) -> Outcome:
    """The cluster does not let its pods be made."""
    return Outcome(refused=message)


def _status(phase: str, state: Object, *, is_ready: bool = False) -> Object:
    return {
        "phase": phase,
        "conditions": [
            {"type": "PodScheduled", "status": "True"},
            {"type": "Ready", "status": str(is_ready)},
        ],
        "containerStatuses": [
            {
                "name": "component",
                "image": "registry.example/eo/x:1",
                "imageID": "",
                "ready": is_ready,
                "restartCount": 0,
                "state": state,
                "lastState": {},
            }
        ],
    }


class Controllers:
    """Makes and removes pods as workloads say, and collects what has lost its owner.

    outcomes: by node; what has none becomes ready.
    """

    def __init__(self, store: Store) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self.held: set[str] = set()
        """Names of objects that no collector removes: their finalizer stays."""
        self._store = store

    def work(self) -> None:
        """Bring everything one step further."""
        with self._store.lock:
            self._collect()
            for plural in ("deployments", "jobs"):
                for workload in self._store.of(plural):
                    self._reconcile(plural, workload)
            for pod in self._store.of("pods"):
                owners = pod["metadata"].get("ownerReferences", [])
                if not any(owner.get("controller") for owner in owners):
                    self._set_pod(pod, self.outcomes.get(_node_of(pod), ready()))

    def outcome_of(self, pod: Object) -> Outcome:
        return self.outcomes.get(_node_of(pod), ready())

    def _reconcile(self, plural: str, workload: Object) -> None:
        metadata, spec = workload["metadata"], workload["spec"]
        key = Key(plural, metadata["namespace"], metadata["name"])
        wanted = spec.get("replicas", spec.get("parallelism", 1))
        outcome = self.outcomes.get(_node_of(workload), ready())
        message = outcome.refused or self._insecure(metadata["namespace"], spec["template"])
        if message or metadata.get("deletionTimestamp"):
            self._refuse(plural, key, workload, message)
            return
        digest = hashlib.sha256(json.dumps(spec["template"], sort_keys=True).encode()).hexdigest()
        mine = [pod for pod in self._store.of("pods") if _is_owned(pod, metadata["uid"])]
        current = [pod for pod in mine if pod["metadata"]["labels"]["hash"] == digest[:8]]
        for pod in [pod for pod in mine if pod not in current] + current[wanted:]:
            self._remove_pod(pod)
        current = current[:wanted]
        for _ in range(wanted - len(current)):
            current.append(self._make_pod(workload, digest[:8]))
        for pod in current:
            self._set_pod(pod, outcome)
        self._tell(plural, key, workload, current, outcome)

    def _tell(
        self, plural: str, key: Key, workload: Object, pods: list[Object], outcome: Outcome
    ) -> None:
        ready_pods = len(pods) if _is_ready(outcome.status) else 0
        if plural == "jobs":
            phase = outcome.status.get("phase")
            ended = {"Succeeded": "Complete", "Failed": "Failed"}.get(str(phase))
            conditions = [{"type": ended, "status": "True"}] if ended else []
            status: Object = {"active": 0 if ended else len(pods), "conditions": conditions}
        else:
            status = {
                "observedGeneration": workload["metadata"]["generation"],
                "replicas": len(pods),
                "updatedReplicas": len(pods),
                "readyReplicas": ready_pods,
                "availableReplicas": ready_pods,
            }
        self._store.put_status(key, status)

    def _refuse(self, plural: str, key: Key, workload: Object, message: str) -> None:
        if not message:
            return
        if plural == "jobs":
            self._event(workload, "FailedCreate", message)
            return
        condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
        observed = {"observedGeneration": workload["metadata"]["generation"]}
        self._store.put_status(key, observed | {"conditions": [condition | {"message": message}]})

    def _insecure(self, namespace: str, template: Object) -> str:
        """Return what Pod Security says where the namespace is restricted; a part of its checks."""
        key = Key("namespaces", "", namespace)
        stored = self._store.objects.get(key)
        labels = stored.object["metadata"].get("labels", {}) if stored else {}
        return insecure(template) if labels.get(RESTRICTED) == "restricted" else ""

    def _make_pod(self, workload: Object, digest: str) -> Object:
        template, metadata = workload["spec"]["template"], workload["metadata"]
        owner = {field: workload[field] for field in ("apiVersion", "kind")}
        owner |= {"name": metadata["name"], "uid": metadata["uid"], "controller": True}
        name = f"{metadata['name']}-{uuid.uuid4().hex[:5]}"
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "labels": {**template["metadata"]["labels"], **_own_label(workload, digest)},
                "ownerReferences": [owner],
            },
            "spec": template["spec"],
            "status": {"phase": "Pending"},
        }
        return self._store.create(Key("pods", metadata["namespace"], name), pod)

    def _set_pod(self, pod: Object, outcome: Outcome) -> None:
        metadata = pod["metadata"]
        self._store.put_status(Key("pods", metadata["namespace"], metadata["name"]), outcome.status)
        for reason, message in outcome.events:
            self._event(pod, reason, message)

    def _event(self, subject: Object, reason: str, message: str) -> None:
        metadata = subject["metadata"]
        digest = hashlib.sha256(f"{metadata['uid']}{reason}{message}".encode()).hexdigest()[:10]
        key = Key("events", metadata["namespace"], f"{metadata['name']}.{digest}")
        if key in self._store.objects:
            return
        self._store.create(
            key,
            {
                "metadata": {},
                "involvedObject": {"kind": subject["kind"], "uid": metadata["uid"]},
                "reason": reason,
                "message": message,
                "type": "Warning",
                "lastTimestamp": now(),
            },
        )

    def _remove_pod(self, pod: Object) -> None:
        metadata = pod["metadata"]
        self._store.remove(Key("pods", metadata["namespace"], metadata["name"]))

    def _collect(self) -> None:
        """Remove what has lost its owner, and what waits for the end of what it owned."""
        with self._store.lock:
            uids = {item.object["metadata"]["uid"] for item in self._store.objects.values()}
            for key, item in list(self._store.objects.items()):
                metadata = item.object["metadata"]
                owners = metadata.get("ownerReferences", [])
                is_lost = bool(owners) and not any(owner["uid"] in uids for owner in owners)
                if (is_lost or "deletionTimestamp" in metadata) and key.name not in self.held:
                    self._store.remove(key)


def _own_label(workload: Object, digest: str) -> dict[str, str]:
    job = {"job-name": workload["metadata"]["name"]} if workload["kind"] == "Job" else {}
    return {"hash": digest, **job}


def insecure(template: Object) -> str:
    """Return how a pod breaks the restricted standard, in the cluster's words, or nothing."""
    pod = template["spec"].get("securityContext", {})
    faults = []
    for container in template["spec"]["containers"]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False:
            faults.append("allowPrivilegeEscalation != false")
        if "ALL" not in own.get("capabilities", {}).get("drop", []):
            faults.append("unrestricted capabilities")
        if not (own.get("runAsNonRoot") or pod.get("runAsNonRoot")):
            faults.append("runAsNonRoot != true")
        if not (own.get("seccompProfile") or pod.get("seccompProfile")):
            faults.append("seccompProfile")
    return f'violates PodSecurity "restricted:latest": {", ".join(faults)}' if faults else ""


def _is_ready(status: Object) -> bool:
    conditions: list[Any] = status.get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _is_owned(pod: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences", []))


def _node_of(an_object: Object) -> str:
    labels = an_object["metadata"].get("labels", {})
    return str(labels.get(_INSTANCE_NODE) or labels.get("app.kubernetes.io/component") or "")
