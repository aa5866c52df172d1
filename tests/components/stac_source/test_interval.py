import contextlib
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.stac_source.interval import parse_interval, parse_moment, timestamp

TICK = timedelta(microseconds=1)
moments = st.datetimes(timezones=st.just(UTC)).filter(lambda moment: 1000 <= moment.year < 9999)
dates = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@given(dates, dates)
def test_bare_dates_mean_whole_days(one: date, other: date) -> None:
    first, last = sorted((one, other))
    interval = parse_interval(f"{first}/{last}")
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    after = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    assert (interval.start, interval.end) == (midnight, after - TICK)
    for moment, inside in (
        (midnight, True),
        (midnight - TICK, False),
        (after - TICK, True),
        (after, False),
    ):
        assert interval.overlaps(moment, moment) is inside


@given(moments, moments)
def test_what_is_written_can_be_read(one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    interval = parse_interval(f"{timestamp(start)}/{timestamp(end)}")
    assert (interval.start, interval.end) == (start, end)
    assert parse_interval(str(interval)) == interval


@given(moments)
def test_open_ends(moment: datetime) -> None:
    text = timestamp(moment)
    for open_end in ("..", ""):
        after, before = parse_interval(f"{text}/{open_end}"), parse_interval(f"{open_end}/{text}")
        assert (after.start, after.end) == (moment, None)
        assert (before.start, before.end) == (None, moment)
    assert str(after) == f"{text}/.."


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        interval = parse_interval(text)
        assert interval.start or interval.end


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-02", "2024-02-01T00:00:00Z", "2024-02-29T23:59:59.999999Z"),
        ("2023", "2023-01-01T00:00:00Z", "2023-12-31T23:59:59.999999Z"),
        ("2023-08-13T10:00:00Z", "2023-08-13T10:00:00Z", "2023-08-13T10:00:00Z"),
        ("2023-08-13T10:00:00+02:00", "2023-08-13T08:00:00Z", "2023-08-13T08:00:00Z"),
        ("2023-08-13T10:00", "2023-08-13T10:00:00Z", "2023-08-13T10:00:00Z"),
        ("2023-08-13t10:00:00.5z/2023-09", "2023-08-13T10:00:00.500000Z",
         "2023-09-30T23:59:59.999999Z"),
    ],
)  # fmt: skip
def test_other_forms(text: str, start: str, end: str) -> None:
    interval = parse_interval(text)
    assert interval.start
    assert interval.end
    assert (timestamp(interval.start), timestamp(interval.end)) == (start, end)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("../..", "open at both ends"),
        ("", "is not a date"),
        ("2023-13-01", "is not a date"),
        ("2023-02-30", "is not a date"),
        ("13.8.2023", "is not a date"),
        ("2023-W33", "is not a date"),
        ("2023-08-18/2023-08-13", "swap the ends"),
        ("2023/2024/2025", "more than two ends"),
        ("2023-08-13T25:00:00Z", "is not a date"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_interval(text)


def test_spans_of_items_overlap() -> None:
    interval = parse_interval("2023-08-13")
    assert interval.overlaps(
        parse_moment("2023-08-01T00:00:00Z"), parse_moment("2023-09-01T00:00:00Z")
    )
    assert not interval.overlaps(
        parse_moment("2023-08-14T00:00:00Z"), parse_moment("2023-09-01T00:00:00Z")
    )
