"""The wire format of protobuf, as far as single fields of serialised messages are moved.

https://protobuf.dev/programming-guides/encoding/. Two of its rules make joins simple: parts of
messages that follow each other are one message, in which a later single value replaces an earlier
one, repeated values add up, and messages within merge; and a repeated number may be written packed
or not, whatever the schema says.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MAX_GROUPS: Final = 32
"""Levels of groups, which no proto3 schema has, that are skipped."""


class WireType(IntEnum):
    """How long a value is, by the three lowest bits of its tag."""

    VARINT = 0
    FIXED64 = 1
    LENGTH = 2
    GROUP_START = 3
    GROUP_END = 4
    FIXED32 = 5


WIRE_TYPES: Final[Mapping[str, WireType]] = {
    **dict.fromkeys(
        ("int32", "int64", "uint32", "uint64", "sint32", "sint64", "bool", "enum"),
        WireType.VARINT,
    ),
    **dict.fromkeys(("fixed64", "sfixed64", "double"), WireType.FIXED64),
    **dict.fromkeys(("fixed32", "sfixed32", "float"), WireType.FIXED32),
    **dict.fromkeys(("string", "bytes", "message"), WireType.LENGTH),
}
"""Wire type of one value of each of protobuf's types."""

_SIZES: Final = {WireType.FIXED64: 8, WireType.FIXED32: 4}
_MAX_VARINT: Final = 10


class WireError(ValueError):
    """Bytes that are no serialised message."""


def encode_varint(value: int) -> bytes:
    """Return a number of up to 64 bits without a sign as a varint."""
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)


def encode_record(number: int, wire_type: WireType, content: bytes) -> bytes:
    """Return one value with its tag, and its length where the wire type has one."""
    tag = encode_varint(number << 3 | wire_type)
    length = encode_varint(len(content)) if wire_type is WireType.LENGTH else b""
    return b"".join((tag, length, content))


def default_of(wire_type: WireType) -> bytes:
    """Return the zero value, which proto3 leaves out of messages: 0, 0.0, false, empty."""
    return b"\0" if wire_type is WireType.VARINT else bytes(_SIZES.get(wire_type, 0))


def records(payload: bytes) -> Iterator[tuple[int, WireType, bytes]]:
    """Yield field number, wire type and value of everything in a message, groups left out.

    Raises WireError.
    """
    position = 0
    while position < len(payload):
        number, wire_type, position = _tag(payload, position)
        start, position = _extent(payload, position, number, wire_type)
        if wire_type is not WireType.GROUP_START:
            yield number, wire_type, payload[start:position]


def values_of(payload: bytes, number: int, wire_type: WireType) -> list[bytes]:
    """Return every value of one field, in order, whether it was written packed or not.

    Values of another wire type are no values of the field, as every parser has it.
    """
    found = []
    for tag, kind, content in records(payload):
        if tag != number:
            continue
        if kind is wire_type:
            found.append(content)
        elif kind is WireType.LENGTH:
            found.extend(_unpacked(content, wire_type))
    return found


def encode_values(
    number: int, wire_type: WireType, values: Iterable[bytes], *, packed: bool = False
) -> bytes:
    """Return the values of a field as they stand in a message."""
    if not packed or wire_type is WireType.LENGTH:
        return b"".join(encode_record(number, wire_type, value) for value in values)
    content = b"".join(values)
    return encode_record(number, WireType.LENGTH, content) if content else b""


def _unpacked(content: bytes, wire_type: WireType) -> Iterator[bytes]:
    position = 0
    while position < len(content):
        start, position = _extent(content, position, 0, wire_type)
        yield content[start:position]


def _tag(payload: bytes, position: int) -> tuple[int, WireType, int]:
    value, position = _varint(payload, position)
    number = value >> 3
    try:
        wire_type = WireType(value & 7)
    except ValueError as error:
        raise WireError(f"wire type {value & 7} at byte {position}") from error
    if number == 0:
        raise WireError(f"field number 0 at byte {position}")
    return number, wire_type, position


def _extent(payload: bytes, position: int, number: int, wire_type: WireType) -> tuple[int, int]:
    """Return where the value that begins at a position starts and ends, its length left out."""
    start = position
    if wire_type is WireType.VARINT:
        _, end = _varint(payload, position)
    elif wire_type is WireType.LENGTH:
        length, start = _varint(payload, position)
        end = start + length
    elif wire_type is WireType.GROUP_START:
        end = _group_end(payload, position, number)
    elif wire_type is WireType.GROUP_END:
        raise WireError(f"a group ends at byte {position} that did not begin")
    else:
        end = start + _SIZES[wire_type]
    if end > len(payload):
        raise WireError(f"a value begins at byte {start} and does not end")
    return start, end


def _group_end(payload: bytes, position: int, number: int) -> int:
    """Return where a group ends, its last tag included."""
    open_groups = [number]
    while open_groups:
        inner, wire_type, position = _tag(payload, position)
        if wire_type is WireType.GROUP_START:
            open_groups.append(inner)
            if len(open_groups) > MAX_GROUPS:
                raise WireError(f"groups nested deeper than {MAX_GROUPS} levels")
        elif wire_type is WireType.GROUP_END:
            if inner != open_groups.pop():
                raise WireError(f"a group ends at byte {position} that did not begin")
        else:
            _, position = _extent(payload, position, inner, wire_type)
    return position


def _varint(payload: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(payload[position : position + _MAX_VARINT]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position + shift + 1
    raise WireError(f"a number begins at byte {position} and does not end")
