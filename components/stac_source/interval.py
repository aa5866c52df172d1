"""Time intervals in STAC's syntax (OGC API Features, clause 7.15.3, parameter `datetime`).

https://docs.ogc.org/is/17-069r4/17-069r4.html#_parameter_datetime
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_OPEN = {"", ".."}
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})?"
)
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Interval:
    """A span of time with both ends included; None is an open end. Times are in UTC."""

    start: datetime | None
    end: datetime | None

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Tell whether a span from `start` to `end` shares a moment with this one."""
        return (self.start is None or end >= self.start) and (self.end is None or start <= self.end)

    def __str__(self) -> str:
        """Write it as STAC does."""
        return "/".join(".." if end is None else timestamp(end) for end in (self.start, self.end))


def parse_interval(text: str) -> Interval:
    """Read a moment or an interval.

    `2023-08-13T10:00:00Z` is a moment. A date, month or year means all of it, so that
    `2023-08-13/2023-08-18` includes both days. `..` or nothing is an open end. Times without a
    zone are UTC.

    Raises:
        ValueError: saying which part is wrong.
    """
    parts = text.strip().split("/")
    if len(parts) == 1:
        start, end = _span(parts[0])
        return Interval(start, end)
    if len(parts) != 2:
        raise ValueError(f"{text!r} has more than two ends; write START/END")
    first, last = (part.strip() for part in parts)
    if first in _OPEN and last in _OPEN:
        raise ValueError(f"{text!r} is open at both ends; leave it out instead")
    interval = Interval(
        None if first in _OPEN else _span(first)[0], None if last in _OPEN else _span(last)[1]
    )
    if interval.start and interval.end and interval.start > interval.end:
        raise ValueError(f"{text!r} ends before it starts; swap the ends")
    return interval


def parse_moment(text: str) -> datetime:
    """Read a date and time (RFC 3339; UTC where no zone is given). Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f"{text!r} is not a date and time such as 2023-08-13T10:00:00Z")
    moment = datetime.fromisoformat(text.upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def timestamp(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _span(text: str) -> tuple[datetime, datetime]:
    """Return the first and last moment of a date, month, year or moment."""
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            moment = parse_moment(text.strip())
            return moment, moment
        year = int(match[1])
        month, day = (int(part) if part else None for part in match.groups()[1:])
        last_month = month or 12
        last_day = day or calendar.monthrange(year, last_month)[1]
        start = datetime(year, month or 1, day or 1, tzinfo=UTC)
        last = datetime(year, last_month, last_day, tzinfo=UTC)
        return start, last + timedelta(days=1) - _TICK
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is not a date (2023-08-13, 2023-08, 2023) or a date and time "
            f"(2023-08-13T10:00:00Z): {error}"
        ) from error
