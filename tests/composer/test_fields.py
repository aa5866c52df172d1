"""What field links make of messages, against messages that protobuf puts together itself."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.fields import Content, FieldEnd, FieldLink, Way, content_difference, way_of
from composer.pipeline import Link
from tests.composer.messages import EVERYTHING, Messages

MESSAGES = Messages(EVERYTHING, "Model")
OTHER = Messages(
    """
    syntax = "proto3";
    enum Tone { LOUD = 0; }
    message Twig { string words = 1; sint32 number = 2; repeated Twig all = 3; }
    message Branch { string text = 1; int32 value = 2; repeated Branch more = 3; }
    message Target {
      Twig twig = 1; repeated Twig twigs = 2; int32 number = 3; repeated int32 numbers = 4;
      repeated int32 loose = 5 [packed = false]; string text = 6; repeated string texts = 7;
      map<string, int32> counts = 8; map<sint64, Twig> others = 9; optional int32 maybe = 10;
      Tone tone = 11; Branch branch = 12; repeated sint64 zigzag = 13; double real = 14;
      repeated double reals = 15; map<string, int64> longs = 16; bytes raw = 17;
    }
    service Model { rpc change(Target) returns (Target); rpc look(Twig) returns (Twig); }
    """,
    "Model",
)


def sent(field: str | None, message: str = "Everything") -> Content:
    found = MESSAGES.contract.messages[message]
    return Content(MESSAGES.contract, found, found.field(field) if field else None)


def taken(field: str | None, message: str = "Target") -> Content:
    found = OTHER.contract.messages[message]
    return Content(OTHER.contract, found, found.field(field) if field else None)


def link(source: Content, target: Content) -> FieldLink:
    way = way_of(source, target)
    assert way is not None
    assert content_difference(source, target) is None
    return FieldLink(
        Link.parse("a.change.x -> b.change.y"),
        FieldEnd.of(source.field) if source.field else None,
        FieldEnd.of(target.field) if target.field else None,
        way,
    )


def pass_on(source: str | None, target: str | None, *messages: Any) -> Any:
    """Return the request that messages make along one link, all parts together."""
    message = "Leaf" if source is None else "Everything"
    joined = link(sent(source, message), taken(target, "Target" if target else "Twig"))
    parts = [p for m in messages for p in joined.parts(m.SerializeToString())]
    return OTHER.parse("Target" if target else "Twig", b"".join(parts))


def everything(**fields: Any) -> Any:
    return MESSAGES.make("Everything", **fields)


def leaf(text: str, value: int = 0) -> Any:
    return MESSAGES.make("Leaf", text=text, value=value)


def twig(words: str, number: int = 0) -> Any:
    return OTHER.make("Twig", words=words, number=number)


def target(**fields: Any) -> Any:
    return OTHER.make("Target", **fields)


@pytest.mark.parametrize(
    ("source", "into", "given", "expected"),
    [
        ("f_int32", "number", lambda: everything(f_int32=-5), lambda: target(number=-5)),
        ("f_int32", "number", everything, target),
        ("o_int32", "number", lambda: everything(o_int32=0), lambda: target(number=0)),
        ("f_int32", "maybe", lambda: everything(f_int32=1), lambda: target(maybe=1)),
        ("f_double", "real", lambda: everything(f_double=0.1), lambda: target(real=0.1)),
        ("f_string", "text", lambda: everything(f_string="é"), lambda: target(text="é")),
        ("f_bytes", "raw", lambda: everything(f_bytes=b"\0"), lambda: target(raw=b"\0")),
        ("f_colour", "tone", lambda: everything(f_colour=7), lambda: target(tone=7)),
        ("f_leaf", "twig", lambda: everything(f_leaf=leaf("a")), lambda: target(twig=twig("a"))),
        ("r_int32", "numbers", lambda: everything(r_int32=[1, 0]), lambda: target(numbers=[1, 0])),
        ("r_unpacked", "numbers", lambda: everything(r_unpacked=[9]), lambda: target(numbers=[9])),
        ("r_int32", "loose", lambda: everything(r_int32=[1, 2]), lambda: target(loose=[1, 2])),
        ("r_double", "reals", lambda: everything(r_double=[0.5]), lambda: target(reals=[0.5])),
        (
            "r_leaf",
            "twigs",
            lambda: everything(r_leaf=[leaf("a")]),
            lambda: target(twigs=[twig("a")]),
        ),
        (
            "m_int32",
            "counts",
            lambda: everything(m_int32={"a": 1}),
            lambda: target(counts={"a": 1}),
        ),
        ("f_leaf", None, lambda: everything(f_leaf=leaf("a", 3)), lambda: twig("a", 3)),
        (None, "twig", lambda: leaf("a", 3), lambda: target(twig=twig("a", 3))),
    ],
)
def test_a_value_is_copied(
    source: str | None,
    into: str | None,
    given: Callable[[], Any],
    expected: Callable[[], Any],
) -> None:
    assert pass_on(source, into, given()) == expected()


def test_a_list_is_scattered_into_one_part_for_each_element() -> None:
    message = everything(r_leaf=[leaf("a"), leaf("b", 2)], r_int32=[5, 0], r_string=["", "x"])
    payload = message.SerializeToString()
    whole = link(sent("r_leaf"), taken(None, "Twig"))
    assert whole.way is Way.SCATTER
    assert [OTHER.parse("Twig", p) for p in whole.parts(payload)] == [twig("a"), twig("b", 2)]
    numbers = link(sent("r_int32"), taken("number"))
    assert [OTHER.parse("Target", p) for p in numbers.parts(payload)] == [
        target(number=5),
        target(number=0),
    ]
    texts = link(sent("r_string"), taken("text"))
    assert [OTHER.parse("Target", p).text for p in texts.parts(payload)] == ["", "x"]
    assert whole.parts(b"") == []


def test_values_are_gathered_into_a_list() -> None:
    assert pass_on(None, "twigs", leaf("a"), leaf("b")) == target(twigs=[twig("a"), twig("b")])
    found = pass_on(
        "f_int32", "numbers", everything(f_int32=1), everything(), everything(f_int32=3)
    )
    assert found == target(numbers=[1, 0, 3]), "a zero is on no wire, but it is a value"
    texts = pass_on("f_string", "texts", everything(), everything(f_string="b"))
    assert texts == target(texts=["", "b"])


def test_a_message_or_optional_that_is_not_set_gathers_nothing() -> None:
    assert pass_on("f_leaf", "twigs", everything(), everything(f_leaf=leaf("b"))) == target(
        twigs=[twig("b")]
    )
    assert pass_on("o_int32", "numbers", everything(), everything(o_int32=0)) == target(numbers=[0])


def test_parts_of_several_links_and_literals_join() -> None:
    message = everything(f_int32=4, f_leaf=leaf("a"), r_string=["x", "y"]).SerializeToString()
    links = [
        link(sent("f_int32"), taken("number")),
        link(sent("f_leaf"), taken("twig")),
        link(sent("r_string"), taken("texts")),
    ]
    literals = target(real=2.5, text="literal").SerializeToString()
    parts = [part for one in links for part in one.parts(message)]
    for order in (parts, parts[::-1]):
        assert OTHER.parse("Target", b"".join([*order, literals])) == target(
            number=4, twig=twig("a"), texts=["x", "y"], real=2.5, text="literal"
        )


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=9), st.data())
def test_numbers_survive_any_cut_of_a_list(numbers: list[int], data: st.DataObject) -> None:
    """Messages in pieces, as they may be on the wire: packed, repeated, and split."""
    cut = data.draw(st.integers(0, len(numbers)))
    pieces = [everything(r_sint64=numbers[:cut]), everything(r_sint64=numbers[cut:])]
    payload = b"".join(piece.SerializeToString() for piece in pieces)
    copied = link(sent("r_sint64"), taken("zigzag")).parts(payload)
    assert list(OTHER.parse("Target", b"".join(copied)).zigzag) == numbers


def test_of_a_scalar_that_is_there_twice_the_last_counts_and_messages_merge() -> None:
    twice = b"".join(
        m.SerializeToString()
        for m in (
            everything(f_int32=1, f_leaf=leaf("a", 1)),
            everything(f_int32=2, f_leaf=leaf("b")),
        )
    )
    assert MESSAGES.parse("Everything", twice).f_leaf == leaf("b", 1), "so says protobuf"
    numbers = link(sent("f_int32"), taken("number")).parts(twice)
    assert [OTHER.parse("Target", p).number for p in numbers] == [2]
    [twigs] = link(sent("f_leaf"), taken("twig")).parts(twice)
    assert OTHER.parse("Target", twigs).twig == twig("b", 1)


@pytest.mark.parametrize(
    ("source", "into", "words"),
    [
        ("f_int32", "text", "their types differ"),
        ("f_int64", "number", "their types differ"),
        ("f_colour", "number", "their types differ"),
        ("f_leaf", "number", "their types differ"),
        ("f_leaf", "branch", "field 2 (value: single sint32) is sent"),
        ("m_int32", "texts", "a map can only be linked to a map"),
        ("r_leaf", "others", "a map can only be linked to a map"),
        ("m_leaf", "counts", "their keys have different types"),
        ("m_int32", "longs", "their types differ"),
        (None, "text", "their types differ"),
    ],
)
def test_what_does_not_fit(source: str | None, into: str, words: str) -> None:
    difference = content_difference(sent(source, "Everything" if source else "Leaf"), taken(into))
    assert difference is not None
    assert words in difference


def test_maps_of_messages_match_by_structure() -> None:
    message = everything(m_leaf={-3: leaf("a")})
    found = pass_on("m_leaf", "others", message)
    assert found.others[-3] == twig("a")
