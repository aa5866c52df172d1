"""Traces of a component: each call goes on with its caller's trace.

OpenTelemetry is loaded only where its standard variables name a receiver, such as
OTEL_EXPORTER_OTLP_ENDPOINT (OTLP over gRPC). The ids of the caller's trace stand in the log's
records in any case.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import grpc

from components.kit.extras import install_command

logger = logging.getLogger(__name__)

TRACE_KEY: Final = "traceparent"

# https://www.w3.org/TR/trace-context/#traceparent-header-field-values
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_MS: Final = 2000


@dataclass
class CallTrace:
    """A call as its trace sees it. ids: for the log's records."""

    ids: Mapping[str, str] = field(default_factory=dict)

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """Take note that the call ends with an error."""


class Tracing(Protocol):
    """Follows the calls of one component."""

    def call(
        self, service: str, operation: str, metadata: Mapping[str, str]
    ) -> AbstractContextManager[CallTrace]:
        """Follow one call, in the thread that does its work."""

    def flush(self) -> None:
        """Send what is waiting, for a short time at most."""


class Untraced:
    """Follows nothing, and only knows the caller's trace."""

    @contextmanager
    def call(self, _: str, __: str, metadata: Mapping[str, str]) -> Iterator[CallTrace]:
        """Take the ids of the caller's trace."""
        found = _TRACEPARENT.fullmatch(metadata.get(TRACE_KEY, ""))
        yield CallTrace({"trace_id": found[1]} if found else {})

    def flush(self) -> None:
        """Nothing is waiting."""


def open_tracing(component: str) -> Tracing:
    """Return what follows the calls of a component, as the environment says."""
    if not _is_wanted():
        return Untraced()
    try:
        return _Traced(component)
    except ModuleNotFoundError:
        logger.warning("OpenTelemetry is not installed (%s)", install_command("telemetry"))
        return Untraced()


def _is_wanted() -> bool:
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    is_none = os.environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none"
    return not (is_off or is_none) and any(os.environ.get(name) for name in _ENDPOINTS)


class _Traced:
    """Makes a span for each call, and exports them by OTLP."""

    def __init__(self, component: str) -> None:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)
        # The environment's name of the service is that of the orchestrator, which started us.
        attributes = {"service.name": component}
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            attributes["service.version"] = importlib.metadata.version("eoloom")
        self._provider = TracerProvider(resource=Resource.create(attributes))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("eoloom.kit")

    @contextmanager
    def call(
        self, service: str, operation: str, metadata: Mapping[str, str]
    ) -> Iterator[CallTrace]:
        """Make the span of one call, below its caller's."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        attributes = {
            "rpc.system": "grpc",
            "rpc.service": service,
            "rpc.method": operation,
            "eoloom.operation": operation,
            **{f"eoloom.{key}": metadata.get(f"eoloom-{key}", "") for key in ("run", "node")},
        }
        with self._tracer.start_as_current_span(
            f"{service}/{operation}",
            TraceContextTextMapPropagator().extract(metadata),
            kind=SpanKind.SERVER,
            attributes=attributes,
        ) as span:
            yield _SpanTrace(span)

    def flush(self) -> None:
        """Send what is waiting, for a short time at most."""
        self._provider.force_flush(_FLUSH_MS)


class _SpanTrace(CallTrace):
    """A call with a span of its own."""

    def __init__(self, span: Any) -> None:
        context = span.get_span_context()
        super().__init__(
            {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        )
        self._span = span

    def fail(self, code: grpc.StatusCode, details: str) -> None:
        """Give the span the status of the call."""
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attribute("rpc.grpc.status_code", code.value[0])
        if code is grpc.StatusCode.CANCELLED:
            return
        self._span.set_status(Status(StatusCode.ERROR, f"{code.name}: {details}"))
