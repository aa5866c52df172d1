"""The `Orchestrator` service of AI4EU Experiments, as its clients call it.

Each user has one pipeline at a time, given by `initialize`, and any number of runs of it and of
those before. A run is known by its label; the empty one is a label like any other. Answers are
statuses, never gRPC errors: the original's clients know no others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from composer.errors import ComposerError
from orchestrator.errors import OrchestratorError
from orchestrator.events import Event
from orchestrator.service.ai4eu_messages import (
    EXCEPTION,
    INITIALIZED,
    MAX_MESSAGE,
    event_message,
    own_message,
    status,
    status_of_initialization,
    status_of_run,
    with_dropped,
)
from orchestrator.service.authentication import Authentication
from orchestrator.service.errors import RequestError, refusing
from orchestrator.service.observers import Fanout
from orchestrator.service.patterns import Pattern
from orchestrator.service.remote import run_remote
from orchestrator.service.runs import RunRegistry, ServiceRun
from orchestrator.service.settings import ServiceSettings
from orchestrator.service.solutions import Solution, read_solution
from orchestrator.service.texts import shortened
from orchestrator.settings import OrchestratorSettings
from protos.orchestrator.ai4eu.orchestrator_pb2 import (
    OrchestrationConfiguration,
    OrchestrationEvent,
    OrchestrationObservationConfiguration,
    OrchestrationStatus,
    RunLabel,
)
from protos.orchestrator.ai4eu.orchestrator_pb2_grpc import OrchestratorServicer

if TYPE_CHECKING:
    from composer.registry import Registry

logger = logging.getLogger(__name__)

MAX_LABEL: Final = 200

_READERS: Final = 2
"""Pipelines that are read at once."""
_SESSIONS: Final = 1000
"""Users whose pipelines are remembered."""


@dataclass
class Session:
    """What one user has initialized, and the runs that were started last since then."""

    solution: Solution | None = None
    fault: str = ""
    latest: ServiceRun | None = None
    unlabelled: ServiceRun | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def status(self) -> OrchestrationStatus:
        """Say how the initialization went."""
        return status_of_initialization(done=self.solution is not None, fault=self.fault)


@dataclass(frozen=True, slots=True)
class Told:
    """An event for the observers of one user; it has been brought to a bounded size."""

    user: str | None
    message: OrchestrationEvent


class Ai4euService(OrchestratorServicer):
    """Answers initialize, run, observe and get_status.

    registry_of: the components that a user may use.
    """

    def __init__(
        self,
        runs: RunRegistry,
        registry_of: Callable[[str | None], Registry],
        authentication: Authentication,
        settings: ServiceSettings,
        orchestrator: OrchestratorSettings,
    ) -> None:
        self._runs = runs
        self._registry_of = registry_of
        self._authentication = authentication
        self._orchestrator = orchestrator
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="initialize")
        self._sessions: OrderedDict[str | None, Session] = OrderedDict()
        self._events: Fanout[Told] = Fanout(
            settings.observer_queue_events, settings.max_observers_per_user
        )

    async def initialize(
        self, request: OrchestrationConfiguration, context: Any
    ) -> OrchestrationStatus:
        """Take the pipeline of the runs to come; those of another one go on."""
        user = await self._authentication.user(context)
        session = self._session(user)
        async with session.lock:
            session.latest = session.unlabelled = None
            session.solution, session.fault = await self._read(request, user)
        if session.solution is None:
            self._tell(user, EXCEPTION, method="initialize", traceback=session.fault)
        elif session.solution.warnings:
            self._tell(user, INITIALIZED, warnings="; ".join(session.solution.warnings))
        else:
            self._tell(user, INITIALIZED)
        return session.status()

    async def run(self, request: RunLabel, context: Any) -> OrchestrationStatus:
        """Start a run of the pipeline.

        A run without end of the same label is stopped first: there is no other way to end it.
        """
        user = await self._authentication.user(context)
        session = self._session(user)
        try:
            async with session.lock:
                run = await self._start(session, user, request.label)
        except OrchestratorError as error:
            self._tell(user, EXCEPTION, method="run", traceback=str(error))
            return status(str(error), failed=True)
        return status("running", success=True, active=run.active_operations)

    async def get_status(self, request: RunLabel, context: Any) -> OrchestrationStatus:
        """Say how the latest run of a label stands, or the run of an id.

        Without a label it is the latest one without a label, else the latest, else `initialize`.
        """
        user = await self._authentication.user(context)
        session = self._session(user)
        if not request.label:
            run = session.unlabelled or session.latest
            return status_of_run(run) if run else session.status()
        runs = self._runs.labelled(user, request.label)
        known = self._runs.known(request.label)
        if known is not None and known.user == user:
            runs.append(known)
        if not runs:
            return status(f"there is no run {shortened(request.label, 80)!r}", failed=True)
        return status_of_run(runs[-1])

    async def observe(
        self, request: OrchestrationObservationConfiguration, context: Any
    ) -> AsyncIterator[OrchestrationEvent]:
        """Send what happens, from now on, to this observer alone."""
        user = await self._authentication.user(context)
        async with refusing(context):
            name = Pattern(request.name_regex, "name_regex")
            component = Pattern(request.component_regex, "component_regex")

            def wants(told: Told) -> bool:
                message = told.message
                return (
                    told.user == user
                    and name.matches(message.name)
                    and component.matches(message.component)
                )

            with self._events.subscribe(user, wants) as subscription:
                # By this a client knows that nothing from now on is missed.
                await context.send_initial_metadata(())
                while (item := await subscription.get()) is not None:
                    told, dropped = item
                    yield with_dropped(told.message, dropped)

    def close(self) -> None:
        """End all observation."""
        self._events.close()
        self._readers.shutdown(wait=False, cancel_futures=True)

    async def _read(
        self, request: OrchestrationConfiguration, user: str | None
    ) -> tuple[Solution | None, str]:
        """Return the solution, or what is wrong with it. Threads of their own: it takes a while."""

        def read() -> Solution:
            return read_solution(
                request.blueprint,
                request.dockerinfo,
                request.protofiles,
                self._registry_of(user),
                queuesize=request.queuesize,
                iterations=request.iterations,
            )

        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._readers, read), ""
        except (ComposerError, OrchestratorError) as error:
            return None, shortened(str(error), MAX_MESSAGE)
        except Exception as error:
            logger.exception("a fault in the reading of a solution")
            return None, f"a fault in the orchestrator: {type(error).__name__}"

    async def _start(self, session: Session, user: str | None, label: str) -> ServiceRun:
        solution = session.solution
        if solution is None:
            raise RequestError(f"not initialized{f': {session.fault}' if session.fault else ''}")
        if len(label) > MAX_LABEL or not (label.isprintable() or not label):
            raise RequestError(f"the label is not printable text of at most {MAX_LABEL} characters")
        for earlier in self._runs.labelled(user, label):
            if earlier.active and earlier.endless:
                await self._runs.cancel(earlier)
        settings = self._orchestrator.model_copy(update={"queue_messages": solution.queue_messages})
        run = ServiceRun(
            user, label, operations=len(solution.plan.steps), endless=solution.plan.live
        )
        await self._runs.start(
            run,
            lambda observer: run_remote(solution.plan, solution.addresses, settings, observer),
            self._publish,
        )
        session.latest = run
        if not label:
            session.unlabelled = run
        return run

    def _session(self, user: str | None) -> Session:
        session = self._sessions.setdefault(user, Session())
        self._sessions.move_to_end(user)
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def _publish(self, run: ServiceRun, event: Event) -> None:
        """Tell observers of an event; costs nothing where there are none."""
        if self._events:
            self._events.publish(Told(run.user, event_message(run, event)))

    def _tell(self, user: str | None, name: str, **detail: str) -> None:
        self._events.publish(Told(user, own_message(name, detail)))
