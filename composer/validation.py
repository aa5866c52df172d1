"""What pydantic finds wrong, in words and with the place in the document."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, ValidationError

from composer.names import nearest

if TYPE_CHECKING:
    from composer.document import Place

MAX_SHOWN = 80
"""Characters of a value that a message repeats."""

_INSTANCE: Final = re.compile(r"a valid dictionary( or instance of \w+)?")


@dataclass(frozen=True)
class Finding:
    """One error of a validation."""

    place: Place
    message: str
    suggestion: str | None = None
    kind: str = ""
    """Pydantic's name of the error, such as `missing` or `extra_forbidden`."""

    def __str__(self) -> str:
        place = ".".join(map(str, self.place)) or "the document"
        hint = f"; did you mean {self.suggestion!r}?" if self.suggestion else ""
        return f"{place}: {self.message}{hint}"


def explain(error: ValidationError, model: type[BaseModel], value: Any) -> list[Finding]:
    """Return one finding for each place of `value` that does not fit `model`."""
    findings: dict[Place, Finding] = {}
    for detail in error.errors(include_url=False):
        missing = detail["type"] == "missing"
        place = _existing(value, detail["loc"][:-1] if missing else detail["loc"])
        suggestion = None
        if missing:
            message = f"{detail['loc'][-1]} is missing"
        elif detail["type"] == "extra_forbidden":
            message = f"unknown field {place[-1]!r}"
            suggestion = nearest(str(place[-1]), _fields(model, value, place[:-1]))
        elif detail["type"] == "value_error":
            is_default = not place and len(detail["loc"]) == 1
            subject = detail["loc"][0] if is_default else show(detail["input"])
            message = f"{subject} {detail['ctx']['error']}"
        else:
            message = f"{show(detail['input'])} {_predicate(detail['msg'])}"
        key = (*place, str(detail["loc"][-1])) if missing else place
        findings.setdefault(key, Finding(place, message, suggestion, detail["type"]))
    return list(findings.values())


def show(value: Any) -> str:
    """Return a value as it may stand in a message: short."""
    text = (
        {None: "null", True: "true", False: "false"}[value]
        if isinstance(value, bool | None)
        else repr(value)
    )
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _existing(value: Any, location: tuple[int | str, ...]) -> Place:
    """Cut a pydantic location, which also names union members, to what the document has."""
    place: list[str | int] = []
    for key in location:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            break
        place.append(key)
    return tuple(place)


def _fields(model: type[BaseModel], value: Any, place: Place) -> list[str]:
    """Return the field names that are valid at a place, following annotations down."""
    annotation: Any = model
    for key in place:
        if _is_model(annotation) and key in annotation.model_fields:
            annotation = annotation.model_fields[str(key)].annotation
        else:  # the key of a mapping or the position in a sequence
            annotation = get_args(annotation)[-1] if get_args(annotation) else None
    members = [annotation, *get_args(annotation)]
    return [name for member in members if _is_model(member) for name in member.model_fields]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _predicate(message: str) -> str:
    """Make `Input should be ...` and `String should have ...` follow the value."""
    subject, verb, rest = message.partition(" should ")
    if not verb or " " in subject:
        return f"({message})"
    return f"should {_INSTANCE.sub('a mapping', rest.replace('a valid tuple', 'a list'))}"
