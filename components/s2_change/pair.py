"""Two scenes on one grid: what they have in common, and reading both block by block."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit import InputError
from components.kit.items import asset
from components.kit.rasters import Raster, open_raster
from components.kit.storage import Storage
from components.s2_change.sample import OVERVIEW_PX, Sample, sample_windows, suspect_windows
from protos.common.v1.item_pb2 import Item

REFLECTANCE: Final = "reflectance"

# Part of a pixel by which two grids may differ without being different.
_GRID_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class Scene:
    """An open scene: its item, its raster, and its bands by name."""

    item: Item
    raster: Raster

    @classmethod
    def open(cls, item: Item, storage: Storage) -> Scene:
        """Open the reflectance of an item. Raises InputError or MissingDataError naming it."""
        described = asset(item, REFLECTANCE)
        raster = open_raster(storage.resolve(described.href), bands=list(described.bands))
        if not raster.georeferenced:
            raster.close()
            raise InputError(f"scene {item.id}: {described.href} does not say where it lies")
        return cls(item, raster)

    @property
    def bands(self) -> dict[str, int]:
        """Band numbers, from 1, by name."""
        described = [band.name for band in asset(self.item, REFLECTANCE).bands]
        names = described if any(described) else list(self.raster.band_names)
        if not any(names):
            names = [f"band{number}" for number in range(1, self.raster.count + 1)]
        return {name: number for number, name in enumerate(names, start=1)}

    @property
    def common_names(self) -> dict[str, str]:
        """STAC common names by band name, where the item has them."""
        return {band.name: band.common_name for band in asset(self.item, REFLECTANCE).bands}


class Pair:
    """Two scenes on one grid; use it in a `with`. Both are read side by side.

    Raises InputError where the grids differ or no band is common to both.
    """

    def __init__(self, before: Scene, after: Scene, wanted: Sequence[str] | None = None) -> None:
        check_grids(before, after)
        self.before, self.after = before, after
        self.bands = _common_bands(before, after, wanted)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="read")

    @property
    def geobox(self) -> GeoBox:
        """The grid of both."""
        return self.before.raster.geobox

    @property
    def common_names(self) -> tuple[str, ...]:
        """STAC common name of each band, "" where unknown."""
        names = self.before.common_names
        return tuple(names.get(band, "") for band in self.bands)

    def read(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return both dates at a window, (band, y, x) reflectance, NaN where missing."""
        return self._both(lambda raster, indexes: raster.read(window, indexes))

    def overview(self, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return both dates, (band, y, x), decimated so that no side exceeds `size` pixels."""
        return self._both(lambda raster, indexes: raster.overview(size, indexes))

    def _both(
        self, read: Callable[[Raster, list[int]], NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        reads = [
            self._readers.submit(read, scene.raster, [scene.bands[band] for band in self.bands])
            for scene in (self.before, self.after)
        ]
        return reads[0].result(), reads[1].result()

    def sample(self) -> Sample:
        """Return what the model of the pair is learnt from: all of a small scene."""
        shape = self.geobox.shape.yx
        windows = sample_windows(shape)
        representative = len(windows)
        if representative > 1:
            windows += suspect_windows(*self.overview(OVERVIEW_PX), shape)
        parts = [self.read(window) for window in windows]
        before = np.stack([part[0] for part in parts], axis=1)
        after = np.stack([part[1] for part in parts], axis=1)
        return Sample(before, after, representative)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._readers.shutdown()


def check_grids(before: Scene, after: Scene) -> None:
    """Raise InputError that says how the grids of two scenes differ and what to do about it."""
    first, second = before.raster.geobox, after.raster.geobox
    names = f"scenes {before.item.id} and {after.item.id}"
    advice = "; give crs, resolution and bbox to s2-preprocess, so that both get one grid"
    if first.crs != second.crs:
        raise InputError(f"{names} have different CRS, {_name(first)} and {_name(second)}{advice}")
    if not first.extent.boundingbox.polygon.intersects(second.extent.boundingbox.polygon):
        raise InputError(f"{names} do not overlap{advice}")
    if first.shape != second.shape:
        shapes = " and ".join(f"{box.shape.y} x {box.shape.x} pixels" for box in (first, second))
        raise InputError(f"{names} have different shapes, {shapes}{advice}")
    offset = np.subtract(first.transform[:6], second.transform[:6])
    if np.abs(offset).max() > _GRID_TOLERANCE * abs(first.transform.a):
        raise InputError(f"{names} lie on different pixel grids{advice}")


def _name(geobox: GeoBox) -> str:
    """Return the EPSG code of a grid's CRS, or all of it where it has none."""
    epsg = geobox.crs.to_epsg() if geobox.crs is not None else None
    return f"EPSG:{epsg}" if epsg else str(geobox.crs)


def _common_bands(before: Scene, after: Scene, wanted: Sequence[str] | None) -> tuple[str, ...]:
    first, second = before.bands, after.bands
    for scene, bands in ((before, first), (after, second)):
        missing = [band for band in wanted or () if band not in bands]
        if missing:
            raise InputError(
                f"scene {scene.item.id} has no band {', '.join(missing)} "
                f"(it has {', '.join(bands)})"
            )
    common = tuple(wanted or (band for band in first if band in second))
    if not common:
        raise InputError(
            f"scenes {before.item.id} ({', '.join(first)}) and {after.item.id} "
            f"({', '.join(second)}) have no band in common"
        )
    return common
