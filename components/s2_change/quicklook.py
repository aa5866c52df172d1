"""A picture of one change for the eye: before, after, and the changed areas by kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from components.kit.rasters import Raster
from components.s2_change.layers import COLOURS
from components.s2_change.pair import Pair, Scene

_SIZE_PX: Final = 900
_NO_DATA: Final = 0.85

# Forest and water are dark beside towns and bare soil; this lifts them.
_GAMMA: Final = 0.7

# Of the pictures for the eye, by what the scenes have: true colour, false colour, or one band.
_COMPOSITES: Final = (("red", "green", "blue"), ("nir", "red", "green"), ("swir16", "nir", "red"))


def write_quicklook(path: Path, pair: Pair, classes: Raster, names: tuple[str, ...]) -> None:
    """Draw the picture. names: of the kinds of change, the first is class 1."""
    images = [_image(scene, pair) for scene in (pair.before, pair.after)]
    _stretch(images)
    figure = Figure(figsize=(15, 5.9), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3)
    found = "change" if names else "no change found"
    titles = [_title(pair.before), _title(pair.after), found]
    extent = _extent_km(pair)
    overlay = _overlay(images[1], classes, names)
    for axis, image, title in zip(axes, [*images, overlay], titles, strict=True):
        axis.imshow(image, extent=extent, interpolation="nearest", aspect="auto")
        axis.set_box_aspect(abs(extent[3] - extent[2]) / abs(extent[1] - extent[0]))
        axis.set_title(title, fontsize=11)
        axis.tick_params(labelsize=8)
    axes[0].set_ylabel("km", fontsize=9)
    for axis in axes:
        axis.set_xlabel("km", fontsize=9)
    handles = [
        Patch(color="#" + bytes(COLOURS[number]).hex(), label=name)
        for number, name in enumerate(names)
    ]
    handles.append(Patch(color=str(_NO_DATA), label="not seen on both dates"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=10, frameon=False)
    figure.savefig(path, format="png")


def _image(scene: Scene, pair: Pair) -> NDArray[np.float32]:
    """Return a composite (y, x, 3) of reflectance, NaN where missing."""
    by_common = {common: name for name, common in scene.common_names.items() if common}
    numbers = scene.bands
    for composite in _COMPOSITES:
        if all(common in by_common for common in composite):
            chosen = [numbers[by_common[common]] for common in composite]
            break
    else:
        chosen = [numbers[pair.bands[0]]] * 3
    return np.moveaxis(scene.raster.overview(_SIZE_PX, chosen), 0, -1)


def _stretch(images: list[NDArray[np.float32]]) -> None:
    """Scale both dates alike to 0..1, from their common 1st to 99th percentile per band."""
    for band in range(3):
        values = np.concatenate([image[..., band].ravel() for image in images])
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, [1, 99]) if values.size else (0.0, 1.0)
        for image in images:
            scaled = np.clip((image[..., band] - low) / max(high - low, 1e-6), 0, 1)
            image[..., band] = scaled**_GAMMA
    for image in images:
        image[np.isnan(image).any(axis=-1)] = _NO_DATA


def _overlay(
    after: NDArray[np.float32], classes: Raster, names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Return the second date in grey with the changed areas in colour."""
    found = classes.overview(_SIZE_PX)[0]
    grey = after.mean(axis=-1, keepdims=True) * 0.5 + 0.45
    result = np.repeat(grey, 3, axis=-1)
    result[np.isnan(found)] = _NO_DATA
    for number in range(1, len(names) + 1):
        result[found == number] = np.asarray(COLOURS[number - 1]) / 255
    return result


def _title(scene: Scene) -> str:
    day = (scene.item.datetime or scene.item.start_datetime)[:10]
    return f"{day}   {scene.item.id}"


def _extent_km(pair: Pair) -> tuple[float, float, float, float]:
    """Return left, right, bottom, top in kilometres from the lower left corner."""
    box: Any = pair.geobox.extent.boundingbox
    metres = 1.0
    if pair.geobox.crs is not None and pair.geobox.crs.geographic:
        metres = 111_320.0
    return 0.0, (box.right - box.left) * metres / 1e3, 0.0, (box.top - box.bottom) * metres / 1e3
