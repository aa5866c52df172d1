"""Links of single fields: how what leaves one end becomes part of what enters the other.

Values move as they are on the wire, so that nothing has to be decoded. A request that is put
together is the concatenation of the parts that its links give, in any order.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from composer.contract import Role
from composer.ports import message_difference
from composer.wire import WIRE_TYPES, WireType, default_of, encode_values, values_of

if TYPE_CHECKING:
    from composer.contract import Contract, Field, Message
    from composer.pipeline import Link


class Way(StrEnum):
    """What a link of fields does with the values that pass."""

    COPY = "copy"  # one message gives one part: a value, all of a list, or all of a map
    SCATTER = "scatter"  # each element of a list gives a part of its own
    GATHER = "gather"  # one message gives one element of a list


_WAYS: Final = {
    (Role.SINGLE, Role.SINGLE): Way.COPY,
    (Role.REPEATED, Role.REPEATED): Way.COPY,
    (Role.MAP, Role.MAP): Way.COPY,
    (Role.REPEATED, Role.SINGLE): Way.SCATTER,
    (Role.SINGLE, Role.REPEATED): Way.GATHER,
}


@dataclass(frozen=True)
class FieldEnd:
    """One field at an end of a link, as far as its values on the wire go."""

    number: int
    name: str
    type: str
    """Protobuf's name of the type, such as `int32` or `message`; `message` for a map."""
    role: Role
    is_packed: bool
    """Whether its schema says that elements are written together; readers take both."""
    has_presence: bool
    """Whether a default value is written too; else nothing on the wire means the default."""

    @classmethod
    def of(cls, field: Field) -> FieldEnd:
        """Describe a field of a contract."""
        return cls(
            number=field.number,
            name=field.name,
            type="message" if field.role is Role.MAP else field.type,
            role=field.role,
            is_packed=field.is_packed,
            has_presence=field.has_presence,
        )

    @property
    def wire_type(self) -> WireType:
        """Of one element."""
        return WIRE_TYPES[self.type]

    def values(self, payload: bytes) -> list[bytes]:
        """Return the values that a serialised message has here, as their bytes on the wire.

        A single field has one or none: the last of a scalar, and messages merged. Raises
        WireError.
        """
        found = values_of(payload, self.number, self.wire_type)
        if self.role is not Role.SINGLE or len(found) < 2:
            return found
        return [b"".join(found)] if self.type == "message" else found[-1:]

    def part(self, values: list[bytes]) -> bytes:
        """Return the part of a serialised message in which this field has these values."""
        return encode_values(self.number, self.wire_type, values, packed=self.is_packed)


@dataclass(frozen=True)
class FieldLink:
    """A link of which at least one end is a field."""

    link: Link
    source: FieldEnd | None
    """None is the whole message."""
    target: FieldEnd | None
    way: Way

    def parts(self, payload: bytes) -> list[bytes]:
        """Return what one message that was sent gives to requests: one part, or one per element.

        A part is the whole request where the link ends in a whole message. Raises WireError if
        the message is malformed.
        """
        if self.source is None:
            values = [payload]
        else:
            values = self.source.values(payload)
            if self.way is Way.GATHER and not values and not self.source.has_presence:
                values = [default_of(self.source.wire_type)]
        if self.way is Way.SCATTER:
            return values if self.target is None else [self.target.part([v]) for v in values]
        return [b"".join(values) if self.target is None else self.target.part(values)]


@dataclass(frozen=True)
class Content:
    """What passes at one end of a link: a message, or one field of it."""

    contract: Contract
    message: Message
    field: Field | None = None

    @property
    def role(self) -> Role:
        """A whole message counts as single."""
        return self.field.role if self.field else Role.SINGLE

    @property
    def type(self) -> str:
        """Protobuf's name of the type of one element."""
        return self.field.type if self.field else "message"

    @property
    def message_name(self) -> str | None:
        """Full name of the message type of one element, if it is one."""
        return self.field.message if self.field else self.message.name

    def __str__(self) -> str:
        if self.field is None:
            return self.message.name
        key = f"{self.field.key} to " if self.field.key else ""
        name = self.field.message or self.field.enum or self.field.type
        return f"{self.role} {key}{name}"


def way_of(sent: Content, taken: Content) -> Way | None:
    """Return what a link of these ends does; None if lists or maps do not go together."""
    return _WAYS.get((sent.role, taken.role))


def content_difference(sent: Content, taken: Content) -> str | None:
    """Return in words why what is sent cannot be taken, or None if it can."""
    if way_of(sent, taken) is None:
        return "a map can only be linked to a map"
    ours, theirs = sent.field, taken.field
    if (ours.key if ours else None) != (theirs.key if theirs else None):
        return "their keys have different types"
    if sent.type != taken.type:
        return "their types differ"
    if sent.message_name is None or taken.message_name is None:
        return None
    return message_difference(sent.contract, sent.message_name, taken.contract, taken.message_name)
