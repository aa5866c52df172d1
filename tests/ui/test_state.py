"""A run in progress, from events that are made up."""

from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.events import Event, Kind
from ui.state import NodeLabel, NodeState, RunProgress

START = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(
    kind: Kind, seconds: float = 0.0, /, *, operation: str = "prepare", **detail: Any
) -> Event:
    return Event("run-1", kind, "clean", operation, detail, at(seconds))


def progress_of(*operations: str) -> RunProgress:
    return RunProgress([NodeLabel("clean", "s2-preprocess@0.1.0", operations or ("prepare",))])


def test_a_node_goes_from_waiting_to_done() -> None:
    run = progress_of()
    node = run.nodes["clean"]
    states = [node.state]
    for told in (
        event(Kind.NODE_STARTING),
        event(Kind.NODE_READY, 1, seconds=1.0),
        event(Kind.COUNTS, 2, received=1, answered=0),
        event(Kind.OPERATION_ENDED, 3, received=1, answered=1, seconds=2.0),
        event(Kind.NODE_STOPPED, 4),
    ):
        run.observe(told)
        states.append(node.state)
    assert states == ["waiting", "starting", "ready", "working", "done", "done"]
    assert node.seconds(at(100)) == 2.0


def test_a_node_with_two_operations_is_done_with_the_last() -> None:
    run = progress_of("prepare", "align")
    run.observe(event(Kind.OPERATION_ENDED, 1, received=2, answered=2))
    assert run.nodes["clean"].state is NodeState.WAITING
    run.observe(event(Kind.OPERATION_ENDED, 2, operation="align", received=2, answered=1))
    assert run.nodes["clean"].state is NodeState.DONE
    assert (run.nodes["clean"].received, run.nodes["clean"].answered) == (4, 3)


def test_a_node_that_has_given_what_is_remembered_stays_done_when_it_is_ready() -> None:
    run = progress_of()
    run.observe(event(Kind.NODE_STARTING))
    run.observe(event(Kind.OPERATION_ENDED, 1, received=1, answered=1, seconds=0.1))
    run.observe(event(Kind.NODE_READY, 2))
    assert run.nodes["clean"].state is NodeState.DONE


def test_a_failed_node_stays_failed_when_it_is_stopped() -> None:
    run = progress_of()
    run.observe(event(Kind.NODE_READY))
    run.observe(event(Kind.NODE_FAILED, 1, message="no band"))
    run.observe(event(Kind.COUNTS, 1.1, received=3, answered=2))
    run.observe(event(Kind.NODE_STOPPED, 2))
    assert run.nodes["clean"].state is NodeState.FAILED
    assert run.nodes["clean"].received == 3


def test_the_rate_is_that_of_the_last_ten_seconds() -> None:
    run = progress_of()
    run.observe(event(Kind.NODE_READY))
    for second in range(31):
        # One message a second, then three.
        answered = second if second <= 15 else 15 + 3 * (second - 15)
        run.observe(event(Kind.COUNTS, second, received=answered, answered=answered))
    assert run.nodes["clean"].rate(at(30)) == 3.0
    run.observe(event(Kind.OPERATION_ENDED, 30, received=60, answered=60))
    assert run.nodes["clean"].rate(at(99)) == 2.0


def test_a_node_that_says_nothing_any_more_has_no_rate() -> None:
    run = progress_of()
    run.observe(event(Kind.NODE_READY))
    run.observe(event(Kind.COUNTS, 1, received=5, answered=5))
    assert run.nodes["clean"].rate(at(60)) == 0.0


def test_progress_is_a_share_of_the_total() -> None:
    run = progress_of()
    node = run.nodes["clean"]
    assert node.fraction is None
    run.observe(event(Kind.PROGRESS, 1, done=3, total=4, message="block 3"))
    assert (node.fraction, node.message, node.state) == (0.75, "block 3", NodeState.WORKING)
    run.observe(event(Kind.PROGRESS, 2, done=9, total=4, message=""))
    assert node.fraction == 1.0


def test_notices_and_results_are_gathered() -> None:
    run = progress_of()
    run.observe(event(Kind.NOTICE, message="half of it is cloud"))
    run.observe(event(Kind.RETRY, attempt=1, message="try again"))
    run.observe(event(Kind.RESULT, path="item.json"))
    assert [notice.kind for notice in run.notices] == [Kind.NOTICE, Kind.RETRY]
    assert (run.results, run.run) == (1, "run-1")


def test_events_of_unknown_nodes_are_passed_over() -> None:
    run = RunProgress([])
    run.observe(event(Kind.COUNTS, received=1))
    assert run.nodes == {}
