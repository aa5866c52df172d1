"""One run: start the components, let every worker work, stop, and say how it went.

When a component dies meanwhile, it is started again, and the workers of all operations are made
anew. They go on from the message log, as after `eoloom resume`, while the other components stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.backends.base import Backend
from orchestrator.engine.call_memory import CallMemory
from orchestrator.engine.calls import Caller
from orchestrator.engine.channels import OF_DEATH
from orchestrator.engine.cycles import Cycle, find_cycles
from orchestrator.engine.healing import Healing
from orchestrator.engine.instruments import UNWATCHED, Instruments
from orchestrator.engine.link import Inlet, Link, Outlet
from orchestrator.engine.memory import StepMemory
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.nodes import Nodes
from orchestrator.engine.open_calls import OpenCalls
from orchestrator.engine.plan import Plan, Step
from orchestrator.engine.request_streams import RequestStreamWorker
from orchestrator.engine.streams import AnswerStreamWorker
from orchestrator.engine.tasks import first_error
from orchestrator.engine.unary import PollWorker, UnaryWorker
from orchestrator.engine.worker import Counts, Record, SourcePosition, Surroundings, Worker
from orchestrator.errors import (
    ComponentDiedError,
    NodeError,
    OperationError,
    OrchestratorError,
)
from orchestrator.events import Event, Kind, Observer
from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

# A broken connection is often learnt of before the end of the process that caused it.
_DEATH_NEWS_S = 2.0


class State(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its state, one message for the user, and counts per step key."""

    state: State
    message: str = ""
    failed_node: str = ""
    counts: Mapping[str, Counts] = field(default_factory=dict)
    seconds: float = 0.0


class Run:
    """One execution of a plan in batch mode.

    record: called with every message that is emitted. log: what it keeps of its messages, and what
    an earlier attempt has kept; without one the run cannot be resumed. call_memory: what earlier
    runs have computed; without one every operation is called. instruments: watch the calls.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - what a run has
        plan: Plan,
        backend: Backend,
        *,
        record: Record,
        observer: Observer,
        settings: OrchestratorSettings,
        log: MessageLog | None = None,
        call_memory: CallMemory | None = None,
        instruments: Instruments = UNWATCHED,
    ) -> None:
        self.id = id
        self._instruments = instruments
        self._call_memory = call_memory
        self._log = log
        self._plan = plan
        self._record = record
        self._observer = observer
        self._observer_failed = False
        self._settings = settings
        self._nodes = Nodes(plan, backend, settings, self._tell)
        self._healing = Healing(plan, settings.restarts, log, waits=not backend.starts_components)
        self._open_calls = OpenCalls()
        self._positions: dict[str, SourcePosition] = defaultdict(SourcePosition)
        self._workers: list[Worker] = []
        self._cycles: tuple[Cycle, ...] = ()

    async def execute(self) -> Outcome:
        """Run to the end of data, the first failure, or cancellation; nothing stays running.

        Never raises for what a component does; a cancelled task gives the state CANCELLED.
        """
        started = time.monotonic()
        self._tell("", "", Kind.RUN_STARTED, pipeline=self._plan.name, digest=self._plan.digest)
        state, message, failed = State.SUCCEEDED, "", ""
        try:
            await self._start_and_work()
            self._tell_if_nothing_came()
        except asyncio.CancelledError:
            state, message = State.CANCELLED, "the run was stopped"
        except OrchestratorError as error:
            state, message = State.FAILED, str(error)
            if isinstance(error, NodeError):
                failed = error.node
                self._tell(error.node, "", Kind.NODE_FAILED, message=str(error))
        except Exception as error:
            logger.exception("a fault in the orchestrator")
            state, message = State.FAILED, f"a fault in the orchestrator: {error!r}"
        finally:
            # A second Ctrl-C must not leave processes behind.
            await asyncio.shield(asyncio.create_task(self._stop()))
        counts = {worker.step.key: worker.counts for worker in self._workers}
        seconds = time.monotonic() - started
        self._tell("", "", Kind.RUN_ENDED, state=state, message=message, seconds=seconds)
        return Outcome(state, message, failed, counts, seconds)

    async def _start_and_work(self) -> None:
        """Start all components, and give meanwhile what is remembered; calls wait for the start.

        A run that has computed everything before waits for none. A component that ends by itself
        before it serves ends the run; it is no death that heals.
        """
        self._nodes.announce()
        starting = asyncio.create_task(self._nodes.start())
        work = asyncio.create_task(self._work_and_heal())
        try:
            await asyncio.wait({starting, work}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            await work
        finally:
            for task in (starting, work):
                task.cancel()
            await asyncio.gather(starting, work, return_exceptions=True)

    async def _work_and_heal(self) -> None:
        """Let all workers work; after a component's death it is started again, and they go on."""
        while True:
            self._make_workers()
            try:
                await self._work()
            except NodeError as error:
                told = self._healing.admit(error, answered=self._answered(error.node))
                self._tell(error.node, "", Kind.NOTICE, message=told)
                await self._heal(error)
            else:
                return

    def _answered(self, node: str) -> int:
        """Return how much a component has answered since the workers were made."""
        counts = [worker.counts for worker in self._workers if worker.step.node == node]
        return sum(count.answered - count.repeated for count in counts)

    async def _heal(self, error: NodeError) -> None:
        await self._open_calls.forget(error.node)
        for step in self._plan.steps:
            if step.node == error.node:
                self._positions.pop(step.key, None)
        try:
            await self._nodes.start_again(error.node)
        except NodeError as again:
            raise ComponentDiedError(
                error.node, f"{error.reason}; then it {again.reason}"
            ) from again
        if self._log is not None:
            await asyncio.to_thread(self._log.read_again)  # it may be long
        self._healing.restarted(error.node)

    def _make_workers(self) -> None:
        settings, heals = self._settings, self._healing.is_possible
        links = [
            Link(settings.queue_messages, settings.queue_bytes, link.parts)
            for link in self._plan.links
        ]
        incoming: dict[str, dict[str, list[Link]]] = defaultdict(lambda: defaultdict(list))
        outgoing: dict[str, list[Link]] = defaultdict(list)
        for planned, link in zip(self._plan.links, links, strict=True):
            incoming[planned.target][planned.group].append(link)
            outgoing[planned.source].append(link)
        self._workers = []
        for step in self._plan.steps:
            replicas = self._nodes.replicas[step.node]
            memory = StepMemory(step, self._log)
            surroundings = Surroundings(
                caller=Caller(
                    step,
                    replicas,
                    self.id,
                    settings,
                    live=self._plan.live,
                    instrument=self._instruments.of_step(step),
                ),
                inlet=Inlet(list(incoming[step.key].values()), memory.joined),
                outlet=Outlet(outgoing[step.key]),
                memory=memory,
                tell=self._tell_of_step,
                record=self._record,
                live_pause_s=settings.live_pause_s if self._plan.live else None,
                call_memory=self._call_memory.of(step) if self._call_memory else None,
                concurrency=step.concurrency * replicas.count,
                open_calls=self._open_calls if heals else None,
                death_news_s=_DEATH_NEWS_S if heals else 0.0,
                position=self._positions[step.key],
            )
            self._workers.append(_worker_of(step)(step, surroundings))
        self._cycles = tuple(find_cycles(self._plan, links, self._workers))

    async def _work(self) -> None:
        """Let all workers work; the first failure, or a dead component, ends the others."""
        ticker = asyncio.create_task(self._tell_counts())
        deaths = [
            asyncio.create_task(self._nodes.fail_on_death(node.name)) for node in self._plan.nodes
        ]
        quiet_s = self._settings.cycle_quiet_s
        work = asyncio.create_task(
            first_error(
                [
                    *(self._run_worker(worker) for worker in self._workers),
                    *(cycle.end_when_done(quiet_s) for cycle in self._cycles),
                ]
            )
        )
        try:
            done, _ = await asyncio.wait({work, *deaths}, return_when=asyncio.FIRST_COMPLETED)
            if work not in done:
                await next(iter(done))
            await work
        except OperationError as error:
            if error.code in OF_DEATH:
                await self._news_of_death(error.node)
            raise
        finally:
            for task in (work, ticker, *deaths):
                task.cancel()
            await asyncio.gather(work, ticker, *deaths, return_exceptions=True)
            self._tell_changed_counts({})

    async def _run_worker(self, worker: Worker) -> None:
        await worker.run()
        counts = worker.counts
        self._tell(
            worker.step.node,
            worker.step.operation,
            Kind.OPERATION_ENDED,
            received=counts.received,
            answered=counts.answered,
            cached=counts.cached,
            seconds=counts.seconds,
        )

    async def _news_of_death(self, node: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DEATH_NEWS_S):
                await self._nodes.fail_on_death(node)

    async def _stop(self) -> None:
        await self._open_calls.close()
        await self._nodes.stop()

    async def _tell_counts(self) -> None:
        told: dict[str, dict[str, Any]] = {}
        while True:
            await asyncio.sleep(self._settings.counts_interval_s)
            self._tell_changed_counts(told)

    def _tell_changed_counts(self, told: dict[str, dict[str, Any]]) -> None:
        for worker in self._workers:
            detail = asdict(worker.counts) | {"queued": worker.inlet.queued}
            if told.get(worker.step.key) != detail:
                told[worker.step.key] = detail
                self._tell(worker.step.node, worker.step.operation, Kind.COUNTS, **detail)

    def _tell_if_nothing_came(self) -> None:
        for worker in self._workers:
            step = worker.step
            if self._plan.is_terminal(step) and not worker.counts.answered:
                message = f"{step.operation} ended without any result"
                self._tell(step.node, step.operation, Kind.NOTICE, message=message)

    def _tell_of_step(self, step: Step, kind: Kind, detail: Mapping[str, Any]) -> None:
        self._tell(step.node, step.operation, kind, **detail)

    def _tell(self, node: str, operation: str, kind: Kind, **detail: Any) -> None:
        try:
            self._observer(Event(self.id, kind, node, operation, detail))
        except Exception:
            # Whoever watches must not be able to end a run, nor to fill a log.
            if not self._observer_failed:
                logger.exception("the observer failed; further failures of it are not logged")
            self._observer_failed = True


def _worker_of(step: Step) -> type[Worker]:
    """Return the worker for the form of an operation, as its contract says it."""
    if step.client_streaming:
        return RequestStreamWorker
    if step.server_streaming:
        return AnswerStreamWorker
    return PollWorker if step.source else UnaryWorker
