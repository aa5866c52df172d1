"""Our contracts can be exported to AI4Experiments, which accepts only part of protobuf.

A message of one name in two contracts must be the same message, because all contracts of a
pipeline are merged there after their packages are dropped.
"""

from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from tests.contract.conftest import component_descriptors


def files_of(descriptor_set: Path) -> list[FileDescriptorProto]:
    return list(FileDescriptorSet.FromString(descriptor_set.read_bytes()).file)


def messages_of(descriptor_set: Path) -> Iterator[DescriptorProto]:
    for file in files_of(descriptor_set):
        waiting = list(file.message_type)
        while waiting:
            message = waiting.pop()
            yield message
            waiting.extend(message.nested_type)


def fields_of(descriptor_set: Path) -> Iterator[tuple[str, FieldDescriptorProto]]:
    for message in messages_of(descriptor_set):
        for field in message.field:
            yield message.name, field


def test_every_file_is_proto3(descriptor_set: Path) -> None:
    assert {file.syntax for file in files_of(descriptor_set)} == {"proto3"}


def test_one_service(descriptor_set: Path) -> None:
    services = [service.name for file in files_of(descriptor_set) for service in file.service]
    assert len(services) == 1


def test_no_enums(descriptor_set: Path) -> None:
    assert not [enum.name for file in files_of(descriptor_set) for enum in file.enum_type]
    assert not [enum.name for m in messages_of(descriptor_set) for enum in m.enum_type]


def test_no_well_known_types(descriptor_set: Path) -> None:
    foreign = [
        file.name for file in files_of(descriptor_set) if not file.name.startswith("protos/")
    ]
    assert not foreign


def test_no_optional_fields_and_no_choices(descriptor_set: Path) -> None:
    assert not [f"{m}.{f.name}" for m, f in fields_of(descriptor_set) if f.proto3_optional]
    assert not [f"{m}.{f.name}" for m, f in fields_of(descriptor_set) if f.HasField("oneof_index")]


def test_no_messages_within_messages(descriptor_set: Path) -> None:
    nested = [
        f"{message.name}.{inner.name}"
        for message in messages_of(descriptor_set)
        for inner in message.nested_type
        if not inner.options.map_entry
    ]
    assert not nested


def test_messages_of_one_name_are_one_message(root: Path) -> None:
    first_seen: dict[str, tuple[Path, bytes]] = {}
    for path in component_descriptors(root):
        for message in messages_of(path):
            content = message.SerializeToString(deterministic=True)
            where, known = first_seen.setdefault(message.name, (path, content))
            assert known == content, f"{message.name} differs between {where} and {path}"


def test_every_contract_has_descriptors(root: Path) -> None:
    sources = root.glob("protos/**/*.proto")
    with_service = {p.parent for p in sources if "service " in p.read_text(encoding="utf-8")}
    assert with_service == {path.parent for path in root.glob("protos/**/descriptors.binpb")}
