"""The outlines of a run's items, for the map that shows one of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ui.result_items import read_item

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from orchestrator.result_files import Result

MAX_OUTLINES: Final = 200

_MAX_LETTERS: Final = 200_000
_SHAPES: Final = frozenset({"Polygon", "MultiPolygon", "LineString", "MultiLineString", "Point"})


def outlines(folder: Path, results: Iterable[Result], selected: Result) -> list[dict[str, Any]]:
    """Return GeoJSON outlines with their ids, of the selected item and of others of its node."""
    shown: list[dict[str, Any]] = []
    for result in results:
        if len(shown) >= MAX_OUTLINES and result != selected:
            continue
        item = read_item(folder, result) if result.node == selected.node else None
        geometry = item.document.get("geometry") if item is not None else None
        if item is None or not _is_drawable(geometry):
            continue
        shown.append(
            {
                "id": item.path,
                "title": f"{item.title} ({item.time})" if item.time else item.title,
                "geometry": geometry,
                "selected": result == selected,
            }
        )
    return shown


def _is_drawable(geometry: Any) -> bool:
    if not isinstance(geometry, dict) or geometry.get("type") not in _SHAPES:
        return False
    return len(json.dumps(geometry)) <= _MAX_LETTERS
