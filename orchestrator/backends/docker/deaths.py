"""Learning that containers of a run have ended, from the engine's events."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.base import Death
from orchestrator.backends.docker import labels

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

_ATTEMPTS: Final = 5
_PAUSE_S: Final = 1.0
_GIB: Final = 1024**3


class DeathWatch:
    """The ends of all containers of a run, told by one thread. Made inside an event loop.

    host: the engine's URL, for messages.
    """

    def __init__(self, client: DockerClient, run: str, host: str) -> None:
        self._client = client
        self._run = run
        self._host = host
        self._loop = asyncio.get_running_loop()
        self._ended: set[str] = set()
        self._lost = ""
        self._news = asyncio.Event()
        self._closed = False
        self._stream: Any = None
        threading.Thread(target=self._watch, name=f"deaths of {run}", daemon=True).start()

    async def wait_for(self, containers: Collection[str]) -> tuple[str, str]:
        """Wait until one of the containers, by id, has ended; return it.

        The second text is empty, or says why the engine can no longer be asked how it ended.
        """
        while True:
            for container in containers:
                if self._lost or container in self._ended:
                    return container, self._lost
            await self._news.wait()

    def close(self) -> None:
        """Watch no longer."""
        self._closed = True
        if self._stream is not None:
            with contextlib.suppress(Exception):  # what closing a socket under a reader raises
                self._stream.close()

    def _watch(self) -> None:
        from docker.errors import DockerException
        from requests.exceptions import RequestException

        failures = 0
        while not self._closed:
            try:
                self._listen()
                failures = 0
            except (DockerException, RequestException, OSError) as error:
                failures += 1
                if failures == _ATTEMPTS:
                    self._say(self._lose, f"the Docker engine at {self._host} is lost: {error}")
                    return
            time.sleep(0 if self._closed else _PAUSE_S)

    def _listen(self) -> None:
        """Tell of every end until the engine closes the connection."""
        filters = labels.matching(self._run)
        self._stream = self._client.events(
            filters=filters | {"type": "container", "event": "die"}, decode=True
        )
        # Those that ended while nobody listened.
        ended = filters | {"status": ["exited", "dead"]}
        for container in self._client.containers.list(all=True, filters=ended, ignore_removed=True):
            self._say(self._end, str(container.id))
        for event in self._stream:
            self._say(self._end, str(event["Actor"]["ID"]))

    def _say(self, what: Any, value: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(what, value)

    def _end(self, container: str) -> None:
        self._ended.add(container)
        self._tell()

    def _lose(self, why: str) -> None:
        self._lost = why
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def how_it_ended(container: Container) -> Death:
    """Return how a container ended: "ended with code 3"."""
    from docker.errors import NotFound

    try:
        container.reload()
    except NotFound:
        return Death("was removed", killed=True)
    state = container.attrs["State"]
    if state.get("OOMKilled"):
        limit = container.attrs["HostConfig"].get("Memory", 0) / _GIB
        return Death(
            f"was killed because it needed more than its {limit:.3g} GiB of memory; give the node "
            "more by `resources: {memory: ...}`"
        )
    if state.get("Error"):
        return Death(f"did not start: {state['Error']}")
    code = int(state.get("ExitCode", 0))
    with contextlib.suppress(ValueError):
        return Death(f"was killed by {signal.Signals(code - 128).name}", killed=True)
    return Death(f"ended with code {code}")
