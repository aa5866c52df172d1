import json
import math
import struct
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from composer.literals import MAX_BYTES, Misfit, encode_literals
from tests.composer.messages import EVERYTHING, Messages

MESSAGES = Messages(EVERYTHING, "Model")


def misfits(**values: Any) -> list[Misfit]:
    return encode_literals(MESSAGES.contract, "Everything", values).misfits


def whole(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    least = -(1 << bits - 1) if signed else 0
    return st.integers(least, (1 << bits - signed) - 1)


LEAVES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries(
        {}, optional={"text": st.text(max_size=5), "value": whole(32, signed=True)}
    ),
    lambda inner: st.fixed_dictionaries({}, optional={"more": st.lists(inner, max_size=3)}),
    max_leaves=5,
)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLES = st.floats(allow_nan=False, allow_infinity=False)
COLOURS = st.sampled_from(["NONE", "RED", "GREEN"])
BASE64 = st.sampled_from(["", "AA==", "/+8=", "YWJj"])
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "f_double": DOUBLES,
        "f_float": FLOATS,
        "f_int32": whole(32, signed=True),
        "f_int64": whole(64, signed=True),
        "f_uint32": whole(32, signed=False),
        "f_uint64": whole(64, signed=False).map(str),
        "f_sint32": whole(32, signed=True),
        "f_sint64": whole(64, signed=True),
        "f_fixed32": whole(32, signed=False),
        "f_fixed64": whole(64, signed=False),
        "f_sfixed32": whole(32, signed=True),
        "f_sfixed64": whole(64, signed=True),
        "f_bool": st.booleans(),
        "f_string": st.text(max_size=5),
        "f_bytes": BASE64,
        "f_colour": COLOURS | st.just(7),
        "f_leaf": LEAVES,
        "r_double": st.lists(DOUBLES, max_size=3),
        "r_int32": st.lists(whole(32, signed=True), max_size=3),
        "r_sint64": st.lists(whole(64, signed=True), max_size=3),
        "r_fixed32": st.lists(whole(32, signed=False), max_size=3),
        "r_bool": st.lists(st.booleans(), max_size=3),
        "r_string": st.lists(st.text(max_size=3), max_size=3),
        "r_bytes": st.lists(BASE64, max_size=3),
        "r_colour": st.lists(COLOURS, max_size=3),
        "r_leaf": st.lists(LEAVES, max_size=3),
        "r_unpacked": st.lists(whole(32, signed=True), max_size=3),
        "m_int32": st.dictionaries(st.text(max_size=3), whole(32, signed=True), max_size=3),
        "m_leaf": st.dictionaries(whole(64, signed=True).map(str), LEAVES, max_size=3),
        "m_bool": st.dictionaries(st.sampled_from(["true", "false"]), COLOURS),
        "o_int32": whole(32, signed=True) | st.none(),
        "c_string": st.text(max_size=3),
    },
)


@given(VALUES)
def test_the_bytes_are_the_message_that_protobuf_makes_of_the_json(values: dict[str, Any]) -> None:
    expected = json_format.ParseDict(values, MESSAGES.make("Everything"))
    literals = encode_literals(MESSAGES.contract, "Everything", values)
    assert literals.misfits == []
    assert MESSAGES.parse("Everything", literals.content) == expected


def test_numbers_that_json_lacks_are_text() -> None:
    values = {"f_double": "Infinity", "f_float": "NaN", "r_double": ["-Infinity"]}
    content = encode_literals(MESSAGES.contract, "Everything", values).content
    message = MESSAGES.parse("Everything", content)
    assert (message.f_double, message.r_double[0]) == (math.inf, -math.inf)
    assert math.isnan(message.f_float)


@pytest.mark.parametrize(
    ("values", "place", "message"),
    [
        ({"f_int32": 1 << 31}, ("f_int32",), "is not within -2147483648 to 2147483647 (int32)"),
        ({"f_uint32": -1}, ("f_uint32",), "-1 is not within 0 to 4294967295 (uint32)"),
        ({"f_fixed64": "18446744073709551616"}, ("f_fixed64",), "is not within 0"),
        ({"f_int32": 0.5}, ("f_int32",), "0.5 is not a whole number"),
        ({"f_int32": True}, ("f_int32",), "true is not a whole number"),
        ({"f_int32": "1_0"}, ("f_int32",), "is not a whole number"),
        ({"f_int32": "٣"}, ("f_int32",), "is not a whole number"),
        ({"f_double": "much"}, ("f_double",), "'much' is not a number"),
        ({"f_float": 1e300}, ("f_float",), "is too large (float)"),
        ({"f_bool": 1}, ("f_bool",), "1 is not true or false"),
        ({"f_string": 1}, ("f_string",), "1 is not text"),
        ({"f_string": "\ud800"}, ("f_string",), "is not Unicode text"),
        ({"f_bytes": "?"}, ("f_bytes",), "'?' is not base64 text"),
        ({"f_bytes": "é"}, ("f_bytes",), "is not base64 text"),
        ({"f_colour": "REDD"}, ("f_colour",), "'REDD' is not one of NONE, RED, GREEN"),
        ({"f_leaf": 3}, ("f_leaf",), "3 is not a mapping of the fields of Leaf"),
        ({"f_leaf": {"txt": "a"}}, ("f_leaf", "txt"), "Leaf has no field 'txt'"),
        ({"r_int32": 3}, ("r_int32",), "3 is not a list"),
        ({"r_int32": [1, "x"]}, ("r_int32", 1), "'x' is not a whole number"),
        ({"m_int32": [1]}, ("m_int32",), "[1] is not a mapping"),
        ({"m_leaf": {"a": {}}}, ("m_leaf", "a"), "'a' is not a whole number"),
        ({"c_string": "a", "c_leaf": {}}, ("c_leaf",), "c_string is given as well"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_place(
    values: dict[str, Any], place: tuple[str | int, ...], message: str
) -> None:
    [found] = misfits(**values)
    assert found.place == place
    assert message in found.message


def test_names_that_were_probably_meant() -> None:
    [colour] = misfits(f_colour="REDD")
    [field] = misfits(f_leef={})
    assert (colour.suggestion, field.suggestion) == ("RED", "f_leaf")
    assert field.is_unknown
    assert not colour.is_unknown


def test_size_and_depth_are_bounded() -> None:
    assert "more than" in misfits(f_string="x" * MAX_BYTES)[0].message
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"more": [deep]}
    assert "nested deeper" in misfits(f_leaf=deep)[0].message


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in MESSAGES.contract.messages["Everything"].fields]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_any_json_is_encoded_or_refused(values: dict[str, Any]) -> None:
    literals = encode_literals(MESSAGES.contract, "Everything", values)
    if not literals.misfits:
        MESSAGES.parse("Everything", literals.content)
    for misfit in literals.misfits:
        assert json.dumps(misfit.message)


def test_a_default_that_is_given_is_written() -> None:
    """So that it can be told from a field that is not given."""
    content = encode_literals(MESSAGES.contract, "Everything", {"f_fixed32": 0}).content
    assert content == b"\x4d" + struct.pack("<I", 0)
