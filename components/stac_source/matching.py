"""Which items match, in which order; and if none does, why."""

from __future__ import annotations

import difflib
import heapq
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, box, shape
from shapely.geometry.base import BaseGeometry

from components.kit import InputError
from components.stac_source.candidates import Candidate
from components.stac_source.interval import parse_interval
from components.stac_source.params import Parameters
from components.stac_source.query import matches

_SHOWN = 5
# Names that are kept for messages; a hostile catalogue may have any number.
_KEPT_NAMES = 200


@dataclass
class Tally:
    """What was found before the conditions, and how many items each of them let through.

    Attributes:
        found: number of items.
        first: earliest moment of them.
        last: latest moment.
        collections: their collections.
        properties: names of their properties.
        passed: items that met each condition and those before it, by the condition's text.
    """

    found: int = 0
    first: datetime | None = None
    last: datetime | None = None
    collections: set[str] = field(default_factory=set)
    properties: set[str] = field(default_factory=set)
    passed: dict[str, int] = field(default_factory=dict)

    def add(self, candidate: Candidate) -> None:
        """Count an item that was found."""
        start, end = candidate.span
        self.found += 1
        self.first = start if self.first is None else min(self.first, start)
        self.last = end if self.last is None else max(self.last, end)
        if len(self.collections) < _KEPT_NAMES:
            self.collections.add(candidate.collection or "(none)")
        if len(self.properties) < _KEPT_NAMES:
            self.properties.update(candidate.properties)

    def explain(self, params: Parameters) -> str:
        """Return one sentence on why no item matched."""
        if not self.found or self.first is None or self.last is None:
            return f"{params.shown_catalogue} has no items"
        names = sorted(self.collections)
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        text = (
            f"no item of {params.shown_catalogue} matches: it has {self.found} items from "
            f"{self.first:%Y-%m-%d} to {self.last:%Y-%m-%d} of {shown}"
        )
        before = "of them"
        for condition, number in self.passed.items():
            if not number:
                return f"{text}; none {before} meets {condition}{self._hint(condition, params)}"
            before = f"of the {number} that meet the conditions before it"
        return text

    def _hint(self, condition: str, params: Parameters) -> str:
        unknown = [name for name in params.query if name not in self.properties]
        if not condition.startswith("query") or not unknown:
            return ""
        near = difflib.get_close_matches(unknown[0], sorted(self.properties), n=1)
        return f" (no item has {unknown[0]!r}" + (f"; did you mean {near[0]!r}?)" if near else ")")


def choose(
    candidates: Iterable[Candidate], params: Parameters, tally: Tally
) -> tuple[list[Candidate], int]:
    """Choose the items that meet all conditions.

    Args:
        candidates: any number of items; only `limit` of them are kept at a time.
        params: the conditions, `sort` and `limit`.
        tally: counts what is found.

    Returns:
        At most `limit` items in the order asked for, and how many matched in all.

    Raises:
        InputError: if a property cannot be compared with the wanted value.
    """
    conditions = _conditions(params)
    tally.passed.update(dict.fromkeys(conditions, 0))
    number = 0

    def matching() -> Iterable[Candidate]:
        nonlocal number
        for candidate in candidates:
            tally.add(candidate)
            for text, holds in conditions.items():
                if not holds(candidate):
                    break
                tally.passed[text] += 1
            else:
                number += 1
                yield candidate

    descending = params.sort.startswith("-")
    name = params.sort.lstrip("+-")
    pick = heapq.nlargest if descending else heapq.nsmallest
    return pick(params.limit, matching(), key=lambda each: sort_key(each, name, descending)), number


def sort_key(candidate: Candidate, name: str, descending: bool = False) -> tuple[Any, ...]:
    """Return what to sort by; items without the property come last either way."""
    value: Any
    if name == "id":
        value = candidate.id
    elif name == "datetime":
        value = candidate.span[0]
    else:
        value = candidate.properties.get(name.removeprefix("properties."))
    present = value is not None
    # Values of different types cannot be compared; numbers come before everything else.
    number = isinstance(value, int | float)
    if not number and not isinstance(value, datetime):
        value = json.dumps(value, sort_keys=True, default=str) if present else ""
    return (present == descending, not number, value, candidate.id)


def _conditions(params: Parameters) -> dict[str, Callable[[Candidate], bool]]:
    """Return the conditions by their texts, in the order in which they are applied."""
    conditions: dict[str, Callable[[Candidate], bool]] = {}
    if params.collections:
        collections = set(params.collections)
        conditions[f"collections {', '.join(params.collections)}"] = lambda each: (
            each.collection in collections
        )
    if params.ids:
        ids = set(params.ids)
        conditions[f"ids {', '.join(params.ids[:_SHOWN])}"] = lambda each: each.id in ids
    if params.datetime is not None:
        interval = parse_interval(params.datetime)
        conditions[f"datetime {params.datetime}"] = lambda each: interval.overlaps(*each.span)
    area = _area(params)
    if area is not None:
        text = f"bbox {list(params.bbox)}" if params.bbox else "intersects"
        conditions[text] = lambda each: _touches(each, area)
    if params.query:
        conditions[f"query {json.dumps(params.query)}"] = lambda each: _meets(each, params)
    return conditions


def _area(params: Parameters) -> BaseGeometry | None:
    if params.intersects is not None:
        return shape(json.loads(params.intersects))
    if params.bbox is None:
        return None
    west, south, east, north = params.bbox
    if west <= east:
        return box(west, south, east, north)
    # RFC 7946, section 5.2: such a box crosses the antimeridian.
    return MultiPolygon([box(west, south, 180, north), box(-180, south, east, north)])


def _touches(candidate: Candidate, area: BaseGeometry) -> bool:
    try:
        return candidate.footprint is not None and bool(candidate.footprint.intersects(area))
    except ShapelyError as error:
        raise InputError(f"the geometry of item {candidate.id!r} is broken: {error}") from error


def _meets(candidate: Candidate, params: Parameters) -> bool:
    try:
        return matches(params.query, candidate.properties)
    except ValueError as error:
        raise InputError(f"query: in item {candidate.id!r} {error}") from error
