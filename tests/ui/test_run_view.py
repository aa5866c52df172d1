"""Runs of the past, from a journal that the test writes."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import RunNotFoundError
from orchestrator.events import Event, Kind
from orchestrator.journal import Journal, RunRecord
from ui.run_view import read_run, state_of


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with contextlib.closing(Journal("", tmp_path)) as opened:
        yield opened


def record(folder: Path, *, process: int, started: datetime, state: str = "running") -> RunRecord:
    return RunRecord(
        id="clean-1",
        pipeline="clean",
        digest="0" * 64,
        folder=folder,
        state=state,
        message="",
        process=process,
        started=started,
        ended=None,
    )


NOW = datetime.now(UTC)
NO_PROCESS = 2**22 + 1
"""More than the largest number that Linux gives (proc(5), pid_max)."""


def test_a_run_whose_process_is_there_is_running(tmp_path: Path) -> None:
    assert state_of(record(tmp_path, process=os.getpid(), started=NOW)) == "running"


def test_a_run_whose_process_is_gone_has_died(tmp_path: Path) -> None:
    assert state_of(record(tmp_path, process=NO_PROCESS, started=NOW)) == "died"


def test_a_run_whose_process_number_was_given_again_has_died(tmp_path: Path) -> None:
    long_ago = NOW - timedelta(days=400)
    assert state_of(record(tmp_path, process=os.getpid(), started=long_ago)) == "died"


def test_a_run_that_has_ended_stays_what_it_was(tmp_path: Path) -> None:
    ended = record(tmp_path, process=NO_PROCESS, started=NOW, state="succeeded")
    assert state_of(ended) == "succeeded"


def test_a_view_has_counts_per_node_notices_and_the_failed_node(
    tmp_path: Path, journal: Journal
) -> None:
    journal.open_run(record(tmp_path, process=os.getpid(), started=NOW))
    detail = {"component": "s2-preprocess", "version": "0.1.0"}
    counts = {"received": 2, "answered": 1, "failed": 1, "ended": True, "seconds": 4.0}
    for event in (
        Event("clean-1", Kind.NODE_STARTING, "clean", "", detail),
        Event("clean-1", Kind.COUNTS, "clean", "prepare", counts),
        Event("clean-1", Kind.COUNTS, "clean", "align", counts | {"seconds": 6.0}),
        Event("clean-1", Kind.DEAD_LETTER, "clean", "prepare", {"message": "all cloud"}),
        Event("clean-1", Kind.NODE_FAILED, "clean", "", {"message": "no band"}),
    ):
        journal.observe(event)
    ended = {"state": "failed", "message": "no band"}
    journal.observe(Event("clean-1", Kind.RUN_CLOSED, detail=ended))
    view = read_run(journal, "clean")
    (node,) = view.nodes
    assert (node.component, node.received, node.answered) == ("s2-preprocess@0.1.0", 4, 2)
    assert (node.failed, node.seconds, node.has_failed) == (2, 6.0, True)
    assert [notice.message for notice in view.notices] == ["all cloud"]
    assert (view.state, view.failed_node, view.catalogue) == ("failed", "clean", None)


def test_an_unknown_run(journal: Journal) -> None:
    with pytest.raises(RunNotFoundError, match="no run 'last'"):
        read_run(journal, "last")
