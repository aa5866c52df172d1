"""Metrics of runs for Prometheus, in a registry of their own: https://prometheus.io/docs/.

Labels are the names of pipelines, nodes, components and operations, never of runs or messages. As
users name their pipelines themselves, only so many of them get series of their own; the others
share those of `other`.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from orchestrator.errors import SettingsError
from orchestrator.events import Event, Kind
from orchestrator.telemetry.outcomes import is_failure

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    import grpc

    from orchestrator.engine.plan import Plan, Step

MOST_PIPELINES: Final = 100
MOST_NODES: Final = 50
"""Of one pipeline."""
OTHER: Final = "other"

_CALL_SECONDS: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 300.0, 1800.0)
_START_SECONDS: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0)
_OPERATION: Final = ("pipeline", "node", "component", "operation")
_COUNTED: Final = ("received", "answered", "bytes_in", "bytes_out", "repeated")
_STANDING: Final = ("queued", "in_flight")


class Metrics:
    """All metrics of a process. Give every run its own observer with `of_run`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._pipelines: set[str] = set()
        self.running = self._gauge("runs_running", "Runs in progress.", ["pipeline"])
        self.ended = self._counter("runs", "Runs that have ended, by how.", ["pipeline", "state"])
        self.seconds = self._histogram(
            "run_seconds", "Duration of runs.", ["pipeline"], (1, 10, 60, 600, 3600, 21600, 86400)
        )
        self.starts = self._histogram(
            "component_start_seconds",
            "Time until a component served.",
            ["component"],
            _START_SECONDS,
        )
        self.counters = {
            "received": self._counter("messages_received", "Messages taken.", _OPERATION),
            "answered": self._counter("messages_answered", "Messages given.", _OPERATION),
            "bytes_in": self._counter("received_bytes", "Bytes of messages taken.", _OPERATION),
            "bytes_out": self._counter("answered_bytes", "Bytes of messages given.", _OPERATION),
            "repeated": self._counter(
                "messages_repeated", "Messages given from memory, without a call.", _OPERATION
            ),
        }
        self.gauges = {
            "queued": self._gauge("queue_messages", "Messages that wait to be taken.", _OPERATION),
            "in_flight": self._gauge("calls_in_flight", "Calls under way.", _OPERATION),
        }
        self.calls = self._histogram(
            "call_seconds", "Duration of calls, and of streams.", _OPERATION, _CALL_SECONDS
        )
        self.errors = self._counter(
            "call_errors", "Calls that failed, by gRPC status.", (*_OPERATION, "code")
        )
        self.retries = self._counter("retries", "Calls that were made again.", _OPERATION)
        self.dead_letters = self._counter(
            "dead_letters", "Messages set aside because they failed.", _OPERATION
        )
        self.restarts = self._counter(
            "component_restarts", "Components started again after their death.", ["component"]
        )

    def of_run(self, plan: Plan) -> RunMetrics:
        """Return what observes one run, and instruments its calls."""
        pipeline = plan.name
        if pipeline not in self._pipelines:
            if len(self._pipelines) < MOST_PIPELINES:
                self._pipelines.add(pipeline)
            else:
                pipeline = OTHER
        return RunMetrics(self, plan, pipeline)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] | list[str]) -> Counter:
        return Counter(f"eoloom_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: tuple[str, ...] | list[str]) -> Gauge:
        return Gauge(f"eoloom_{name}", text, labels, registry=self.registry)

    def _histogram(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...] | list[str],
        buckets: tuple[float, ...],
    ) -> Histogram:
        return Histogram(f"eoloom_{name}", text, labels, buckets=buckets, registry=self.registry)


class RunMetrics:
    """The metrics of one run: an observer of it, and the instruments of its calls."""

    def __init__(self, metrics: Metrics, plan: Plan, pipeline: str) -> None:
        self._metrics = metrics
        self._pipeline = pipeline
        self._components = {node.name: node.component for node in plan.nodes}
        own = {node.name for node in plan.nodes[:MOST_NODES]} if pipeline != OTHER else set()
        self._labels = {
            (step.node, step.operation): (
                pipeline,
                step.node if step.node in own else OTHER,
                self._components[step.node] if step.node in own else OTHER,
                step.operation if step.node in own else OTHER,
            )
            for step in plan.steps
        }
        self._told: dict[tuple[str, str], dict[str, float]] = {}
        self._started: float | None = None
        self._ready: set[str] = set()

    def observe(self, event: Event) -> None:
        """Take one event."""
        metrics = self._metrics
        labels = self._labels.get((event.node, event.operation))
        match event.kind:
            case Kind.RUN_STARTED:
                self._started = time.monotonic()
                metrics.running.labels(self._pipeline).inc()
            case Kind.NODE_READY:
                self._observe_start(event)
            case Kind.COUNTS if labels:
                self._count((event.node, event.operation), labels, event)
            case Kind.RETRY if labels:
                metrics.retries.labels(*labels).inc()
            case Kind.DEAD_LETTER if labels:
                metrics.dead_letters.labels(*labels).inc()
            case Kind.RUN_CLOSED:
                self._close(event)

    def of_step(self, step: Step) -> _StepMetrics:
        """Return what measures the calls of an operation."""
        return _StepMetrics(self._metrics, step, self._labels[step.node, step.operation])

    def _observe_start(self, event: Event) -> None:
        component = self._components.get(event.node, OTHER)
        if self._pipeline == OTHER:
            component = OTHER
        seconds = float(event.detail.get("seconds", 0.0))
        self._metrics.starts.labels(component).observe(seconds)
        if event.node in self._ready:
            self._metrics.restarts.labels(component).inc()
        self._ready.add(event.node)

    def _count(self, key: tuple[str, str], labels: tuple[str, ...], event: Event) -> None:
        """Add what has changed since the operation last told of its counts."""
        told = self._told.setdefault(key, {})
        for names, change in ((_COUNTED, self._add), (_STANDING, self._move)):
            for name in names:
                value = float(event.detail.get(name, 0))
                change(name, labels, value - told.get(name, 0.0))
                told[name] = value

    def _add(self, name: str, labels: tuple[str, ...], difference: float) -> None:
        if difference > 0:
            self._metrics.counters[name].labels(*labels).inc(difference)

    def _move(self, name: str, labels: tuple[str, ...], difference: float) -> None:
        self._metrics.gauges[name].labels(*labels).inc(difference)

    def _close(self, event: Event) -> None:
        for key, told in self._told.items():
            for name in _STANDING:
                self._move(name, self._labels[key], -told.get(name, 0.0))
        self._told.clear()
        self._metrics.ended.labels(self._pipeline, str(event.detail["state"])).inc()
        if self._started is not None:
            self._metrics.running.labels(self._pipeline).dec()
            self._metrics.seconds.labels(self._pipeline).observe(time.monotonic() - self._started)
            self._started = None


class _StepMetrics:
    """Measures the calls of an operation."""

    def __init__(self, metrics: Metrics, step: Step, labels: tuple[str, ...]) -> None:
        self._metrics = metrics
        self._step = step
        self._labels = labels
        self._seconds = metrics.calls.labels(*labels)

    def begin(self) -> _CallTime:
        """Start the clock of a call."""
        return _CallTime(self)

    def take(self, seconds: float, code: grpc.StatusCode) -> None:
        """Take the time of a call that has ended, and its status if it failed."""
        self._seconds.observe(seconds)
        if is_failure(self._step, code):
            self._metrics.errors.labels(*self._labels, code.name).inc()


class _CallTime:
    """The time of one call that is under way."""

    traceparent: Final = ""

    def __init__(self, step: _StepMetrics) -> None:
        self._step = step
        self._began = time.monotonic()

    def end(self, code: grpc.StatusCode, _: str) -> None:
        """Stop the clock."""
        self._step.take(time.monotonic() - self._began, code)


class MetricsServer:
    """Metrics at `http://<address>:<port>/metrics`. port 0: one that the system chooses.

    Raises SettingsError where the port cannot be used.
    """

    def __init__(self, metrics: Metrics, address: str, port: int) -> None:
        self.metrics = metrics
        self._server: WSGIServer
        self._thread: threading.Thread
        try:
            self._server, self._thread = start_http_server(
                port, addr=address, registry=metrics.registry
            )
        except OSError as error:
            raise SettingsError(
                f"metrics cannot be served at {address}:{port} (EOLOOM_METRICS_PORT): "
                f"{error.strerror or error}"
            ) from error
        self.port = int(self._server.server_port)

    def close(self) -> None:
        """Stop answering."""
        with contextlib.suppress(OSError):
            self._server.shutdown()
            self._server.server_close()
        self._thread.join(1.0)
