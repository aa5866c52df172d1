"""Bands of rasters as their items and their files describe them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ui.raster_facts import sample_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from ui.raster_facts import RasterFacts
    from ui.result_items import ItemAsset

Range = tuple[float, float]
"""The lowest and the highest physical value."""


@dataclass(frozen=True)
class LayerBand:
    """A band that a layer shows. scale, offset: from stored to physical values."""

    name: str
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""


@dataclass(frozen=True)
class RasterBand:
    """A band of a raster, and what is known of it."""

    asset: ItemAsset
    path: str
    facts: RasterFacts
    band: int
    described: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What people call it."""
        name = self.described.get("name") or self.facts.names[self.band - 1]
        return str(name or self.asset.title)

    @property
    def common_name(self) -> str:
        """Of the STAC eo extension; empty without one."""
        return str(self.described.get("eo:common_name") or "")

    @property
    def scale(self) -> float:
        """From stored to physical values; the item counts before the file."""
        given = self.described.get("raster:scale", self.described.get("scale"))
        fits = isinstance(given, int | float) and math.isfinite(given) and given != 0
        return float(given) if fits and given else self.facts.scales[self.band - 1]

    @property
    def offset(self) -> float:
        """Likewise."""
        given = self.described.get("raster:offset", self.described.get("offset"))
        fits = isinstance(given, int | float) and math.isfinite(given)
        return float(given) if fits and given is not None else self.facts.offsets[self.band - 1]

    @property
    def unit(self) -> str:
        """Empty for numbers without one."""
        return str(self.described.get("unit") or "").replace("degree", "°")

    @property
    def layer_band(self) -> LayerBand:
        """The band as the map gets it."""
        return LayerBand(self.name, self.scale, self.offset, "" if self.unit == "1" else self.unit)

    def physical(self, folder: Path) -> NDArray[Any]:
        """Return a sample of its physical values."""
        values = sample_values(folder, self.path, self.band)
        return values.astype(np.float64) * self.scale + self.offset


def query_of(sources: Sequence[RasterBand]) -> list[tuple[str, str]]:
    """Return what tiles and values of these bands are asked for with."""
    paths = list(dict.fromkeys(source.path for source in sources))
    # One path for each band, unless one file has them all.
    paths = paths if len(paths) == 1 else [source.path for source in sources]
    bands = ",".join(str(source.band) for source in sources)
    return [*(("path", path) for path in paths), ("bands", bands)]


def range_text(sources: Sequence[RasterBand], ranges: Sequence[Range]) -> str:
    """Return ranges of physical values as the stored ones that tiles are asked for."""
    stored = [
        (limit - source.offset) / source.scale
        for source, pair in zip(sources, ranges, strict=True)
        for limit in pair
    ]
    return ",".join(f"{limit:.6g}" for limit in stored)
