"""Texts of others in Markdown."""

from __future__ import annotations

from typing import Final

_SPECIAL: Final = frozenset("\\`*_[]{}()#:$<>~|!+-.=^")


def plain(text: str) -> str:
    """Return a text in which nothing is taken for Markdown; line breaks become spaces."""
    return "".join(f"\\{c}" if c in _SPECIAL else c for c in " ".join(text.split()))


def code(text: str) -> str:
    """Return a text as inline code, whatever is in it."""
    line = " ".join(text.split()) or " "
    longest = max((len(run) for run in _runs_of_ticks(line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def _runs_of_ticks(text: str) -> list[str]:
    return [part for part in "".join(c if c == "`" else " " for c in text).split() if part]
