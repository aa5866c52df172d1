import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.render.names import object_name

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


@given(LABELS, LABELS, st.sampled_from([57, 63]))
def test_a_name_is_always_a_dns_label(deployment: str, node: str, limit: int):
    name = object_name(deployment, node, limit=limit)
    assert len(name) <= limit
    assert re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name)


# Few letters, so that parts run into each other.
CLOSE = st.from_regex(r"a([ab-]{0,6}b)?", fullmatch=True)


@given(CLOSE, CLOSE, CLOSE, CLOSE)
def test_two_things_never_have_one_name(first: str, node: str, second: str, other: str):
    assume((first, node) != (second, other))
    assert object_name(first, node) != object_name(second, other)


@pytest.mark.parametrize("length", [40, 63])
def test_long_names_that_begin_alike_stay_apart(length: int):
    common = "a" * (length - 1)
    assert object_name(common + "b", "n" * 40) != object_name(common + "c", "n" * 40)


def test_a_usual_name_can_be_read():
    assert object_name("s2-change", "clean") == "s2-change--clean"
