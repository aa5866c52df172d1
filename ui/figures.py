"""Headline figures: what the results of a run say about themselves in numbers.

A component that wants a number to be seen gives its items a numeric property `eoloom:NAME_UNIT`,
such as `eoloom:changed_area_ha`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ui.formatting import format_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orchestrator.result_files import Result

PREFIX: Final = "eoloom:"

UNITS: Final = {
    "percentage": "%",
    "ha": "ha",
    "km2": "km²",
    "m2": "m²",
    "km": "km",
    "m": "m",
    "mm": "mm",
    "px": "px",
    "s": "s",
    "d": "d",
    "db": "dB",
    "degree": "°",
    "kelvin": "K",
}
"""Last words of a property's name, and the unit that each means (SI brochure, 9th edition)."""


@dataclass(frozen=True)
class Figure:
    """One number that a result says about itself."""

    item: str
    name: str
    value: float
    unit: str
    property: str

    def __str__(self) -> str:
        space = "" if self.unit == "°" else " "
        return f"{self.name} {format_number(self.value)}{space}{self.unit}"


def item_figures(item: str, properties: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures of one item, in the order of its properties."""
    figures = []
    for name, value in properties.items():
        words, _, unit = name.removeprefix(PREFIX).rpartition("_")
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (name.startswith(PREFIX) and words and unit in UNITS and is_number):
            continue
        if math.isfinite(value):
            figures.append(Figure(item, words.replace("_", " "), value, UNITS[unit], name))
    return tuple(figures)


def headline_figures(results: Iterable[Result]) -> tuple[Figure, ...]:
    """Return the figures of all results of a pipeline; steps on the way do not count."""
    return tuple(
        figure
        for result in results
        if result.terminal
        for figure in item_figures(result.item, result.properties)
    )
