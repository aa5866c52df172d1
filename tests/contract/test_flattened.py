"""Every built-in contract as AI4EU Experiments takes it: it compiles, merges, and fits the wire."""

from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from composer.component import Component
from composer.flatten import FlatContract, flatten, flatten_all
from composer.protoc import compile_proto
from composer.registry import Registry

_SAMPLES: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_DOUBLE: [0.25, -1e9],
    FieldDescriptor.CPPTYPE_INT32: [7, -7],
    FieldDescriptor.CPPTYPE_INT64: [1 << 40, -1],
    FieldDescriptor.CPPTYPE_BOOL: [True, False],
    FieldDescriptor.CPPTYPE_STRING: ["a", "é"],
}


@pytest.fixture(scope="module")
def components() -> tuple[Component, ...]:
    return Registry.discover().components


@pytest.fixture(scope="module")
def flattened(components: tuple[Component, ...]) -> dict[str, FlatContract]:
    contracts = flatten_all(components)
    return {c.manifest.name: flat for c, flat in zip(components, contracts, strict=True)}


def the_file(flat: FlatContract) -> FileDescriptorProto:
    [file] = FileDescriptorSet.FromString(compile_proto(flat.text)).file
    return file


def test_there_are_some(components: tuple[Component, ...]) -> None:
    assert components


def test_each_is_one_file_of_what_ai4eu_accepts(flattened: dict[str, FlatContract]) -> None:
    for name, flat in flattened.items():
        file = the_file(flat)
        assert (file.package, list(file.dependency), len(file.enum_type)) == ("", [], 0), name
        assert len(file.service) == 1
        # What its parser looks for: the first service, at the beginning of a line.
        [line] = [line for line in flat.text.splitlines() if line.startswith("service ")]
        assert line.split()[1] == flat.service
        assert all(not m.nested_type or all_maps(m) for m in file.message_type), name


def all_maps(message: DescriptorProto) -> bool:
    return all(inner.options.map_entry for inner in message.nested_type)


def test_all_of_them_merge(flattened: dict[str, FlatContract]) -> None:
    messages: dict[str, DescriptorProto] = {}
    services: dict[str, ServiceDescriptorProto] = {}
    for name, flat in flattened.items():
        file = the_file(flat)
        for message in file.message_type:
            assert messages.setdefault(message.name, message) == message, (name, message.name)
        for service in file.service:
            assert services.setdefault(service.name, service) == service
    merged = FileDescriptorProto(
        name="all_in_one.proto",
        syntax="proto3",
        message_type=messages.values(),
        service=services.values(),
    )
    DescriptorPool().Add(merged)


def test_alone_each_is_what_it_is_together(
    components: tuple[Component, ...], flattened: dict[str, FlatContract]
) -> None:
    """What an image has as /model.proto agrees with what a solution has for it."""
    for component in components:
        assert flatten(component).text == flattened[component.manifest.name].text


def test_sources_are_called_as_the_original_knows_them(
    components: tuple[Component, ...], flattened: dict[str, FlatContract]
) -> None:
    for component in components:
        names = flattened[component.manifest.name].names
        for operation in component.contract.operations.values():
            assert (names[operation.input.name] == "Empty") == (not operation.input.fields)


def test_the_bytes_are_the_same(
    components: tuple[Component, ...], flattened: dict[str, FlatContract]
) -> None:
    for component in components:
        flat = flattened[component.manifest.name]
        content = (component.root / component.manifest.descriptors).read_bytes()
        ours = pool_of(FileDescriptorSet.FromString(content).file)
        theirs = pool_of([the_file(flat)])
        for name in component.contract.messages:
            message = GetMessageClass(ours.FindMessageTypeByName(name))()
            fill(message)
            payload = message.SerializeToString(deterministic=True)
            flat_class = GetMessageClass(theirs.FindMessageTypeByName(flat.names[name]))
            other = flat_class.FromString(payload)
            assert [f.name for f, _ in other.ListFields()] == [
                f.name for f, _ in message.ListFields()
            ]
            assert other.SerializeToString(deterministic=True) == payload


def pool_of(files: Any) -> DescriptorPool:
    pool = DescriptorPool()
    for file in files:
        pool.Add(file)
    return pool


def fill(message: Message) -> None:
    """Give every field a value, lists two, messages within messages too."""
    descriptor: Descriptor = message.DESCRIPTOR
    for field in descriptor.fields:
        if field.message_type is not None:
            targets = (
                [getattr(message, field.name).add() for _ in range(2)]
                if field.is_repeated
                else [getattr(message, field.name)]
            )
            for target in targets:
                fill(target)
        elif field.is_repeated:
            getattr(message, field.name).extend(_SAMPLES[field.cpp_type])
        else:
            setattr(message, field.name, _SAMPLES[field.cpp_type][0])
