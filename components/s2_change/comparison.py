"""One pair from its files to its change: model, layers, patches, statistics, picture, item."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from rasterio.windows import Window

from components.kit import Call
from components.kit.errors import storage_error
from components.kit.items import add_properties, derive
from components.kit.rasters import open_raster, raster_asset
from components.s2_change import algorithm, cva
from components.s2_change.algorithm import ChangeModel, Settings, TooFewPixelsError
from components.s2_change.layers import (
    DIRECTION_NODATA,
    DIRECTION_SCALE,
    Paths,
    Totals,
    write_layers,
)
from components.s2_change.pair import Pair, Scene
from components.s2_change.params import Parameters
from components.s2_change.patches import (
    Patches,
    measure,
    outline,
    pixel_areas_ha,
    write_geojson,
)
from components.s2_change.quicklook import write_quicklook
from protos.common.v1.item_pb2 import Asset, Band, Item

COLLECTION: Final = "eoloom-s2-change"
_USUAL_PATCH_PX: Final = 9
_KEPT: Final = ("platform", "constellation", "instruments", "grid:code", "eoloom:simulated")


class SceneTooCloudyError(Exception):
    """Two scenes have too little clear ground in common; `cloudier` is the id of the worse one."""

    def __init__(self, message: str, cloudier: str) -> None:
        super().__init__(message)
        self.cloudier = cloudier


@dataclass(frozen=True)
class Comparison:
    """Two open scenes and the call that compares them."""

    before: Scene
    after: Scene
    call: Call[Parameters]


def compare(comparison: Comparison) -> Item:
    """Compare two scenes and return the item of their change.

    Raises InputError where they cannot be compared at all, and SceneTooCloudyError where too
    little is clear on both dates.
    """
    call = comparison.call
    before, after = comparison.before, comparison.after
    with Pair(before, after, call.params.bands) as pair:
        smallest = _smallest_patch(pair, call.params)
        call.progress(0, 1, "learning")
        model, clear_percentage = _fit(pair, call.params, smallest)
        for note in model.notes:
            call.warn(f"{before.item.id} to {after.item.id}: {note}")
        paths = Paths(_folder(call, before.item, after.item))
        totals = write_layers(pair, model, paths, smallest, call.progress)
        call.progress(1, 1, "outlining")
        patches = _patches(paths, model)
        result = _item(pair, model, totals, len(patches.outlines))
        names = model.directions.names
        geojson = paths.folder / "changes.geojson"
        report = paths.folder / "statistics.json"
        try:
            write_geojson(geojson, patches, names, pair.geobox)
            document = _statistics(
                pair,
                model,
                totals,
                patches,
                params=call.params,
                clear_percentage=clear_percentage,
            )
            report.write_text(json.dumps(document, indent=2, allow_nan=False), encoding="utf-8")
            picture = paths.folder / "quicklook.png"
            if call.params.quicklook:
                with open_raster(str(paths.classes)) as classes:
                    write_quicklook(picture, pair, classes, names)
        except OSError as error:
            raise storage_error(paths.folder, error) from error
        result.assets.extend(_raster_assets(pair, paths, call, names))
        result.assets.extend(_file_assets(call, geojson, report, picture))
    return result


def _fit(pair: Pair, params: Parameters, smallest: int) -> tuple[ChangeModel, float]:
    """Return the model, and the share of the sample that is clear on both dates, in percent."""
    sample = pair.sample()
    scenes = [date[:, : sample.representative] for date in (sample.before, sample.after)]
    clear = [np.isfinite(scene).all(axis=0).mean() * 100 for scene in scenes]
    common = float(cva.common_clear(*scenes).mean() * 100)
    names = pair.before.item.id, pair.after.item.id
    if common < params.minimum_common_clear_percentage or common == 0:
        raise SceneTooCloudyError(
            f"scenes {names[0]} ({clear[0]:.1f} % clear) and {names[1]} ({clear[1]:.1f} % clear) "
            f"have {common:.2f} % clear ground in common",
            names[int(np.argmin(clear))],
        )
    settings = Settings(
        method=params.method,
        threshold=params.threshold,
        standardise=params.standardise,
        classes=params.direction_classes,
        min_coherence=params.minimum_coherence,
        min_patch=smallest,
        connectivity=params.connectivity,
        seed=params.seed,
    )
    try:
        model = algorithm.fit(
            sample.before, sample.after, settings, pair.common_names, sample.representative
        )
        return model, common
    except TooFewPixelsError as error:
        raise SceneTooCloudyError(
            f"scenes {names[0]} and {names[1]}: {error}", names[int(np.argmin(clear))]
        ) from error


def _smallest_patch(pair: Pair, params: Parameters) -> int:
    """Return the smallest patch that counts, in pixels."""
    if params.minimum_area_ha is None:
        return _USUAL_PATCH_PX
    middle = Window(0, pair.geobox.shape.y // 2, 1, 1)
    return math.ceil(params.minimum_area_ha / float(pixel_areas_ha(pair.geobox, middle)[0]))


def _folder(call: Call[Parameters], before: Item, after: Item) -> Path:
    """Return a new folder for a pair; ids are not trusted to be names."""
    first, second = (
        "".join(c if c.isalnum() or c in "-_" else "_" for c in item.id)[:80]
        for item in (before, after)
    )
    folder = call.storage.output / f"{first}__{second}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(folder, error) from error
    return folder


def _patches(paths: Paths, model: ChangeModel) -> Patches:
    outlines = outline(paths.mask, model.settings.connectivity)
    with (
        open_raster(str(paths.classes)) as classes,
        open_raster(str(paths.magnitude)) as magnitude,
        open_raster(str(paths.direction)) as direction,
    ):
        return measure(
            outlines,
            model.directions.count,
            classes=classes,
            magnitude=magnitude,
            direction=direction,
        )


def _item(pair: Pair, model: ChangeModel, totals: Totals, patches: int) -> Item:
    before, after = pair.before.item, pair.after.item
    changed, seen = float(totals.hectares[1:].sum()), float(totals.hectares.sum())
    result = derive(
        [before, after],
        id=f"{before.id}__{after.id}",
        collection=COLLECTION,
        keep=_KEPT,
        properties={
            "eoloom:changed_area_ha": round(changed, 2),
            "eoloom:seen_area_ha": round(seen, 2),
            "eoloom:changed_percentage": round(100 * changed / seen, 3) if seen else 0.0,
            "eoloom:patches": patches,
            "eoloom:method": model.settings.method,
            "eoloom:threshold_rule": model.threshold.rule,
        },
    )
    if math.isfinite(model.threshold.value):
        add_properties(result, {"eoloom:threshold": round(model.threshold.value, 4)})
    return result


def _statistics(
    pair: Pair,
    model: ChangeModel,
    totals: Totals,
    patches: Patches,
    *,
    params: Parameters,
    clear_percentage: float,
) -> Any:
    names = model.directions.names
    threshold = asdict(model.threshold)
    return _plain(
        {
            "before": pair.before.item.id,
            "after": pair.after.item.id,
            "bands": pair.bands,
            "common_clear_percentage": clear_percentage,
            "seen_area_ha": totals.hectares.sum(),
            "changed_area_ha": totals.hectares[1:].sum(),
            "changed_pixels": totals.pixels[1:].sum(),
            "classes": [
                {
                    "class": number,
                    "name": name,
                    "area_ha": totals.hectares[number],
                    "patches": int((patches.classes == number).sum()),
                    "mean_reflectance_change": dict(
                        zip(pair.bands, model.directions.reflectance[number - 1], strict=True)
                    ),
                }
                for number, name in enumerate(names, start=1)
            ],
            "threshold": threshold,
            "mad": None
            if model.mad is None
            else {
                "canonical_correlations": model.mad.correlations,
                "iterations": model.mad.iterations,
                "converged": model.mad.converged,
            },
            "notes": model.notes,
            "parameters": params.model_dump(mode="json"),
        }
    )


def _raster_assets(
    pair: Pair, paths: Paths, call: Call[Parameters], names: tuple[str, ...]
) -> Iterator[Asset]:
    classes = {"0": "no change"} | {str(n): name for n, name in enumerate(names, start=1)}
    described = (
        ("mask", paths.mask, Band(name="mask", data_type="uint8", nodata="255"), "Change mask"),
        ("classes", paths.classes, Band(name="class", data_type="uint8", nodata="255"), "Kinds"),
        (
            "magnitude",
            paths.magnitude,
            Band(name="magnitude", data_type="float32", nodata="nan"),
            "Magnitude of change",
        ),
        (
            "direction",
            paths.direction,
            Band(
                name="direction",
                data_type="uint16",
                nodata=str(DIRECTION_NODATA),
                scale=DIRECTION_SCALE,
                unit="degree",
            ),
            "Direction of change",
        ),
    )
    for key, path, band, title in described:
        made = raster_asset(key, path, call.storage, geobox=pair.geobox, bands=[band], title=title)
        if key == "classes":
            made.properties = json.dumps(
                json.loads(made.properties) | {"eoloom:class_names": classes}
            )
        yield made


def _file_assets(
    call: Call[Parameters], geojson: Path, report: Path, picture: Path
) -> Iterator[Asset]:
    storage = call.storage
    yield Asset(
        key="outlines",
        href=storage.href(geojson),
        media_type="application/geo+json",
        title="Changed areas",
        roles=["data"],
    )
    yield Asset(
        key="statistics",
        href=storage.href(report),
        media_type="application/json",
        title="Statistics",
        roles=["metadata"],
    )
    if call.params.quicklook:
        yield Asset(
            key="quicklook",
            href=storage.href(picture),
            media_type="image/png",
            title="Before, after and changes",
            roles=["overview"],
        )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no numpy, no NaN, no infinity."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
