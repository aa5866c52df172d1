"""The index of remembered calls: SQLite beside the journal, or the journal's own database by URL.

It holds answers and digests; files stay in the folders of runs. Several processes may use it at
once: every change is one transaction, and whoever comes second with a call keeps the first one's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from composer.database import DatabaseUrlError, make_tables, open_engine, reason_of
from orchestrator.call_memory.digests import Stamp
from orchestrator.call_memory.errors import IndexUnusableError

# Its name in the folder of runs.
INDEX_FILE: Final = "calls.sqlite"

# What a call costs beside its answers; it bounds the number of calls.
_ROW_BYTES: Final = 512
_MAX_PLACES: Final = 3
_MAX_DIGESTS: Final = 200_000

_METADATA = sa.MetaData()

_CALLS = sa.Table(
    "remembered_call",
    _METADATA,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("operation", sa.String(400), nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("notices", sa.JSON, nullable=False),
    sa.Column("used", sa.Float, nullable=False, index=True),
)
_ANSWERS = sa.Table(
    "remembered_answer",
    _METADATA,
    sa.Column("call", sa.String(64), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("received", sa.Integer, nullable=False),
    sa.Column("template", sa.LargeBinary, nullable=False),
)
_FILES = sa.Table(
    "remembered_file",
    _METADATA,
    sa.Column("call", sa.String(64), primary_key=True),
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
)
_PLACES = sa.Table(
    "remembered_place",
    _METADATA,
    sa.Column("call", sa.String(64), primary_key=True),
    sa.Column("folder", sa.Text, primary_key=True),
    sa.Column("used", sa.Float, nullable=False),
)
_BEGINNINGS = sa.Table(
    "remembered_beginning",
    _METADATA,
    sa.Column("beginning", sa.String(64), primary_key=True),
    sa.Column("call", sa.String(64), primary_key=True, index=True),
)
_DIGESTS = sa.Table(
    "file_digest",
    _METADATA,
    sa.Column("device", sa.String(20), primary_key=True),
    sa.Column("inode", sa.String(20), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("mtime_ns", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("noted", sa.Float, nullable=False, index=True),
)


@dataclass(frozen=True)
class KeptAnswer:
    """One answer, as `references.to_template` gives it."""

    template: bytes
    received: int


@dataclass(frozen=True)
class KeptFile:
    """One file of the answers. path: below the node's folder."""

    path: str
    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True)
class KeptCall:
    """A call with its answers. folders: nodes' folders with its files, the latest first.

    beginnings: digests of its requests up to each of them. notices: the component's warnings.
    """

    key: str
    operation: str
    answers: Sequence[KeptAnswer]
    files: Sequence[KeptFile]
    folders: Sequence[Path]
    beginnings: Sequence[str] = ()
    notices: Sequence[str] = ()


class CallIndex:
    """Remembered calls in a database. Every method raises IndexUnusableError where it fails."""

    def __init__(self, url: str, runs_folder: Path) -> None:
        self._name = "the database" if url else str(runs_folder / INDEX_FILE)
        try:
            if not url:
                runs_folder.mkdir(parents=True, exist_ok=True)
                url = f"sqlite:///{runs_folder.resolve() / INDEX_FILE}"
            self._engine = open_engine(url, "journal_mode = WAL", "synchronous = NORMAL")
            make_tables(self._engine, _METADATA)
        except (OSError, SQLAlchemyError, DatabaseUrlError) as error:
            raise self._unusable(error) from error

    def call(self, key: str) -> KeptCall | None:
        """Return a call."""
        where = _CALLS.c.key == key
        with self._transaction() as connection:
            call = connection.execute(sa.select(_CALLS).where(where)).mappings().first()
            if call is None:
                return None
            answers = connection.execute(
                sa.select(_ANSWERS).where(_ANSWERS.c.call == key).order_by(_ANSWERS.c.number)
            ).mappings()
            files = connection.execute(sa.select(_FILES).where(_FILES.c.call == key)).mappings()
            places = connection.execute(
                sa.select(_PLACES).where(_PLACES.c.call == key).order_by(_PLACES.c.used.desc())
            ).mappings()
            return KeptCall(
                key,
                call["operation"],
                [KeptAnswer(row["template"], row["received"]) for row in answers],
                [
                    KeptFile(row["path"], row["size"], row["mtime_ns"], row["digest"])
                    for row in files
                ],
                [Path(row["folder"]) for row in places],
                notices=call["notices"],
            )

    def begins(self, beginning: str) -> bool:
        """Whether a call began with these requests."""
        statement = sa.select(_BEGINNINGS.c.call).where(_BEGINNINGS.c.beginning == beginning)
        with self._transaction() as connection:
            return connection.execute(statement.limit(1)).first() is not None

    def keep(self, call: KeptCall) -> None:
        """Keep a call, in place of an older one with the same key."""
        key, now = call.key, time.time()
        size = _ROW_BYTES * (1 + len(call.files) + len(call.beginnings))
        size += sum(len(answer.template) + _ROW_BYTES for answer in call.answers)
        rows: dict[sa.Table, list[dict[str, Any]]] = {
            _CALLS: [
                {"key": key, "operation": call.operation, "bytes": size, "used": now}
                | {"notices": list(call.notices)}
            ],
            _ANSWERS: [
                {"call": key, "number": n, "received": a.received, "template": a.template}
                for n, a in enumerate(call.answers)
            ],
            _FILES: [
                {"call": key, "path": f.path, "size": f.size, "mtime_ns": f.mtime_ns}
                | {"digest": f.digest}
                for f in call.files
            ],
            _PLACES: [{"call": key, "folder": str(f), "used": now} for f in call.folders],
            _BEGINNINGS: [{"call": key, "beginning": text} for text in set(call.beginnings)],
        }
        try:
            with self._transaction() as connection:
                _remove(connection, [key])
                for table, values in rows.items():
                    if values:
                        connection.execute(sa.insert(table), values)
        except IntegrityError:
            # Another run has kept the same call in this moment.
            return

    def used(self, key: str, folder: Path) -> None:
        """Keep that a call was given again, and that its files lie in another folder as well."""
        now = time.time()
        place = sa.and_(_PLACES.c.call == key, _PLACES.c.folder == str(folder))
        try:
            with self._transaction() as connection:
                connection.execute(sa.update(_CALLS).where(_CALLS.c.key == key).values(used=now))
                connection.execute(sa.delete(_PLACES).where(place))
                connection.execute(
                    sa.insert(_PLACES).values(call=key, folder=str(folder), used=now)
                )
                places = sa.select(_PLACES.c.folder).where(_PLACES.c.call == key)
                old = places.order_by(_PLACES.c.used.desc()).offset(_MAX_PLACES)
                for row in connection.execute(old).all():
                    which = sa.and_(_PLACES.c.call == key, _PLACES.c.folder == row[0])
                    connection.execute(sa.delete(_PLACES).where(which))
        except IntegrityError:
            return

    def forget(self, key: str) -> None:
        """Remove a call."""
        with self._transaction() as connection:
            _remove(connection, [key])

    def shrink(self, max_bytes: int) -> None:
        """Remove the calls that have not been used for longest, until the rest fits."""
        with self._transaction() as connection:
            total = connection.execute(sa.select(sa.func.sum(_CALLS.c.bytes))).scalar() or 0
            oldest = sa.select(_CALLS.c.key, _CALLS.c.bytes).order_by(_CALLS.c.used)
            gone = []
            if total > max_bytes:
                for key, size in connection.execute(oldest).all():
                    if total <= max_bytes:
                        break
                    gone.append(key)
                    total -= size
            _remove(connection, gone)
            noted = sa.select(_DIGESTS.c.noted).order_by(_DIGESTS.c.noted.desc())
            last = connection.execute(noted.offset(_MAX_DIGESTS).limit(1)).scalar()
            if last is not None:
                connection.execute(sa.delete(_DIGESTS).where(_DIGESTS.c.noted <= last))

    def digest_of(self, stamp: Stamp) -> str | None:
        """Return the digest of a file that has been read before."""
        same = sa.and_(*(_DIGESTS.c[name] == value for name, value in _columns(stamp).items()))
        with self._transaction() as connection:
            found = connection.execute(sa.select(_DIGESTS.c.digest).where(same)).scalar()
            return None if found is None else str(found)

    def keep_digest(self, stamp: Stamp, digest: str) -> None:
        """Keep the digest of a file, in place of that of an older one with its inode."""
        values = _columns(stamp)
        same = sa.and_(_DIGESTS.c.device == values["device"], _DIGESTS.c.inode == values["inode"])
        try:
            with self._transaction() as connection:
                connection.execute(sa.delete(_DIGESTS).where(same))
                connection.execute(
                    sa.insert(_DIGESTS).values(**values, digest=digest, noted=time.time())
                )
        except IntegrityError:
            return

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> IndexUnusableError:
        return IndexUnusableError(
            f"the memory of calls cannot be used: {self._name}: {reason_of(error)}; "
            "every operation is called. Delete the file if it is damaged; --no-cache does without"
        )


def _remove(connection: sa.Connection, keys: Sequence[str]) -> None:
    for key in keys:
        connection.execute(sa.delete(_CALLS).where(_CALLS.c.key == key))
        for table in (_ANSWERS, _FILES, _PLACES, _BEGINNINGS):
            connection.execute(sa.delete(table).where(table.c.call == key))


def _columns(stamp: Stamp) -> dict[str, Any]:
    # A device or inode may need all of 64 bits, which no signed integer holds.
    return stamp._asdict() | {"device": str(stamp.device), "inode": str(stamp.inode)}
