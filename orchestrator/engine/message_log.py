"""The message log of a run: what was sent, taken and finished, so that a run survives its end.

One append-only file. Every record is handed to the operating system before the message is sent on,
so what other processes have seen is in the log, whatever kills this one; a last record that is not
whole is cut off when the log is read again.

Records, little-endian: one byte of type, two of the step's index, eight of a number, four of the
text's length, four of the payload's length, then text and payload.

    header    text: JSON of the plan's digest and step keys
    emitted   number and payload of an answer; text: its parents
    done      text: the request whose call has ended
    dead      text: the request that failed and was skipped
    taken     text: a message that was written to a stream of requests, or a request of parts
    closed    a stream of requests has ended before its input; number: of answers given until then;
              text: a message that was taken and did not get into it
    finished  the operation has ended
"""

from __future__ import annotations

import json
import os
import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final, Self

import networkx as nx

from orchestrator.engine.message import Message
from orchestrator.engine.plan import Plan, Step
from orchestrator.errors import SettingsError

# Its name in the folder of a run.
MESSAGES_FILE: Final = "messages.log"

_RECORD: Final = struct.Struct("<BHQII")
_SEPARATOR: Final = "\n"


class _Type(IntEnum):
    HEADER = 0
    EMITTED = 1
    DONE = 2
    TAKEN = 3
    FINISHED = 4
    DEAD = 5
    CLOSED = 6


_TYPES: Final = frozenset(_Type)


@dataclass(frozen=True, slots=True)
class Emitted:
    """Where an answer stands in the log."""

    number: int
    parents: tuple[str, ...]
    offset: int
    length: int


@dataclass
class StepHistory:
    """What one operation had done when the run ended, in the order of the log.

    outputs: by number; an answer that was given again stands where it first stood. done: requests
    whose calls have ended. dead: requests that failed and were skipped. taken: messages written to
    the stream of requests, or requests that were put together from parts. closed: those written to
    streams that had ended before the input did, with `closed_answers` answers in all.
    """

    outputs: dict[int, Emitted] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    dead: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)
    closed_answers: int = 0
    finished: bool = False

    def answers(self) -> dict[str, list[Emitted]]:
        """Return the outputs by the request that they answer, for operations with one each."""
        found: dict[str, list[Emitted]] = defaultdict(list)
        for output in self.outputs.values():
            found["+".join(output.parents)].append(output)
        return found

    def close(self, answers: int, left: str) -> None:
        """Let the stream of requests so far be over, but for a message that was left."""
        self.closed.update(self.taken)
        self.closed.discard(left)
        self.taken.clear()
        self.closed_answers = answers

    def forget_dead_letters(self) -> None:
        """Let what has failed count as not yet tried."""
        self.closed -= self.dead
        self.dead.clear()


class MessageLog:
    """The log of one run, open for appending. Raises SettingsError where it cannot be written.

    histories: by step key. is_whole: whether every record that was found is. read_only: change
    nothing, also where the last record is not whole, because it may be written just now. redrive:
    forget dead letters, and that anything behind them has ended, so that a run that goes on tries
    them again.
    """

    def __init__(
        self, path: Path, plan: Plan, *, redrive: bool = False, read_only: bool = False
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._plan = plan
        self._kept: Counter[int] = Counter()
        self._steps = {step.key: index for index, step in enumerate(plan.steps)}
        self._keys = [step.key for step in plan.steps]
        self._header = json.dumps({"digest": plan.digest, "steps": self._keys})
        self.histories: dict[str, StepHistory] = defaultdict(StepHistory)
        try:
            access = os.O_RDONLY if read_only else os.O_RDWR | os.O_CREAT
            self._file = os.open(path, access | os.O_CLOEXEC, 0o600)
            end = self._read(0)
            self.is_whole = end == os.fstat(self._file).st_size
            if not read_only:
                os.ftruncate(self._file, end)
                os.lseek(self._file, end, os.SEEK_SET)
        except OSError as error:
            raise SettingsError(f"cannot open {path}: {error.strerror}") from error
        if end == 0 and not read_only:
            self._append(_Type.HEADER, 0, text=self._header)
        # Where what an earlier attempt has kept ends, if its dead letters are tried again.
        self._redriven_at = end if redrive else 0
        if redrive:
            self._forget_dead_letters()

    def emitted(self, step: Step, message: Message) -> None:
        """Keep an answer before it is sent on."""
        number = int(message.id.rsplit("#", 1)[1])
        text = _SEPARATOR.join(message.parents)
        self._append(_Type.EMITTED, self._steps[step.key], number, text, message.payload)

    def done(self, step: Step, request: str) -> None:
        """Keep that the call for a request has ended."""
        self._append(_Type.DONE, self._steps[step.key], text=request)

    def dead(self, step: Step, request: str) -> None:
        """Keep that a request has failed and was skipped."""
        self._append(_Type.DEAD, self._steps[step.key], text=request)

    def taken(self, step: Step, message: str) -> None:
        """Keep that a message is about to be written to the stream of requests, or called with."""
        self._append(_Type.TAKEN, self._steps[step.key], text=message)

    def closed(self, step: Step, answers: int, left: str) -> None:
        """Keep that a stream of requests has ended before its input, after so many answers in all.

        left: a message that was taken and did not get into the stream, if any.
        """
        self._append(_Type.CLOSED, self._steps[step.key], answers, left)

    def finished(self, step: Step) -> None:
        """Keep that an operation has ended."""
        self._append(_Type.FINISHED, self._steps[step.key])

    def kept(self, node: str) -> int:
        """Return how much has been kept of a node's operations since the log was opened."""
        prefix = f"{node}."
        return sum(n for step, n in self._kept.items() if self._keys[step].startswith(prefix))

    def read_again(self) -> None:
        """Let the histories say what has been kept until now, as if the log were opened anew."""
        self.histories = defaultdict(StepHistory)
        if self._redriven_at:
            self._read(0, self._redriven_at)
            self._forget_dead_letters()
        self._read(self._redriven_at)

    def payload(self, output: Emitted) -> bytes:
        """Return the bytes of an answer."""
        return os.pread(self._file, output.length, output.offset)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(
        self, kind: _Type, step: int, number: int = 0, text: str = "", payload: bytes = b""
    ) -> None:
        encoded = text.encode()
        head = _RECORD.pack(kind, step, number, len(encoded), len(payload))
        parts: Sequence[bytes] = [head + encoded, payload] if payload else [head + encoded]
        size = len(head) + len(encoded) + len(payload)
        self._kept[step] += 1
        try:
            written = os.writev(self._file, parts)
            if written < size:  # a signal, or a disk that has just filled
                rest = memoryview(b"".join(parts))[written:]
                while rest:
                    rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise SettingsError(f"cannot write {self._path}: {error.strerror}") from error

    def _read(self, begin: int, until: int | None = None) -> int:
        """Read all whole records from a position on; return where the last one ends."""
        end = begin
        for kind, step, number, text, start, finish in self._records(begin, until):
            if kind is _Type.HEADER:
                if text != self._header:
                    raise SettingsError(f"{self._path} belongs to another pipeline")
            else:
                history = self.histories[self._keys[step]]
                if kind is _Type.EMITTED:
                    parents = tuple(filter(None, text.split(_SEPARATOR)))
                    history.outputs[number] = Emitted(number, parents, start, finish - start)
                    history.dead.discard(text.replace(_SEPARATOR, "+"))
                elif kind is _Type.DONE:
                    history.done.add(text)
                    history.dead.discard(text)
                elif kind is _Type.DEAD:
                    history.dead.add(text)
                elif kind is _Type.TAKEN:
                    history.taken.append(text)
                    history.dead.discard(text)
                elif kind is _Type.CLOSED:
                    history.close(number, text)
                else:
                    history.finished = True
            end = finish
        return end

    def _forget_dead_letters(self) -> None:
        graph = nx.DiGraph([(link.source, link.target) for link in self._plan.links])
        for key in [key for key, history in self.histories.items() if history.dead]:
            self.histories[key].forget_dead_letters()
            behind = nx.descendants(graph, key) if key in graph else set()
            for affected in {key, *behind}:
                self.histories[affected].finished = False

    def _records(
        self, position: int, until: int | None
    ) -> Iterator[tuple[_Type, int, int, str, int, int]]:
        """Yield type, step, number, text, and where the payload begins and ends."""
        size = os.fstat(self._file).st_size if until is None else until
        while position + _RECORD.size <= size:
            head = os.pread(self._file, _RECORD.size, position)
            kind, step, number, text_length, length = _RECORD.unpack(head)
            start = position + _RECORD.size + text_length
            if start + length > size:
                return
            content = os.pread(self._file, text_length, position + _RECORD.size)
            text = _decoded(content)
            is_known = kind in _TYPES and (step < len(self._keys) or kind == _Type.HEADER)
            if text is None or not is_known:
                if self._read_only:
                    return
                # What stands behind it must not be cut off.
                raise SettingsError(f"{self._path} is damaged at byte {position}")
            yield _Type(kind), step, number, text, start, start + length
            position = start + length


def _decoded(text: bytes) -> str | None:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return None


def log_exists(path: Path) -> bool:
    """Whether a run has left a log from which it can be resumed."""
    return path.is_file() and path.stat().st_size > 0
