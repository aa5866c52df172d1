"""Opening the database of the journal: to write, or only to read where that is all one may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from composer.database import (
    DatabaseUrlError,
    is_incomplete,
    make_tables,
    may_be_written,
    open_engine,
    open_to_read,
    reason_of,
)
from orchestrator.errors import SettingsError
from orchestrator.settings import JOURNAL_FILE

if TYPE_CHECKING:
    from pathlib import Path

    import sqlalchemy as sa


def open_journal_database(url: str, runs_folder: Path, tables: sa.MetaData) -> sa.Engine:
    """Open the database of the journal, by default a file in the runs folder, with some tables.

    A file that may not be written is opened to be read. Raises SettingsError.
    """
    is_file = not url
    path = runs_folder / JOURNAL_FILE
    try:
        if is_file and not may_be_written(path):
            return _open_to_read(path, tables)
        if is_file:
            runs_folder.mkdir(parents=True, exist_ok=True)
            url = f"sqlite:///{path.resolve()}"
        # Readers read while a run writes.
        engine = open_engine(url, "journal_mode = WAL", "synchronous = NORMAL")
        make_tables(engine, tables)
    except OSError as error:
        raise SettingsError(f"cannot write into {runs_folder}: {error.strerror}") from error
    except (SQLAlchemyError, DatabaseUrlError) as error:
        name = f" {path}" if is_file else ""
        raise SettingsError(f"cannot open the journal{name}: {reason_of(error)}") from error
    return engine


def _open_to_read(path: Path, tables: sa.MetaData) -> sa.Engine:
    engine = open_to_read(path)
    if is_incomplete(engine, tables):
        raise SettingsError(
            f"the journal {path} is of an older version of EO Loom, which {path.parent} would have "
            "to be writable to bring up to date; copy the folder, or use it as its owner once"
        )
    return engine
