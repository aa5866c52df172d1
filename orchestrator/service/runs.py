"""The runs of this process: many at once, each a task, each of one user."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.engine.run import State
from orchestrator.errors import NotResumableError, OrchestratorError, RunNotFoundError
from orchestrator.events import Event, Kind, Observer
from orchestrator.journal import Journal, RunRecord
from orchestrator.service.errors import StoppingError, TooManyError
from orchestrator.service.observers import Fanout
from orchestrator.service.ownership import Ownership
from orchestrator.service.settings import ServiceSettings
from orchestrator.service.texts import plain
from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

# Makes a run happen and returns when it has ended; tells the observer everything.
Launch = Callable[[Observer], Awaitable[object]]

REMEMBERED_RUNS: Final = 1000
"""Ended runs whose state is held in memory; the journal knows the others."""

CANCEL_S: Final = 1.0
"""How long whoever cancels a run waits for its end at most."""


@dataclass(eq=False)
class ServiceRun:
    """A run that this process has started, and how it stands.

    operations: how many it has. endless: whether only a cancel ends it. stopping: whether it was
    cancelled. failures: messages that were set aside because they failed. closed: whether its
    last event has come. active: whether anything of it is still going on.
    """

    user: str | None
    label: str = ""
    operations: int = 0
    endless: bool = False
    id: str = ""
    state: State = State.RUNNING
    message: str = ""
    stopping: bool = False
    failures: int = 0
    last_failure: str = ""
    ended_operations: int = 0
    closed: bool = False
    active: bool = True

    @property
    def active_operations(self) -> int:
        """Operations that have not ended."""
        return self.operations - self.ended_operations if self.active else 0

    def take(self, event: Event) -> None:
        """Take note of what has happened."""
        match event.kind:
            case Kind.OPERATION_ENDED:
                self.ended_operations += 1
            case Kind.DEAD_LETTER:
                self.failures += 1
                self.last_failure = str(event.detail.get("message", ""))
            case Kind.RUN_CLOSED:
                self.state = State(event.detail["state"])
                self.message = str(event.detail["message"])
                self.closed = True


@dataclass(frozen=True, slots=True)
class RunEvent:
    """An event and the run in which it happened."""

    run: ServiceRun
    event: Event


class RunRegistry:
    """Starts, finds and stops runs. Raises SettingsError where the journal cannot be used.

    events: what happens in all runs; observers of it filter by user.
    """

    def __init__(self, settings: ServiceSettings, orchestrator: OrchestratorSettings) -> None:
        self._settings = settings
        self.journal = Journal(orchestrator.database_url, orchestrator.runs_folder)
        self.ownership = Ownership(orchestrator)
        self.events: Fanout[RunEvent] = Fanout(
            settings.observer_queue_events, settings.max_observers_per_user
        )
        self._tasks: dict[ServiceRun, asyncio.Task[None]] = {}
        self._ended: OrderedDict[str, ServiceRun] = OrderedDict()
        self._stopping = False

    async def start(
        self,
        run: ServiceRun,
        launch: Launch,
        observer: Callable[[ServiceRun, Event], None] | None = None,
    ) -> ServiceRun:
        """Start a run and return when it has begun; it goes on by itself.

        A run that already has an id goes on where it had ended. observer: told every event, and
        must return at once. Raises StoppingError, TooManyError, NotResumableError where that run
        is going on, and what `launch` raises before the run has begun.
        """
        self._check_room(run.user)
        if run.id and self.active(run.id) is not None:
            raise NotResumableError(f"run {run.id} is still running")
        begun = asyncio.Event()

        def observe(event: Event) -> None:
            if not begun.is_set():
                run.id = event.run
                self.ownership.add(run.id, run.user, run.label, event.time)
                begun.set()
            run.take(event)
            if observer is not None:
                observer(run, event)
            if self.events:  # what waits for observers must not be large
                self.events.publish(RunEvent(run, replace(event, detail=plain(event.detail))))

        task = self._tasks[run] = asyncio.create_task(self._follow(run, launch, observe, begun))
        task.add_done_callback(_look_at)
        beginning = asyncio.create_task(begun.wait())
        try:
            await asyncio.wait({beginning, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            beginning.cancel()
        if not begun.is_set():
            await task  # raises why it did not begin
        return run

    def active(self, run: str) -> ServiceRun | None:
        """Return the run of that id if anything of it is still going on."""
        return next((known for known in self._tasks if known.id == run), None)

    def known(self, run: str) -> ServiceRun | None:
        """Return the run of that id if this process has started it not too long ago."""
        return self.active(run) or self._ended.get(run)

    def labelled(self, user: str | None, label: str) -> list[ServiceRun]:
        """Return the user's runs of that label which this process remembers, the latest last."""
        runs = [*self._ended.values(), *self._tasks]
        return [run for run in runs if run.user == user and run.label == label and run.id]

    def record(self, run: str, user: str | None) -> RunRecord:
        """Return what the journal has of a user's run. Raises RunNotFoundError."""
        missing = RunNotFoundError(f"you have no run {run!r}")
        try:
            record = self.journal.run(run)
        except RunNotFoundError:
            raise missing from None
        # The journal takes the beginning of an id as well; others' must not show through.
        if record.id != run or not self.ownership.owns(user, run):
            raise missing
        return record

    def records(self, user: str | None, limit: int) -> list[RunRecord]:
        """Return a user's latest runs, the newest first."""
        if user is None:
            return self.journal.runs(limit)
        found = []
        for run in self.ownership.runs_of(user, limit):
            with contextlib.suppress(RunNotFoundError):  # the journal may have been cleared
                found.append(self.journal.run(run))
        return found

    async def ended(self, run: ServiceRun) -> None:
        """Return when nothing of a run is going on any more."""
        task = self._tasks.get(run)
        if task is not None:
            await asyncio.wait({task})

    async def cancel(self, run: ServiceRun) -> None:
        """Stop a run; return when nothing of it is left, or after a second."""
        task = self._tasks.get(run)
        if task is not None:
            self._cancel(run, task)
            await asyncio.wait({task}, timeout=CANCEL_S)

    async def close(self, grace_s: float) -> None:
        """Take no more runs, stop all in the order of their start, and wait for their ends."""
        self._stopping = True
        tasks = dict(self._tasks)
        for run, task in tasks.items():
            self._cancel(run, task)
        if tasks:
            _, left = await asyncio.wait(tasks.values(), timeout=grace_s)
            for task in left:
                logger.warning("a run did not end within %g s", grace_s)
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        self.events.close()
        self.journal.close()
        self.ownership.close()

    def _check_room(self, user: str | None) -> None:
        if self._stopping:
            raise StoppingError("the service is stopping; try again later")
        if len(self._tasks) >= self._settings.max_runs:
            raise TooManyError(f"{self._settings.max_runs} runs are going on; try again later")
        own = sum(run.user == user for run in self._tasks)
        if own >= self._settings.max_runs_per_user:
            raise TooManyError(f"{own} runs of yours are going on; cancel one or wait")

    def _cancel(self, run: ServiceRun, task: asyncio.Task[None]) -> None:
        # Only once: a second time would interrupt the stopping of the components.
        if not run.stopping:
            run.stopping = True
            task.cancel()

    async def _follow(
        self, run: ServiceRun, launch: Launch, observer: Observer, begun: asyncio.Event
    ) -> None:
        """Let a run happen; whatever becomes of it, it has an end."""
        try:
            await launch(observer)
        except asyncio.CancelledError:
            run.state, run.message = State.CANCELLED, "the run was stopped"
        except OrchestratorError as error:
            run.state, run.message = State.FAILED, str(error)
            if not begun.is_set():
                raise
        except Exception as error:
            run.state, run.message = State.FAILED, f"a fault in the orchestrator: {error!r}"
            logger.exception("run %s: a fault in the orchestrator", run.id)
            if not begun.is_set():
                raise
        finally:
            if begun.is_set():
                self._end(run, observer)
            run.active = False
            del self._tasks[run]

    def _end(self, run: ServiceRun, observer: Observer) -> None:
        """Remember a run that has ended; tell of its end where nobody has done so."""
        if not run.closed:
            detail = {"state": run.state, "message": run.message}
            event = Event(run.id, Kind.RUN_CLOSED, detail=detail)
            with contextlib.suppress(OrchestratorError):
                self.journal.observe(event)
            observer(event)
        self._ended[run.id] = run
        self._ended.move_to_end(run.id)
        while len(self._ended) > REMEMBERED_RUNS:
            self._ended.popitem(last=False)


def _look_at(task: asyncio.Task[None]) -> None:
    """Take note of an exception, lest asyncio complain where nobody waits for the task."""
    if not task.cancelled():
        task.exception()
