"""Opening the databases of the registry and of the journal: SQLite, and PostgreSQL by URL.

Here belongs what both have in common: drivers, settings of a connection, making and extending
tables. What the tables are belongs to those who use them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from composer.database_address import URL_VARIABLE
from composer.extras import install_command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

POSTGRESQL: Final = "postgresql"
SQLITE: Final = "sqlite"

_POSTGRESQL_DRIVER: Final = "postgresql+psycopg"
_CONNECT_S: Final = 10
"""How long a PostgreSQL that does not answer is waited for."""
_BUSY_MS: Final = 10_000
"""How long another process that writes into the same SQLite file is waited for."""
_LOCK: Final = 0x454F4C6F6F6D  # "EOLoom": any number that others are unlikely to use
"""PostgreSQL's advisory lock under which tables are made."""


class DatabaseUrlError(Exception):
    """A URL names no database that can be used: it is none, of another kind, or without driver."""


def open_engine(url: str, *pragmas: str) -> sa.Engine:
    """Return an engine; nothing is connected to yet.

    `postgresql://` and `postgres://` are taken with psycopg 3. pragmas: further ones of SQLite, as
    `name = value`.

    Raises DatabaseUrlError. What is wrong is told without the URL, which may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    is_postgresql = scheme in {POSTGRESQL, "postgres", _POSTGRESQL_DRIVER}
    try:
        parsed = sa.make_url(f"{_POSTGRESQL_DRIVER}{separator}{rest}" if is_postgresql else url)
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseUrlError(
            f"{URL_VARIABLE} is no URL of a database, such as postgresql://eoloom@db.example/eoloom"
        ) from error
    if parsed.get_backend_name() not in {POSTGRESQL, SQLITE}:
        raise DatabaseUrlError(
            f"{URL_VARIABLE} names a database of the kind {parsed.get_backend_name()}; it may be "
            f"{POSTGRESQL} or {SQLITE}"
        )
    options: dict[str, Any] = {}
    if is_postgresql:
        # A connection may have been closed by the server, or by a firewall, since it was used.
        options["pool_pre_ping"] = True
        if "connect_timeout" not in parsed.query:
            options["connect_args"] = {"connect_timeout": _CONNECT_S}
    try:
        engine = sa.create_engine(parsed, **options)
    except ImportError as error:
        how = install_command(POSTGRESQL) if is_postgresql else "pip install what it names"
        raise DatabaseUrlError(f"{scheme} needs its driver: {how}") from error
    except sa.exc.ArgumentError as error:
        raise DatabaseUrlError(f"{URL_VARIABLE}: {reason_of(error)}") from error
    if engine.dialect.name == SQLITE:
        sa.event.listen(engine, "connect", _set_pragmas(f"busy_timeout = {_BUSY_MS}", *pragmas))
    return engine


def may_be_written(path: Path) -> bool:
    """Say whether this process may change a SQLite file, or make it."""
    if not path.exists():
        return True
    # Beside the file SQLite keeps its log while it is open.
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def open_to_read(path: Path) -> sa.Engine:
    """Return an engine for a SQLite file that may only be read."""
    query = {"uri": "true", "mode": "ro"}
    log = path.with_name(f"{path.name}-wal")
    if not log.exists():
        # Nobody writes it now; without this SQLite wants to make its log first
        # (https://www.sqlite.org/wal.html#read_only_databases).
        query["immutable"] = "1"
    database = f"file:{quote(str(path.resolve()))}"
    return sa.create_engine(sa.URL.create(SQLITE, database=database, query=query))


def is_incomplete(engine: sa.Engine, metadata: sa.MetaData) -> bool:
    """Say whether tables are missing, or columns that tables of older versions lack.

    Raises SQLAlchemyError.
    """
    found = sa.inspect(engine)
    names = set(found.get_table_names())
    return any(
        table.name not in names
        or {c.name for c in table.columns} - {c["name"] for c in found.get_columns(table.name)}
        for table in metadata.sorted_tables
    )


def make_tables(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Make the tables that are missing, and add columns that tables of older versions lack.

    Several processes may do so at once. A column that was added must be nullable. Raises
    SQLAlchemyError.
    """
    if not is_incomplete(engine, metadata):
        return
    with engine.begin() as connection:
        if engine.dialect.name == POSTGRESQL:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        elif engine.dialect.name == SQLITE:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        metadata.create_all(connection)
        found = sa.inspect(connection)
        for table in metadata.sorted_tables:
            existing = {column["name"] for column in found.get_columns(table.name)}
            for column in table.columns:
                if column.name not in existing:
                    _add_column(connection, column)


def reason_of(error: Exception) -> str:
    """Return what a database said, on one line and without the statement and its values."""
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def insert(engine: sa.Engine, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insertion that can be told what to do where the row exists (ON CONFLICT)."""
    return postgresql.insert(table) if engine.dialect.name == POSTGRESQL else sqlite.insert(table)


def _add_column(connection: sa.Connection, column: sa.Column[Any]) -> None:
    dialect = connection.dialect
    table = dialect.identifier_preparer.format_table(column.table)
    specification = sa.schema.CreateColumn(column).compile(dialect=dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {specification}")


def _set_pragmas(*pragmas: str) -> Callable[[Any, object], None]:
    def configure(connection: Any, _: object) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    return configure
