"""OpenLineage events of a run while it goes, sent in the background.

Events wait in a bounded queue for a thread of their own, so that a slow or absent receiver never
slows a run; what does not fit is dropped, and said once.
"""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING, Final

from openlineage.client import OpenLineageClient

from orchestrator.provenance.open_lineage import NAMESPACE, Translation

if TYPE_CHECKING:
    from composer.graph import Graph
    from orchestrator.events import Event

logger = logging.getLogger(__name__)

_MOST_WAITING: Final = 10_000
_TIMEOUT_S: Final = 5.0


class LineageSender:
    """An observer of one run that sends its OpenLineage events.

    url: of the receiver; empty for what OpenLineage's own variables and its file say. Raises
    ValueError where that cannot be used.
    """

    def __init__(self, graph: Graph, url: str, namespace: str = NAMESPACE) -> None:
        self._translation = Translation(graph, namespace)
        self._client = _client(url)
        self._events: queue.Queue[Event | None] = queue.Queue(_MOST_WAITING)
        self._is_full = False
        self._has_failed = False
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def observe(self, event: Event) -> None:
        """Take one event; returns at once."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            if not self._is_full:
                logger.warning("OpenLineage: the receiver is too slow; events are left out")
            self._is_full = True

    def close(self, timeout_s: float = _TIMEOUT_S) -> None:
        """Send what is waiting, for some time at most."""
        try:
            self._events.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            logger.warning("OpenLineage: the receiver did not take all events in time")
        else:
            self._client.close(timeout_s)

    def _work(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                for translated in self._translation.translate(event):
                    self._client.emit(translated)
            except Exception as error:  # noqa: BLE001 - whatever the receiver does, the run goes on
                if not self._has_failed:
                    logger.warning("OpenLineage: an event could not be sent: %s", error)
                self._has_failed = True


def _client(url: str) -> OpenLineageClient:
    # It would tell of each attempt; that an event could not be sent is said here, once.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    # Looking for git repositories is the library's default, and would tell of the user's folder.
    facets = {"source_code_location": {"disabled": True}}
    if not url:
        return OpenLineageClient(config={"facets": facets})
    transport = {
        "type": "http",
        "url": url,
        "timeout": _TIMEOUT_S,
        "retry": {"total": 1, "backoff_factor": 0.2},
    }
    return OpenLineageClient(config={"facets": facets, "transport": transport})
