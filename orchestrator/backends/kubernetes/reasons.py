"""Why a pod, a workload or a claim is not ready, in a user's words. Pure.

The cluster says it in conditions, in the states of containers and in events; the words of these
are kept behind our own, because only they name the image, the key or the figure.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.backends.kubernetes.objects import Object, node_of

_LOOK: Final = 500
"""Most characters of the cluster's own words."""


@dataclass(frozen=True)
class Reason:
    """Why something is not ready. subject: node, claim or object; may_pass: by waiting alone."""

    subject: str
    text: str
    may_pass: bool = True

    def __str__(self) -> str:
        return f"{self.subject}: {self.text}"


@dataclass(frozen=True)
class _Meaning:
    """What a reason of the cluster means, and what to do about it."""

    text: str
    advice: str = ""
    may_pass: bool = True


# Reasons for which a container waits.
_WAITING: Final = {
    "ErrImagePull": _Meaning("its image cannot be pulled"),
    "ImagePullBackOff": _Meaning("its image cannot be pulled, and is tried again with pauses"),
    "ErrImageNeverPull": _Meaning(
        "its image is not on the node, and the pull policy is Never",
        "push the image to a registry and use another policy, or load it onto every node",
        may_pass=False,
    ),
    "InvalidImageName": _Meaning("its image's name is not a reference", may_pass=False),
    "ImageInspectError": _Meaning("its image cannot be read on the node"),
    "RegistryUnavailable": _Meaning("the image registry does not answer"),
    "CreateContainerConfigError": _Meaning(
        "what its container refers to is not there", may_pass=False
    ),
    "CreateContainerError": _Meaning("its container cannot be made"),
    "RunContainerError": _Meaning("its container cannot be started"),
}

# Why an image cannot be pulled, by what the container runtime says.
_PULL_CAUSES: Final = (
    (
        re.compile(r"not found|manifest unknown|NotFound|repository does not exist", re.I),
        _Meaning(
            "there is no such image in the registry",
            "push it (`eoloom images push`), or correct name and tag",
            may_pass=False,
        ),
    ),
    (
        re.compile(r"unauthorized|denied|forbidden|\b40[13]\b|authentication", re.I),
        _Meaning(
            "the registry does not let the cluster in",
            "name a pull secret with valid credentials in the profile (images.pull_secrets)",
            may_pass=False,
        ),
    ),
    (
        re.compile(r"no such host|i/o timeout|connection refused|x509|tls|dial tcp|EOF", re.I),
        _Meaning("the node cannot reach the registry", "check its address and certificate"),
    ),
    (
        re.compile(r"no match for platform|exec format", re.I),
        _Meaning("the image is not made for the node's processor", may_pass=False),
    ),
)

# Parts of what the scheduler says.
_UNSCHEDULABLE: Final = (
    (re.compile(r"Insufficient ([\w./-]*\w)"), "no node has enough free {0}"),
    (
        re.compile(r"unbound immediate PersistentVolumeClaims"),
        "its volume is not there yet",
    ),
    (
        re.compile(r"didn't match (?:Pod's )?node affinity/selector"),
        "no node has the labels that the profile asks for",
    ),
    (
        re.compile(r"(?:untolerated|had) taint[s()]* \{?([^}:,]+)"),
        "nodes are kept for others by the taint {0}",
    ),
    (re.compile(r"volume node affinity conflict"), "its volume is bound to another node or zone"),
    (re.compile(r"Too many pods"), "the nodes have as many pods as they may"),
    (re.compile(r"persistentvolumeclaim \"([^\"]+)\" not found"), "there is no claim {0}"),
)

# What events say of a claim that stays unbound.
_CLAIM_CAUSES: Final = (
    (
        re.compile(r"storageclass\.storage\.k8s\.io \"([^\"]*)\" not found"),
        _Meaning("there is no storage class {0}", "`kubectl get storageclass` lists them", False),
    ),
    (
        re.compile(r"no persistent volumes available for this claim and no storage class"),
        _Meaning(
            "no storage class is set and the cluster has no default one",
            "set storage.storage_class in the profile",
            False,
        ),
    ),
    (
        re.compile(r"ReadWriteMany|MULTI_NODE_MULTI_WRITER|access mode|multi-node", re.I),
        _Meaning(
            "the storage class has no volumes that several nodes can write (ReadWriteMany)",
            "choose one of a shared file system, such as NFS, CephFS or Manila",
            False,
        ),
    ),
    (
        re.compile(r"first consumer|WaitForFirstConsumer"),
        _Meaning("its volume is made when the first pod uses it"),
    ),
    (re.compile(r"quota", re.I), _Meaning("the storage quota is used up")),
)

# What events of a pod say while it is being made.
_START_EVENTS: Final = {
    "FailedMount": "a volume cannot be mounted",
    "FailedAttachVolume": "a volume cannot be attached to the node",
    "FailedCreatePodSandBox": "the node cannot give it a network",
}
_MISSING_OBJECT: Final = re.compile(
    r"(secret|configmap) \"([^\"]+)\" not found|couldn't find key (\S+) in (\S+) (\S+)", re.I
)


def pod_reasons(pod: Object, events: Sequence[Object] = (), last_words: str = "") -> list[Reason]:
    """Return why a pod is not ready; nothing for one that is, or has done its work.

    events: of this pod, in any order. last_words: the last line of its previous container's log.
    """
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded" or _is_ready(status):
        return []
    node = node_of(pod)
    if status.get("reason") == "Evicted":
        return [Reason(node, _join("it was evicted from its node", status.get("message")))]
    reasons = list(_container_reasons(node, status, events, last_words))
    reasons += _scheduling_reasons(node, status)
    if not reasons and not _has_begun(status):
        reasons += _start_reasons(node, events)
    if not reasons and status.get("phase") == "Failed":
        reasons.append(Reason(node, _join("its pod failed", status.get("message")), False))
    return reasons


def workload_reasons(workload: Object, events: Sequence[Object] = ()) -> list[Reason]:
    """Return why a Deployment or a Job cannot make its pods, or makes no more. events: of it.

    A Job has failed for good when the cluster says so, whatever its pods look like.
    """
    node = node_of(workload)
    status = workload.get("status") or {}
    words = _true_conditions(status, "ReplicaFailure")
    if workload.get("kind") != "Job":
        return [_refused_pods(node, each) for each in words]
    if failures := _true_conditions(status, "Failed"):
        text = "the run has failed, and is not tried again by itself"
        advice = (
            "its log says why (`eoloom deployments logs`); deploying the same again goes on with it"
        )
        return [Reason(node, _join(text, each, advice), may_pass=False) for each in failures]
    if not status.get("active"):
        # A Job has no such condition; its event is all there is.
        words += [str(event.get("message", "")) for event in _latest(events, {"FailedCreate"})[:1]]
    return [_refused_pods(node, each) for each in words]


def _true_conditions(status: Mapping[str, Any], kind: str) -> list[str]:
    """Return the messages of the conditions of a type that hold."""
    return [
        str(condition.get("message", ""))
        for condition in status.get("conditions") or []
        if condition.get("type") == kind and condition.get("status") == "True"
    ]


def claim_reasons(claim: Object, events: Sequence[Object] = ()) -> list[Reason]:
    """Return why a claim is not bound; events: of it."""
    if (claim.get("status") or {}).get("phase") == "Bound":
        return []
    subject = f"claim {claim['metadata']['name']}"
    if (claim.get("status") or {}).get("phase") == "Lost":
        return [Reason(subject, "its volume is gone, and its data with it", may_pass=False)]
    wanted = {"ProvisioningFailed", "FailedBinding", "WaitForFirstConsumer"}
    for event in _latest(events, wanted):
        words = str(event.get("message", ""))
        meaning, text = _matching(_CLAIM_CAUSES, words)
        if meaning is not None:
            said = _join(text, words, meaning.advice)
            return [Reason(subject, said, meaning.may_pass)]
        return [Reason(subject, _join("its volume cannot be made", words))]
    return [Reason(subject, "waits for its volume")]


def _is_ready(status: Mapping[str, Any]) -> bool:
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in status.get("conditions") or []
    )


def _has_begun(status: Mapping[str, Any]) -> bool:
    """Whether a container of the pod has run: then its volumes and its network are there."""
    return any(
        {"running", "terminated"} & set(container.get("state") or {})
        for field in ("initContainerStatuses", "containerStatuses")
        for container in status.get(field) or []
    )


def _container_reasons(
    node: str, status: Mapping[str, Any], events: Sequence[Object], last_words: str
) -> Iterator[Reason]:
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for container in containers:
        state = container.get("state") or {}
        waiting = state.get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason in {"ErrImagePull", "ImagePullBackOff"}:
            yield _pull_reason(node, container, waiting, events)
        elif reason == "CrashLoopBackOff" or _has_ended(container):
            yield _end_reason(node, container, last_words)
        elif reason in _WAITING:
            yield _waiting_reason(node, reason, str(waiting.get("message") or ""))
        elif state.get("running") and not container.get("ready"):
            yield _probe_reason(node, container, events)


def _waiting_reason(node: str, reason: str, message: str) -> Reason:
    meaning = _WAITING[reason]
    missing = _MISSING_OBJECT.search(message)
    advice = meaning.advice
    if missing and missing[1]:
        advice = f"make the {missing[1].lower()} {missing[2]} in this namespace"
    elif missing:
        advice = f"put the key {missing[3]} into the {missing[4].lower()} {missing[5]}"
    return Reason(node, _join(meaning.text, message, advice), meaning.may_pass)


def _pull_reason(
    node: str,
    container: Mapping[str, Any],
    waiting: Mapping[str, Any],
    events: Sequence[Object],
) -> Reason:
    image = str(container.get("image", ""))
    # While it backs off, the container only says so, and so do events; one of them has the cause.
    pulls = [
        str(event.get("message", ""))
        for event in _latest(events, {"Failed"})
        if str(event.get("message", "")).startswith("Failed to pull")
    ]
    words = next(iter(pulls), str(waiting.get("message") or ""))
    meaning, text = _matching(_PULL_CAUSES, words)
    if meaning is None:
        plain = _WAITING[str(waiting["reason"])]
        return Reason(node, _join(f"{plain.text} ({image})", words))
    said = f"the image {image} cannot be pulled: {text}"
    return Reason(node, _join(said, words, meaning.advice), meaning.may_pass)


def _has_ended(container: Mapping[str, Any]) -> bool:
    terminated = (container.get("state") or {}).get("terminated") or {}
    return bool(terminated) and terminated.get("exitCode") != 0


def _end_reason(node: str, container: Mapping[str, Any], last_words: str) -> Reason:
    """Return how a container ended, and what it said at last."""
    state, last = container.get("state") or {}, container.get("lastState") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    restarts = int(container.get("restartCount") or 0)
    times = f", {restarts} time{'s' if restarts != 1 else ''} so far" if restarts else ""
    words = str(ended.get("message") or "") or last_words
    if ended.get("reason") == "OOMKilled":
        text = f"it was killed because it used more memory than its limit{times}"
        advice = "raise resources.memory of the node"
        return Reason(node, _join(text, words, advice), restarts < 3)
    how = f"ended with code {ended['exitCode']}" if "exitCode" in ended else "ended"
    said = f", after saying: {words.strip()[:_LOOK]}" if words.strip() else ""
    return Reason(node, f"its container {how}{times}{said}", restarts < 3)


def _probe_reason(node: str, container: Mapping[str, Any], events: Sequence[Object]) -> Reason:
    for event in _latest(events, {"Unhealthy"}):
        return Reason(
            node, _join("it runs, and does not answer its health check", event.get("message"))
        )
    return Reason(node, "it has started, and is not ready yet")


def _scheduling_reasons(node: str, status: Mapping[str, Any]) -> Iterator[Reason]:
    for condition in status.get("conditions") or []:
        if condition.get("type") != "PodScheduled" or condition.get("status") != "False":
            continue
        words = str(condition.get("message") or "")
        texts = []
        for pattern, text in _UNSCHEDULABLE:
            for match in pattern.finditer(words):
                said = text.format(*(group.strip() for group in match.groups()))
                if said not in texts:
                    texts.append(said)
        yield Reason(node, _join("; ".join(texts) or "no node takes it", words))


def _start_reasons(node: str, events: Sequence[Object]) -> Iterator[Reason]:
    for event in _latest(events, _START_EVENTS):
        words = str(event.get("message", ""))
        missing = _MISSING_OBJECT.search(words)
        advice = f"make the {missing[1].lower()} {missing[2]}" if missing and missing[1] else ""
        yield Reason(node, _join(_START_EVENTS[str(event["reason"])], words, advice))
        return


def _refused_pods(node: str, words: str) -> Reason:
    """Return why the cluster does not let a controller make pods."""
    if "exceeded quota" in words:
        text = "the namespace's quota has no room for its pods"
        return Reason(node, _join(text, words, "ask for more, or undeploy something else"))
    if "violates PodSecurity" in words:
        return Reason(node, _join("its pods break the namespace's Pod Security", words), False)
    if "limitranger" in words.lower() or "per Container is" in words:
        return Reason(node, _join("its pods break the namespace's LimitRange", words), False)
    if "serviceaccount" in words and "not found" in words:
        return Reason(node, _join("its service account is not there", words))
    return Reason(node, _join("the cluster refuses its pods", words))


def _matching(
    causes: Iterable[tuple[re.Pattern[str], _Meaning]], words: str
) -> tuple[_Meaning | None, str]:
    for pattern, meaning in causes:
        match = pattern.search(words)
        if match:
            return meaning, meaning.text.format(*match.groups())
    return None, ""


def _latest(events: Sequence[Object], reasons: Iterable[str]) -> list[Object]:
    """Return the events of these reasons, the newest first."""
    wanted = set(reasons)
    found = [event for event in events if event.get("reason") in wanted]
    return sorted(found, key=_time_of, reverse=True)


def _time_of(event: Object) -> str:
    series = event.get("series") or {}
    return str(
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )


def _join(text: str, words: Any = "", advice: str = "") -> str:
    """Return our words, the cluster's in brackets, and what to do."""
    said = " ".join(str(words or "").split())[:_LOOK]
    return text + (f" ({said})" if said else "") + (f"; {advice}" if advice else "")
