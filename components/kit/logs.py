"""Logging of a component process: run, node and operation in every record.

One line of JSON per record in containers and under an orchestrator, which reads progress and
warnings from it; plain text at a person's terminal. Never pixels, never credentials.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

_CONTEXT: ContextVar[Mapping[str, str]] = ContextVar(
    "eoloom_log_context", default=MappingProxyType({})
)

# Extra fields of a record that travel in its JSON form.
_EXTRAS = ("progress", "notice")

# What of the context a person at a terminal reads; ids of traces are for machines.
_PLACE = ("run", "node", "operation")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, with the call's context."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_CONTEXT.get(),
        }
        for name in _EXTRAS:
            if hasattr(record, name):
                document[name] = getattr(record, name)
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str)


class TextFormatter(logging.Formatter):
    """A record as text for a terminal, with the call's context."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        context = _CONTEXT.get()
        place = "/".join(filter(None, (context.get(name) for name in _PLACE)))
        return super().format(record) + (f" [{place}]" if place else "")


@contextmanager
def log_context(**values: str) -> Iterator[None]:
    """Add values to every record made inside, in this thread or task."""
    token = _CONTEXT.set({**_CONTEXT.get(), **values})
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def configure_logging(log_format: str, level: str) -> None:
    """Send all records to standard error. Called at the entry point only."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for noisy in ("botocore", "aiobotocore", "urllib3", "rasterio", "matplotlib", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
