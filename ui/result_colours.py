"""Which values of a raster get which colours, where nobody has said it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ui.tiles import ramp_colours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ui.result_bands import Range, RasterBand

NATURAL: Final = ("red", "green", "blue")
_RAMP_STEPS: Final = 16


@dataclass(frozen=True)
class Ramp:
    """A colour ramp between two physical values. colours: as in CSS, the lowest value first."""

    name: str
    low: float
    high: float

    @property
    def colours(self) -> list[str]:
        """The colours of a legend."""
        steps = np.linspace(0, 255, _RAMP_STEPS).astype(int)
        return [f"#{bytes(colour).hex()}" for colour in ramp_colours(self.name)[steps, :3]]


def composite_ranges(
    folder: Path, names: tuple[str, ...], groups: Sequence[Sequence[RasterBand]]
) -> list[Range]:
    """Return the range of each colour, the same for all groups, so that they can be compared.

    names: of the bands; groups: those bands of each image. Raises RasterNotReadableError.
    """
    each = [_value_range(folder, same, 1) for same in zip(*groups, strict=True)]
    if names != NATURAL:
        return each
    # Natural colours need one range: an own one for each band would make grey of all land.
    return [(min(low for low, _ in each), max(high for _, high in each))] * len(each)


def ramp_of(folder: Path, source: RasterBand) -> Ramp:
    """Return the ramp of one band. Raises RasterNotReadableError."""
    if source.unit == "°":
        return Ramp("twilight", 0.0, 360.0)
    low, high = _value_range(folder, [source], 2)
    if source.common_name or "reflectance" in source.asset.roles:
        return Ramp("gray", low, high)
    if low < 0 < high and min(-low, high) > 0.1 * max(-low, high):
        return Ramp("rdbu_r", -max(-low, high), max(-low, high))
    return Ramp("viridis", low, high)


def _value_range(folder: Path, sources: Sequence[RasterBand], rare: float) -> Range:
    """Return the range of the sources' values, without the rarest at both ends (percent)."""
    values = np.concatenate([source.physical(folder) for source in sources])
    if not values.size:
        return 0.0, 1.0
    least, most = np.percentile(values, [rare, 100 - rare])
    if all("reflectance" in source.asset.roles for source in sources):
        # A few clouds, ten times as bright as the land, would leave it dark.
        clear = np.percentile(values, 94)
        most = min(most, clear + 0.25 * (clear - least))
    return float(least), float(most if most > least else least + 1)
