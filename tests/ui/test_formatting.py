"""Numbers, durations, paths and values, in words."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ui.formatting import (
    format_number,
    format_path,
    format_rate,
    format_seconds,
    format_value,
    utc_text,
)
from ui.output import plain


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1:00"),
        (187, "3:07"),
        (3723, "1:02:03"),
    ],
)
def test_seconds(seconds: float, words: str) -> None:
    assert format_seconds(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(12345, "12,345"), (12345.6, "12,346"), (0.00012345, "0.0001234"), (-2.5, "-2.5")],
)
def test_numbers(value: float, words: str) -> None:
    assert format_number(value) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(0.0, ""), (0.05, "3.0/min"), (12.34, "12.3/s"), (4321.0, "4,321/s")]
)
def test_rates(rate: float, words: str) -> None:
    assert format_rate(rate) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "null"),
        (True, "true"),
        ([1, "a"], "[1, a]"),
        ({"west": 1.5}, "{west: 1.5}"),
        ("two\nlines", "two lines"),
        ("x" * 60, "x" * 39 + "…"),
    ],
)
def test_values(value: Any, words: str) -> None:
    assert format_value(value) == words


def test_paths_are_short_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert format_path(tmp_path / "runs" / "item.json") == "runs/item.json"
    assert format_path("/elsewhere/item.json") == "/elsewhere/item.json"
    assert format_path("s3://bucket/item.json") == "s3://bucket/item.json"


def test_json_has_only_what_json_can_say() -> None:
    time = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
    value = {"path": Path("a/b"), "time": time, "numbers": (1.0, float("nan"), float("inf"))}
    assert plain(value) == {
        "path": "a/b",
        "time": "2024-05-01T12:00:00Z",
        "numbers": [1.0, None, None],
    }
    assert utc_text(None) is None
