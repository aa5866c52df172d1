"""Names and colours of the classes of a raster, from its item and from its own palette."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ui.raster_facts import sample_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ui.raster_facts import RasterFacts
    from ui.result_items import ItemAsset

MAX_CLASSES: Final = 64

_BLACK: Final = (0, 0, 0)
_COLOUR: Final = re.compile(r"#?([0-9A-Fa-f]{6})")

# Okabe and Ito, https://jfly.uni-koeln.de/color/: told apart also by the colour-blind.
_DISTINCT: Final = ("d55e00", "0072b2", "009e73", "e69f00", "56b4e9", "cc79a7", "f0e442", "999999")

# Sentinel-2 Level-2A scene classification: Sen2Cor, Algorithm Theoretical Basis Document, table 3.
_SCENE_CLASSES: Final = (
    "no data",
    "saturated or defective",
    "dark area",
    "cloud shadow",
    "vegetation",
    "not vegetated",
    "water",
    "unclassified",
    "cloud, medium probability",
    "cloud, high probability",
    "thin cirrus",
    "snow or ice",
)


@dataclass(frozen=True)
class ShownClass:
    """One class of a raster. colour: rrggbb; None where it is not drawn."""

    value: int
    name: str
    colour: str | None


def classes_of(folder: Path, asset: ItemAsset, facts: RasterFacts) -> tuple[ShownClass, ...]:
    """Return the classes of a raster; none where its values are measured.

    Raises RasterNotReadableError.
    """
    if facts.count != 1 or facts.data_type != "uint8" or asset.path is None:
        return ()
    described = _described(asset)
    names = {value: name for value, (name, _) in described.items()}
    if not names and facts.palette is None:
        return ()
    values = set(names)
    if not values:
        values = {int(value) for value in np.unique(sample_values(folder, asset.path, 1))}
        # Those of the palette also where none of their pixels was met.
        values |= {value for value, colour in (facts.palette or {}).items() if colour != _BLACK}
    wanted = sorted(value for value in values if 0 <= value <= 255)[:MAX_CLASSES]
    drawn = [value for value in wanted if value or _colour(value, 0, described, facts)]
    only = drawn[0] if len(drawn) == 1 else None
    return tuple(
        ShownClass(
            value,
            names.get(value) or (asset.title if value == only else f"class {value}"),
            _colour(value, drawn.index(value) if value in drawn else 0, described, facts),
        )
        for value in wanted
    )


def _colour(
    value: int, rank: int, described: Mapping[int, tuple[str, str]], facts: RasterFacts
) -> str | None:
    """Return a colour; None for a background, which would hide what is below it."""
    hint = _COLOUR.fullmatch(described.get(value, ("", ""))[1])
    if hint is not None:
        return hint[1].lower()
    colour = facts.palette.get(value, _BLACK) if facts.palette is not None else _BLACK
    if colour != _BLACK:
        return bytes(colour).hex()
    return None if value == 0 else _DISTINCT[(rank - 1) % len(_DISTINCT)]


def _described(asset: ItemAsset) -> dict[int, tuple[str, str]]:
    """Return names and colours from the item: its classes (STAC classification 2.0.0), or names."""
    bands = asset.bands
    listed: Any = asset.document.get("classification:classes")
    if not listed and bands:
        listed = bands[0].get("classification:classes")
    found = dict(_entries(listed if isinstance(listed, list) else []))
    named = asset.document.get("eoloom:class_names")
    if not found and isinstance(named, dict):
        found = {
            int(value): (str(name), "") for value, name in named.items() if str(value).isdecimal()
        }
    if not found and bands and bands[0].get("name") == "SCL":
        found = {value: (name, "") for value, name in enumerate(_SCENE_CLASSES) if value}
    return found


def _entries(listed: Sequence[Any]) -> list[tuple[int, tuple[str, str]]]:
    entries = []
    for each in listed[: MAX_CLASSES * 4]:
        if not isinstance(each, dict) or not isinstance(each.get("value"), int):
            continue
        name = str(each.get("title") or each.get("name") or each.get("description") or "")
        entries.append((each["value"], (name, str(each.get("color_hint") or ""))))
    return entries
