"""Small reflectance scenes on disk, and calls of the service without gRPC."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from components.kit import Call
from components.kit.cog import cog_writer
from components.kit.rasters import raster_asset
from components.kit.storage import Storage
from components.s2_change.params import Parameters
from components.s2_change.service import S2Change
from protos.common.v1.item_pb2 import Band, Item

BANDS = ("B02", "B03", "B04", "B08")
COMMON_NAMES = ("blue", "green", "red", "nir")
LEVELS = (0.03, 0.05, 0.04, 0.30)
CLEARED = (0.09, 0.12, 0.15, 0.22)
UTM = "EPSG:32633"

Put = Callable[..., Item]
Detect = Callable[..., list[Item]]


def ground(day: int, size: int = 200, square: slice | None = None) -> NDArray[np.float64]:
    """Reflectance (band, y, x) of fields, alike on all days but for noise and a cleared square."""
    fields = np.random.default_rng(1).uniform(0.6, 1.4, (4, size // 10, size // 10))
    values = np.asarray(LEVELS)[:, None, None] * fields.repeat(10, 1).repeat(10, 2)
    noise = np.random.default_rng(100 + day).normal(size=values.shape)
    values += noise * np.asarray((0.003, 0.004, 0.003, 0.012))[:, None, None]
    if square is not None:
        values[:, square, square] = np.asarray(CLEARED)[:, None, None]
    return values


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path, "change")


@pytest.fixture
def put(storage: Storage) -> Put:
    """Write a scene as s2-preprocess does, and return its item."""

    def write(
        day: int,
        values: NDArray[Any],
        *,
        origin: tuple[float, float] = (500_000, 5_100_000),
        crs: str = UTM,
        pixel: float = 10.0,
        bands: tuple[str, ...] = BANDS,
    ) -> Item:
        transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
        geobox = GeoBox(values.shape[1:], transform, crs)
        path = storage.output.parent / "clean" / f"{day}.tif"
        stored = np.where(np.isnan(values), 0, np.rint(values * 1e4) + 1000).astype(np.uint16)
        with cog_writer(
            path,
            geobox,
            dtype="uint16",
            count=len(values),
            nodata=0,
            band_names=bands,
            scale=1e-4,
            offset=-0.1,
        ) as writer:
            writer.write(stored)
        item = Item(id=f"scene-{day}", collection="eoloom-s2-reflectance")
        item.datetime = f"2024-07-{day:02}T10:00:00Z"
        names = dict(zip(BANDS, COMMON_NAMES, strict=True))
        described = [
            Band(
                name=band,
                common_name=names.get(band, ""),
                data_type="uint16",
                nodata="0",
                scale=1e-4,
                offset=-0.1,
            )
            for band in bands
        ]
        item.assets.append(
            raster_asset("reflectance", path, storage, geobox=geobox, bands=described)
        )
        return item

    return write


@pytest.fixture
def detect(storage: Storage, caplog: pytest.LogCaptureFixture) -> Detect:
    """Call the operation on scenes; what it yields before it fails is lost here, not there."""

    def run(*scenes: Item, **params: Any) -> list[Item]:
        caplog.set_level(logging.INFO)
        call = Call(Parameters(**params), "run", "change", "detect", storage)
        return list(S2Change().detect(iter(scenes), call))

    return run
