"""A run at a service, mirrored here: its journal entry, its events and what it leaves.

The run itself goes on at the service, whatever happens to whoever mirrors it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.engine.run import State
from orchestrator.errors import SettingsError
from orchestrator.events import Event, Kind, Observer
from orchestrator.observing import Observers
from orchestrator.service_client.copies import Copies
from orchestrator.service_client.errors import ServiceClientError, ServiceUnreachableError
from orchestrator.service_client.events import closing_of, counts_of, event_of

if TYPE_CHECKING:
    from orchestrator.journal import Journal, RunRecord
    from orchestrator.service_client.client import ServiceClient
    from orchestrator.service_client.settings import ServerSettings

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_COPY_PAUSE_S: Final = 1.0
_LISTING_SHARE: Final = 0.2
"""Of the time, at most, for which the service lists results: of a long run it takes long."""
_LOGS_PAUSE_S: Final = 2.0

_Key = tuple[Any, Kind, str, str]


class Mirror:
    """One run there, followed to its end.

    record: of the run here. observers: told every event, after the journal.
    """

    def __init__(
        self,
        client: ServiceClient,
        server: ServerSettings,
        journal: Journal,
        record: RunRecord,
        observers: Iterable[Observer],
    ) -> None:
        self._client = client
        self._server = server
        self._run = record.id
        self._folder = record.folder
        self._observe = Observers((journal.observe, *observers))
        self._copies = Copies(client, server, record.id, record.folder, self._warn)
        self._results = asyncio.Event()
        # The service tells everything from the beginning at each call.
        self._told = Counter(_key(event) for event in journal.events(record.id))
        self._counts = {
            tuple(name.rsplit(".", 1)): dict(counts) for name, counts in record.operations.items()
        }
        self._nodes: dict[str, None] = {}
        self._has_dropped = False
        self._last_heard = time.monotonic()

    async def follow(self) -> State:
        """Mirror the run until it has ended and everything is copied; return how it ended.

        Raises ServiceUnreachableError where the service is gone for longer than the settings say,
        and SignInNeededError where it takes the token no more: the run goes on there.
        """
        tasks = [asyncio.create_task(copy()) for copy in (self._copy_results, self._copy_logs)]
        try:
            closing = await self._patiently(self._until_closed)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._patiently(self._finish)
        self._observe(closing)
        return State(closing.detail["state"])

    async def _until_closed(self) -> Event | None:
        """Tell what is new until the run has ended; return its end, None if it goes on."""
        closing = await self._watch()
        run = await self._client.get(self._run)
        end = closing_of(run, self._client.address)
        return None if end is None else closing or end

    async def _watch(self) -> Event | None:
        """Tell what is new for as long as the service does; return the last end of the run."""
        closing: Event | None = None
        heard: Counter[_Key] = Counter()
        async with contextlib.aclosing(self._client.watch(self._run)) as events:
            async for message in events:
                self._last_heard = time.monotonic()
                self._has_dropped |= message.dropped > 0
                event = event_of(self._run, self._folder, message)
                if event is None:
                    continue
                if event.kind not in {Kind.COUNTS, Kind.PROGRESS}:
                    key = _key(event)
                    heard[key] += 1
                    if heard[key] <= self._told[key]:
                        self._note(event, is_new=False)
                        closing = None
                        continue
                    # The end is told last, when everything is here.
                    if event.kind is Kind.RUN_CLOSED:
                        closing = event
                        continue
                    self._told[key] += 1
                closing = None
                self._note(event, is_new=True)
                self._observe(event)
        return closing

    def _note(self, event: Event, *, is_new: bool) -> None:
        """Take from an event what is to be copied."""
        match event.kind:
            case Kind.NODE_STARTING:
                self._nodes[event.node] = None
            case Kind.COUNTS:
                self._counts[event.node, event.operation] = dict(event.detail)
            case Kind.RESULT:
                self._results.set()
                if is_new:
                    self._copies.told(Path(event.detail["path"]))

    async def _finish(self) -> bool:
        """Tell and copy what is left when the run has ended."""
        if self._has_dropped:  # they are in the journal of the service
            self._has_dropped = False
            await self._watch()
        run = await self._client.get(self._run)
        for operation in run.operations:
            place = (operation.node, operation.operation)
            known = self._counts.get(place, {})
            counts = known | counts_of(operation)
            if counts != known:
                self._counts[place] = counts
                self._observe(Event(self._run, Kind.COUNTS, *place, counts))
        await self._copies.copy_rest()
        await self._copies.copy_logs(self._nodes)
        return True

    async def _patiently(self, work: Callable[[], Any]) -> Any:
        """Return what `work` returns as soon as it is something, also when the connection drops."""
        pause, is_gone = _FIRST_PAUSE_S, False
        self._last_heard = time.monotonic()
        while True:
            began = time.monotonic()
            try:
                done = await work()
            except ServiceUnreachableError as error:
                if self._last_heard > began:
                    pause, is_gone = _FIRST_PAUSE_S, False
                if time.monotonic() - self._last_heard > self._server.server_patience_s:
                    raise ServiceUnreachableError(
                        f"{error}; run {self._run} may go on there: `eoloom resume {self._run}` "
                        "follows it again"
                    ) from None
                if not is_gone:
                    is_gone = True
                    self._warn(f"{error}; it is called again, and what goes on there is told then")
            else:
                self._last_heard = time.monotonic()
                if done:
                    return done
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_S)

    async def _copy_results(self) -> None:
        """Copy results as they appear."""
        while True:
            await self._results.wait()
            self._results.clear()
            took = 0.0
            with self._later():
                took = await self._copies.copy_new()
            await asyncio.sleep(max(_COPY_PAUSE_S, took / _LISTING_SHARE))

    async def _copy_logs(self) -> None:
        """Copy logs as they grow: they tell how far components are."""
        while True:
            await asyncio.sleep(_LOGS_PAUSE_S)
            with self._later():
                await self._copies.copy_logs(tuple(self._nodes))

    @contextlib.contextmanager
    def _later(self) -> Any:
        """Pass over that the service cannot be used now: at the end everything is copied."""
        try:
            yield
        except (ServiceUnreachableError, ServiceClientError, SettingsError) as error:
            logger.info("run %s: %s", self._run, error)
            self._results.set()

    def _warn(self, message: str) -> None:
        self._observe(Event(self._run, Kind.NOTICE, detail={"message": message}))


def _key(event: Event) -> _Key:
    return event.time, event.kind, event.node, event.operation
