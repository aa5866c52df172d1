"""Regular expressions of strangers."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.service.errors import RequestError
from orchestrator.service.patterns import MAX_CHARACTERS, Pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("", "anything", True),
        (".*", "", True),
        ("node", "node-ready", True),
        ("ready", "node-ready", False),
        ("node$", "node-ready", False),
        ("run|node", "node-ready", True),
        ("a)|(b", "b", None),
        ("^exception$", "exception", True),
        (r"\Aexc", "exception", True),
        ("(?i)NODE", "node", True),
    ],
)
def test_it_matches_from_the_beginning(pattern: str, text: str, matches: bool | None) -> None:
    if matches is None:
        with pytest.raises(RequestError):
            Pattern(pattern, "name_regex")
    else:
        assert Pattern(pattern, "name_regex").matches(text) is matches


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(.*a){15}$", "(a*)*b"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    """Each of these keeps a backtracking matcher busy for longer than anybody lives."""
    assert not Pattern(pattern, "name_regex").matches("a" * 5_000 + "!")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "unclosed group"),
        ("a{2000}{2000}{2000}", "size limit"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)", "look-around"),
        ("a" * (MAX_CHARACTERS + 1), "longer than"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(pattern: str, reason: str) -> None:
    with pytest.raises(RequestError, match=f"name_regex.*{reason}"):
        Pattern(pattern, "name_regex")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    with contextlib.suppress(RequestError):
        assert Pattern(pattern, "name_regex").matches(text) in {True, False}
