from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from composer.contract import Field, Kind, Role, read_contract, services_of
from composer.errors import ContractError
from tests.composer.fakes import compile_proto

EVERYTHING = """
syntax = "proto3";
enum Colour { RED = 0; }
message Empty {}
message Leaf { sint32 value = 1; }
message Tree { Tree left = 2; Tree right = 1; map<string, Leaf> leaves = 5; }
message Everything {
  repeated float numbers = 7;
  Colour colour = 3;
  map<int32, bytes> chunks = 4;
  oneof choice { string text = 1; bool flag = 2; }
  optional uint64 count = 9;
  Tree tree = 12;
}
service Model {
  rpc begin(Empty) returns (stream Everything);
  rpc change(stream Everything) returns (Tree);
  rpc grow(stream Tree) returns (stream Tree);
  rpc finish(Tree) returns (Empty);
}
"""


def test_operations_and_their_kinds(tmp_path: Path) -> None:
    contract = read_contract(compile_proto(EVERYTHING, tmp_path), "Model")
    found = {
        name: (operation.input_stream, operation.output_stream, operation.kind)
        for name, operation in contract.operations.items()
    }
    assert found == {
        "begin": (False, True, Kind.SOURCE),
        "change": (True, False, Kind.RELAY),
        "grow": (True, True, Kind.RELAY),
        "finish": (False, False, Kind.SINK),
    }
    assert str(contract.operations["change"]) == "change(stream Everything) returns (Tree)"


def test_fields_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    contract = read_contract(compile_proto(EVERYTHING, tmp_path), "Model")
    assert contract.messages["Everything"].fields == (
        Field(1, "text", Role.SINGLE, "string"),
        Field(2, "flag", Role.SINGLE, "bool"),
        Field(3, "colour", Role.SINGLE, "enum"),
        Field(4, "chunks", Role.MAP, "bytes", key="int32"),
        Field(7, "numbers", Role.REPEATED, "float"),
        Field(9, "count", Role.SINGLE, "uint64"),
        Field(12, "tree", Role.SINGLE, "message", "Tree"),
    )


def test_a_message_may_contain_itself(tmp_path: Path) -> None:
    contract = read_contract(compile_proto(EVERYTHING, tmp_path), "Model")
    assert contract.messages["Tree"].fields == (
        Field(1, "right", Role.SINGLE, "message", "Tree"),
        Field(2, "left", Role.SINGLE, "message", "Tree"),
        Field(5, "leaves", Role.MAP, "message", "Leaf", "string"),
    )
    assert "Leaf" in contract.messages


def test_two_contracts_may_use_one_name_for_two_messages(tmp_path: Path) -> None:
    proto = 'syntax = "proto3"; message A {{ {} x = 1; }} service M {{ rpc f(A) returns (A); }}'
    first = read_contract(compile_proto(proto.format("string"), tmp_path), "M")
    second = read_contract(compile_proto(proto.format("int32"), tmp_path), "M")
    assert first.messages["A"].fields[0].type == "string"
    assert second.messages["A"].fields[0].type == "int32"


def test_an_unknown_service_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no service Modl; did you mean 'Model'"):
        read_contract(compile_proto(EVERYTHING, tmp_path), "Modl")


def test_what_is_not_a_descriptor_set_is_refused() -> None:
    with pytest.raises(ContractError, match="not a serialised FileDescriptorSet"):
        read_contract(b"\xff" * 20, "Model")


def test_a_missing_import_is_refused() -> None:
    files = FileDescriptorSet()
    files.file.add(name="a.proto", syntax="proto3", dependency=["b.proto"])
    with pytest.raises(ContractError, match=r"a\.proto.*b\.proto"):
        read_contract(files.SerializeToString(), "Model")


def test_a_reference_to_nothing_is_refused(tmp_path: Path) -> None:
    files = FileDescriptorSet.FromString(compile_proto(EVERYTHING, tmp_path))
    files.file[0].service[0].method[0].input_type = ".Nowhere"
    with pytest.raises(ContractError, match="Nowhere"):
        read_contract(files.SerializeToString(), "Model")


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = compile_proto(EVERYTHING, tmp_path)
    monkeypatch.setattr("composer.contract.MAX_FIELDS", 9)
    with pytest.raises(ContractError, match="more than 9 fields"):
        read_contract(content, "Model")
    monkeypatch.setattr("composer.contract.MAX_BYTES", 100)
    with pytest.raises(ContractError, match="larger than 100 bytes"):
        read_contract(content, "Model")


def test_how_fields_are_written_is_known_but_makes_no_difference(tmp_path: Path) -> None:
    contract = read_contract(compile_proto(EVERYTHING, tmp_path), "Model")
    fields = {field.name: field for field in contract.messages["Everything"].fields}
    assert fields["numbers"].is_packed
    assert not fields["count"].is_packed
    assert {name for name, field in fields.items() if field.has_presence} == {
        "text",
        "flag",
        "count",
        "tree",
    }
    assert {field.name: field.oneof for field in fields.values() if field.oneof} == {
        "text": "choice",
        "flag": "choice",
    }
    assert fields["colour"].enum == "Colour"
    assert contract.enums == {"Colour": {"RED": 0}}
    loose = EVERYTHING.replace("numbers = 7;", "numbers = 7 [packed = false];")
    other = read_contract(compile_proto(loose, tmp_path / "loose"), "Model")
    field = other.messages["Everything"].field("numbers")
    assert field == fields["numbers"]
    assert field is not None
    assert not field.is_packed


def test_fields_are_found_by_name_and_number(tmp_path: Path) -> None:
    message = read_contract(compile_proto(EVERYTHING, tmp_path), "Model").messages["Everything"]
    assert message.field("tree") is message.numbered(12)
    assert message.field("branch") is None
    assert message.numbered(13) is None


def test_the_operations_of_all_services(tmp_path: Path) -> None:
    text = EVERYTHING + "service Second { rpc look(Leaf) returns (Leaf); }"
    found = services_of(compile_proto(text.replace('";', '"; package p;', 1), tmp_path))
    assert found == {"p.Model": ("begin", "change", "grow", "finish"), "p.Second": ("look",)}
