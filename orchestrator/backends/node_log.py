"""What a component says: kept in a file of the run, and told record by record."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, Self

from orchestrator.backends.base import LogSink

LINE_LIMIT_BYTES: Final = 1024 * 1024
_LAST_LINE_CHARACTERS: Final = 300


class NodeLog:
    """The log of one process or container of a node; a context in which its file is open.

    node: its name. path: of the file, which is continued. sink: told every record. last_line: the
    last words, for the message about its death.
    """

    def __init__(self, node: str, path: Path, sink: LogSink) -> None:
        self.node = node
        self.path = path
        self.last_line = ""
        self._sink = sink
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        self._file = self.path.open("ab")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def take(self, line: bytes) -> None:
        """Keep and tell one line, with its line break."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk must not end the run's other work
                self._file.write(line)
                self._file.flush()
        record = _parse(line)
        if "progress" not in record and record["message"].strip():
            self.last_line = record["message"].strip()[:_LAST_LINE_CHARACTERS]
        self._sink(self.node, record)


def _parse(line: bytes) -> Mapping[str, Any]:
    """Return a log line as a record; what is not our JSON becomes its `message`."""
    text = line.decode(errors="replace").rstrip()
    with contextlib.suppress(ValueError):
        record = json.loads(text)
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            return record
    return {"message": text, "level": "INFO"}
