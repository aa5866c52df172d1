"""Statistics that come with an item, and histograms of its rasters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from orchestrator.service.errors import FileNotServedError
from orchestrator.service.files import open_file
from ui.errors import UiError
from ui.formatting import format_number, format_value
from ui.raster_facts import raster_facts, sample_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ui.map_layers import MapLayer
    from ui.result_items import ItemAsset

BINS: Final = 60

_LIMIT_BYTES: Final = 4 * 1024 * 1024
_MAX_ROWS: Final = 500
_MAX_SCALARS: Final = 200


@dataclass(frozen=True)
class StatisticsTable:
    """A list of objects in a statistics document, as rows with equal columns."""

    title: str
    rows: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Statistics:
    """A statistics document: its single values by name, and its lists."""

    values: tuple[tuple[str, str], ...]
    tables: tuple[StatisticsTable, ...]


@dataclass(frozen=True)
class Histogram:
    """How often values occur in a sample of a raster.

    rows: `from` and `to`, or `class` and `colour`, and `share`, percent of what was sampled.
    sampled: how many pixels with data were looked at; pixels: how many the raster has in all.
    """

    rows: tuple[dict[str, Any], ...]
    is_classes: bool
    unit: str
    sampled: int
    pixels: int


def read_statistics(folder: Path, asset: ItemAsset) -> Statistics:
    """Return the content of a statistics document. Raises UiError where it cannot be read."""
    try:
        with open_file(folder, asset.path or "") as file:
            content = file.read(_LIMIT_BYTES + 1)
        document = json.loads(content) if len(content) <= _LIMIT_BYTES else None
    except (FileNotServedError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise UiError(f"{asset.path} holds no statistics that can be shown; download it instead")
    return statistics_of(document)


def statistics_of(document: Mapping[str, Any]) -> Statistics:
    """Return a document as values by the names on the way to them, and as tables."""
    values: list[tuple[str, str]] = []
    tables: list[StatisticsTable] = []
    for name, value in _leaves(document, ""):
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            tables.append(StatisticsTable(name, tuple(_row(row) for row in value[:_MAX_ROWS])))
        elif len(values) < _MAX_SCALARS:
            values.append((name, _text(value)))
    return Statistics(tuple(values), tuple(tables))


def _leaves(document: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        name = f"{above}{str(key).replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _leaves(value, f"{name}: ")
        elif value not in (None, [], ""):
            yield name, value


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row without nesting."""
    return {
        name: value if isinstance(value, int | float | str) else _text(value)
        for name, value in _leaves(row, "")
    }


def _text(value: Any) -> str:
    if isinstance(value, float):
        return format_number(value)
    return format_value(value, 300)


def histogram(folder: Path, layer: MapLayer) -> Histogram:
    """Return the histogram of the first band of a raster layer. Raises RasterNotReadableError."""
    facts = raster_facts(folder, layer.path)
    values = sample_values(folder, layer.path, layer.band)
    pixels = facts.width * facts.height
    first = layer.bands[0]
    if layer.legend["kind"] == "classes":
        rows = _class_rows(values, layer.legend["classes"])
        return Histogram(rows, True, "", values.size, pixels)
    physical = values.astype(np.float64) * first.scale + first.offset
    if not physical.size:
        return Histogram((), False, first.unit, 0, pixels)
    # Some values far away would put all others into one column.
    low, high = np.percentile(physical, [0.2, 99.8])
    counts, edges = np.histogram(physical, bins=BINS, range=(low, high if high > low else low + 1))
    rows = tuple(
        {
            "from": float(start),
            "to": float(end),
            "share": 100 * int(count) / physical.size,
        }
        for start, end, count in zip(edges, edges[1:], counts, strict=False)
    )
    return Histogram(rows, False, first.unit, physical.size, pixels)


def _class_rows(
    values: NDArray[Any], classes: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, Any], ...]:
    names = {each["value"]: each for each in classes}
    found, counts = np.unique(values, return_counts=True)
    rows = []
    for value, count in zip(found.tolist(), counts.tolist(), strict=True):
        known = names.get(value, {})
        rows.append(
            {
                "class": str(known.get("name") or f"class {value}"),
                "colour": known.get("colour") or "#8a8f98",
                "share": 100 * count / values.size,
            }
        )
    return tuple(rows)
