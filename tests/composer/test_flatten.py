import json

import pytest

from composer.contract import Contract, read_contract
from composer.errors import ContractError
from composer.flatten import flatten, flatten_all, licence_json
from composer.onboarding import onboard
from composer.protoc import compile_proto

RICH = """
syntax = "proto3";
package team.rich;
import "google/protobuf/timestamp.proto";
import "google/protobuf/empty.proto";
enum Level { LOW = 0; HIGH = 1; }
message Item {
  message Part { Level level = 1; map<string, Item> items = 2; }
  optional int32 count = 1;
  Level level = 2;
  repeated Level levels = 3;
  map<string, Level> named = 4;
  oneof choice { string text = 5; Part part = 6; }
  google.protobuf.Timestamp at = 7;
  repeated int32 loose = 8 [packed = false];
  Other.Part other = 9;
}
message Other { message Part { string name = 1; } Part part = 1; }
message Nothing {}
service Rich {
  rpc begin(google.protobuf.Empty) returns (stream Item);
  rpc show(stream Item) returns (Nothing);
}
"""
FLAT = """\
syntax = "proto3";

message Empty {}

message Item {
  int32 count = 1;
  int32 level = 2;
  repeated int32 levels = 3;
  map<string, int32> named = 4;
  string text = 5;
  Part part = 6;
  Timestamp at = 7;
  repeated int32 loose = 8 [packed = false];
  team_rich_Other_Part other = 9;
}

message Part {
  int32 level = 1;
  map<string, Item> items = 2;
}

message Timestamp {
  int64 seconds = 1;
  int32 nanos = 2;
}

message team_rich_Other_Part {
  string name = 1;
}

service Rich {
  rpc begin(Empty) returns (stream Item);
  rpc show(stream Item) returns (Empty);
}
"""


def contract(text: str, service: str) -> Contract:
    return read_contract(compile_proto(text), service)


def test_everything_that_ai4eu_refuses_is_gone() -> None:
    flat = flatten(onboard("a", RICH))
    assert flat.text == FLAT
    assert flat.service == "Rich"
    assert flat.names["team.rich.Nothing"] == "Empty"


def test_what_is_flat_stays_as_it_is() -> None:
    again = flatten(onboard("a", FLAT))
    assert again.text == FLAT
    assert {*again.names.values()} == {*again.names}


def test_names_agree_between_contracts() -> None:
    """One message in two packages has one name; different ones of one name have two."""
    text = (
        'syntax = "proto3"; package %s; message Box { Size size = 1; } '
        "message Size { %s width = 1; } message E {} service %s { rpc f(E) returns (Box); }"
    )
    one, two, three = flatten_all(
        [
            onboard("a", text % ("a", "int32", "A"), name="one"),
            onboard("b", text % ("b", "int32", "B"), name="two"),
            onboard("c", text % ("c", "double", "C"), name="three"),
        ]
    )
    assert one.names == {"a.Box": "Box", "a.Size": "Size", "a.E": "Empty"}
    assert two.names == {"b.Box": "Box", "b.Size": "Size", "b.E": "Empty"}
    assert three.names == {"c.Box": "c_Box", "c.Size": "c_Size", "c.E": "Empty"}


def test_without_a_package_the_component_tells_messages_apart() -> None:
    text = 'syntax = "proto3"; message M { %s v = 1; } service %s { rpc f(M) returns (M); }'
    one, two = flatten_all(
        [
            onboard("a", text % ("int32", "A"), name="first"),
            onboard("b", text % ("bytes", "B"), name="second-one"),
        ]
    )
    assert (one.names["M"], two.names["M"]) == ("M", "SecondOneM")
    assert "message SecondOneM" in two.text


def test_messages_that_contain_each_other() -> None:
    text = (
        'syntax = "proto3"; package %s; message A { B b = 1; } message B { repeated A a = 1; %s } '
        "service %s { rpc f(A) returns (B); }"
    )
    one, two, three = flatten_all(
        [
            onboard("a", text % ("a", "", "A1")),
            onboard("b", text % ("b", "", "B1")),
            onboard("c", text % ("c", "C c = 2;", "C1") + " message C { A a = 1; }"),
        ]
    )
    assert one.names == {"a.A": "A", "a.B": "B"}
    assert two.names == {"b.A": "A", "b.B": "B"}
    assert three.names == {"c.A": "c_A", "c.B": "c_B", "c.C": "C"}


def test_a_message_is_not_called_as_a_service_or_empty_if_it_is_not() -> None:
    text = (
        'syntax = "proto3"; package p; message Empty { int32 v = 1; } message None {} '
        "message Model { Empty e = 1; } service Model2 { rpc f(None) returns (Model); }"
    )
    flat = flatten(onboard("a", text.replace("Model2", "Modell")))
    assert flat.names == {"p.Empty": "p_Empty", "p.Model": "Model", "p.None": "Empty"}
    other = 'syntax = "proto3"; message M {int32 v = 1;} service Model { rpc f(M) returns (M); }'
    both = flatten_all([onboard("b", other), onboard("a", text)])
    assert both[1].names["p.Model"] == "p_Model"


def test_two_services_of_one_name_cannot_be_together() -> None:
    text = 'syntax = "proto3"; message M { %s v = 1; } service S { rpc f(M) returns (M); }'
    same = [onboard("a", text % "int32"), onboard("b", text % "int32")]
    assert len(flatten_all(same)) == 2
    with pytest.raises(ContractError, match=r"a@1.0.0 and c@1.0.0 have different services"):
        flatten_all([same[0], onboard("c", text % "bytes", name="c")])


def test_huge_contracts_are_refused() -> None:
    messages = "".join(f"message M{i} {{ M{i + 1} next = 1; }}" for i in range(600))
    text = (
        f'syntax = "proto3"; {messages} message M600 {{}} service S {{ rpc f(M0) returns (M0); }}'
    )
    with pytest.raises(ContractError, match="more than 500 messages"):
        flatten(onboard("a", text))


def test_the_licence_is_a_profile() -> None:
    component = onboard("a", FLAT, licence="EUPL-1.2")
    profile = json.loads(licence_json(component.manifest))
    assert profile["keyword"] == "EUPL-1.2"
    assert profile["$schema"].endswith("license-profile.json")
