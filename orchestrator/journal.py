"""The journal: what happened in runs, durably. SQLite by default, PostgreSQL by URL.

Counts and progress are not kept event by event, only as they last stood; everything else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from composer.database import insert, may_be_written, reason_of
from orchestrator.errors import RunNotFoundError, SettingsError
from orchestrator.events import Event, Kind
from orchestrator.journal_database import open_journal_database
from orchestrator.processes import ProcessIdentity
from orchestrator.settings import JOURNAL_FILE

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
    # Journals of older versions lack these.
    sa.Column("host", sa.String(255)),
    sa.Column("process_started", sa.DateTime(timezone=True)),
    sa.Column("seen", sa.DateTime(timezone=True)),
    sa.Column("cache", sa.Boolean),
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

_RUNNING: Final = "running"
_NOT_KEPT: Final = frozenset({Kind.COUNTS, Kind.PROGRESS})
_MAX_NAME: Final = 120
"""Letters of the name of a node or an operation in an event."""
_SILENCE_S: Final = 60.0
"""After so long without a sign of life a run on another host counts as dead."""


@dataclass(frozen=True)
class RunRecord:
    """A run as the journal knows it. Times are UTC; `ended` is None while it runs.

    process, host, process_started: who runs it, see `ProcessIdentity`. seen: its last sign of life.
    cache: whether it takes what earlier runs have computed; None where that was not written down.
    """

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
    host: str = ""
    process_started: datetime | None = None
    seen: datetime | None = None
    cache: bool | None = None

    @classmethod
    def begun(
        cls, run: str, pipeline: str, digest: str, folder: Path, *, cache: bool | None = None
    ) -> RunRecord:
        """Return the record of a run that this process begins now."""
        runner, now = ProcessIdentity.current(), datetime.now(UTC)
        return cls(
            id=run,
            pipeline=pipeline,
            digest=digest,
            folder=folder,
            state=_RUNNING,
            message="",
            process=runner.number,
            started=now,
            ended=None,
            host=runner.host,
            process_started=runner.started,
            seen=now,
            cache=cache,
        )

    @property
    def runner(self) -> ProcessIdentity:
        """The process that runs it, or has run it."""
        return ProcessIdentity(self.process, self.host, self.process_started)

    @property
    def is_alive(self) -> bool:
        """Whether it says that it runs and, as far as can be told from here, does."""
        if self.state != _RUNNING:
            return False
        if self.runner.is_elsewhere:
            silence = timedelta(seconds=_SILENCE_S)
            return self.seen is None or datetime.now(UTC) - self.seen < silence
        return self.runner.exists(before=self.started)

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return ((self.ended or datetime.now(UTC)) - self.started).total_seconds()


@dataclass(frozen=True)
class RunFilter:
    """Which runs are meant. state, pipeline: exactly; text: part of the id, in any case."""

    state: str = ""
    pipeline: str = ""
    text: str = ""


class Journal:
    """Runs, their operations and events, in one database.

    Raises SettingsError where the database cannot be opened.
    """

    def __init__(self, url: str, runs_folder: Path) -> None:
        self._engine = open_journal_database(url, runs_folder, _METADATA)
        self._runs_folder = runs_folder
        self._is_readable_only = not url and not may_be_written(runs_folder / JOURNAL_FILE)

    def open_run(self, record: RunRecord) -> None:
        """Enter a new run."""
        values = {c.name: getattr(record, c.name) for c in _RUNS.columns}
        self._write(sa.insert(_RUNS).values(values | {"folder": str(record.folder)}))

    def reopen_run(self, run: str) -> None:
        """Enter that a run goes on, in this process."""
        values: dict[str, Any] = {"state": _RUNNING, "message": "", "ended": None}
        runner = ProcessIdentity.current()
        values |= {
            "process": runner.number,
            "host": runner.host,
            "process_started": runner.started,
            "seen": datetime.now(UTC),
        }
        self._write(sa.update(_RUNS).where(_RUNS.c.id == run).values(values))

    def touch(self, run: str) -> None:
        """Enter that a run is still going on."""
        values = {"seen": datetime.now(UTC)}
        self._write(sa.update(_RUNS).where(_RUNS.c.id == run).values(values))

    def observe(self, event: Event) -> None:
        """Keep an event, and with RUN_CLOSED how the run ended; an observer of the run."""
        if event.kind is Kind.RUN_CLOSED:
            values = {
                "state": str(event.detail["state"]),
                "message": _storable(str(event.detail.get("message", ""))),
                "ended": event.time,
            }
            self._write(sa.update(_RUNS).where(_RUNS.c.id == event.run).values(values))
        if event.kind is Kind.COUNTS:
            key = {"run": event.run, "node": event.node, "operation": event.operation}
            counts = {"counts": dict(event.detail)}
            row = insert(self._engine, _OPERATIONS).values(key | counts)
            self._write(row.on_conflict_do_update(index_elements=[*key], set_=counts))
        elif event.kind not in _NOT_KEPT:
            self._write(
                sa.insert(_EVENTS).values(
                    run=event.run,
                    time=event.time,
                    kind=event.kind.value,
                    node=_storable(event.node, _MAX_NAME),
                    operation=_storable(event.operation, _MAX_NAME),
                    detail=dict(event.detail),
                )
            )

    def runs(
        self, limit: int = 50, offset: int = 0, *, where: RunFilter | None = None
    ) -> list[RunRecord]:
        """Return the latest runs, the newest first, after leaving out `offset` of them."""
        statement = sa.select(_RUNS).where(*_conditions(where)).limit(limit).offset(offset)
        # Ids make the order one and the same on every page where times are equal.
        ordered = statement.order_by(_RUNS.c.started.desc(), _RUNS.c.id.desc())
        return [self._record(row) for row in self._read(ordered)]

    def count_runs(self, where: RunFilter | None = None) -> int:
        """Return how many runs there are."""
        statement = sa.select(sa.func.count().label("number")).select_from(_RUNS)
        return int(self._read(statement.where(*_conditions(where)))[0]["number"])

    def pipelines(self, limit: int = 1000) -> list[str]:
        """Return the names of the pipelines that have run, in their order."""
        statement = sa.select(_RUNS.c.pipeline).distinct().order_by(_RUNS.c.pipeline).limit(limit)
        return [row["pipeline"] for row in self._read(statement)]

    def run(self, name: str) -> RunRecord:
        """Return the run of that id, or the only one whose id starts so.

        "last" is the newest. Raises RunNotFoundError.
        """
        if not name.isprintable():  # no run has such a name, and PostgreSQL takes no NUL
            raise RunNotFoundError(f"there is no run {name!r}; `eoloom runs` lists them")
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
        return self._record(row, operations)

    def events(
        self,
        run: str,
        *,
        after: int = 0,
        until: int | None = None,
        limit: int | None = None,
        kinds: Iterable[Kind] | None = None,
        newest: bool = False,
    ) -> list[Event]:
        """Return the events of a run in their order, at most `limit` of them.

        newest: if there are more, the last ones instead of the first.

        after: only those whose `number` is larger; that of the last event of one page is where the
        next page begins. until: none beyond this number. kinds: of these only.
        """
        statement = sa.select(_EVENTS).where(_EVENTS.c.run == run, _EVENTS.c.number > after)
        if until is not None:
            statement = statement.where(_EVENTS.c.number <= until)
        if kinds is not None:
            statement = statement.where(_EVENTS.c.kind.in_([kind.value for kind in kinds]))
        number = _EVENTS.c.number
        ordered = statement.order_by(number.desc() if newest else number).limit(limit)
        rows = self._read(ordered)
        return [_event(row) for row in (reversed(rows) if newest else rows)]

    def count_events(self, run: str, kind: Kind) -> int:
        """Return how many events of a kind a run has."""
        statement = sa.select(sa.func.count().label("number")).select_from(_EVENTS)
        statement = statement.where(_EVENTS.c.run == run, _EVENTS.c.kind == kind.value)
        return int(self._read(statement)[0]["number"])

    def last_event(self, run: str) -> Event | None:
        """Return the latest event of a run."""
        statement = sa.select(_EVENTS).where(_EVENTS.c.run == run)
        rows = self._read(statement.order_by(_EVENTS.c.number.desc()).limit(1))
        return _event(rows[0]) if rows else None

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def _record(
        self, row: Any, operations: Mapping[str, Mapping[str, Any]] | None = None
    ) -> RunRecord:
        """Return a run. Its folder lies beside the journal, also where both have been moved."""
        record = _record(row, operations)
        beside = self._runs_folder / record.id
        return replace(record, folder=beside.resolve()) if beside.is_dir() else record

    def _write(self, *statements: sa.Executable) -> None:
        if self._is_readable_only:
            raise SettingsError(
                f"cannot write the journal: {self._runs_folder} may only be read here; give "
                "another folder with --runs-folder"
            )
        try:
            with self._engine.begin() as connection:
                for statement in statements:
                    connection.execute(statement)
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot write the journal: {reason_of(error)}") from error

    def _read(self, statement: sa.Executable) -> list[Any]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(statement).mappings())
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot read the journal: {reason_of(error)}") from error


def _conditions(where: RunFilter | None) -> list[sa.ColumnElement[bool]]:
    if where is None:
        return []
    found = []
    if where.state:
        found.append(_RUNS.c.state == where.state)
    if where.pipeline:
        found.append(_RUNS.c.pipeline == where.pipeline)
    if where.text:
        # PostgreSQL takes no NUL, and no id has one.
        text = _storable(where.text)
        found.append(_RUNS.c.id.icontains(text, autoescape=True))
    return found


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
        host=row["host"] or "",
        process_started=_utc(row["process_started"]) if row["process_started"] else None,
        seen=_utc(row["seen"]) if row["seen"] else None,
        cache=row["cache"],
    )


def _event(row: Any) -> Event:
    return Event(
        row["run"],
        Kind(row["kind"]),
        row["node"],
        row["operation"],
        row["detail"],
        _utc(row["time"]),
        row["number"],
    )


def _storable(text: str, limit: int | None = None) -> str:
    """Return a text as every database takes it: without NUL and half characters, not too long."""
    whole = text.encode(errors="replace").decode()
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")[:limit]


def _utc(time: datetime) -> datetime:
    # SQLite forgets the time zone.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
