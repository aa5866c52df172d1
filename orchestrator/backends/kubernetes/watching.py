"""What objects of a kind are like now, and every change of them."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from orchestrator.backends.kubernetes.cluster import Cluster, Resource
from orchestrator.backends.kubernetes.errors import (
    ClusterAccessError,
    ClusterError,
    WatchExpiredError,
)
from orchestrator.errors import OrchestratorError

logger = logging.getLogger(__name__)

# The cluster ends a watch after this; bookmarks keep the place, so that it goes on without a list.
_WATCH_S: Final = 240
# Bookmarks come about every minute; a connection silent for longer is dead.
_SILENCE_S: Final = 120.0
_PAUSES_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)

Objects = Mapping[str, dict[str, Any]]


def watch(
    cluster: Cluster, resource: Resource, labels: str, stopped: threading.Event
) -> Iterator[Objects]:
    """Yield all objects that the selector finds, by name, at first and after every change.

    Watches end by themselves, break off and expire; then they go on where they were, or from a new
    list where the cluster has forgotten the place (410 Gone). Ends when `stopped` is set and
    something happens, or the watch's time is up. Raises ClusterAccessError where the cluster stays
    away, or refuses.
    """
    failures = 0
    version = ""
    objects: dict[str, dict[str, Any]] = {}
    while not stopped.is_set():
        try:
            if not version:
                listed, version = cluster.list(resource, labels=labels)
                objects = {each["metadata"]["name"]: each for each in listed}
                yield dict(objects)
            for event in _events(cluster, resource, labels, version):
                if stopped.is_set():
                    return
                failures = 0
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    _take(event, objects, resource)
                    yield dict(objects)
        except WatchExpiredError:
            version = ""  # the list tells what was missed
            failures += 1
        except (ConnectionError, TimeoutError, ClusterAccessError, ClusterError) as error:
            # Refusals do not pass; a cluster that is away or overloaded for a while does.
            if isinstance(error, ClusterError) and error.status < 500 and error.status != 429:
                raise
            if isinstance(error, OrchestratorError) and failures >= len(_PAUSES_S):
                raise
            logger.info("the watch of %s broke off: %s", resource.plural, error)
            failures += 1
        if failures:
            stopped.wait(_PAUSES_S[min(failures, len(_PAUSES_S)) - 1])


def _events(
    cluster: Cluster, resource: Resource, labels: str, version: str
) -> Iterator[dict[str, Any]]:
    """Yield the events of one watch. Raises WatchExpiredError where the place is forgotten."""
    query = {
        "watch": "true",
        "resourceVersion": version,
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(_WATCH_S),
        "labelSelector": labels,
    }
    for line in cluster.lines(resource.path(cluster.namespace), query, silence_s=_SILENCE_S):
        try:
            event = json.loads(line)
        except ValueError as error:  # it broke off in the middle of a line
            raise ConnectionError(f"half an event: {line[:80]}") from error
        if event["type"] == "ERROR":
            status = event["object"]
            if status.get("code") == 410:
                raise WatchExpiredError(str(status.get("message")))
            raise ConnectionError(str(status.get("message")))
        yield event


def _take(event: Mapping[str, Any], objects: dict[str, dict[str, Any]], resource: Resource) -> None:
    found = event["object"]
    name = found["metadata"]["name"]
    if event["type"] == "DELETED":
        objects.pop(name, None)
    else:
        objects[name] = {"apiVersion": resource.api_version, "kind": resource.kind, **found}


class Snapshot:
    """Several kinds watched side by side: what there is of each, and waiting for news.

    A context manager; its threads end soon after it.
    """

    def __init__(self, cluster: Cluster, resources: Iterable[Resource], labels: str) -> None:
        self._cluster = cluster
        self._labels = labels
        self._resources = tuple(resources)
        self._news: queue.SimpleQueue[tuple[str, Objects | OrchestratorError]] = queue.SimpleQueue()
        self._objects: dict[str, Objects] = {}
        self._stopped = threading.Event()

    def __enter__(self) -> Snapshot:
        for resource in self._resources:
            # Daemons: one that waits for the cluster's next byte must not hold up the process.
            threading.Thread(
                target=self._follow, args=(resource,), name=f"watch-{resource.plural}", daemon=True
            ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a kind as last seen."""
        return list(self._objects.get(kind, {}).values())

    @property
    def is_complete(self) -> bool:
        """Whether every kind has been seen once."""
        return len(self._objects) == len(self._resources)

    def wait(self, timeout_s: float) -> None:
        """Wait until something has changed, at most so long. Raises what ended a watch."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                kind, news = self._news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if isinstance(news, OrchestratorError):
                raise news
            self._objects[kind] = news
            if self._news.empty():
                return

    def _follow(self, resource: Resource) -> None:
        try:
            for objects in watch(self._cluster, resource, self._labels, self._stopped):
                self._news.put((resource.kind, objects))
        except OrchestratorError as error:
            self._news.put((resource.kind, error))
