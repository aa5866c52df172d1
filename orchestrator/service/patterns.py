"""Regular expressions that callers send: matched in time linear in pattern and text.

They are those of Rust's regex crate, as pydantic has them: its automata never backtrack and are
bounded in size (https://docs.rs/regex/latest/regex/#untrusted-input), where Python's own `re` can
be kept busy for ever by a few characters. Look-around and back-references do not exist there.
"""

from __future__ import annotations

from typing import Final

from pydantic_core import SchemaError, SchemaValidator, core_schema

from orchestrator.service.errors import RequestError

MAX_CHARACTERS: Final = 100


class Pattern:
    """A regular expression that must match from the beginning of a text; empty, it always does.

    Raises RequestError where it is none, or too large.
    """

    def __init__(self, text: str, name: str) -> None:
        if len(text) > MAX_CHARACTERS:
            raise RequestError(f"{name} is longer than {MAX_CHARACTERS} characters")
        self._validator = None
        if text:
            _compile(text, name)  # on its own, lest it close the group below
            self._validator = _compile(rf"\A(?:{text})", name)

    def matches(self, text: str) -> bool:
        """Whether the beginning of the text matches."""
        return self._validator is None or self._validator.isinstance_python(text)


def _compile(text: str, name: str) -> SchemaValidator:
    try:
        schema = core_schema.str_schema(pattern=text, regex_engine="rust-regex")
        return SchemaValidator(schema)
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].strip().removeprefix("error: ")
        raise RequestError(f"{name} is not a usable regular expression: {reason}") from error
