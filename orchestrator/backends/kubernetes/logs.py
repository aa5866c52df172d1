"""What the containers of a deployment say: now, and as they go on."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.errors import ClusterAccessError, ClusterError
from orchestrator.backends.kubernetes.objects import Object, ObjectKey, node_of, selector_of
from orchestrator.backends.kubernetes.watching import watch
from orchestrator.errors import OrchestratorError

logger = logging.getLogger(__name__)

_RECONNECT_S: Final = 1.0
_LINE_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True)
class LogLine:
    """A line that a container wrote. time: the node's, in RFC 3339."""

    node: str
    pod: str
    text: str
    time: str = ""


def last_line(cluster: Cluster, pod: Object, container: str, *, previous: bool) -> str:
    """Return the last line with text of a container's log; of JSON records the message.

    previous: of the container before the last restart. Raises ClusterError where there is no log.
    """
    query = {"container": container, "tailLines": "5"}
    query |= {"previous": "true"} if previous else {}
    path = _path(cluster, pod)
    lines = [_text(line) for line in cluster.lines(path, query, silence_s=10.0)]
    return next((line for line in reversed(lines) if line.strip()), "").strip()[:300]


def read_logs(
    cluster: Cluster, name: str, node: str = "", *, tail: int | None = None
) -> Iterator[LogLine]:
    """Yield what a deployment's pods, or those of one node, have said so far, pod by pod."""
    for pod in _pods(cluster, name, node):
        try:
            yield from _lines_of(cluster, pod, follow=False, tail=tail, since="")
        except ClusterError as error:
            if error.status != 404:  # it has gone since it was listed
                raise


def follow_logs(
    cluster: Cluster,
    name: str,
    node: str = "",
    *,
    tail: int | None = None,
    stopped: threading.Event | None = None,
) -> Iterator[LogLine]:
    """Yield what the pods say from now on, those too that come later, until `stopped` is set.

    A thread per pod reads its log, and goes on behind what it had where the connection breaks.
    Raises ClusterAccessError where the cluster stays away.
    """
    stopped = stopped or threading.Event()
    lines: queue.Queue[LogLine | OrchestratorError | None] = queue.Queue(maxsize=10_000)
    watcher = threading.Thread(
        target=_follow_pods,
        args=(cluster, selector_of(name, node), tail, stopped, lines.put),
        name="logs",
        daemon=True,
    )
    watcher.start()
    while not stopped.is_set():
        with suppress(queue.Empty):
            line = lines.get(timeout=0.2)
            if isinstance(line, OrchestratorError):
                raise line
            if line is not None:
                yield line


def _follow_pods(
    cluster: Cluster,
    selector: str,
    tail: int | None,
    stopped: threading.Event,
    tell: Callable[[LogLine | OrchestratorError | None], None],
) -> None:
    followed: set[str] = set()
    try:
        for pods in watch(cluster, cluster.resource("v1", "Pod"), selector, stopped):
            for pod in pods.values():
                uid = pod["metadata"]["uid"]
                if uid in followed or not _has_started(pod):
                    continue
                followed.add(uid)
                threading.Thread(
                    target=_follow_pod,
                    args=(cluster, pod, tail, stopped, tell),
                    name=f"log-{pod['metadata']['name']}",
                    daemon=True,
                ).start()
    except OrchestratorError as error:
        tell(error)


def _follow_pod(
    cluster: Cluster,
    pod: Object,
    tail: int | None,
    stopped: threading.Event,
    tell: Callable[[LogLine | OrchestratorError | None], None],
) -> None:
    """Follow one pod through restarts of its container, until the pod is gone or has ended."""
    key = ObjectKey("v1", "Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    since = ""
    while not stopped.is_set():
        try:
            for line in _lines_of(cluster, pod, follow=True, tail=tail, since=since):
                if stopped.is_set():
                    return
                since = line.time or since
                tell(line)
            found = cluster.get(key)
            if found is None or found["metadata"]["uid"] != pod["metadata"]["uid"]:
                return
            if (found.get("status") or {}).get("phase") in {"Succeeded", "Failed"}:
                return
        except (ConnectionError, TimeoutError, ClusterError, ClusterAccessError) as error:
            logger.info("the log of %s broke off: %s", pod["metadata"]["name"], error)
            if isinstance(error, ClusterError) and error.status == 404:
                return
        tail = None if since else tail
        stopped.wait(_RECONNECT_S)


def _lines_of(
    cluster: Cluster, pod: Object, *, follow: bool, tail: int | None, since: str
) -> Iterator[LogLine]:
    """Yield the lines of a pod's log; since: the time of the last line that is known already."""
    query = {"timestamps": "true", "container": str(pod["spec"]["containers"][0]["name"])}
    query |= {"follow": "true"} if follow else {}
    query |= {"tailLines": str(tail)} if tail is not None else {}
    # The API counts whole seconds, so lines of that second come again, and are left out here.
    query |= {"sinceTime": since} if since else {}
    metadata = pod["metadata"]
    for line in cluster.lines(_path(cluster, pod), query):
        time, _, text = line[:_LINE_LIMIT].partition(" ")
        if since and time <= since:
            continue
        yield LogLine(node_of(pod), str(metadata["name"]), text, time)


def _pods(cluster: Cluster, name: str, node: str) -> list[dict[str, Any]]:
    resource = cluster.resource("v1", "Pod")
    pods, _ = cluster.list(resource, labels=selector_of(name, node))
    return [pod for pod in pods if _has_started(pod)]


def _has_started(pod: Mapping[str, Any]) -> bool:
    """Whether a pod has a container that has run, so that there is a log."""
    for container in (pod.get("status") or {}).get("containerStatuses") or []:
        state = container.get("state") or {}
        if "running" in state or "terminated" in state or container.get("restartCount"):
            return True
    return False


def _path(cluster: Cluster, pod: Object) -> str:
    metadata = pod["metadata"]
    return cluster.resource("v1", "Pod").path(metadata["namespace"], metadata["name"], "log")


def _text(line: str) -> str:
    """Return what a line says: of a JSON record its message."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    return str(record.get("message", line)) if isinstance(record, dict) else line
