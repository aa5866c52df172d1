"""Where a command writes: people's text or one JSON document to stdout, errors to stderr."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from ui.formatting import utc_text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.style import StyleType

    from composer.errors import Fault
    from ui.exits import Failure


class _Console(Console):
    """Falls silent when its reader has gone (`eoloom run ... | head`), instead of ending us."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        # What is still buffered must not fail when the interpreter flushes it at its end.
        with contextlib.suppress(OSError), Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), self.file.fileno())


class Output:
    """The two streams of a command.

    as_json: stdout is for one JSON document, so what people read goes to stderr.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self.errors = _Console(stderr=True, highlight=False)
        self.console = self.errors if as_json else _Console(highlight=False)

    def show(self, *renderables: RenderableType) -> None:
        """Write what people read; text is never broken by the width of the terminal."""
        for renderable in renderables:
            self.console.print(renderable, soft_wrap=isinstance(renderable, str | Text))

    def line(self, text: str = "", style: StyleType = "") -> None:
        """Write one line as it is: no markup, no breaks."""
        self.console.print(Text(text, style=style), soft_wrap=True)

    def document(self, value: Any) -> None:
        """Write the one JSON document, if that is what was asked for."""
        if self.as_json:
            text = json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def warn(self, message: str) -> None:
        """Write a warning to stderr."""
        self.errors.print(Text.assemble(("warning: ", "yellow"), message), soft_wrap=True)

    def error(self, message: str) -> None:
        """Write an error to stderr."""
        self.errors.print(Text.assemble(("error: ", "bold red"), message), soft_wrap=True)

    def tell_error(self, text: str) -> None:
        """Write a line that belongs to an error to stderr."""
        self.errors.print(Text(text), soft_wrap=True)

    def fail(self, failure: Failure) -> None:
        """Write a failure to stderr, and as the JSON document."""
        self.error(failure.message)
        for fault in failure.faults if len(failure.faults) > 1 else ():
            self.errors.print(fault_text(fault), soft_wrap=True)
        self.document({"error": failure_document(failure)})


def fault_text(fault: Fault) -> Text:
    """Return a fault as one line with its place in the file."""
    text = Text("  ")
    text.append(f"line {fault.line}: " if fault.line else "")
    text.append(fault.place, style="bold")
    text.append(f": {fault.message}")
    if fault.suggestion:
        text.append(f"; did you mean {fault.suggestion!r}?", style="green")
    return text


def failure_document(failure: Failure) -> dict[str, Any]:
    """Return a failure for machines."""
    return {
        "code": int(failure.code),
        "message": failure.message,
        "faults": [fault_document(fault) for fault in failure.faults],
    }


def fault_document(fault: Fault) -> dict[str, Any]:
    """Return a fault for machines."""
    return {
        "code": fault.code,
        "place": fault.place,
        "line": fault.line,
        "message": fault.message,
        "suggestion": fault.suggestion,
    }


def plain(value: Any) -> Any:
    """Return a value as JSON has it: paths and times as text, what is not a number as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(below) for below in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, datetime):
        return utc_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
