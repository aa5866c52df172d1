"""The journal outlives the process that wrote it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from orchestrator.errors import RunNotFoundError, SettingsError
from orchestrator.events import Event, Kind
from orchestrator.heartbeat import beating
from orchestrator.journal import Journal, RunRecord
from tests.data import ROOT
from tests.postgresql import Server

START = datetime(2023, 8, 13, 10, tzinfo=UTC)


def record(name: str, minutes: int = 0) -> RunRecord:
    started = START + timedelta(minutes=minutes)
    return RunRecord(name, "forest", "d", Path("/x"), "running", "", 42, started, None)


@pytest.fixture(params=["sqlite", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Journal]]:
    """Opens one journal again and again, as other processes do."""
    url = ""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql_server")
        url = server.new_database()
    opened: list[Journal] = []

    def open_again() -> Journal:
        opened.append(Journal(url, tmp_path))
        return opened[-1]

    yield open_again
    for journal in opened:
        journal.close()


def test_a_run_is_found_again_by_another_process(reopen: Callable[[], Journal]) -> None:
    first = reopen()
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

    found = reopen().run("forest-1")
    assert (found.state, found.message) == ("failed", "node clean: broken")
    assert found.started == START
    assert found.ended is not None
    assert found.operations == {"change.detect": {"received": 2, "answered": 2}}
    [notice, _] = reopen().events("forest-1")
    assert (notice.kind, notice.node, notice.detail) == (
        Kind.NOTICE,
        "clean",
        {"message": "cloudy"},
    )


def test_runs_come_newest_first_and_are_found_by_the_start_of_their_name(
    reopen: Callable[[], Journal],
) -> None:
    journal = reopen()
    for number, name in enumerate(("forest-a", "forest-a1", "forest-a2", "river-b1")):
        journal.open_run(record(name, number))
    assert [run.id for run in journal.runs(2)] == ["river-b1", "forest-a2"]
    assert journal.run("last").id == "river-b1"
    assert journal.run("riv").id == "river-b1"
    assert journal.run("forest-a").id == "forest-a"
    with pytest.raises(RunNotFoundError, match="several runs start with 'forest'"):
        journal.run("forest")
    for name in ("%", "\0"):
        with pytest.raises(RunNotFoundError, match="there is no run"):
            journal.run(name)


def test_events_are_read_a_page_at_a_time(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    for name in ("a", "b"):
        journal.open_run(record(name))
    for number in range(7):
        for name in ("a", "b"):
            kind = Kind.NOTICE if number % 3 == 0 else Kind.RESULT
            journal.observe(Event(name, kind, detail={"message": f"{name}{number}"}))
    cursor, pages = 0, []
    while page := journal.events("a", after=cursor, limit=3):
        pages.append([event.detail["message"] for event in page])
        cursor = page[-1].number
    assert pages == [["a0", "a1", "a2"], ["a3", "a4", "a5"], ["a6"]]
    journal.observe(Event("a", Kind.NOTICE, detail={"message": "new"}))
    assert [e.detail["message"] for e in journal.events("a", after=cursor)] == ["new"]
    last = journal.last_event("a")
    assert last is not None
    assert last.detail == {"message": "new"}
    assert [e.number for e in journal.events("a", until=cursor)][-1] == cursor
    notices = journal.events("a", kinds=[Kind.NOTICE])
    assert [e.detail["message"] for e in notices] == ["a0", "a3", "a6", "new"]
    assert journal.last_event("c") is None


def test_what_components_say_is_kept_whatever_it_is(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    journal.open_run(record("a"))
    said = "nul \0, half a character \ud800"
    journal.observe(Event("a", Kind.NOTICE, "node", "o" * 500 + "\0", {"message": said}))
    journal.observe(Event("a", Kind.RUN_CLOSED, detail={"state": "failed", "message": said}))
    [notice, _] = journal.events("a")
    assert notice.detail == {"message": said}
    assert notice.operation == "o" * 120
    assert journal.run("a").message == "nul \N{REPLACEMENT CHARACTER}, half a character ?"


def test_several_processes_may_make_it_and_write(
    reopen: Callable[[], Journal],
) -> None:
    journal = reopen()
    url = journal_url(journal)
    journal.open_run(record("shared"))
    code = (
        "import sys; from tests.orchestrator.test_journal import write_from_process;"
        "write_from_process(*sys.argv[1:])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, url, str(number)], stderr=subprocess.PIPE, cwd=ROOT
        )
        for number in range(3)
    ]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, said
    assert len(journal.events("shared")) == 60
    for number in range(3):
        own = journal.events(f"run-{number}")
        assert [event.detail["message"] for event in own] == list(range(20))
        assert journal.run(f"run-{number}").operations == {"n.o": {"received": 19}}


def journal_url(journal: Journal) -> str:
    return journal._engine.url.render_as_string(hide_password=False)


def write_from_process(url: str, number: str) -> None:
    journal = Journal(url, Path("unused"))
    own = f"run-{number}"
    journal.open_run(RunRecord.begun(own, "forest", "d", Path("/x")))
    for count in range(20):
        journal.observe(Event(own, Kind.NOTICE, detail={"message": count}))
        journal.observe(Event("shared", Kind.NOTICE, detail={"message": count}))
        for run in (own, "shared"):
            journal.observe(Event(run, Kind.COUNTS, "n", "o", {"received": count}))
    journal.close()


def test_a_run_of_this_process_lives_and_one_of_its_number_before_does_not(
    reopen: Callable[[], Journal],
) -> None:
    journal = reopen()
    now = RunRecord.begun("now", "forest", "d", Path("/x"))
    before = replace(now, id="before", process_started=now.started - timedelta(days=1))
    gone = replace(now, id="gone", process=2**22 + 1)
    for entry in (now, before, gone):
        journal.open_run(entry)
    assert [journal.run(name).is_alive for name in ("now", "before", "gone")] == [
        True,
        False,
        False,
    ]
    assert journal.run("now").runner.is_this
    assert not journal.run("before").runner.is_this
    journal.reopen_run("before")
    assert journal.run("before").is_alive
    journal.observe(Event("now", Kind.RUN_CLOSED, detail={"state": "failed", "message": ""}))
    assert not journal.run("now").is_alive


def test_a_run_on_another_host_lives_as_long_as_it_gives_signs(
    reopen: Callable[[], Journal],
) -> None:
    journal = reopen()
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    other = replace(
        RunRecord.begun("r", "forest", "d", Path("/x")), host="another-host", seen=long_ago
    )
    journal.open_run(other)
    assert not journal.run("r").is_alive
    journal.touch("r")
    assert journal.run("r").is_alive


async def test_a_run_gives_signs_of_life_until_it_ends(tmp_path: Path) -> None:
    journal = Journal("", tmp_path)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    journal.open_run(replace(RunRecord.begun("r", "p", "d", Path("/x")), seen=long_ago))
    async with asyncio.timeout(20), beating(journal, "r", 0.01):
        while journal.run("r").seen == long_ago:
            await asyncio.sleep(0.01)
    seen = journal.run("r").seen
    await asyncio.sleep(0.05)
    assert journal.run("r").seen == seen
    journal.close()


OLD = """
CREATE TABLE run (id VARCHAR(160) NOT NULL PRIMARY KEY, pipeline VARCHAR(200) NOT NULL,
    digest VARCHAR(80) NOT NULL, folder TEXT NOT NULL, state VARCHAR(20) NOT NULL,
    message TEXT NOT NULL, process INTEGER NOT NULL, started DATETIME NOT NULL, ended DATETIME);
INSERT INTO run VALUES ('old-1', 'forest', 'd', '/x', 'running', '', %d,
    '2023-08-13 10:00:00.000000', NULL);
"""


def test_a_journal_of_an_older_version_goes_on(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.executescript(OLD % os.getpid())
    journal = Journal("", tmp_path)
    old = journal.run("old-1")
    assert (old.host, old.process_started, old.started) == ("", None, START)
    assert not old.is_alive, "this process began later than that run"
    journal.open_run(RunRecord.begun("new", "forest", "d", Path("/x")))
    journal.reopen_run("old-1")
    assert {run.id: run.is_alive for run in journal.runs()} == {"new": True, "old-1": True}
    journal.close()


def test_an_older_journal_that_may_only_be_read_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("CREATE TABLE run (id VARCHAR(160) PRIMARY KEY)")
        connection.commit()
    monkeypatch.setattr(os, "access", lambda _, mode, **__: not mode & os.W_OK)
    with pytest.raises(SettingsError, match=r"is of an older version of EO Loom.*copy the folder"):
        Journal("", tmp_path)


def test_whether_a_run_uses_the_memory_is_kept(reopen: Callable[[], Journal]) -> None:
    journal = reopen()
    for name, cache in (("with", True), ("without", False), ("unsaid", None)):
        journal.open_run(replace(record(name), cache=cache))
    assert {r.id: r.cache for r in reopen().runs()} == {
        "with": True,
        "without": False,
        "unsaid": None,
    }


def test_a_database_that_cannot_be_opened_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="cannot write into"):
        Journal("", tmp_path / "file" / "runs")
    (tmp_path / "journal.sqlite").write_bytes(b"this is not a database" * 100)
    with pytest.raises(SettingsError, match=r"journal .*journal\.sqlite: file is not a database"):
        Journal("", tmp_path)
    with pytest.raises(SettingsError, match="cannot open the journal"):
        Journal("nonsense://x", tmp_path)


def test_columns_that_are_missing_are_added_in_every_database(
    reopen: Callable[[], Journal],
) -> None:
    journal = reopen()
    journal.open_run(record("old"))
    engine = sa.create_engine(journal._engine.url)
    with engine.begin() as connection:
        for column in ("host", "process_started", "seen"):
            connection.execute(sa.text(f"ALTER TABLE run DROP COLUMN {column}"))
    engine.dispose()
    journal.close()
    again = reopen()
    again.open_run(RunRecord.begun("new", "forest", "d", Path("/x")))
    assert (again.run("old").host, again.run("old").seen) == ("", None)
    assert again.run("new").runner.is_this
