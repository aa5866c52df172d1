"""The journal outlives the process that wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import RunNotFoundError, SettingsError
from orchestrator.events import Event, Kind
from orchestrator.journal import Journal, RunRecord

START = datetime(2023, 8, 13, 10, tzinfo=UTC)


def record(name: str, minutes: int = 0) -> RunRecord:
    started = START + timedelta(minutes=minutes)
    return RunRecord(name, "forest", "d", Path("/x"), "running", "", 42, started, None)


def test_a_run_is_found_again_by_another_process(tmp_path: Path) -> None:
    first = Journal("", tmp_path)
    first.open_run(record("forest-1"))
    counts = {"received": 2, "answered": 1}
    for answered in (1, 2):
        event = Event("forest-1", Kind.COUNTS, "change", "detect", counts | {"answered": answered})
        first.observe(event)
    first.observe(Event("forest-1", Kind.NOTICE, "clean", "prepare", {"message": "cloudy"}))
    first.observe(Event("forest-1", Kind.PROGRESS, "clean", "prepare", {"done": 1, "total": 2}))
    ended = {"state": "failed", "message": "node clean: broken"}
    first.observe(Event("forest-1", Kind.RUN_CLOSED, detail=ended))
    first.close()

    found = Journal("", tmp_path).run("forest-1")
    assert (found.state, found.message) == ("failed", "node clean: broken")
    assert found.started == START
    assert found.ended is not None
    assert found.operations == {"change.detect": {"received": 2, "answered": 2}}
    [notice, _] = Journal("", tmp_path).events("forest-1")
    assert (notice.kind, notice.node, notice.detail) == (
        Kind.NOTICE,
        "clean",
        {"message": "cloudy"},
    )


def test_runs_come_newest_first_and_are_found_by_the_start_of_their_name(tmp_path: Path) -> None:
    journal = Journal("", tmp_path)
    for number, name in enumerate(("forest-a", "forest-a1", "forest-a2", "river-b1")):
        journal.open_run(record(name, number))
    assert [run.id for run in journal.runs(2)] == ["river-b1", "forest-a2"]
    assert journal.run("last").id == "river-b1"
    assert journal.run("riv").id == "river-b1"
    assert journal.run("forest-a").id == "forest-a"
    with pytest.raises(RunNotFoundError, match="several runs start with 'forest'"):
        journal.run("forest")
    with pytest.raises(RunNotFoundError, match="no run '%'"):
        journal.run("%")


def test_a_database_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot write into"):
        Journal("", tmp_path / "file" / "runs")
    (tmp_path / "journal.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(SettingsError, match="cannot open the journal: file is not a database"):
        Journal("", tmp_path)
    with pytest.raises(SettingsError, match="cannot open the journal"):
        Journal("nonsense://x", tmp_path)
