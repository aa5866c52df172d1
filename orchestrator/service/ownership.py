"""Whose a run is, and its label: kept beside the journal, in the same database.

The journal knows runs but no users, because a run outside the service has none.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from composer.database import insert, reason_of
from orchestrator.errors import SettingsError
from orchestrator.journal_database import open_journal_database
from orchestrator.service.tokens import MAX_USER
from orchestrator.settings import OrchestratorSettings

_METADATA: Final = sa.MetaData()

_OWNERS: Final = sa.Table(
    "run_owner",
    _METADATA,
    sa.Column("run", sa.String(160), primary_key=True),
    sa.Column("user", sa.String(MAX_USER), index=True),
    sa.Column("label", sa.String(200), nullable=False),
    sa.Column("started", sa.DateTime(timezone=True), nullable=False),
)


class Ownership:
    """Owners and labels of the runs that were started through the service.

    May be used by several threads. Raises SettingsError where the database cannot be used.
    """

    def __init__(self, settings: OrchestratorSettings) -> None:
        self._engine = open_journal_database(settings.database_url, settings.runs_folder, _METADATA)

    def add(self, run: str, user: str | None, label: str, started: datetime) -> None:
        """Keep whose a run is; a run that goes on stays whose it was."""
        values = {"run": run, "user": user, "label": label, "started": started}
        with self._transaction() as connection:
            row = insert(self._engine, _OWNERS).values(values)
            connection.execute(row.on_conflict_do_nothing())

    def owns(self, user: str | None, run: str) -> bool:
        """Whether a run may be seen by a user; where there are no users, by everybody."""
        if user is None:
            return True
        query = sa.select(_OWNERS.c.run).where(_OWNERS.c.run == run, _OWNERS.c.user == user)
        with self._transaction() as connection:
            return connection.execute(query).first() is not None

    def labels(self, runs: Iterable[str]) -> dict[str, str]:
        """Return the labels of those runs that have one, by id."""
        query = sa.select(_OWNERS.c.run, _OWNERS.c.label).where(_OWNERS.c.run.in_(list(runs)))
        with self._transaction() as connection:
            return {row.run: row.label for row in connection.execute(query) if row.label}

    def runs_of(self, user: str, limit: int) -> list[str]:
        """Return the ids of a user's latest runs, the newest first."""
        latest = _OWNERS.c.started.desc()
        query = sa.select(_OWNERS.c.run).where(_OWNERS.c.user == user).order_by(latest)
        with self._transaction() as connection:
            return list(connection.execute(query.limit(limit)).scalars())

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise SettingsError(f"cannot use the journal: {reason_of(error)}") from error
