"""Conditions on properties, in the form of the STAC API's query extension.

https://github.com/stac-api-extensions/query
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Mapping
from typing import Any

Query = Mapping[str, Mapping[str, Any]]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda value, allowed: value in allowed,
}
_ORDERED = {"lt", "lte", "gt", "gte"}


def check_query(query: Query) -> None:
    """Check that every condition can be evaluated. Raises ValueError naming the one that cannot."""
    for name, conditions in query.items():
        if not conditions:
            raise ValueError(f"{name} has no condition; write for example {{'lt': 40}}")
        for word, wanted in conditions.items():
            if word not in _COMPARE:
                near = difflib.get_close_matches(word, _COMPARE, n=1, cutoff=0.4)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(
                    f"{name}: {word!r} is not an operator ({', '.join(_COMPARE)}){hint}"
                )
            if word == "in" and not isinstance(wanted, list):
                raise ValueError(f"{name}: 'in' needs a list, not {wanted!r}")
            if word in _ORDERED and not (_is_number(wanted) or isinstance(wanted, str)):
                raise ValueError(f"{name}: {word!r} needs a number or a text, not {wanted!r}")


def matches(query: Query, properties: Mapping[str, Any]) -> bool:
    """Tell whether properties meet all conditions; a property that is missing or null does not.

    Raises:
        ValueError: if a value cannot be compared with the wanted one.
    """
    return all(
        properties.get(name) is not None and _holds(name, word, properties[name], wanted)
        for name, conditions in query.items()
        for word, wanted in conditions.items()
    )


def _holds(name: str, word: str, value: Any, wanted: Any) -> bool:
    if word in _ORDERED and not (
        (_is_number(value) and _is_number(wanted))
        or (isinstance(value, str) and isinstance(wanted, str))
    ):
        raise ValueError(f"{name} is {value!r:.80}, which cannot be compared with {wanted!r:.80}")
    return bool(_COMPARE[word](value, wanted))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
