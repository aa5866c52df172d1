"""A scene: where its bands and masks lie, and what turns them into reflectance.

Catalogue items (`catalogue.py`) and SAFE products (`safe.py`) both become one of these, so that
nothing after them knows where a scene came from.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit.errors import InputError, MissingDataError
from components.kit.rasters import Raster, open_raster
from components.s2_preprocess.bands import BANDS, parse_band
from components.s2_preprocess.grid import UNKNOWN_GRID, DeclaredGrid
from components.s2_preprocess.offset import DeclaredOffset
from components.s2_preprocess.product import Level

_SAME_M: Final = 0.01


@dataclass(frozen=True)
class Layer:
    """One band or class raster of a scene, as a file.

    name: "B04", "SCL", "MSK_CLASSI". path: what GDAL opens. index: 1-based band of the file.
    resolution_m: declared pixel size; 0 if unknown. grid: where the scene says that it lies, for
    files that do not say so themselves.
    """

    name: str
    path: str
    index: int = 1
    resolution_m: float = 0.0
    grid: DeclaredGrid = UNKNOWN_GRID


@dataclass(frozen=True)
class Scene:
    """What is known of a scene before any pixel is read.

    bands: the files of each band, the best first among those of one pixel size. scl: scene
    classification; classi: MSK_CLASSI, three bands; cloud_polygons: reads MSK_CLOUDS, GML. offset:
    None where the metadata does not tell. properties: for the item made from the scene. time: RFC
    3339, outline: (longitude, latitude); both empty where only the item knows them.
    """

    id: str
    level: Level | None
    bands: Mapping[str, tuple[Layer, ...]]
    scl: Layer | None = None
    classi: Layer | None = None
    cloud_polygons: Callable[[], bytes] | None = None
    offset: DeclaredOffset | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    time: str = ""
    outline: tuple[tuple[float, float], ...] = ()

    def choose(self, names: Sequence[str], resolution: float | None) -> dict[str, Layer]:
        """Return the file to read for each named band; "all" stands for every band.

        It is the one of pixel size `resolution` (metres) if there is one, else the finest.
        Raises InputError naming the band that is missing and those there are.
        """
        available = [band.name for band in BANDS if band.name in self.bands]
        wanted = available if list(names) == ["all"] else [self._known(name) for name in names]
        if not wanted:
            raise InputError(f"scene {self.id} has no asset that is a Sentinel-2 band")
        twice = [name for name in set(wanted) if wanted.count(name) > 1]
        if twice:
            raise InputError(f"bands {', '.join(names)} name {twice[0]} twice")
        chosen = {}
        for name in wanted:
            files = self.bands.get(name)
            if not files:
                raise InputError(
                    f"scene {self.id} has no band {name}; it has {', '.join(available) or 'none'}"
                )
            chosen[name] = _best(files, resolution)
        return chosen

    def _known(self, text: str) -> str:
        name = parse_band(text)
        if name is None:
            names = [band.name for band in BANDS] + [band.key for band in BANDS]
            near = difflib.get_close_matches(text, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InputError(f"{text!r} is not a Sentinel-2 band{hint} (B01 to B12, B8A, or red)")
        return name


def _best(files: Sequence[Layer], resolution: float | None) -> Layer:
    if resolution is not None:
        for file in files:
            if abs(file.resolution_m - resolution) < _SAME_M:
                return file
    known = [file for file in files if file.resolution_m > 0]
    return min(known, key=lambda file: file.resolution_m) if known else files[0]


class OpenLayer:
    """An open layer; use it in a `with`. geobox: its grid, by the file or else by the scene.

    Raises MissingDataError where the file cannot be read, InputError where nothing says where it
    lies or where it does not hold digital numbers.
    """

    def __init__(self, layer: Layer, scene: str) -> None:
        self.layer = layer
        self._raster: Raster = open_raster(layer.path)
        try:
            self.geobox = self._locate(scene)
            self._check(scene)
        except BaseException:
            self.close()
            raise

    def read(self, roi: tuple[slice, slice] | None = None) -> NDArray[Any]:
        """Return rows and columns (y, x) of the layer as stored."""
        values: NDArray[Any] = self.read_all([self.layer.index], roi)[0]
        return values

    def read_all(self, indexes: Sequence[int], roi: tuple[slice, slice] | None) -> NDArray[Any]:
        """Return rows and columns of several bands of the file (band, y, x) as stored."""
        window = None if roi is None else Window.from_slices(*roi)
        return self._raster.read_stored(window, indexes)

    def close(self) -> None:
        """Close the file."""
        self._raster.close()

    def __enter__(self) -> OpenLayer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _locate(self, scene: str) -> GeoBox:
        if self._raster.georeferenced:
            return self._raster.geobox
        height, width = self._raster.geobox.shape
        geobox = self.layer.grid.geobox((int(height), int(width)))
        if geobox is None:
            raise InputError(
                f"scene {scene}: {self.layer.path} does not say where it lies, and neither does "
                "the item (proj:code and proj:transform) nor the tile's metadata"
            )
        return geobox

    def _check(self, scene: str) -> None:
        raster = self._raster
        if self.layer.index > raster.count:
            raise MissingDataError(
                f"{raster.path} has {raster.count} bands, but scene {scene} names band "
                f"{self.layer.index} for {self.layer.name}"
            )
        if not np.issubdtype(np.dtype(raster.dtype), np.unsignedinteger):
            raise InputError(
                f"{raster.path} holds {raster.dtype}; band {self.layer.name} of scene {scene} "
                "must hold digital numbers (uint8 or uint16)"
            )
