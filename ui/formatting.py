"""Numbers, durations, times and paths, in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def format_number(value: float) -> str:
    """Return a number with four significant digits, and all digits before the point."""
    if isinstance(value, int):
        return f"{value:,}"
    if not math.isfinite(value):
        return str(value)
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def format_seconds(seconds: float) -> str:
    """Return a duration: `0.4 s`, `12 s`, `3:07`, `1:02:03`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_rate(per_second: float) -> str:
    """Return messages per second, or per minute where they are few."""
    if per_second <= 0:
        return ""
    if per_second >= 1:
        return f"{format_number(round(per_second, 1))}/s"
    return f"{per_second * 60:.1f}/min"


def format_time(time: datetime) -> str:
    """Return a time in the time zone of this machine, to the second."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def utc_text(time: datetime | None) -> str | None:
    """Return a time for machines: RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else None


def format_path(path: str | Path) -> str:
    """Return a path as short as it can be typed from here; a URL stays as it is."""
    if urlsplit(str(path)).scheme in {"http", "https", "s3"}:
        return str(path)
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def format_value(value: Any, limit: int = 40) -> str:
    """Return a value of a parameter as one short line."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "null"
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(format_value(item, limit) for item in value)}]"
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {format_value(item, limit)}" for key, item in value.items())
        text = f"{{{text}}}"
    else:
        text = " ".join(str(value).split())
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def plural(number: int, noun: str) -> str:
    """Return `1 fault`, `2 faults`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_bytes(number: float) -> str:
    """Return a size: `812 B`, `1.4 kB`, `97 MB`, `1.2 GB`."""
    units = iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while number >= 999.5 and unit != "TB":
        number, unit = number / 1000, next(units)
    return f"{number:.1f} {unit}" if number < 9.95 and unit != "B" else f"{number:.0f} {unit}"
