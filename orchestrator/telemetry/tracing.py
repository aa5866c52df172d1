"""Traces of runs for OpenTelemetry: run, node, its start, and every call.

The exporter is OTLP over gRPC and is told what to do by the standard variables, such as
OTEL_EXPORTER_OTLP_ENDPOINT: https://opentelemetry.io/docs/specs/otel/protocol/exporter/. Spans
wait in a bounded queue of the SDK; what does not fit is dropped.
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from orchestrator.engine.run import State
from orchestrator.events import Event, Kind
from orchestrator.telemetry.outcomes import is_failure

if TYPE_CHECKING:
    import grpc
    from opentelemetry.trace import Span, Tracer

    from orchestrator.engine.plan import Step

_SERVICE: Final = "eoloom-orchestrator"


@functools.cache
def process_provider() -> TracerProvider:
    """Return the provider of this process, which exports by OTLP."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    # Each failed attempt would be a line of its own; when it gives up, it says so.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
    attributes = {
        "service.name": os.environ.get("OTEL_SERVICE_NAME") or _SERVICE,
        "service.version": importlib.metadata.version("eoloom"),
    }
    # At its exit the SDK would wait for a receiver that is not there; `flush` has its time.
    provider = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


class RunTracing:
    """The spans of one run; an observer of it, and the instruments of its calls."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("eoloom.orchestrator")
        self._run: Span | None = None
        self._nodes: dict[str, Span] = {}
        self._starts: dict[str, Span] = {}

    def observe(self, event: Event) -> None:
        """Take one event."""
        match event.kind:
            case Kind.RUN_STARTED:
                self._run = self._span(
                    f"run {event.detail.get('pipeline', '')}",
                    None,
                    event,
                    {
                        "eoloom.run": event.run,
                        "eoloom.pipeline": str(event.detail.get("pipeline", "")),
                        "eoloom.pipeline.digest": str(event.detail.get("digest", "")),
                    },
                )
            case Kind.NODE_STARTING:
                self._start_node(event)
            case Kind.NODE_READY:
                _end(self._starts.pop(event.node, None), event)
            case Kind.NODE_FAILED:
                for span in (self._starts.pop(event.node, None), self._nodes.get(event.node)):
                    _fail(span, str(event.detail.get("message", "")))
                    if span is not self._nodes.get(event.node):
                        _end(span, event)
            case Kind.RETRY | Kind.NOTICE | Kind.DEAD_LETTER:
                self._note(event)
            case Kind.NODE_STOPPED:
                _end(self._nodes.pop(event.node, None), event)
            case Kind.RUN_CLOSED:
                self._close(event)

    def of_step(self, step: Step) -> _StepTracing:
        """Return what traces the calls of an operation."""
        return _StepTracing(self._tracer, step, self._nodes.get(step.node) or self._run)

    def flush(self, timeout_s: float) -> None:
        """Export what is waiting, for some time at most."""
        # The SDK's own limit counts per batch and per attempt.
        flush = threading.Thread(target=self._provider.force_flush, daemon=True)
        flush.start()
        flush.join(timeout_s)

    def _start_node(self, event: Event) -> None:
        attributes = {
            "eoloom.run": event.run,
            "eoloom.node": event.node,
            "eoloom.component": str(event.detail.get("component", "")),
            "eoloom.component.version": str(event.detail.get("version", "")),
        }
        if event.node not in self._nodes:  # else it is started again after its death
            name = f"node {event.node}"
            self._nodes[event.node] = self._span(name, self._run, event, attributes)
        start = self._span(f"start {event.node}", self._nodes[event.node], event, attributes)
        _end(self._starts.get(event.node), event)
        self._starts[event.node] = start

    def _span(self, name: str, parent: Span | None, event: Event, attributes: Any) -> Span:
        context = trace.set_span_in_context(parent) if parent else None
        # Without a parent of its own, a run is a trace of its own.
        return self._tracer.start_span(
            name, context, attributes=attributes, start_time=_nanoseconds(event)
        )

    def _note(self, event: Event) -> None:
        span = self._nodes.get(event.node) or self._run
        if span is not None:
            message = str(event.detail.get("message", ""))
            attributes = {"message": message, "eoloom.operation": event.operation}
            span.add_event(event.kind.value, attributes, _nanoseconds(event))

    def _close(self, event: Event) -> None:
        for span in (*self._starts.values(), *self._nodes.values()):
            _end(span, event)
        self._starts.clear()
        self._nodes.clear()
        if self._run is not None:
            state = str(event.detail["state"])
            self._run.set_attribute("eoloom.run.state", state)
            if state == State.FAILED:
                _fail(self._run, str(event.detail.get("message", "")))
            elif state == State.SUCCEEDED:
                self._run.set_status(Status(StatusCode.OK))
            _end(self._run, event)
            self._run = None


class _StepTracing:
    """Makes a span for each call of an operation."""

    def __init__(self, tracer: Tracer, step: Step, parent: Span | None) -> None:
        self._tracer = tracer
        self._step = step
        self._name = step.path.removeprefix("/")
        self._context = trace.set_span_in_context(parent) if parent else None
        self._attributes = {
            "rpc.system": "grpc",
            "rpc.service": step.service,
            "rpc.method": step.operation,
            "eoloom.node": step.node,
            "eoloom.operation": step.operation,
        }

    def begin(self) -> _CallSpan:
        """Start the span of a call."""
        span = self._tracer.start_span(
            self._name, self._context, kind=SpanKind.CLIENT, attributes=self._attributes
        )
        return _CallSpan(span, self._step)


class _CallSpan:
    """The span of one call that is under way."""

    def __init__(self, span: Span, step: Step) -> None:
        self._span = span
        self._step = step
        context = span.get_span_context()
        self.traceparent = (
            f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
        )

    def end(self, code: grpc.StatusCode, details: str) -> None:
        """End the span with the status of the call."""
        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if is_failure(self._step, code):
            self._span.set_status(Status(StatusCode.ERROR, f"{code.name}: {details}"))
        self._span.end()


def _end(span: Span | None, event: Event) -> None:
    if span is not None:
        span.end(_nanoseconds(event))


def _fail(span: Span | None, message: str) -> None:
    if span is not None:
        span.set_status(Status(StatusCode.ERROR, message))


def _nanoseconds(event: Event) -> int:
    return int(event.time.timestamp() * 1e9)
