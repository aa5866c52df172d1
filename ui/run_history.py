"""The runs of the journal, page by page. Knows no Streamlit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestrator.engine.run import State
from orchestrator.journal import RunFilter
from ui.run_view import DIED, state_of

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.journal import Journal, RunRecord

PAGE_SIZE: Final = 20
STATES: Final = (State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED, DIED)
"""What may be asked for; the last is of runs that say that they run."""

_MAX_UNFINISHED: Final = 2_000
"""Runs without an end that are looked at, to tell those that run from those that died."""


@dataclass(frozen=True)
class HistoryRow:
    """One run in a list. seconds: None for one that died, as nobody knows when."""

    id: str
    pipeline: str
    state: str
    message: str
    started: datetime
    seconds: float | None


@dataclass(frozen=True)
class History:
    """One page. total: runs on all pages; pages: at least one; page: counts from 1.

    first: number of the first row, among all of them.
    """

    rows: tuple[HistoryRow, ...]
    total: int
    page: int
    pages: int
    first: int

    @property
    def last(self) -> int:
        """Number of the last row."""
        return self.first + len(self.rows) - 1


def read_history(
    journal: Journal,
    *,
    state: str = "",
    pipeline: str = "",
    text: str = "",
    page: int = 1,
    size: int = PAGE_SIZE,
) -> History:
    """Return a page of the runs, the newest first; of the last page where there are fewer.

    state: one of STATES; text: part of a run's id. Raises SettingsError.
    """
    fitting: list[RunRecord] | None = None
    if state in {State.RUNNING, DIED}:
        unfinished = journal.runs(_MAX_UNFINISHED, where=RunFilter(State.RUNNING, pipeline, text))
        fitting = [record for record in unfinished if state_of(record) == state]
    where = RunFilter(state, pipeline, text)
    total = journal.count_runs(where) if fitting is None else len(fitting)
    pages = max(-(-total // size), 1)
    page = min(max(page, 1), pages)
    begin = (page - 1) * size
    if fitting is None:
        records = journal.runs(size, begin, where=where)
    else:
        records = fitting[begin : begin + size]
    return History(tuple(map(_row, records)), total, page, pages, begin + 1)


def _row(record: RunRecord) -> HistoryRow:
    state = state_of(record)
    died = state == DIED
    return HistoryRow(
        id=record.id,
        pipeline=record.pipeline,
        state=state,
        message="its process ended without a word" if died else record.message,
        started=record.started,
        seconds=None if died else record.seconds,
    )
