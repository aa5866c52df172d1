"""The scene classification of a scene on the target grid, from whatever mask it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from components.kit.errors import InputError
from components.s2_preprocess.cloud_polygons import classify_polygons
from components.s2_preprocess.grid import pixel_size
from components.s2_preprocess.mask import classify_masks, known_classes
from components.s2_preprocess.resampling import Resampler
from components.s2_preprocess.scene import Layer, OpenLayer, Scene

MaskSource = Literal["auto", "scl", "classi", "s2cloudless", "none"]

# The pixel size of MSK_CLASSI, and of the polygons before they were drawn.
_POLYGON_PIXEL_M: Final = 60.0


class Classification(Protocol):
    """Classes of the scene classification for any block of the target grid."""

    def read(self, block: GeoBox) -> NDArray[np.uint8]:
        """Return the classes (y, x) by nearest neighbour; 0 outside the scene."""
        ...


@dataclass(frozen=True)
class LayerClassification:
    """Classes read from a raster, SCL or MSK_CLASSI, a block at a time."""

    layer: OpenLayer
    resampler: Resampler

    def read(self, block: GeoBox) -> NDArray[np.uint8]:
        """Return the classes (y, x) by nearest neighbour; 0 outside the scene."""
        plan = self.resampler.plan(block)
        if plan is None:
            return np.zeros(block.shape, np.uint8)
        if self.layer.layer.name == "MSK_CLASSI":
            classes = classify_masks(*self.layer.read_all([1, 2, 3], plan.source))
        else:
            classes = known_classes(self.layer.read(plan.source))
        return self.resampler.resample_classes(classes, plan, block)


@dataclass(frozen=True)
class ComputedClassification:
    """Classes (y, x) that were computed for a whole, coarse grid."""

    classes: NDArray[np.uint8]
    resampler: Resampler

    def read(self, block: GeoBox) -> NDArray[np.uint8]:
        """Return the classes (y, x) by nearest neighbour; 0 outside the scene."""
        plan = self.resampler.plan(block)
        if plan is None:
            return np.zeros(block.shape, np.uint8)
        return self.resampler.resample_classes(self.classes[plan.source], plan, block)


@contextmanager
def open_classification(
    scene: Scene,
    source: MaskSource,
    native: GeoBox,
    target: GeoBox,
    warn: Callable[[str], None],
) -> Iterator[Classification | None]:
    """Open the classification that `source` names, but "s2cloudless", for the grid `target`.

    native: grid of the scene. "auto" takes SCL, else MSK_CLASSI, else MSK_CLOUDS, and warns where
    there is none of them. Yields None where nothing is to be masked. Raises InputError where the
    scene lacks the named mask.
    """
    layer, polygons = _select(scene, source, warn)
    if layer is not None:
        with OpenLayer(layer, scene.id) as opened:
            resampler = Resampler.between(opened.geobox, target, "nearest")
            yield LayerClassification(opened, resampler)
    elif polygons is not None:
        coarse = coarse_grid(native, _POLYGON_PIXEL_M)
        classes = classify_polygons(polygons(), f"the cloud mask of scene {scene.id}", coarse)
        yield ComputedClassification(classes, Resampler.between(coarse, target, "nearest"))
    else:
        yield None


def coarse_grid(native: GeoBox, pixel_m: float) -> GeoBox:
    """Return the grid of the same area with pixels of `pixel_m`, or its own if they are larger."""
    factor = pixel_m / pixel_size(native)
    if factor <= 1:
        return native
    height, width = native.shape
    return native.zoom_to((max(1, round(height / factor)), max(1, round(width / factor))))


def _select(
    scene: Scene, source: MaskSource, warn: Callable[[str], None]
) -> tuple[Layer | None, Callable[[], bytes] | None]:
    if source == "none":
        return None, None
    if source == "scl" and scene.scl is None:
        raise InputError(f"scene {scene.id} has no scene classification (SCL); try mask: auto")
    if source == "classi" and scene.classi is None and scene.cloud_polygons is None:
        raise InputError(f"scene {scene.id} has neither MSK_CLASSI nor MSK_CLOUDS; try mask: auto")
    if scene.scl is not None and source != "classi":
        return scene.scl, None
    if scene.classi is not None:
        return scene.classi, None
    if scene.cloud_polygons is None:
        warn(f"scene {scene.id} has no cloud mask (SCL, MSK_CLASSI or MSK_CLOUDS): no clouds "
             "are masked")  # fmt: skip
    return None, scene.cloud_polygons
