from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from composer.contract import Contract, Field, Message, Operation, Role, read_contract
from composer.manifest import FromParameter, OperationManifest
from composer.ports import (
    Side,
    emitted_collections,
    input_port,
    output_port,
    refused_collections,
    structural_difference,
)
from tests.composer.fakes import compile_proto

HEAD = 'syntax = "proto3"; service S { rpc f(M) returns (M); } '


def difference(tmp_path: Path, sent: str, taken: str) -> str | None:
    sender = read_contract(compile_proto(HEAD + sent, tmp_path / "sender"), "S")
    receiver = read_contract(compile_proto(HEAD + taken, tmp_path / "receiver"), "S")
    return structural_difference(output_port("a", sender, "f"), input_port("b", receiver, "f"))


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("message M { string id = 1; }", "message M { string name = 1; }"),
        ("message M { int32 a = 2; bool b = 1; }", "message M { bool x = 1; int32 y = 2; }"),
        ("message M { N n = 1; } message N { M m = 1; }", "message M { M m = 1; }"),
        (
            "message M { map<string, N> n = 3; } message N { repeated int64 v = 1; }",
            "message M { map<string, O> o = 3; } message O { repeated int64 w = 1; }",
        ),
        (
            "message M { E e = 1; } enum E { A = 0; }",
            "message M { F f = 1; } enum F { B = 0; C = 1; }",
        ),
        (
            "message M { oneof c { int32 a = 1; int32 b = 2; } }",
            "message M { optional int32 a = 1; int32 b = 2; }",
        ),
    ],
)
def test_names_do_not_count(tmp_path: Path, sent: str, taken: str) -> None:
    assert difference(tmp_path, sent, taken) is None


@pytest.mark.parametrize(
    ("sent", "taken", "words"),
    [
        (
            "message M { string id = 1; }",
            "message M { bytes id = 1; }",
            "field 1 (id: single string) is sent, 1 (id: single bytes) is expected",
        ),
        (
            "message M { string id = 1; }",
            "message M { repeated string id = 1; }",
            "field 1 (id: single string) is sent, 1 (id: repeated string) is expected",
        ),
        (
            "message M { string id = 1; double end = 4; }",
            "message M { string id = 1; int32 begin = 3; }",
            (
                "field 3 (begin: single int32) is only in the receiver's message; "
                "field 4 (end: single double) is only in the sender's message"
            ),
        ),
        (
            "message M { map<string, int32> m = 1; }",
            "message M { map<int32, int32> m = 1; }",
            "field 1 (m: map string to int32) is sent, 1 (m: map int32 to int32) is expected",
        ),
        (
            "message M { repeated N items = 2; } message N { O o = 1; } message O { float w = 1; }",
            "message M { repeated P parts = 2; } message P { O o = 1; } message O { int32 w = 1; }",
            "in items|parts.o: field 1 (w: single float) is sent, 1 (w: single int32) is expected",
        ),
        (
            "message M { int32 a = 1; int32 b = 2; int32 c = 3; int32 d = 4; int32 e = 5; }",
            "message M { string z = 9; }",
            "and 2 more",
        ),
    ],
)
def test_the_first_difference_is_told(tmp_path: Path, sent: str, taken: str, words: str) -> None:
    assert words in (difference(tmp_path, sent, taken) or "no difference")


def test_a_port_says_which_side_of_what_it_is(tmp_path: Path) -> None:
    proto = 'syntax = "proto3"; message M { M m = 1; } service S { rpc f(stream M) returns (M); }'
    contract = read_contract(compile_proto(proto, tmp_path), "S")
    port = input_port("filter", contract, "f")
    assert (port.side, port.stream, port.is_empty) == (Side.INPUT, True, False)
    assert str(port) == "input of filter.f (stream M)"
    assert str(output_port("filter", contract, "f")) == "output of filter.f (M)"


MESSAGES = 4


@st.composite
def contracts(draw: st.DrawFn, prefix: str = "m") -> Contract:
    """Contracts of a few small messages that may contain each other and themselves."""
    messages = {}
    for number in range(MESSAGES):
        fields = []
        for field_number in sorted(draw(st.sets(st.integers(1, 3), max_size=2))):
            role = draw(st.sampled_from([Role.SINGLE, Role.REPEATED]))
            nested = draw(st.none() | st.integers(0, MESSAGES - 1))
            name = None if nested is None else f"{prefix}{nested}"
            kind = "int32" if nested is None else "message"
            fields.append(Field(field_number, f"{prefix}f{field_number}", role, kind, name))
        messages[f"{prefix}{number}"] = Message(f"{prefix}{number}", tuple(fields))
    first = messages[f"{prefix}0"]
    operation = Operation("f", first, first, input_stream=False, output_stream=False)
    return Contract("S", {"f": operation}, messages)


def are_equal(left: Contract, right: Contract) -> bool:
    """The structural rule by partition refinement: split classes of messages until stable."""
    messages = {**left.messages, **right.messages}
    classes = dict.fromkeys(messages, 0)
    while True:
        signatures = {
            name: (
                classes[name],
                *(
                    (f.number, f.role, f.type, classes[f.message] if f.message else None)
                    for f in message.fields
                ),
            )
            for name, message in messages.items()
        }
        numbers = {signature: n for n, signature in enumerate(dict.fromkeys(signatures.values()))}
        refined = {name: numbers[signature] for name, signature in signatures.items()}
        if len(set(refined.values())) == len(set(classes.values())):
            return refined["m0"] == refined["n0"]
        classes = refined


def renamed(contract: Contract, changed: tuple[int, int] | None) -> Contract:
    """A copy with other names, and one field of one message made single or repeated instead."""
    messages = {}
    for number, message in enumerate(contract.messages.values()):
        fields = list(message.fields)
        for position, field in enumerate(fields):
            role = field.role
            if (number, position) == changed:
                role = Role.SINGLE if role is Role.REPEATED else Role.REPEATED
            nested = f"n{field.message[1:]}" if field.message else None
            fields[position] = replace(field, name="other", role=role, message=nested)
        messages[f"n{number}"] = Message(f"n{number}", tuple(fields))
    operation = replace(contract.operations["f"], input=messages["n0"], output=messages["n0"])
    return Contract("S", {"f": operation}, messages)


CHANGES = st.none() | st.tuples(st.integers(0, MESSAGES - 1), st.integers(0, 1))


@settings(max_examples=150, deadline=None)
@given(contracts("m"), contracts("n"), CHANGES, st.booleans())
def test_the_rule_is_that_of_partition_refinement(
    left: Contract, other: Contract, changed: tuple[int, int] | None, is_copy: bool
) -> None:
    right = renamed(left, changed) if is_copy else other
    found = structural_difference(output_port("a", left, "f"), input_port("b", right, "f"))
    assert (found is None) == are_equal(left, right)
    back = structural_difference(output_port("b", right, "f"), input_port("a", left, "f"))
    assert (found is None) == (back is None)


@settings(max_examples=50, deadline=None)
@given(contracts("m"))
def test_every_message_matches_itself(contract: Contract) -> None:
    port = output_port("a", contract, "f")
    assert structural_difference(port, input_port("b", contract, "f")) is None


def declared(**fields: object) -> OperationManifest:
    return OperationManifest.model_validate({"description": "x", **fields})


SCHEMA = {"properties": {"collections": {"type": "array", "default": ["a"]}}}


@pytest.mark.parametrize(
    ("params", "schema", "emitted"),
    [
        ({"collections": ["b", "c"]}, SCHEMA, ("b", "c")),
        ({"collections": "b"}, SCHEMA, ("b",)),
        ({}, SCHEMA, ("a",)),
        ({"collections": []}, SCHEMA, None),
        ({"collections": None}, SCHEMA, None),
        ({"collections": [5]}, SCHEMA, None),
        ({}, {}, None),
    ],
)
def test_a_parameter_may_decide_what_is_emitted(
    params: dict[str, object], schema: dict[str, object], emitted: tuple[str, ...] | None
) -> None:
    manifest = declared(emits={"parameter": "collections"})
    assert manifest.emits == FromParameter(parameter="collections")
    assert emitted_collections(manifest, params, schema) == emitted


@pytest.mark.parametrize(
    ("emitted", "accepted", "refused"),
    [
        (("a",), ("a", "b"), ()),
        (("a", "c"), ("a", "b"), ("c",)),
        (None, ("a",), ()),
        (("a",), None, ()),
    ],
)
def test_meaning_is_checked_unless_a_side_is_silent(
    emitted: tuple[str, ...] | None, accepted: tuple[str, ...] | None, refused: tuple[str, ...]
) -> None:
    manifest = declared(emits=emitted)
    assert refused_collections(emitted_collections(manifest, {}, {}), accepted) == refused
