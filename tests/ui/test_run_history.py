"""The history of runs, what a run has cost, and its page, without a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.events import Event, Kind
from orchestrator.journal import Journal, RunFilter, RunRecord
from orchestrator.settings import OrchestratorSettings
from ui.log_tail import MAX_BYTES, log_files, read_tail
from ui.run_history import read_history
from ui.run_page import (
    NOT_MEASURED,
    cpu_words,
    document_of,
    event_words,
    node_rows,
    queue_words,
    read_events,
    read_page,
)
from ui.run_usage import Usage, total, usage_of

START = datetime(2023, 8, 13, 10, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = Journal("", tmp_path)
    yield opened
    opened.close()


def add(journal: Journal, name: str, minutes: int, state: str, pipeline: str = "forest") -> None:
    """Enter a run; one that says that it runs is this process."""
    alive = RunRecord.begun(name, pipeline, "d", Path("/x") / name)
    record = replace(alive, started=START + timedelta(minutes=minutes), state=state)
    if state != "running":
        record = replace(record, ended=record.started + timedelta(seconds=30))
    journal.open_run(record)


def add_dead(journal: Journal, name: str, minutes: int) -> None:
    """Enter a run whose process is gone: its number belongs to one that began much later."""
    alive = RunRecord.begun(name, "forest", "d", Path("/x") / name)
    started = START + timedelta(minutes=minutes)
    journal.open_run(replace(alive, process=os.getpid(), process_started=START, started=started))


def test_pages_have_every_run_once_also_where_times_are_equal(journal: Journal) -> None:
    for number in range(45):
        add(journal, f"run-{number:02}", 0, "succeeded")
    seen = [row.id for page in (1, 2, 3) for row in read_history(journal, page=page, size=20).rows]
    assert sorted(seen) == [f"run-{number:02}" for number in range(45)]
    last = read_history(journal, page=99, size=20)
    assert (last.page, last.pages, last.total, len(last.rows)) == (3, 3, 45, 5)
    assert (last.first, last.last) == (41, 45)


def test_filters_narrow_the_history(journal: Journal) -> None:
    add(journal, "forest-1", 1, "succeeded")
    add(journal, "forest-2", 2, "failed")
    add(journal, "burnt-1", 3, "failed", pipeline="burnt")
    assert [row.id for row in read_history(journal, state="failed").rows] == ["burnt-1", "forest-2"]
    assert [row.id for row in read_history(journal, pipeline="burnt").rows] == ["burnt-1"]
    assert [row.id for row in read_history(journal, text="FOREST").rows] == ["forest-2", "forest-1"]
    assert read_history(journal, text="100%").total == 0
    assert read_history(journal, text="_").total == 0
    assert journal.pipelines() == ["burnt", "forest"]
    assert journal.count_runs(RunFilter("failed", "forest")) == 1


def test_runs_that_died_are_told_from_those_that_run(journal: Journal) -> None:
    add(journal, "alive", 1, "running")
    add_dead(journal, "dead", 2)
    (running,) = read_history(journal, state="running").rows
    (died,) = read_history(journal, state="died").rows
    assert (running.id, died.id) == ("alive", "dead")
    assert died.seconds is None
    assert "without a word" in died.message


def test_usage_adds_up_operations_replicas_and_attempts() -> None:
    operations = {
        "clean.prepare": {"bytes_in": 10, "bytes_out": 20},
        "clean.align": {"bytes_in": 1, "bytes_out": 2},
        "change.detect": {"bytes_in": 5},
    }
    events = [
        Event("r", Kind.USAGE, "clean", detail={"cpu_s": 1.5}),
        Event("r", Kind.USAGE, "clean", detail={"cpu_s": 2.0}),
    ]
    usage = usage_of(operations, events)
    assert usage["clean"] == Usage(11, 22, 3.5)
    assert usage["change"].cpu_s is None
    assert total(usage) == Usage(16, 22, 3.5)


def test_processor_time_that_nobody_measured_is_said_to_be_so() -> None:
    assert cpu_words(None, is_running=False) == NOT_MEASURED
    assert cpu_words(None, is_running=True) == "at the end"
    assert cpu_words(0.04, is_running=False) == "0.0 s"


def test_how_full_a_queue_is() -> None:
    assert queue_words(0, 64) == ""
    assert queue_words(16, 64) == "16 (25% full)"
    assert queue_words(70, 64) == "70 (100% full)"
    assert queue_words(3, 0) == "3"


def test_a_failed_run_has_its_node_and_the_end_of_its_log(journal: Journal, tmp_path: Path) -> None:
    folder = tmp_path / "r"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "clean.log").write_text('{"message": "no band", "level": "ERROR"}\n')
    journal.open_run(RunRecord.begun("r", "p", "d", folder))
    for event in (
        Event("r", Kind.RUN_STARTED),
        Event("r", Kind.NODE_FAILED, "clean", detail={"message": "no band"}),
        Event("r", Kind.DEAD_LETTER, "clean", detail={"message": "x", "input": "a#1"}),
        Event("r", Kind.RUN_CLOSED, detail={"state": "failed", "message": "node clean: no band"}),
    ):
        journal.observe(event)
    page = read_page(journal, "r")
    assert page.failure is not None
    assert (page.failure.node, page.failure.log.lines) == ("clean", ("ERROR no band",))
    assert (page.state, page.dead, page.can_resume) == ("failed", 1, True)
    # A node that failed in an attempt before is not why this one did.
    journal.reopen_run("r")
    journal.observe(Event("r", Kind.RUN_STARTED))
    journal.observe(Event("r", Kind.RUN_CLOSED, detail={"state": "failed", "message": "disk full"}))
    again = read_page(journal, "r").failure
    assert again is not None
    assert (again.node, again.message) == ("", "disk full")


def test_events_are_the_newest_first_without_results(journal: Journal) -> None:
    add(journal, "r", 0, "running")
    for number in range(3):
        journal.observe(Event("r", Kind.RESULT, "change", detail={"message": f"m{number}"}))
        journal.observe(Event("r", Kind.NOTICE, "clean", detail={"message": f"notice {number}"}))
    assert [event_words(event) for event in read_events(journal, "r")] == [
        "notice 2",
        "notice 1",
        "notice 0",
    ]
    assert journal.count_events("r", Kind.RESULT) == 3
    newest = journal.events("r", limit=2, newest=True)
    assert [event.kind for event in newest] == [Kind.RESULT, Kind.NOTICE]


def test_events_in_words() -> None:
    starting = Event("r", Kind.NODE_STARTING, detail={"component": "a", "version": "1.0.0"})
    assert event_words(starting) == "a@1.0.0"
    assert event_words(Event("r", Kind.NODE_READY, detail={"seconds": 1.26})) == "after 1.3 s"
    ended = Event("r", Kind.RUN_CLOSED, detail={"state": "failed", "message": "two\nlines"})
    assert event_words(ended) == "failed: two lines"
    assert event_words(Event("r", Kind.NODE_STOPPED)) == ""


def test_rows_of_nodes_have_counts_bytes_and_queues(journal: Journal) -> None:
    add(journal, "r", 0, "succeeded")
    page = replace(read_page(journal, "r"), usage={"clean": Usage(1500, 20, 1.0)})
    document = {"nodes": {"clean": {"component": "c@1"}}, "links": ["a.b -> clean.prepare"]}
    node = {
        "state": "done",
        "received": 1200,
        "answered": 2,
        "rate": 2.0,
        "queued": 32,
        "failed": 0,
    }
    (row,) = node_rows({"clean": node}, page, document, OrchestratorSettings(queue_messages=64))
    assert row["In"] == "1,200"
    assert row["Waiting"] == "32 (50% full)"
    assert (row["Bytes in"], row["CPU"], row["Failed"]) == ("1.5 kB", "1.0 s", "")


def test_a_run_without_its_pipeline_file_has_an_empty_picture(journal: Journal) -> None:
    add(journal, "r", 0, "succeeded")
    assert document_of(journal.run("r"))["nodes"] == {}


def test_the_tail_of_a_log_is_bounded_and_starts_with_a_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "clean.log"
    path.write_text("".join(f"line {number}\n" for number in range(100_000)))
    assert path.stat().st_size > MAX_BYTES
    tail = read_tail(path, lines=3)
    assert tail.lines == ("line 99997", "line 99998", "line 99999")
    assert not tail.is_whole
    whole = read_tail(path, lines=10**6)
    assert whole.lines[0].startswith("line ")
    assert read_tail(tmp_path / "none.log").lines == ()


def test_records_of_a_log_become_words_and_control_characters_do_not_act(tmp_path: Path) -> None:
    path = tmp_path / "clean.log"
    path.write_text(
        '{"message": "half", "progress": {"done": 1, "total": 2}}\n'
        '{"message": "bad", "level": "ERROR", "traceback": "Traceback\\n  boom"}\n'
        "\x1b[31mred\x1b[0m\n"
    )
    assert read_tail(path).lines == (
        "half (1 of 2)",
        "ERROR bad",
        "Traceback",
        "  boom",
        "�[31mred�[0m",
    )


def test_logs_of_a_node_are_those_of_its_replicas_only(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("clean-1", "clean-2", "clean-10", "cleaner", "clean-up"):
        (tmp_path / "logs" / f"{name}.log").touch()
    assert [path.stem for path in log_files(tmp_path, "clean")] == [
        "clean-1",
        "clean-2",
        "clean-10",
    ]
