"""Contracts of components, read from descriptor sets that anybody may have made.

Each contract has a descriptor pool of its own, so that two components may use one name for two
messages. What leaves this module is plain data; no message class is ever made.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from composer.errors import ContractError
from composer.names import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from google.protobuf.descriptor import (
        Descriptor,
        EnumDescriptor,
        FieldDescriptor,
        ServiceDescriptor,
    )

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
    # What follows decides neither what may be linked nor whether fields are equal.
    enum: str | None = field(default=None, compare=False)
    """Full name of the enum type, if it is one."""
    is_packed: bool = field(default=False, compare=False)
    """Whether the elements of a repeated field are written together, as proto3 does."""
    has_presence: bool = field(default=False, compare=False)
    """Whether a default value is written too: messages, `optional`, and members of a oneof."""
    oneof: str | None = field(default=None, compare=False)
    """Name of the oneof of which it is a member."""

    def __str__(self) -> str:
        value = self.message or self.enum or self.type
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

    def field(self, name: str) -> Field | None:
        """Return the field of this name, if there is one."""
        return next((field for field in self.fields if field.name == name), None)

    def numbered(self, number: int) -> Field | None:
        """Return the field of this number, if there is one."""
        return next((field for field in self.fields if field.number == number), None)


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
    service: str = ""
    """Full name of the service that it belongs to."""

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
    """One service, or several, and all messages and enums that their operations use."""

    service: str
    """Full name; of the first, where there are several."""
    operations: Mapping[str, Operation]
    messages: Mapping[str, Message]
    enums: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Numbers of the values of each enum, by name."""

    @property
    def services(self) -> tuple[str, ...]:
        """Full names of all services, each once, in the order of their operations."""
        return tuple(dict.fromkeys(operation.service for operation in self.operations.values()))


def read_contract(content: bytes, service: str, further: Iterable[str] = ()) -> Contract:
    """Read one service from a serialised FileDescriptorSet that includes its imports.

    further: services whose operations are read as well. Raises ContractError, also where two
    services have an operation of one name.
    """
    if len(content) > MAX_BYTES:
        raise ContractError(f"the descriptor set is larger than {MAX_BYTES} bytes")
    pool = _pool(content)
    descriptors = [_find(pool, name) for name in dict.fromkeys((service, *further))]
    reached = _reached(descriptors)
    messages = {descriptor.full_name: _message(descriptor) for descriptor in reached}
    operations: dict[str, Operation] = {}
    for descriptor in descriptors:
        for method in descriptor.methods:
            if method.name in operations:
                first = operations[method.name].service
                raise ContractError(
                    f"{first} and {descriptor.full_name} both have the rpc {method.name}; "
                    "choose one of the services"
                )
            operations[method.name] = Operation(
                name=method.name,
                input=messages[method.input_type.full_name],
                output=messages[method.output_type.full_name],
                input_stream=method.client_streaming,
                output_stream=method.server_streaming,
                service=descriptor.full_name,
            )
    return Contract(service, operations, messages, _enums(reached))


def services_of(content: bytes) -> dict[str, tuple[str, ...]]:
    """Return the operations of every service in a serialised FileDescriptorSet, by full name.

    Raises ContractError.
    """
    pool, services = _pool(content)
    return {
        name: tuple(method.name for method in pool.FindServiceByName(name).methods)
        for name in services
    }


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


def _message(descriptor: Descriptor) -> Message:
    fields = sorted(map(_field, descriptor.fields), key=lambda field: field.number)
    return Message(descriptor.full_name, tuple(fields))


def _enums(messages: Iterable[Descriptor]) -> dict[str, dict[str, int]]:
    """Return the values of every enum that messages use."""
    enums = (_enum_type(field) for message in messages for field in message.fields)
    return {
        enum.full_name: {value.name: value.number for value in enum.values}
        for enum in enums
        if enum is not None
    }


def _reached(services: Sequence[ServiceDescriptor]) -> list[Descriptor]:
    """Return the message types that the operations use, each once, also those within others."""
    found: dict[str, Descriptor] = {}
    methods = [method for service in services for method in service.methods]
    waiting = [t for method in methods for t in (method.input_type, method.output_type)]
    number_of_fields = 0
    while waiting:
        descriptor = waiting.pop()
        if descriptor.full_name in found:
            continue
        found[descriptor.full_name] = descriptor
        number_of_fields += len(descriptor.fields)
        if number_of_fields > MAX_FIELDS:
            names = ", ".join(service.full_name for service in services)
            raise ContractError(f"{names} uses more than {MAX_FIELDS} fields")
        waiting.extend(filter(None, map(_message_type, descriptor.fields)))
    return list(found.values())


def _map_entry(field: FieldDescriptor) -> Descriptor | None:
    """Return the hidden message of key and value if the field is a map."""
    entry = field.message_type
    return entry if entry is not None and entry.GetOptions().map_entry else None


def _message_type(field: FieldDescriptor) -> Descriptor | None:
    """Return the message type of a field, or of the values if it is a map."""
    entry = _map_entry(field)
    return entry.fields_by_name["value"].message_type if entry is not None else field.message_type


def _enum_type(field: FieldDescriptor) -> EnumDescriptor | None:
    """Return the enum type of a field, or of the values if it is a map."""
    entry = _map_entry(field)
    return entry.fields_by_name["value"].enum_type if entry is not None else field.enum_type


def _field(field: FieldDescriptor) -> Field:
    message, enum = _message_type(field), _enum_type(field)
    entry = _map_entry(field)
    choice = field.containing_oneof
    # `optional` is a oneof of one member, which protoc makes up.
    is_choice = choice is not None and not (len(choice.fields) == 1 and choice.name[0] == "_")
    role = Role.REPEATED if field.is_repeated else Role.SINGLE
    return Field(
        number=field.number,
        name=field.name,
        role=role if entry is None else Role.MAP,
        type=_type(field if entry is None else entry.fields_by_name["value"]),
        message=message.full_name if message is not None else None,
        key=_type(entry.fields_by_name["key"]) if entry is not None else None,
        enum=enum.full_name if enum is not None else None,
        is_packed=field.is_packed,
        has_presence=field.has_presence,
        oneof=choice.name if choice is not None and is_choice else None,
    )


def _type(field: FieldDescriptor) -> str:
    value = FieldDescriptorProto.Type.ValueType(field.type)
    return FieldDescriptorProto.Type.Name(value).removeprefix("TYPE_").lower()
