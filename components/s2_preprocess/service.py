"""The rpcs of the component: items in, files written, items out."""

from __future__ import annotations

from collections.abc import Iterator

from odc.geo.geobox import GeoBox

from components.kit import Call, InputError
from components.kit.items import asset
from components.kit.rasters import Raster
from components.s2_preprocess.alignment import (
    check_comparable,
    comparison_band,
    estimate_shift,
    open_prepared,
    write_shifted,
    write_shifted_classification,
)
from components.s2_preprocess.catalogue import has_bands, read_catalogue_scene
from components.s2_preprocess.coregistration import Shift
from components.s2_preprocess.description import describe_aligned, describe_prepared
from components.s2_preprocess.outputs import (
    CLASSIFICATION,
    REFLECTANCE,
    THUMBNAIL,
    classification_asset,
    reflectance_asset,
    scene_folder,
    thumbnail_asset,
)
from components.s2_preprocess.params import Parameters
from components.s2_preprocess.preparation import prepare_scene
from components.s2_preprocess.quicklook import write_quicklook
from components.s2_preprocess.safe import product_href, read_product_scene
from components.s2_preprocess.scene import Scene
from protos.common.v1.item_pb2 import Asset, Item


class S2Preprocess:
    """Sentinel-2 scenes to masked reflectance, and series of them onto one position."""

    def prepare(self, item: Item, call: Call[Parameters]) -> Item:
        """Turn one scene into masked reflectance on a grid."""
        scene = _read_scene(item, call)
        storage, folder = call.storage, scene_folder(call.storage, item.id)
        reflectance, thumbnail = folder / "reflectance.tif", folder / "thumbnail.png"
        classification = folder / "scl.tif" if call.params.keep_classification else None
        prepared = prepare_scene(scene, reflectance, classification, call)
        geobox = prepared.geobox
        result = describe_prepared(item, scene, prepared)
        result.assets.append(reflectance_asset(reflectance, storage, geobox, prepared.bands))
        if classification is not None and prepared.classified:
            result.assets.append(classification_asset(classification, storage, geobox))
        if call.params.quicklook:
            write_quicklook(reflectance, prepared.bands, thumbnail)
            result.assets.append(thumbnail_asset(thumbnail, storage))
        if prepared.clear == 0:
            what = "is masked" if prepared.observed else "is without data"
            call.warn(f"scene {item.id}: every pixel {what}; it is passed on without data")
        return result

    def align(self, items: Iterator[Item], call: Call[Parameters]) -> Iterator[Item]:
        """Shift each prepared scene of a series onto the first one."""
        first: Item | None = None
        for item in items:
            first = first or item
            yield _align(item, first, call)


def _read_scene(item: Item, call: Call[Parameters]) -> Scene:
    if has_bands(item):
        return read_catalogue_scene(item, call.storage)
    href = product_href(item)
    if href is None:
        keys = ", ".join(asset.key for asset in item.assets) or "none"
        raise InputError(
            f"item {item.id!r} has no asset that is a Sentinel-2 band or a SAFE product "
            f"(its assets: {keys})"
        )
    return read_product_scene(item, href, call.storage)


def _align(item: Item, first: Item, call: Call[Parameters]) -> Item:
    with _open(first, call) as reference, _open(item, call) as moving:
        band = comparison_band(reference, first.id, call.params.align_band)
        grid = reference.geobox
        if item is first:
            return _passed_on(item, describe_aligned(item, first, Shift.none(), grid))
        check_comparable(reference, moving, (first.id, item.id))
        shift = estimate_shift(reference, moving, band, call)
        result = describe_aligned(item, first, shift, grid)
        if shift is None:
            call.warn(
                f"scene {item.id} cannot be aligned: too few parts are clear in it and in "
                f"{first.id} and agree on a shift; it is passed on as it is"
            )
            return _passed_on(item, result)
        if shift.is_none and moving.geobox == grid:
            return _passed_on(item, result)
        result.assets.extend(_write_aligned(item, moving, grid, shift, call))
    return result


def _write_aligned(
    item: Item, moving: Raster, grid: GeoBox, shift: Shift, call: Call[Parameters]
) -> Iterator[Asset]:
    """Write what the scene has, shifted; its quicklook is made anew."""
    storage, folder = call.storage, scene_folder(call.storage, item.id)
    reflectance = folder / "reflectance.tif"
    write_shifted(moving, grid, shift, reflectance, call)
    yield reflectance_asset(reflectance, storage, grid, moving.band_names)
    keys = {old.key: old.href for old in item.assets}
    if CLASSIFICATION in keys:
        path = folder / "scl.tif"
        write_shifted_classification(storage.resolve(keys[CLASSIFICATION]), grid, shift, path)
        yield classification_asset(path, storage, grid)
    if THUMBNAIL in keys:
        path = folder / "thumbnail.png"
        write_quicklook(reflectance, moving.band_names, path)
        yield thumbnail_asset(path, storage)


def _open(item: Item, call: Call[Parameters]) -> Raster:
    return open_prepared(call.storage.resolve(asset(item, REFLECTANCE).href), item.id)


def _passed_on(item: Item, result: Item) -> Item:
    """Return the new item with the files of the old one, which need no change."""
    result.assets.extend(item.assets)
    return result
