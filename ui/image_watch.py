"""Images in the making at a terminal: bars that live, or plain lines where they cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol, Self

from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from ui.formatting import format_bytes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from orchestrator.images.progress import Progress

_LINE_INTERVAL_S: Final = 5.0
"""Least time between two plain lines on one image."""


class ImageWatch(Protocol):
    """Shows reports while images are made or moved; entered before and left after."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def observe(self, progress: Progress) -> None:
        """Take one report."""

    def say(self, text: str, style: str = "") -> None:
        """Write one line that stays."""


class BarWatch:
    """One bar per image, with what is being done."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.fields[image]}", style="bold"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", style="dim"),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def observe(self, progress: Progress) -> None:
        """Take one report."""
        if progress.image not in self._tasks:
            for task in self._tasks.values():
                self._bars.update(task, visible=False)
            self._tasks[progress.image] = self._bars.add_task(
                "", total=None, image=escape(progress.image), count=""
            )
        self._bars.update(
            self._tasks[progress.image],
            total=progress.total or None,
            completed=progress.done,
            count=_count(progress),
            description=escape(progress.message),
        )

    def say(self, text: str, style: str = "") -> None:
        """Write one line above the bars."""
        self._bars.console.print(text, style=style, markup=False, soft_wrap=True)


class PlainWatch:
    """Now and then a line."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._told: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def observe(self, progress: Progress) -> None:
        """Take one report."""
        now = self._clock()
        if now - self._told.get(progress.image, -_LINE_INTERVAL_S) < _LINE_INTERVAL_S:
            return
        self._told[progress.image] = now
        words = " ".join(filter(None, (progress.image, _count(progress), progress.message)))
        self.say(words)

    def say(self, text: str, style: str = "") -> None:
        """Write one line."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)


def _count(progress: Progress) -> str:
    if not progress.total:
        return ""
    if progress.is_bytes:
        return f"{format_bytes(progress.done)} of {format_bytes(progress.total)}"
    return f"step {progress.done} of {progress.total}"
