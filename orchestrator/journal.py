"""The journal: what happened in runs, durably. SQLite by default, PostgreSQL by URL.

Counts and progress are not kept event by event, only as they last stood; everything else is.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from orchestrator.errors import RunNotFoundError, SettingsError
from orchestrator.events import Event, Kind
from orchestrator.settings import JOURNAL_FILE

logger = logging.getLogger(__name__)

_METADATA = sa.MetaData()

_RUNS = sa.Table(
    "run",
    _METADATA,
    sa.Column("id", sa.String(160), primary_key=True),
    sa.Column("pipeline", sa.String(200), nullable=False),
    sa.Column("digest", sa.String(80), nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("process", sa.Integer, nullable=False),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False),
    sa.Column("ended", sa.DateTime(timezone=True)),
)

_EVENTS = sa.Table(
    "event",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("run", sa.String(160), sa.ForeignKey("run.id"), nullable=False, index=True),
    sa.Column("time", sa.DateTime(timezone=True), nullable=False),
    sa.Column("kind", sa.String(30), nullable=False),
    sa.Column("node", sa.String(120), nullable=False),
    sa.Column("operation", sa.String(120), nullable=False),
    sa.Column("detail", sa.JSON, nullable=False),
)

_OPERATIONS = sa.Table(
    "operation",
    _METADATA,
    sa.Column("run", sa.String(160), sa.ForeignKey("run.id"), primary_key=True),
    sa.Column("node", sa.String(120), primary_key=True),
    sa.Column("operation", sa.String(120), primary_key=True),
    sa.Column("counts", sa.JSON, nullable=False),
)

_NOT_KEPT: Final = frozenset({Kind.COUNTS, Kind.PROGRESS})


@dataclass(frozen=True)
class RunRecord:
    """A run as the journal knows it. Times are UTC; `ended` is None while it runs."""

    id: str
    pipeline: str
    digest: str
    folder: Path
    state: str
    message: str
    process: int
    started: datetime
    ended: datetime | None
    operations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()


class Journal:
    """Runs, their operations and events, in one database.

    Raises SettingsError where the database cannot be opened.
    """

    def __init__(self, url: str, runs_folder: Path) -> None:
        try:
            if not url:
                runs_folder.mkdir(parents=True, exist_ok=True)
                url = f"sqlite:///{runs_folder.resolve() / JOURNAL_FILE}"
            self._engine = sa.create_engine(url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _set_pragmas)
            _METADATA.create_all(self._engine)
        except OSError as error:
            raise SettingsError(f"cannot write into {runs_folder}: {error.strerror}") from error
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot open the journal: {_reason(error)}") from error

    def open_run(self, record: RunRecord) -> None:
        """Enter a new run."""
        values = {c.name: getattr(record, c.name, {}) for c in _RUNS.columns}
        self._write(sa.insert(_RUNS).values(values | {"folder": str(record.folder)}))

    def reopen_run(self, run: str, process: int) -> None:
        """Enter that a run goes on."""
        values = {"state": "running", "message": "", "ended": None, "process": process}
        self._write(sa.update(_RUNS).where(_RUNS.c.id == run).values(values))

    def observe(self, event: Event) -> None:
        """Keep an event, and with RUN_CLOSED how the run ended; an observer of the run."""
        if event.kind is Kind.RUN_CLOSED:
            values = {**event.detail, "state": str(event.detail["state"])}
            values["ended"] = event.time
            self._write(sa.update(_RUNS).where(_RUNS.c.id == event.run).values(values))
        if event.kind is Kind.COUNTS:
            key = {"run": event.run, "node": event.node, "operation": event.operation}
            found = sa.and_(*(_OPERATIONS.c[name] == value for name, value in key.items()))
            self._write(
                sa.delete(_OPERATIONS).where(found),
                sa.insert(_OPERATIONS).values(**key, counts=dict(event.detail)),
            )
        elif event.kind not in _NOT_KEPT:
            self._write(
                sa.insert(_EVENTS).values(
                    run=event.run,
                    time=event.time,
                    kind=event.kind.value,
                    node=event.node,
                    operation=event.operation,
                    detail=dict(event.detail),
                )
            )

    def runs(self, limit: int = 50) -> list[RunRecord]:
        """Return the latest runs, the newest first."""
        statement = sa.select(_RUNS).order_by(_RUNS.c.started.desc()).limit(limit)
        return [_record(row) for row in self._read(statement)]

    def run(self, name: str) -> RunRecord:
        """Return the run of that id, or the only one whose id starts so.

        "last" is the newest. Raises RunNotFoundError.
        """
        latest = sa.select(_RUNS).order_by(_RUNS.c.started.desc()).limit(2)
        if name == "last":
            rows = self._read(latest.limit(1))
        else:
            rows = self._read(latest.where(_RUNS.c.id == name)) or self._read(
                latest.where(_RUNS.c.id.startswith(name, autoescape=True))
            )
        if not rows:
            raise RunNotFoundError(f"there is no run {name!r}; `eoloom runs` lists them")
        if len(rows) > 1:
            raise RunNotFoundError(f"several runs start with {name!r}; give more of the name")
        row = rows[0]
        counts = self._read(sa.select(_OPERATIONS).where(_OPERATIONS.c.run == row["id"]))
        operations = {f"{c['node']}.{c['operation']}": c["counts"] for c in counts}
        return _record(row, operations)

    def events(self, run: str) -> list[Event]:
        """Return all events of a run, in their order."""
        statement = sa.select(_EVENTS).where(_EVENTS.c.run == run).order_by(_EVENTS.c.number)
        return [
            Event(
                row["run"],
                Kind(row["kind"]),
                row["node"],
                row["operation"],
                row["detail"],
                _utc(row["time"]),
            )
            for row in self._read(statement)
        ]

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _write(self, *statements: sa.Executable) -> None:
        try:
            with self._engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot write the journal: {_reason(error)}") from error

    def _read(self, statement: sa.Executable) -> list[Any]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(statement).mappings())
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot read the journal: {_reason(error)}") from error


def _record(row: Any, operations: Mapping[str, Mapping[str, Any]] | None = None) -> RunRecord:
    return RunRecord(
        id=row["id"],
        pipeline=row["pipeline"],
        digest=row["digest"],
        folder=Path(row["folder"]),
        state=row["state"],
        message=row["message"],
        process=row["process"],
        started=_utc(row["started"]),
        ended=_utc(row["ended"]) if row["ended"] else None,
        operations=operations or {},
    )


def _utc(time: datetime) -> datetime:
    # SQLite forgets the time zone.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _set_pragmas(connection: Any, _: object) -> None:
    """Let readers read while a run writes, and wait for another writer instead of failing."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
        connection.execute(f"PRAGMA {pragma}")


def _reason(error: SQLAlchemyError) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0]
