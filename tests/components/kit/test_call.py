"""Progress, warnings and the records they become."""

import json
import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.kit.call import Call, CallCancelledError, encode_notices
from components.kit.logs import JsonFormatter, TextFormatter, configure_logging, log_context
from components.kit.storage import Storage
from tests.components.kit.sums import Parameters


@pytest.fixture
def call(tmp_path: Path) -> Call[Parameters]:
    return Call(Parameters(), "r-1", "clean", "prepare", Storage(tmp_path, "clean"))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("components.kit.call.time", clock)
    return clock


def test_progress_is_reported_at_most_five_times_a_second(
    call: Call[Parameters], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for step in range(1000):
        clock.seconds += 0.01
        call.progress(step, 1000)
    assert 45 <= len(caplog.records) <= 51


def test_the_end_is_always_reported(
    call: Call[Parameters], clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call.progress(1, 3, "first")
    call.progress(2, 3, "second")
    call.progress(3, 3, "third")
    reports = [vars(record)["progress"] for record in caplog.records]
    assert [report["message"] for report in reports] == ["first", "third"]


def test_progress_takes_the_numbers_of_numpy(
    call: Call[Parameters], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    done: Any = np.float32(1)
    total: Any = np.int64(2)
    call.progress(done, total)
    document = json.loads(JsonFormatter().format(caplog.records[0]))
    assert document["progress"] == {"done": 1.0, "total": 2.0, "message": ""}


def test_progress_ends_the_work_when_the_caller_has_gone(call: Call[Parameters]) -> None:
    call.cancelled.set()
    with pytest.raises(CallCancelledError):
        call.progress(1, 2)


def test_no_handler_of_errors_swallows_the_end() -> None:
    assert not issubclass(CallCancelledError, Exception)


def test_a_warning_is_a_notice(call: Call[Parameters], caplog: pytest.LogCaptureFixture) -> None:
    call.warn("baseline 05.09: boa_offset_applied contradicts the metadata")
    document = json.loads(JsonFormatter().format(caplog.records[0]))
    assert document["level"] == "WARNING"
    assert document["notice"] is True
    assert document["message"].startswith("baseline 05.09")


def test_a_call_keeps_its_warnings_in_order(call: Call[Parameters]) -> None:
    call.warn("first")
    call.warn("zweite, größer")
    assert json.loads(encode_notices(call.notices)) == ["first", "zweite, größer"]


def test_warnings_that_metadata_cannot_hold_are_left_out() -> None:
    encoded = encode_notices(["ö" * 1000] * 50)
    assert len(encoded) <= 4000
    assert json.loads(encoded) == ["ö" * 1000]
    assert json.loads(encode_notices(["x" * 5000])) == []


def make_record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("kit", logging.INFO, __file__, 1, message, arguments, None)


def test_a_record_as_json() -> None:
    with log_context(run="r-1", node="clean"), log_context(operation="prepare"):
        line = JsonFormatter().format(make_record("read %d bands\nof %s", 4, "Žatec"))
    document = json.loads(line)
    assert "\n" not in line
    assert document["message"] == "read 4 bands\nof Žatec"
    assert document["logger"] == "kit"
    assert [document[name] for name in ("run", "node", "operation")] == ["r-1", "clean", "prepare"]
    assert datetime.fromisoformat(document["time"]).utcoffset() == timedelta(0)


def test_the_context_ends_with_its_block_and_is_not_seen_by_other_threads() -> None:
    seen = []

    def look() -> None:
        seen.append(TextFormatter().format(make_record("look")))

    with log_context(run="r-1"):
        look()
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    look()
    assert [line.endswith("[r-1]") for line in seen] == [True, False, False]


def test_a_traceback_is_in_the_record() -> None:
    bands: dict[str, int] = {}
    try:
        bands["B99"]
    except KeyError as error:
        record = make_record("failed")
        record.exc_info = (type(error), error, error.__traceback__)
    document = json.loads(JsonFormatter().format(record))
    assert document["traceback"].endswith("KeyError: 'B99'")


@pytest.fixture
def root_logger() -> Iterator[None]:
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.usefixtures("root_logger")
@pytest.mark.filterwarnings("always")
def test_warnings_of_python_are_records_too(capfd: pytest.CaptureFixture[str]) -> None:
    import warnings

    configure_logging("json", "INFO")
    warnings.warn("an old way to do it", stacklevel=1)
    logging.getLogger("rasterio.session").info("noise")
    logging.getLogger("kit").debug("below the level")
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "an old way to do it" in json.loads(lines[0])["message"]
