"""What the settings and the environment ask for, put together for one run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.engine.instruments import UNWATCHED, Instruments
from orchestrator.errors import SettingsError
from orchestrator.extras import missing_extra

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import grpc

    from composer.graph import Graph
    from orchestrator.engine.instruments import CallRecord, StepInstrument
    from orchestrator.engine.plan import Plan, Step
    from orchestrator.events import Observer
    from orchestrator.provenance.lineage_sender import LineageSender
    from orchestrator.settings import OrchestratorSettings
    from orchestrator.telemetry.metrics import MetricsServer
    from orchestrator.telemetry.tracing import RunTracing

logger = logging.getLogger(__name__)

_OTLP_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_S: Final = 3.0

_servers: dict[tuple[str, int], MetricsServer] = {}
"""Of this process, by where they are served: all its runs count in one place."""


@dataclass(frozen=True)
class Telemetry:
    """What watches a run: its observers, and the instruments of its calls."""

    observers: tuple[Observer, ...] = ()
    instruments: Instruments = UNWATCHED


@contextlib.asynccontextmanager
async def watching(
    plan: Plan, settings: OrchestratorSettings, graph: Graph | None = None
) -> AsyncIterator[Telemetry]:
    """Give what is to watch one run; at its end, send what is waiting, for some time at most.

    graph: the composed pipeline, without which there is no lineage.

    Raises SettingsError where a setting of ours asks for what cannot be done. Standard variables,
    which may be meant for others, only lead to a warning.
    """
    observers: list[Observer] = []
    instruments: list[Instruments] = []
    served = serve_metrics(settings)
    if served is not None:
        measured = served.metrics.of_run(plan)
        observers.append(measured.observe)
        instruments.append(measured)
    tracing = _tracing()
    if tracing is not None:
        observers.append(tracing.observe)
        instruments.append(tracing)
    sender = _lineage_sender(graph, settings) if graph is not None else None
    if sender is not None:
        observers.append(sender.observe)
    try:
        yield Telemetry(tuple(observers), _joined(instruments))
    finally:
        closing: list[Callable[[float], None]] = [sender.close] if sender is not None else []
        if tracing is not None:
            closing.append(tracing.flush)
        await asyncio.gather(*(asyncio.to_thread(close, _FLUSH_S) for close in closing))


def serve_metrics(settings: OrchestratorSettings) -> MetricsServer | None:
    """Serve the metrics of this process, if the settings ask for it, until it ends.

    What is served already is returned.

    Raises SettingsError where that is not possible.
    """
    if settings.metrics_port is None:
        return None
    try:
        from orchestrator.telemetry.metrics import Metrics, MetricsServer
    except ModuleNotFoundError as error:
        raise missing_extra("EOLOOM_METRICS_PORT", "telemetry") from error
    place = (settings.metrics_host, settings.metrics_port)
    if place not in _servers:
        _servers[place] = MetricsServer(Metrics(), *place)
    return _servers[place]


def _tracing() -> RunTracing | None:
    if not is_tracing_wanted():
        return None
    try:
        from orchestrator.telemetry.tracing import RunTracing, process_provider
    except ModuleNotFoundError:
        logger.warning("%s; nothing is traced", missing_extra("OpenTelemetry", "telemetry"))
        return None
    return RunTracing(process_provider())


def is_tracing_wanted() -> bool:
    """Whether OpenTelemetry's own variables name a receiver of traces."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none":
        return False
    return any(os.environ.get(name) for name in _OTLP_VARIABLES)


def _lineage_sender(graph: Graph, settings: OrchestratorSettings) -> LineageSender | None:
    url = settings.openlineage_url
    if not url and not os.environ.get("OPENLINEAGE_URL"):
        return None
    try:
        from orchestrator.provenance.lineage_sender import LineageSender
    except ModuleNotFoundError as error:
        missing = missing_extra("OpenLineage", "provenance")
        if url:
            raise missing from error
        logger.warning("%s; no lineage is sent", missing)
        return None
    try:
        return LineageSender(graph, url, settings.openlineage_namespace)
    except (ValueError, RuntimeError) as error:
        raise SettingsError(f"OpenLineage cannot be sent to {url!r}: {error}") from error


def _joined(instruments: Sequence[Instruments]) -> Instruments:
    if not instruments:
        return UNWATCHED
    return instruments[0] if len(instruments) == 1 else _Joined(instruments)


class _Joined:
    """Several instruments as one."""

    def __init__(self, instruments: Sequence[Instruments]) -> None:
        self._instruments = instruments

    def of_step(self, step: Step) -> _JoinedStep:
        return _JoinedStep([each.of_step(step) for each in self._instruments])


class _JoinedStep:
    def __init__(self, instruments: Sequence[StepInstrument]) -> None:
        self._instruments = instruments

    def begin(self) -> _JoinedRecord:
        return _JoinedRecord([record for each in self._instruments if (record := each.begin())])


class _JoinedRecord:
    def __init__(self, records: Sequence[CallRecord]) -> None:
        self._records = records

    @property
    def traceparent(self) -> str:
        found = (record.traceparent for record in self._records)
        return next(filter(None, found), "")

    def end(self, code: grpc.StatusCode, details: str) -> None:
        for record in self._records:
            record.end(code, details)
