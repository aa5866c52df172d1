import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.wire import (
    WireError,
    WireType,
    encode_record,
    encode_values,
    encode_varint,
    records,
    values_of,
)
from tests.composer.messages import EVERYTHING, Messages


@pytest.fixture(scope="module")
def messages() -> Messages:
    return Messages(EVERYTHING, "Model")


@pytest.mark.parametrize(
    ("value", "content"),
    # The examples of https://protobuf.dev/programming-guides/encoding/#varints.
    [(1, b"\x01"), (150, b"\x96\x01"), ((1 << 64) - 2, b"\xfe" + b"\xff" * 8 + b"\x01")],
)
def test_numbers_are_written_as_in_the_documentation(value: int, content: bytes) -> None:
    assert encode_varint(value) == content
    assert encode_record(1, WireType.VARINT, content)[1:] == content


def test_a_message_is_taken_apart_as_protobuf_wrote_it(messages: Messages) -> None:
    leaf = messages.make("Leaf", text="a")
    message = messages.make(
        "Everything", f_double=0.5, f_int32=-1, f_fixed32=7, f_leaf=leaf, r_int32=[1, 300]
    )
    assert list(records(message.SerializeToString())) == [
        (1, WireType.FIXED64, struct.pack("<d", 0.5)),
        (3, WireType.VARINT, encode_varint((1 << 64) - 1)),
        (9, WireType.FIXED32, struct.pack("<I", 7)),
        (17, WireType.LENGTH, leaf.SerializeToString()),
        (103, WireType.LENGTH, b"\x01" + encode_varint(300)),
    ]


def test_lists_are_read_packed_or_not(messages: Messages) -> None:
    packed = messages.make("Everything", r_int32=[1, 2, 300]).SerializeToString()
    loose = b"".join(encode_record(103, WireType.VARINT, encode_varint(n)) for n in (4, 5))
    values = [encode_varint(n) for n in (1, 2, 300, 4, 5)]
    assert values_of(packed + loose, 103, WireType.VARINT) == values
    for is_packed in (True, False):
        written = encode_values(103, WireType.VARINT, values, packed=is_packed)
        assert list(messages.parse("Everything", written).r_int32) == [1, 2, 300, 4, 5]


def test_values_of_another_type_are_none_of_the_field() -> None:
    payload = encode_record(3, WireType.FIXED32, b"abcd") + encode_record(3, WireType.VARINT, b"\1")
    assert values_of(payload, 3, WireType.VARINT) == [b"\1"]
    assert values_of(encode_record(3, WireType.VARINT, b"\1"), 3, WireType.LENGTH) == []


def test_groups_are_skipped_whole() -> None:
    group = b"\x0b" + b"\x13\x08\x01\x14" + b"\x10\x05" + b"\x0c"  # 1 { 2 { 1: 1 } 2: 5 }
    assert list(records(group + b"\x08\x07")) == [(1, WireType.VARINT, b"\x07")]


@pytest.mark.parametrize(
    "payload",
    [
        b"\x08",  # no value
        b"\x08" + b"\xff" * 11,  # a number of more than ten bytes
        b"\x0a\x05abc",  # shorter than it says
        b"\x09\x00",  # half a double
        b"\x0f",  # wire type 7
        b"\x00\x00",  # field 0
        b"\x0c",  # the end of no group
        b"\x0b\x08\x01",  # a group without an end
        b"\x0b\x14",  # a group that another one ends
        b"\x0b" * 100 + b"\x0c" * 100,  # groups too deep
    ],
)
def test_what_is_no_message_is_an_error(payload: bytes) -> None:
    with pytest.raises(WireError):
        list(records(payload))


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_an_error(payload: bytes) -> None:
    try:
        found = list(records(payload))
        values_of(payload, 1, WireType.FIXED64)
    except WireError:
        return
    assert sum(len(content) for _, _, content in found) <= len(payload)
