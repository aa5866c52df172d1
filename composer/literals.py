"""Literal values for the fields of a message: JSON in, serialised bytes out.

Values are written as in ProtoJSON (https://protobuf.dev/programming-guides/json/), with the names
that the contract has: a 64-bit number may be text, bytes are base64, an enum is a name or a
number, `NaN` and `Infinity` are text, null is the default. Google's well-known types are written
as the messages that they are. No message class is made of the contract.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from composer.contract import Role
from composer.names import nearest
from composer.validation import show
from composer.wire import WIRE_TYPES, WireType, encode_record, encode_values, encode_varint

if TYPE_CHECKING:
    from composer.contract import Contract, Field
    from composer.document import Place

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32

_WHOLE: Final = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
_WHOLE_LIKE: Final = {
    **{name: name for name in _WHOLE},
    "sint32": "int32",
    "sfixed32": "int32",
    "fixed32": "uint32",
    "sint64": "int64",
    "sfixed64": "int64",
    "fixed64": "uint64",
}
"""The type with the same range."""

_FIXED: Final = {
    "fixed32": "<I",
    "sfixed32": "<i",
    "fixed64": "<Q",
    "sfixed64": "<q",
    "float": "<f",
    "double": "<d",
}
_NOT_FINITE: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass(frozen=True)
class Misfit:
    """A literal that is no value of its field."""

    place: Place
    """Names and positions below the message."""
    message: str
    suggestion: str | None = None
    is_unknown: bool = False
    """Whether there is no such field."""


@dataclass
class Literals:
    """The bytes of all values that fit, and what is wrong with the others."""

    content: bytes = b""
    misfits: list[Misfit] = field(default_factory=list)


def encode_literals(contract: Contract, message: str, values: Mapping[str, Any]) -> Literals:
    """Serialise values for fields of one message of a contract."""
    encoder = _Encoder(contract)
    content = encoder.message(message, values, ())
    if len(content) > MAX_BYTES:
        encoder.misfits.append(Misfit((), f"the values need more than {MAX_BYTES} bytes"))
    return Literals(content, encoder.misfits)


class _MisfitError(Exception):
    """A value does not fit, in words that follow it."""


@dataclass
class _Encoder:
    contract: Contract
    misfits: list[Misfit] = field(default_factory=list)

    def message(self, name: str, values: Any, place: Place) -> bytes:
        fields = {f.name: f for f in self.contract.messages[name].fields}
        if not isinstance(values, Mapping):
            self._refuse(place, f"{show(values)} is not a mapping of the fields of {name}")
            return b""
        if len(place) > MAX_DEPTH:
            self._refuse(place, f"nested deeper than {MAX_DEPTH} levels")
            return b""
        parts = []
        chosen: dict[str, str] = {}
        for key, value in values.items():
            known = fields.get(key)
            if known is None:
                words = f"{name} has no field {key!r}"
                self.misfits.append(Misfit((*place, key), words, nearest(str(key), fields), True))
            elif value is not None:
                if known.oneof and chosen.setdefault(known.oneof, key) != key:
                    self._refuse((*place, key), f"{chosen[known.oneof]} is given as well")
                parts.append(self._field(known, value, (*place, key)))
        return b"".join(parts)

    def _field(self, known: Field, value: Any, place: Place) -> bytes:
        wire_type = WIRE_TYPES[known.type]
        if known.role is Role.SINGLE:
            content = self._value(known, value, place)
            return encode_record(known.number, wire_type, content)
        if known.role is Role.MAP:
            return self._map(known, value, place)
        if not isinstance(value, list):
            self._refuse(place, f"{show(value)} is not a list")
            return b""
        items = [self._value(known, item, (*place, i)) for i, item in enumerate(value)]
        return encode_values(known.number, wire_type, items, packed=known.is_packed)

    def _map(self, known: Field, value: Any, place: Place) -> bytes:
        if not isinstance(value, Mapping):
            self._refuse(place, f"{show(value)} is not a mapping")
            return b""
        entries = []
        key_type = known.key or "string"
        for key, item in value.items():
            inner = (*place, key)
            content = self._scalar(key_type, _key(key_type, key), inner)
            entry = encode_record(1, WIRE_TYPES[key_type], content)
            element = self._value(known, item, inner)
            entries.append(entry + encode_record(2, WIRE_TYPES[known.type], element))
        return encode_values(known.number, WireType.LENGTH, entries)

    def _value(self, known: Field, value: Any, place: Place) -> bytes:
        """Return one element of a field without its tag."""
        if known.message is not None:
            return self.message(known.message, value, place)
        if known.enum is not None:
            return self._enum(known.enum, value, place)
        return self._scalar(known.type, value, place)

    def _enum(self, name: str, value: Any, place: Place) -> bytes:
        numbers = self.contract.enums.get(name, {})
        if isinstance(value, str) and value not in numbers:
            words = f"{show(value)} is not one of {', '.join(numbers)}"
            self.misfits.append(Misfit(place, words, nearest(value, numbers)))
            return b"\0"
        return self._scalar("int32", numbers[value] if isinstance(value, str) else value, place)

    def _scalar(self, type_: str, value: Any, place: Place) -> bytes:
        try:
            return _SCALARS[type_](type_, value)
        except _MisfitError as error:
            self._refuse(place, f"{show(value)} {error}")
            return b"\0"

    def _refuse(self, place: Place, message: str) -> None:
        self.misfits.append(Misfit(place, message))


def _key(type_: str, key: Any) -> Any:
    """Return the key of a map, which is always text in JSON, as a value of its type."""
    return {"true": True, "false": False}.get(key, key) if type_ == "bool" else key


def _whole(type_: str, value: Any) -> bytes:
    number = _whole_number(value)
    least, most = _WHOLE[_WHOLE_LIKE[type_]]
    if number is None:
        raise _MisfitError("is not a whole number")
    if not least <= number <= most:
        raise _MisfitError(f"is not within {least} to {most} ({type_})")
    if type_ in _FIXED:
        return struct.pack(_FIXED[type_], number)
    if type_.startswith("sint"):
        return encode_varint(number * 2 if number >= 0 else -number * 2 - 1)
    return encode_varint(number % (1 << 64))


def _whole_number(value: Any) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        digits = value.removeprefix("-")
        return int(value) if digits.isascii() and digits.isdigit() else None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(type_: str, value: Any) -> bytes:
    number = _NOT_FINITE.get(value) if isinstance(value, str) else value
    if not isinstance(number, int | float) or isinstance(number, bool):
        raise _MisfitError("is not a number")
    try:
        return struct.pack(_FIXED[type_], number)
    except OverflowError as error:
        raise _MisfitError(f"is too large ({type_})") from error


def _bool(_: str, value: Any) -> bytes:
    if not isinstance(value, bool):
        raise _MisfitError("is not true or false")
    return b"\1" if value else b"\0"


def _string(_: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise _MisfitError("is not text")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise _MisfitError("is not Unicode text") from error


def _bytes(_: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise _MisfitError("is not base64 text")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _MisfitError("is not base64 text") from error


_SCALARS: Final[Mapping[str, Callable[[str, Any], bytes]]] = {
    **dict.fromkeys(_WHOLE_LIKE, _whole),
    "float": _real,
    "double": _real,
    "bool": _bool,
    "string": _string,
    "bytes": _bytes,
}
