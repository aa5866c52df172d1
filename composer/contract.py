"""Contracts of components, read from descriptor sets that anybody may have made.

Each contract has a descriptor pool of its own, so that two components may use one name for two
messages. What leaves this module is plain data; no message class is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from composer.errors import ContractError
from composer.names import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.descriptor import Descriptor, FieldDescriptor, ServiceDescriptor

MAX_BYTES: Final = 4 << 20
MAX_FIELDS: Final = 20_000
"""Fields of all messages that a contract uses, together."""


class Role(StrEnum):
    """How often a field occurs in its message."""

    SINGLE = "single"
    REPEATED = "repeated"
    MAP = "map"


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    number: int
    name: str
    role: Role
    type: str
    """Protobuf's name of the type: `int32`, `string`, `message`, ...; of the values in a map."""
    message: str | None = None
    """Full name of the message type, if it is one."""
    key: str | None = None
    """Type of the keys in a map."""

    def __str__(self) -> str:
        value = self.message or self.type
        if self.role is Role.MAP:
            return f"map<{self.key}, {value}> {self.name} = {self.number}"
        repeated = "repeated " if self.role is Role.REPEATED else ""
        return f"{repeated}{value} {self.name} = {self.number}"


@dataclass(frozen=True)
class Message:
    """A message type. Messages refer to each other by name, so they may also be recursive."""

    name: str
    fields: tuple[Field, ...]
    """In the order of their numbers."""


class Kind(StrEnum):
    """What an operation is in a pipeline; it follows from its messages."""

    SOURCE = "source"  # its input has no fields
    SINK = "sink"  # its output has no fields
    RELAY = "relay"  # takes and gives


@dataclass(frozen=True)
class Operation:
    """One rpc of a service."""

    name: str
    input: Message
    output: Message
    input_stream: bool
    output_stream: bool

    @property
    def kind(self) -> Kind:
        """An operation with neither input nor output counts as a source: it is to be called."""
        if not self.input.fields:
            return Kind.SOURCE
        return Kind.RELAY if self.output.fields else Kind.SINK

    def __str__(self) -> str:
        sides = (
            f"{'stream ' if stream else ''}{message.name}"
            for message, stream in (
                (self.input, self.input_stream),
                (self.output, self.output_stream),
            )
        )
        return f"{self.name}({') returns ('.join(sides)})"


@dataclass(frozen=True)
class Contract:
    """One service and all messages that its operations use."""

    service: str
    operations: Mapping[str, Operation]
    messages: Mapping[str, Message]


def read_contract(content: bytes, service: str) -> Contract:
    """Read one service from a serialised FileDescriptorSet that includes its imports.

    Raises ContractError.
    """
    if len(content) > MAX_BYTES:
        raise ContractError(f"the descriptor set is larger than {MAX_BYTES} bytes")
    descriptor = _find(_pool(content), service)
    messages = _messages(descriptor)
    operations = {
        method.name: Operation(
            name=method.name,
            input=messages[method.input_type.full_name],
            output=messages[method.output_type.full_name],
            input_stream=method.client_streaming,
            output_stream=method.server_streaming,
        )
        for method in descriptor.methods
    }
    return Contract(service, operations, messages)


def _pool(content: bytes) -> tuple[DescriptorPool, list[str]]:
    """Return a new pool with all files, and the full names of all services."""
    try:
        files = FileDescriptorSet.FromString(content).file
    except DecodeError as error:
        raise ContractError("not a serialised FileDescriptorSet") from error
    pool = DescriptorPool()
    services: list[str] = []
    for file in files:
        try:
            pool.Add(file)
        except TypeError as error:
            # protobuf reports every inconsistent descriptor, and a missing import, so.
            raise ContractError(
                f"{file.name or 'a file'} of the descriptor set: {error}"
            ) from error
        prefix = f"{file.package}." if file.package else ""
        services.extend(prefix + service.name for service in file.service)
    return pool, services


def _find(pool_and_services: tuple[DescriptorPool, list[str]], service: str) -> ServiceDescriptor:
    pool, services = pool_and_services
    if service not in services:
        meant = nearest(service, services)
        hint = (
            f"; did you mean {meant!r}?" if meant else f"; it has {', '.join(services) or 'none'}"
        )
        raise ContractError(f"the descriptor set has no service {service}{hint}")
    return pool.FindServiceByName(service)


def _messages(service: ServiceDescriptor) -> dict[str, Message]:
    """Return every message that the service's operations reach, each once."""
    found: dict[str, Message] = {}
    waiting = [t for method in service.methods for t in (method.input_type, method.output_type)]
    number_of_fields = 0
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in found:
            continue
        fields = sorted(map(_field, descriptor.fields), key=lambda field: field.number)
        number_of_fields += len(fields)
        if number_of_fields > MAX_FIELDS:
            raise ContractError(f"{service.full_name} uses more than {MAX_FIELDS} fields")
        found[descriptor.full_name] = Message(descriptor.full_name, tuple(fields))
        waiting.extend(filter(None, map(_message_type, descriptor.fields)))
    return found


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    """Return the hidden message of key and value if the field is a map."""
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def _message_type(field: FieldDescriptor) -> Descriptor | None:
    """Return the message type of a field, or of the values if it is a map."""
    entry = _map_entry(field)
    return entry.fields_by_name["value"].message_type if entry is not None else field.message_type


def _field(field: FieldDescriptor) -> Field:
    message = _message_type(field)
    name = message.full_name if message is not None else None
    entry = _map_entry(field)
    if entry is not None:
        key, value = (_type(entry.fields_by_name[part]) for part in ("key", "value"))
        return Field(field.number, field.name, Role.MAP, value, name, key)
    role = Role.REPEATED if field.is_repeated else Role.SINGLE
    return Field(field.number, field.name, role, _type(field), name)


def _type(field: FieldDescriptor) -> str:
    value = FieldDescriptorProto.Type.ValueType(field.type)
    return FieldDescriptorProto.Type.Name(value).removeprefix("TYPE_").lower()
