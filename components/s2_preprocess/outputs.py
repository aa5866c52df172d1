"""The files that the component writes, and how items describe them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from odc.geo.geobox import GeoBox

from components.kit.cog import CogWriter, cog_writer
from components.kit.rasters import raster_asset
from components.kit.storage import Storage
from components.s2_preprocess.algorithm import (
    STORED_DTYPE,
    STORED_NODATA,
    STORED_OFFSET,
    STORED_SCALE,
)
from components.s2_preprocess.bands import BY_NAME
from components.s2_preprocess.mask import COLOURS, SceneClass
from protos.common.v1.item_pb2 import Asset, Band

COLLECTION: Final = "eoloom-s2-reflectance"
REFLECTANCE: Final = "reflectance"
CLASSIFICATION: Final = "scl"
THUMBNAIL: Final = "thumbnail"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def scene_folder(storage: Storage, scene: str) -> Path:
    """Return the folder for the files of a scene, whose id is not trusted to be a name."""
    if _NAME.fullmatch(scene):
        return storage.output / scene
    digest = hashlib.sha256(scene.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9_-]+", "_", scene)[:100]
    return storage.output / f"scene_{readable}_{digest}"


def write_reflectance(
    path: Path, geobox: GeoBox, bands: Sequence[str]
) -> AbstractContextManager[CogWriter]:
    """Return the writer of stored reflectance (band, y, x)."""
    return cog_writer(
        path,
        geobox,
        dtype=STORED_DTYPE,
        count=len(bands),
        nodata=STORED_NODATA,
        band_names=bands,
        scale=STORED_SCALE,
        offset=STORED_OFFSET,
    )


def write_classification(path: Path, geobox: GeoBox) -> AbstractContextManager[CogWriter]:
    """Return the writer of a scene classification (y, x)."""
    return cog_writer(
        path,
        geobox,
        dtype="uint8",
        nodata=SceneClass.NO_DATA,
        band_names=["SCL"],
        resampling="nearest",
        colormap={int(number): colour for number, colour in COLOURS.items()},
    )


def reflectance_asset(path: Path, storage: Storage, geobox: GeoBox, bands: Sequence[str]) -> Asset:
    """Return the asset of a written reflectance COG."""
    described = [
        Band(
            name=name,
            common_name=BY_NAME[name].common_name,
            center_wavelength=BY_NAME[name].center_wavelength,
            data_type=STORED_DTYPE,
            nodata=str(STORED_NODATA),
            scale=STORED_SCALE,
            offset=STORED_OFFSET,
            unit="1",
        )
        for name in bands
    ]
    return raster_asset(
        REFLECTANCE,
        path,
        storage,
        geobox=geobox,
        bands=described,
        roles=["data", "reflectance"],
        title="Reflectance, masked",
    )


def classification_asset(path: Path, storage: Storage, geobox: GeoBox) -> Asset:
    """Return the asset of a written scene classification."""
    return raster_asset(
        CLASSIFICATION,
        path,
        storage,
        geobox=geobox,
        bands=[Band(name="SCL", data_type="uint8", nodata=str(int(SceneClass.NO_DATA)))],
        title="Scene classification",
    )


def thumbnail_asset(path: Path, storage: Storage) -> Asset:
    """Return the asset of a written quicklook."""
    return Asset(
        key=THUMBNAIL,
        href=storage.href(path),
        media_type="image/png",
        title="Quicklook",
        roles=["thumbnail"],
    )
