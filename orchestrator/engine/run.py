"""One run: start the components, let every worker work, stop, and say how it went."""

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

import grpc

from orchestrator.backends.base import Backend
from orchestrator.engine.calls import Caller, open_channel, wait_until_ready
from orchestrator.engine.cycles import Cycle, find_cycles
from orchestrator.engine.link import Inlet, Link, Outlet
from orchestrator.engine.memory import StepMemory
from orchestrator.engine.message_log import MessageLog
from orchestrator.engine.plan import NodePlan, Plan, Step
from orchestrator.engine.streams import AnswerStreamWorker, RequestStreamWorker
from orchestrator.engine.tasks import first_error
from orchestrator.engine.unary import PollWorker, UnaryWorker
from orchestrator.engine.worker import Counts, Record, Surroundings, Worker
from orchestrator.errors import (
    ComponentDiedError,
    ComponentNotReadyError,
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
    an earlier attempt has kept; without one the run cannot be resumed.
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
    ) -> None:
        self.id = id
        self._log = log
        self._plan = plan
        self._backend = backend
        self._record = record
        self._observer = observer
        self._settings = settings
        self._channels: dict[str, grpc.aio.Channel] = {}
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
            await self._start()
            self._make_workers()
            await self._work()
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

    async def _start(self) -> None:
        """Start all components side by side and wait until each serves."""
        await first_error(self._start_node(node) for node in self._plan.nodes)

    async def _start_node(self, node: NodePlan) -> None:
        started = time.monotonic()
        self._tell(
            node.name, "", Kind.NODE_STARTING, component=node.component, version=node.version
        )
        address = await self._backend.start(node)
        channel = open_channel(address, self._settings.max_message_bytes)
        self._channels[node.name] = channel
        ready = asyncio.create_task(wait_until_ready(channel, self._settings.start_timeout_s))
        death = asyncio.create_task(self._backend.died(node.name))
        try:
            await asyncio.wait({ready, death}, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                raise ComponentDiedError(node.name, f"did not start: {await death}")
            await ready
        except TimeoutError as error:
            raise ComponentNotReadyError(
                node.name,
                f"{node.component} did not become healthy within "
                f"{self._settings.start_timeout_s:g} s (EOLOOM_START_TIMEOUT_S)",
            ) from error
        finally:
            ready.cancel()
            death.cancel()
            await asyncio.gather(ready, death, return_exceptions=True)
        self._tell(node.name, "", Kind.NODE_READY, seconds=time.monotonic() - started)

    def _make_workers(self) -> None:
        settings = self._settings
        links = [
            Link(settings.queue_messages, settings.queue_bytes, link.parts)
            for link in self._plan.links
        ]
        incoming: dict[str, dict[str, list[Link]]] = defaultdict(lambda: defaultdict(list))
        outgoing: dict[str, list[Link]] = defaultdict(list)
        for planned, link in zip(self._plan.links, links, strict=True):
            incoming[planned.target][planned.group].append(link)
            outgoing[planned.source].append(link)
        self._workers = [
            _worker_of(step)(
                step,
                Surroundings(
                    caller=Caller(step, self._channels[step.node], self.id, settings),
                    inlet=Inlet(list(incoming[step.key].values())),
                    outlet=Outlet(outgoing[step.key]),
                    memory=StepMemory(step, self._log),
                    tell=self._tell_of_step,
                    record=self._record,
                    live_pause_s=settings.live_pause_s if self._plan.live else None,
                ),
            )
            for step in self._plan.steps
        ]
        self._cycles = tuple(find_cycles(self._plan, links, self._workers))

    async def _work(self) -> None:
        """Let all workers work; the first failure, or a dead component, ends the others."""
        ticker = asyncio.create_task(self._tell_counts())
        deaths = [asyncio.create_task(self._fail_on_death(node.name)) for node in self._plan.nodes]
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
            if error.code is grpc.StatusCode.UNAVAILABLE:
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
            seconds=counts.seconds,
        )

    async def _fail_on_death(self, node: str) -> None:
        raise ComponentDiedError(node, await self._backend.died(node))

    async def _news_of_death(self, node: str) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DEATH_NEWS_S):
                await self._fail_on_death(node)

    async def _stop(self) -> None:
        await asyncio.gather(
            *(channel.close() for channel in self._channels.values()), return_exceptions=True
        )
        await self._backend.stop()
        for node in self._channels:
            self._tell(node, "", Kind.NODE_STOPPED)

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
            # Whoever watches must not be able to end a run.
            logger.exception("an observer failed")


def _worker_of(step: Step) -> type[Worker]:
    """Return the worker for the form of an operation, as its contract says it."""
    if step.client_streaming:
        return RequestStreamWorker
    if step.server_streaming:
        return AnswerStreamWorker
    return PollWorker if step.source else UnaryWorker
