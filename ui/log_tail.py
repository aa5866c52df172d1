"""The end of a component's log, for people. Knows no Streamlit."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 256 * 1024
"""Read of the end of a log."""
MAX_LINES: Final = 400
_MAX_LINE: Final = 2_000


@dataclass(frozen=True)
class LogTail:
    """The last lines of a log. is_whole: whether there is nothing before them."""

    lines: tuple[str, ...]
    is_whole: bool


def log_files(folder: Path, node: str) -> tuple[Path, ...]:
    """Return the logs of a node in the folder of a run: one for each replica that has said much."""
    own = re.compile(rf"{re.escape(node)}(-\d+)?\.log")
    try:
        found = [path for path in (folder / "logs").iterdir() if own.fullmatch(path.name)]
    except OSError:
        return ()
    return tuple(sorted(found, key=lambda path: (len(path.name), path.name)))


def read_tail(path: Path, *, lines: int = MAX_LINES) -> LogTail:
    """Return the last lines of a log, as people read them.

    A log that is not there, or cannot be read, says so in its only line.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            begin = max(size - MAX_BYTES, 0)
            file.seek(begin)
            content = file.read(MAX_BYTES)
    except FileNotFoundError:
        return LogTail((), is_whole=True)
    except OSError as error:
        return LogTail((f"(the log cannot be read: {error.strerror})",), is_whole=False)
    raw = content.decode(errors="replace").splitlines()
    if begin > 0 and raw:
        raw = raw[1:]  # its beginning was cut off
    kept = raw[-lines:] if lines else []
    words = tuple(line for text in kept for line in _words(text))
    return LogTail(words, is_whole=begin == 0 and len(kept) == len(raw))


def _words(text: str) -> list[str]:
    """Return a line of a log in words: of our JSON records the time, the level and the message."""
    try:
        record = json.loads(text)
    except ValueError:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("message"), str):
        return [_printable(text)]
    level = str(record.get("level", "INFO"))
    shown = "" if level == "INFO" else f"{level} "
    first = f"{_time(record)}{shown}{record['message']}{_progress(record)}"
    traceback = record.get("traceback")
    more = str(traceback).splitlines() if traceback else []
    return [_printable(line) for line in (first, *more)]


def _time(record: dict[str, Any]) -> str:
    try:
        time = datetime.fromisoformat(str(record.get("time", "")))
        return time.astimezone().strftime("%H:%M:%S ")
    except (ValueError, OverflowError):
        return ""


def _progress(record: dict[str, Any]) -> str:
    progress = record.get("progress")
    if not isinstance(progress, dict) or not progress.get("total"):
        return ""
    return f" ({progress.get('done')} of {progress.get('total')})"


def _printable(line: str) -> str:
    """Return a line without control characters, which could hide what stands there."""
    shown = line[:_MAX_LINE] + (" …" if len(line) > _MAX_LINE else "")
    return "".join(c if c.isprintable() or c == "\t" else "�" for c in shown)
