"""What jsonschema finds wrong with parameters, in words with the value and the bound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from jsonschema.exceptions import relevance

from composer.names import alternatives, nearest
from composer.validation import show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

    from composer.document import Place

_TYPES: Final = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_BOUNDS: Final = {
    "minimum": "is less than the minimum {}",
    "maximum": "is more than the maximum {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "is not a multiple of {}",
    "minLength": "is shorter than {} characters",
    "maxLength": "is longer than {} characters",
    "pattern": "does not match {}",
    "minItems": "has fewer than {} items",
    "maxItems": "has more than {} items",
    "const": "is not {}",
}


@dataclass(frozen=True)
class Refusal:
    """One parameter that does not fit."""

    place: Place
    """Names and positions below `params`."""
    message: str
    suggestion: str | None = None
    is_unknown: bool = False


def refusals(error: ValidationError) -> Iterator[Refusal]:
    """Yield what one error of jsonschema says about the parameters."""
    place: Place = tuple(error.absolute_path)
    schema: Any = error.schema
    value: Any = error.instance
    expected: Any = error.validator_value
    if error.validator in {"anyOf", "oneOf"} and error.context:
        # Of the alternatives, the one that the value came nearest to says best what is wrong.
        yield from refusals(max(error.context, key=_nearness))
    elif error.validator == "additionalProperties" and expected is False:
        known = schema.get("properties", {})
        for name in sorted(set(value) - set(known)):
            meant = nearest(name, known)
            message = "there is no such parameter" + ("" if meant else alternatives(known))
            yield Refusal((*place, name), message, meant, True)
    elif error.validator == "required":
        # jsonschema reports each missing name on its own, and only its message says which.
        name = next(n for n in expected if error.message.startswith(repr(n)))
        yield Refusal((*place, name), "is required and has no default")
    elif error.validator == "enum" and isinstance(value, str):
        choices = [choice for choice in expected if isinstance(choice, str)]
        yield Refusal(place, _words(error), nearest(value, choices))
    else:
        yield Refusal(place, _words(error))


def _nearness(error: ValidationError) -> tuple[bool, Any]:
    return error.validator != "type", relevance(error)


def _words(error: ValidationError) -> str:
    """Say what is wrong with a value. A secret value is not repeated."""
    schema: Any = error.schema
    expected: Any = error.validator_value
    is_secret = schema.get("writeOnly") or schema.get("format") == "password"
    value = "the value" if is_secret else show(error.instance)
    if error.validator == "enum":
        return f"{value} is not one of {', '.join(map(show, expected))}"
    if error.validator == "type":
        types = [expected] if isinstance(expected, str) else expected
        return f"{value} is not {' or '.join(_TYPES.get(name, name) for name in types)}"
    if error.validator in _BOUNDS:
        return f"{value} {_BOUNDS[error.validator].format(expected)}"
    return f"{value} does not fit: {error.validator}" if is_secret else error.message
