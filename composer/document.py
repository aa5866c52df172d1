"""YAML text to plain values, with the line of each.

Stricter than YAML, because the text may come from anybody: one document, bounded in size, depth
and values after aliases are expanded, no tags, no key twice. Scalars follow the YAML 1.2 core
schema (https://yaml.org/spec/1.2.2/#103-core-schema) in decimal, so that `1e-4` is a number, and
`no` and `2023-08-13` are text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from composer.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Place = tuple[str | int, ...]
"""Keys and positions from the top of the document down to a value."""

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 200_000

_LOADER: Final[type[Any]] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and where they stand."""

    value: Any
    lines: Mapping[Place, int]
    duplicates: tuple[tuple[Place, int], ...] = ()
    """Keys that are given again, with the line of that; the first value of each counts."""

    def line(self, place: Place) -> int | None:
        """Return the line of a place, or of the nearest place above it that has one."""
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return None


def read_document(path: Path) -> Document:
    """Read a YAML file. Raises DocumentError naming the file."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror or error}") from error
    return parse_document(content)


def parse_document(content: bytes | str) -> Document:
    """Parse YAML text. Raises DocumentError."""
    builder = _Builder()
    try:
        raw = content.encode() if isinstance(content, str) else content
        if len(raw) > MAX_BYTES:
            raise DocumentError(f"larger than {MAX_BYTES} bytes")
        for event in yaml.parse(raw.decode("utf-8-sig"), Loader=_LOADER):
            builder.take(event)
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise DocumentError(f"not UTF-8 text (at {error.start})") from error
    except yaml.MarkedYAMLError as error:
        problem = error.problem or error.context or "cannot be parsed"
        line = _line(error.problem_mark or error.context_mark)
        raise DocumentError(f"not YAML: {problem}", line) from error
    except yaml.YAMLError as error:
        raise DocumentError(f"not YAML: {error}") from error
    return Document(builder.value, builder.lines, tuple(builder.duplicates))


@dataclass
class _Container:
    """A mapping or sequence whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    place: Place
    anchor: str | None
    first: int  # how many values the document had before this one
    height: int = 1  # levels from here to the deepest value below
    key: str | None = None
    key_line: int = 0


@dataclass(frozen=True)
class _Anchored:
    """A value that aliases may repeat, and what each of them costs."""

    value: Any
    values: int
    height: int


@dataclass
class _Builder:
    """Builds values from parser events: no recursion, so that depth can be bounded."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    duplicates: list[tuple[Place, int]] = field(default_factory=list)
    _open: list[_Container] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _values: int = 0
    _documents: int = 0

    def take(self, event: yaml.Event) -> None:
        line = _line(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise DocumentError("more than one YAML document", line)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event, line)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event, line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._end()

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if event.tag not in {None, "!", "tag:yaml.org,2002:str"}:
            raise DocumentError(f"tags such as {event.tag} are not allowed", line)
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            top.key, top.key_line = event.value, line
            return
        plain = event.tag is None and event.implicit[0]
        value = _resolve(event.value, line) if plain else event.value
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, 1, 0)
        self._put(value, line)

    def _alias(self, event: yaml.AliasEvent, line: int) -> None:
        name = event.anchor
        if name not in self._anchors:
            raise DocumentError(f"*{name} stands before &{name} is complete", line)
        anchored = self._anchors[name]
        self._put(anchored.value, line, anchored.values)
        self._raise_height(anchored.height, line)

    def _begin(self, event: yaml.CollectionStartEvent, line: int) -> None:
        if event.tag is not None:
            raise DocumentError(f"tags such as {event.tag} are not allowed", line)
        self._raise_height(1, line)
        value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
        first = self._values
        place = self._put(value, line)
        self._open.append(_Container(value, place, event.anchor, first))

    def _end(self) -> None:
        closed = self._open.pop()
        if self._open:
            self._open[-1].height = max(self._open[-1].height, closed.height + 1)
        if closed.anchor:
            size = self._values - closed.first
            self._anchors[closed.anchor] = _Anchored(closed.value, size, closed.height)

    def _raise_height(self, height: int, line: int) -> None:
        """Account for a value of so many levels in the innermost open container."""
        if len(self._open) + height > MAX_DEPTH:
            raise DocumentError(f"nested deeper than {MAX_DEPTH} levels", line)
        if self._open:
            self._open[-1].height = max(self._open[-1].height, height + 1)

    def _put(self, value: Any, line: int, size: int = 1) -> Place:
        """Put a value where the innermost open container wants it; return its place."""
        self._values += size
        if self._values > MAX_VALUES:
            raise DocumentError(f"more than {MAX_VALUES} values", line)
        if not self._open:
            self.value = value
            return ()
        top = self._open[-1]
        if isinstance(top.value, list):
            place: Place = (*top.place, len(top.value))
            top.value.append(value)
        elif top.key is None:
            raise DocumentError("a key must be plain text", line)
        else:
            place, line = (*top.place, top.key), top.key_line
            if top.key in top.value:
                self.duplicates.append((place, line))
            top.value.setdefault(top.key, value)
            top.key = None
        self.lines.setdefault(place, line)
        return place


def _line(mark: Any) -> int:
    """Return the line of a mark, from 1; 0 where the parser gives none."""
    return mark.line + 1 if mark is not None else 0


def _resolve(text: str, line: int) -> str | int | float | bool | None:
    """Return the value of a plain scalar. Infinities and NaN, which JSON lacks, stay text."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise DocumentError(f"{text} is too large a number", line)
        return number
    return text
