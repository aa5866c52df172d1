"""What is written while a run goes."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from orchestrator.events import Event, Kind
from ui.live import LineWatch, LiveWatch
from ui.state import NodeLabel

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
LABELS = [NodeLabel("scenes", "a@1", ("search",)), NodeLabel("clean", "b@1", ("prepare",))]


def event(kind: Kind, seconds: float = 0.0, /, node: str = "clean", **detail: Any) -> Event:
    operation = "prepare" if node == "clean" else "search"
    return Event("run-1", kind, node, operation, detail, START + timedelta(seconds=seconds))


def told(*events: Event) -> list[str]:
    """The lines without their time of day."""
    console = Console(file=io.StringIO(), width=40)
    with LineWatch(LABELS, console) as watch:
        for each in events:
            watch.observe(each)
    assert isinstance(console.file, io.StringIO)
    return [line[9:] if line[2] == ":" else line for line in console.file.getvalue().splitlines()]


def test_lines_tell_of_changes_and_not_of_counts() -> None:
    assert told(
        event(Kind.NODE_STARTING),
        event(Kind.NODE_READY, 1, seconds=1.0),
        event(Kind.COUNTS, 2, received=1, answered=0),
        event(Kind.COUNTS, 3, received=2, answered=1),
        event(Kind.OPERATION_ENDED, 4, received=2, answered=2, seconds=3.0),
    ) == [
        "clean        starting",
        "clean        ready after 1.0 s",
        "clean        done: 2 in, 2 out, 3.0 s",
    ]


def test_calls_of_an_earlier_run_are_told() -> None:
    ended = event(Kind.OPERATION_ENDED, 4, received=2, answered=2, cached=2, seconds=3.0)
    assert told(event(Kind.NODE_READY, 1, seconds=1.0), ended) == [
        "clean        ready after 1.0 s",
        "clean        done: 2 in, 2 out, 2 cached, 3.0 s",
    ]
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with LiveWatch(LABELS, console) as watch:
        watch.observe(ended)
    assert isinstance(console.file, io.StringIO)
    assert "2 cached" in console.file.getvalue()


def test_progress_is_told_now_and_then() -> None:
    events = [
        event(Kind.PROGRESS, seconds, done=seconds, total=20, message=f"block {seconds}")
        for seconds in range(12)
    ]
    assert told(*events) == [
        "clean        0% block 0",
        "clean        25% block 5",
        "clean        50% block 10",
    ]


def test_warnings_are_told_as_they_are_and_in_one_line() -> None:
    message = "scene [1] is 98 % cloud, which is more than most people would want to use"
    assert told(
        event(Kind.NOTICE, message=message), event(Kind.RETRY, message="unavailable", attempt=1)
    ) == [f"warning: clean.prepare: {message}", "retrying: clean.prepare: unavailable"]


def test_the_table_has_a_row_per_node_and_warnings_stand_above_it() -> None:
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with LiveWatch(LABELS, console) as watch:
        watch.observe(event(Kind.NODE_READY, node="scenes"))
        watch.observe(event(Kind.COUNTS, node="scenes", received=0, answered=1234))
        watch.observe(event(Kind.PROGRESS, done=1, total=2, message="block 1"))
        watch.observe(event(Kind.NOTICE, message="hazy"))
        watch.say("stopping")
    assert isinstance(console.file, io.StringIO)
    output = console.file.getvalue()
    assert output.index("warning: clean.prepare: hazy") < output.rindex("1,234")
    assert "block 1" in output
    assert "stopping" in output
