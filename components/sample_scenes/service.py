"""The rpc of the component: renders each scene and writes its files."""

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from components.kit import Call, InputError
from components.kit.cog import CogWriter, cog_writer
from components.kit.errors import storage_error
from components.kit.rasters import raster_asset
from components.sample_scenes.algorithm import Block, Series
from components.sample_scenes.bands import BANDS
from components.sample_scenes.changes import CODES
from components.sample_scenes.grid import SceneGrid
from components.sample_scenes.params import Parameters
from components.sample_scenes.pixels import PIXEL_M
from components.sample_scenes.product import describe_band, describe_scene, outlines
from components.sample_scenes.sensor import NODATA
from components.sample_scenes.sky import sensing_time, sun_position
from protos.common.v1.item_pb2 import Asset, Band, Item
from protos.sample_scenes.v1.sample_scenes_pb2 import GenerateRequest

_PIXEL = int(PIXEL_M)
_TRUTH = "truth"
_SCL_GSD = 20
_SCL_CLASSES = 12
# Sentinel-2 does not acquire where the sun is lower.
_LOWEST_SUN_DEGREES = 5.0
# Colours of the classes in the products of Sen2Cor.
_SCL_COLOURS = {
    0: (0, 0, 0, 0), 1: (255, 0, 4, 255), 2: (134, 134, 134, 255), 3: (119, 76, 11, 255),
    4: (16, 211, 45, 255), 5: (255, 255, 83, 255), 6: (0, 0, 255, 255), 7: (129, 129, 129, 255),
    8: (192, 192, 192, 255), 9: (242, 242, 242, 255), 10: (187, 197, 236, 255),
    11: (83, 255, 250, 255),
}  # fmt: skip

_TRUTH_COLOURS = {
    0: (0, 0, 0, 0), 1: (255, 127, 0, 255), 2: (228, 26, 28, 255), 3: (55, 126, 184, 255),
    4: (152, 78, 163, 255), 5: (255, 217, 47, 255),
}  # fmt: skip


class SampleScenes:
    """Simulated Sentinel-2 scenes with known changes."""

    def generate(self, request: GenerateRequest, call: Call[Parameters]) -> Iterator[Item]:
        """Yield the scenes in time order; each one's files are complete when it is yielded."""
        del request
        grid, series = _plan(call.params)
        if series.missing_changes:
            missing = ", ".join(f"{n} x {kind}" for kind, n in series.missing_changes.items())
            call.warn(
                f"no place for {missing} in a scene of {series.size} pixels with seed "
                f"{series.seed}; a larger size or another seed may have it"
            )
        # What all blocks need is computed once, before the threads race for it.
        series.prepare()
        for number in range(len(series.days)):
            yield _Scene(call, grid, series, number).write()


def _plan(params: Parameters) -> tuple[SceneGrid, Series]:
    """Turn parameters into where and what to render. Raises InputError for a polar night."""
    grid = SceneGrid(params.epsg, params.easting, params.northing, params.size)
    longitude, latitude = grid.centre
    suns = tuple(
        sun_position(sensing_time(day, longitude), longitude, latitude) for day in params.dates
    )
    for day, sun in zip(params.dates, suns, strict=True):
        if sun.elevation < _LOWEST_SUN_DEGREES:
            raise InputError(
                f"dates: on {day} the sun is only {sun.elevation:.1f} degrees high at latitude "
                f"{latitude:.1f}; choose another day or a place nearer to the equator"
            )
    share = params.changes_per_100_km2 * (params.size * PIXEL_M / 10_000) ** 2
    number = max(1, round(share)) if params.changes_per_100_km2 > 0 else 0
    series = Series(
        seed=params.seed,
        size=params.size,
        days=params.dates,
        suns=suns,
        bands=params.bands,
        cloud_share=params.cloud_percentage / 100,
        nodata_share=params.nodata_percentage / 100,
        change_numbers=dict.fromkeys(params.changes, number),
    )
    return grid, series


@dataclass(frozen=True)
class _Scene:
    """One scene being written."""

    call: Call[Parameters]
    grid: SceneGrid
    series: Series
    number: int

    def write(self) -> Item:
        """Render the scene, write its files and return its item."""
        day = self.series.days[self.number]
        counts = np.zeros(_SCL_CLASSES, np.int64)
        blocks = self.series.blocks()
        total = len(blocks) * len(self.series.days)
        layers: dict[str, int] = {name: BANDS[name].gsd for name in self.series.bands}
        layers["SCL"] = _SCL_GSD
        if self.number > 0:
            layers[_TRUTH] = _PIXEL
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(self._writer(name, gsd)) for name, gsd in layers.items()
            }
            # Entered last, so that an error or a cancelled call first stops the renderers.
            for done, block in enumerate(self._render(stack, blocks), start=1):
                _write_block(block, writers)
                counts += np.bincount(block.scl.ravel(), minlength=_SCL_CLASSES)
                self.call.progress(
                    self.number * len(blocks) + done, total, f"scene of {day.isoformat()}"
                )
        time = sensing_time(day, self.grid.centre[0])
        item = describe_scene(self.grid, time, self.number, self.series.suns[self.number], counts)
        item.assets.extend(self._assets())
        return item

    def _render(self, stack: ExitStack, blocks: list[tuple[int, int]]) -> Iterator[Block]:
        """Render on all processors, a few blocks ahead of what is written, in order."""
        workers = len(os.sched_getaffinity(0))
        executor = ThreadPoolExecutor(workers)
        stack.callback(executor.shutdown, cancel_futures=True)
        waiting: deque[Future[Block]] = deque()
        for row, col in blocks:
            waiting.append(executor.submit(self.series.render, self.number, row, col))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _writer(self, name: str, gsd: int) -> AbstractContextManager[CogWriter]:
        classes = name not in self.series.bands
        return cog_writer(
            self._path(f"{name}.tif"),
            self.grid.geobox(gsd),
            dtype="uint8" if classes else "uint16",
            nodata=None if name == _TRUTH else NODATA,
            band_names=[name],
            resampling="nearest" if classes else "average",
            colormap={"SCL": _SCL_COLOURS, _TRUTH: _TRUTH_COLOURS}.get(name),
        )

    def _path(self, name: str) -> Path:
        day = self.series.days[self.number]
        return self.call.storage.output / f"{day:%Y%m%d}" / name

    def _assets(self) -> Iterator[Asset]:
        for name in self.series.bands:
            band = BANDS[name]
            yield raster_asset(
                band.key,
                self._path(f"{name}.tif"),
                self.call.storage,
                geobox=self.grid.geobox(band.gsd),
                bands=[describe_band(band)],
                roles=["data", "reflectance"],
                title=f"{band.key} ({name}), {band.gsd} m, simulated",
            )
        yield raster_asset(
            "scl",
            self._path("SCL.tif"),
            self.call.storage,
            geobox=self.grid.geobox(_SCL_GSD),
            bands=[Band(name="SCL", data_type="uint8", nodata=str(NODATA))],
            title="Scene classification, 20 m, simulated",
        )
        if self.number > 0:
            yield from self._truth_assets()

    def _truth_assets(self) -> Iterator[Asset]:
        """Yield what changed since the scene before: a raster of codes and outlines."""
        codes = ", ".join(f"{code} {kind}" for kind, code in CODES.items())
        yield raster_asset(
            _TRUTH,
            self._path(f"{_TRUTH}.tif"),
            self.call.storage,
            geobox=self.grid.geobox(_PIXEL),
            bands=[Band(name="change", data_type="uint8")],
            roles=["labels", "labels-raster"],
            title=f"True changes since the scene before: 0 none, {codes}",
        )
        changes = [change for change in self.series.changes if change.since == self.number]
        path = self._path("truth.geojson")
        _write_json(path, outlines(changes, self.grid, self.series.days))
        yield Asset(
            key="truth_outlines",
            href=self.call.storage.href(path),
            media_type="application/geo+json",
            title="Outlines of the true changes since the scene before",
            roles=["labels", "labels-vector"],
        )


def _write_block(block: Block, writers: Mapping[str, CogWriter]) -> None:
    parts: dict[str, tuple[NDArray[Any], int]] = {
        name: (stored, BANDS[name].gsd) for name, stored in block.bands.items()
    }
    parts["SCL"] = (block.scl, _SCL_GSD)
    parts[_TRUTH] = (block.truth, _PIXEL)
    for name, writer in writers.items():
        values, gsd = parts[name]
        scale = gsd // _PIXEL
        height, width = values.shape
        writer.write(values, Window(block.col // scale, block.row // scale, width, height))


def _write_json(path: Path, document: object) -> None:
    """Write under another name first, so that the file is whole when it appears."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(json.dumps(document), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise storage_error(path, error) from error
