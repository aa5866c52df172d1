"""Scenes from catalogue items, whose assets are named differently in every catalogue.

Understood are the dialects of Earth Search (asset `red`, band by common name; v0 `B04`), the
Planetary Computer (`B04`), the Copernicus Data Space Ecosystem (`B04_10m`, scale and offset at the
asset), and any item whose assets name their bands (`bands`, `eo:bands`), several in one file too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from affine import Affine

from components.kit.errors import InputError
from components.kit.items import properties
from components.kit.storage import Storage
from components.s2_preprocess.bands import BY_NAME, parse_band
from components.s2_preprocess.grid import UNKNOWN_GRID, DeclaredGrid
from components.s2_preprocess.offset import (
    ADDED_DN,
    QUANTIFICATION,
    DeclaredOffset,
    baseline_offset,
    parse_baseline,
)
from components.s2_preprocess.product import Level, parse_granule
from components.s2_preprocess.scene import Layer, Scene
from protos.common.v1.item_pb2 import Asset, Item

# Set by Earth Search, v1 and v0, where it has taken the offset out of the pixels.
APPLIED_FLAGS: Final = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")

_BASELINE_KEYS: Final = (
    "s2:processing_baseline",
    "sentinel:processing_baseline",
    "processing:version",
    "s2:product_uri",
)

# Pictures for the eye, whose bands carry the names of reflectance bands.
_PICTURE_ROLES: Final = {"visual", "overview", "thumbnail"}
_PICTURE_KEYS: Final = {"visual", "tci", "preview", "thumbnail", "overview", "rendered_preview"}

_KEY = re.compile(r"(?P<name>[A-Za-z0-9]+)(?:_(?P<resolution>\d+)m)?", re.IGNORECASE)


@dataclass(frozen=True)
class _File:
    """One way to read one layer; lower ranks are preferred among files of one pixel size."""

    layer: Layer
    rank: int
    scale: float
    offset: float


def has_bands(item: Item) -> bool:
    """Return whether any asset of the item is a Sentinel-2 band."""
    return any(name in BY_NAME for asset in item.assets for name, _ in _names(asset))


def read_catalogue_scene(item: Item, storage: Storage) -> Scene:
    """Return the scene of an item whose assets are its bands.

    Raises InputError naming the item and the field that has no sense.
    """
    fields = properties(item)
    layers: dict[str, list[_File]] = {}
    tile = cache(lambda: _tile_grid(item, storage))
    for asset in item.assets:
        for file in _files(asset, item, fields, storage, tile):
            layers.setdefault(file.layer.name, []).append(file)
    for files in layers.values():
        files.sort(key=lambda file: file.rank)
    bands = {name: files for name, files in layers.items() if name in BY_NAME}
    level = _level(item, fields)
    return Scene(
        id=item.id,
        level=level,
        bands={name: tuple(file.layer for file in files) for name, files in bands.items()},
        scl=_first(layers.get("SCL")),
        classi=_first(layers.get("MSK_CLASSI")),
        offset=declare_offset(item.id, fields, {name: files[0] for name, files in bands.items()}),
        properties=fields,
    )


def declare_offset(
    item: str, fields: Mapping[str, Any], files: Mapping[str, _File]
) -> DeclaredOffset | None:
    """Return what an item says about the offset of its pixels, or None if nothing.

    The flag that the offset was taken out comes first, since items that have it also keep ESA's
    offset in their bands; then the bands' own offsets; then the processing baseline.
    """
    quantification = {
        name: round(1.0 / file.scale, 6) if file.scale > 0 else QUANTIFICATION
        for name, file in files.items()
    }
    baseline = _baseline(item, fields)
    adds_nothing = baseline is not None and baseline_offset(baseline) == 0.0
    flag = next((key for key in APPLIED_FLAGS if isinstance(fields.get(key), bool)), None)
    if flag is not None and fields[flag]:
        nothing = dict.fromkeys(files, 0.0)
        return DeclaredOffset(nothing, quantification, f"{flag} = true", certain=adds_nothing)
    declared = {name: round(file.offset * quantification[name], 6) for name, file in files.items()}
    if any(declared.values()):
        return DeclaredOffset(declared, quantification, "the offset of its bands")
    if baseline is not None:
        offsets = dict.fromkeys(files, baseline_offset(baseline))
        source = f"processing baseline {baseline[0]:02d}.{baseline[1]:02d}"
        return DeclaredOffset(offsets, quantification, source, certain=adds_nothing)
    if flag is not None:
        added = dict.fromkeys(files, -ADDED_DN)
        return DeclaredOffset(added, quantification, f"{flag} = false")
    return None


def _files(
    asset: Asset,
    item: Item,
    fields: Mapping[str, Any],
    storage: Storage,
    tile: Callable[[], DeclaredGrid],
) -> Iterator[_File]:
    """Yield what can be read from an asset; `tile` tells where the tile lies, if asked."""
    extra = _json(asset, item)
    grid: DeclaredGrid | None = None
    for index, (name, by_key) in enumerate(_names(asset), start=1):
        if not name:
            continue
        grid = grid or _declared_grid(extra, fields, item) or tile()
        band = asset.bands[index - 1] if index <= len(asset.bands) else None
        scale = (band.scale if band else 0.0) or _number(extra.get("raster:scale"))
        offset = (band.offset if band else 0.0) or _number(extra.get("raster:offset"))
        layer = Layer(
            name=name,
            path=storage.resolve(asset.href),
            index=index,
            resolution_m=_resolution(asset.key, extra, grid),
            grid=grid,
        )
        jpeg2000 = asset.media_type == "image/jp2"
        yield _File(layer, rank=2 * (not by_key) + jpeg2000, scale=scale, offset=offset)


def _names(asset: Asset) -> list[tuple[str, bool]]:
    """Return the layer in each band of an asset ("" if none), and whether the key names it."""
    key = asset.key.lower()
    if key in _PICTURE_KEYS or _PICTURE_ROLES & set(asset.roles):
        return []
    match = _KEY.fullmatch(asset.key)
    name = match["name"] if match else asset.key
    if name.lower() == "scl":
        return [("SCL", True)]
    if "msk_classi" in key or "MSK_CLASSI_B00" in asset.href:
        return [("MSK_CLASSI", True)]
    by_key = parse_band(name)
    if by_key is not None and len(asset.bands) <= 1:
        return [(by_key, True)]
    if any(band.data_type == "uint8" for band in asset.bands):
        return []
    return [
        (parse_band(band.name) or parse_band(band.common_name) or "", False) for band in asset.bands
    ]


def _declared_grid(
    extra: Mapping[str, Any], fields: Mapping[str, Any], item: Item
) -> DeclaredGrid | None:
    """Return where an asset lies by its own fields or those of the item, or None."""
    code = extra.get("proj:code") or fields.get("proj:code")
    transform = extra.get("proj:transform") or fields.get("proj:transform")
    shape = extra.get("proj:shape") or fields.get("proj:shape")
    if not code or not transform:
        return None
    numbers = [_number(value) for value in transform] if isinstance(transform, list) else []
    if len(numbers) not in {6, 9} or numbers[0] == 0 or numbers[4] == 0:
        raise InputError(f"item {item.id!r}: proj:transform {transform!r} is not a transform")
    if shape is not None and not (
        isinstance(shape, list) and len(shape) == 2 and all(_number(side) >= 1 for side in shape)
    ):
        raise InputError(f"item {item.id!r}: proj:shape {shape!r} is not [rows, columns]")
    sides = None if shape is None else (int(shape[0]), int(shape[1]))
    return DeclaredGrid(str(code), Affine(*numbers[:6]), sides)


def _tile_grid(item: Item, storage: Storage) -> DeclaredGrid:
    """Return where the tile lies by its metadata file, if the item has it; it fits any size."""
    for asset in item.assets:
        if asset.key.lower().replace("-", "_") == "granule_metadata":
            granule = parse_granule(storage.read_bytes(asset.href), asset.href)
            geobox = granule.grids[min(granule.grids)]
            height, width = geobox.shape
            return DeclaredGrid(str(geobox.crs), geobox.transform, (int(height), int(width)))
    return UNKNOWN_GRID


def _resolution(key: str, extra: Mapping[str, Any], grid: DeclaredGrid) -> float:
    """Return the pixel size that an asset declares, metres; 0 if none."""
    match = _KEY.fullmatch(key)
    if match and match["resolution"]:
        return float(match["resolution"])
    gsd = _number(extra.get("gsd"))
    return gsd or (abs(grid.transform.a) if grid.transform is not None else 0.0)


def _baseline(item: str, fields: Mapping[str, Any]) -> tuple[int, int] | None:
    texts = [str(fields.get(key, "")) for key in _BASELINE_KEYS] + [item]
    return next((found for text in texts if (found := parse_baseline(text))), None)


def _level(item: Item, fields: Mapping[str, Any]) -> Level | None:
    keys = ("s2:product_type", "product:type", "processing:level", "s2:product_uri")
    texts = [str(fields.get(key, "")) for key in keys] + [item.collection, item.id]
    for text in texts:
        found = re.search(r"MSI(?P<type>1C|2A)|L(?P<level>1C|2A)", text, re.IGNORECASE)
        if found:
            digits = (found["type"] or found["level"]).upper()
            return "L1C" if digits == "1C" else "L2A"
    return None


def _first(files: list[_File] | None) -> Layer | None:
    return min((file.layer for file in files), key=lambda f: f.resolution_m) if files else None


def _number(value: object) -> float:
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) else 0.0


def _json(asset: Asset, item: Item) -> dict[str, Any]:
    try:
        extra = json.loads(asset.properties) if asset.properties else {}
    except ValueError as error:
        raise InputError(f"item {item.id!r}: asset {asset.key!r} has fields that are not JSON: "
                         f"{error}") from error  # fmt: skip
    return extra if isinstance(extra, dict) else {}
