"""Which pixels are kept: the scene classification and what is masked by it.

Every source of a cloud mask is brought to the classes of the Level-2A scene classification (SCL),
so that there is one rule for masking. Pure; classes are uint8 (y, x).

Source: https://sentiwiki.copernicus.eu/web/s2-processing#S2Processing-SceneClassification
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt


class SceneClass(IntEnum):
    """The classes of the Level-2A scene classification."""

    NO_DATA = 0
    SATURATED_OR_DEFECTIVE = 1
    DARK_AREA = 2
    CLOUD_SHADOW = 3
    VEGETATION = 4
    NOT_VEGETATED = 5
    WATER = 6
    UNCLASSIFIED = 7
    CLOUD_MEDIUM_PROBABILITY = 8
    CLOUD_HIGH_PROBABILITY = 9
    THIN_CIRRUS = 10
    SNOW_OR_ICE = 11


MASKED_CLASSES: Final = (
    SceneClass.NO_DATA,
    SceneClass.SATURATED_OR_DEFECTIVE,
    SceneClass.CLOUD_SHADOW,
    SceneClass.CLOUD_MEDIUM_PROBABILITY,
    SceneClass.CLOUD_HIGH_PROBABILITY,
    SceneClass.THIN_CIRRUS,
)
CLOUD_CLASSES: Final = (
    SceneClass.CLOUD_MEDIUM_PROBABILITY,
    SceneClass.CLOUD_HIGH_PROBABILITY,
    SceneClass.THIN_CIRRUS,
)

# The colours of ESA's Level-2A quicklooks, as RGBA.
COLOURS: Final = {
    SceneClass.NO_DATA: (0, 0, 0, 0),
    SceneClass.SATURATED_OR_DEFECTIVE: (255, 0, 0, 255),
    SceneClass.DARK_AREA: (47, 47, 47, 255),
    SceneClass.CLOUD_SHADOW: (100, 50, 0, 255),
    SceneClass.VEGETATION: (0, 160, 0, 255),
    SceneClass.NOT_VEGETATED: (255, 230, 90, 255),
    SceneClass.WATER: (0, 0, 255, 255),
    SceneClass.UNCLASSIFIED: (128, 128, 128, 255),
    SceneClass.CLOUD_MEDIUM_PROBABILITY: (192, 192, 192, 255),
    SceneClass.CLOUD_HIGH_PROBABILITY: (255, 255, 255, 255),
    SceneClass.THIN_CIRRUS: (100, 200, 255, 255),
    SceneClass.SNOW_OR_ICE: (255, 150, 255, 255),
}


def known_classes(classes: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the classes (y, x) with every value that is no class as NO_DATA.

    Copies that were resampled by interpolation have such values along the edges of the swath.
    """
    return np.where(classes <= max(SceneClass), classes, SceneClass.NO_DATA).astype(np.uint8)


def classify_masks(
    opaque: NDArray[Any], cirrus: NDArray[Any], snow: NDArray[Any]
) -> NDArray[np.uint8]:
    """Return the classes (y, x) for the three layers of MSK_CLASSI, where not 0 means present."""
    classes = np.full(opaque.shape, SceneClass.UNCLASSIFIED, np.uint8)
    classes[snow != 0] = SceneClass.SNOW_OR_ICE
    classes[cirrus != 0] = SceneClass.THIN_CIRRUS
    classes[opaque != 0] = SceneClass.CLOUD_HIGH_PROBABILITY
    return classes


def select_masked(
    classes: NDArray[np.uint8], masked: Collection[int], dilation_px: float = 0.0
) -> NDArray[np.bool_]:
    """Return where pixels (y, x) are masked.

    masked: the classes to mask. dilation_px: clouds and their shadows, where masked, also mask
    what lies within this distance; at the edges of the array this needs a margin around it.
    """
    result = np.isin(classes, list(masked))
    if dilation_px > 0:
        grown = [*CLOUD_CLASSES, SceneClass.CLOUD_SHADOW]
        clouds = np.isin(classes, [scene_class for scene_class in grown if scene_class in masked])
        if clouds.any():
            result |= distance_transform_edt(~clouds) <= dilation_px
    return result


def percentage(counts: NDArray[np.int64], classes: Collection[int]) -> float:
    """Return the share of `classes` among the observed pixels, percent; 0 if nothing is observed.

    counts: pixels per class, (12,). Pixels of class NO_DATA are not observed.
    """
    observed = int(counts[1:].sum())
    return 100.0 * sum(int(counts[c]) for c in classes) / observed if observed else 0.0
