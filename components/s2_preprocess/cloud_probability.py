"""Clouds in Level-1C scenes by the s2cloudless model, an optional extra.

The model gives each pixel a probability from ten bands (Zupanc 2017; compared in Skakun 2022,
10.1016/j.rse.2022.112990). It is not part of this component: it is used where the package
s2cloudless is installed, whose licence (CC BY-SA 4.0) is share-alike.
"""

from __future__ import annotations

import importlib
from contextlib import ExitStack
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from components.kit import Call, InputError
from components.kit.extras import install_command
from components.kit.rasters import blocks
from components.s2_preprocess.algorithm import to_float
from components.s2_preprocess.mask import SceneClass
from components.s2_preprocess.offset import DecidedOffset
from components.s2_preprocess.resampling import Resampler
from components.s2_preprocess.scene import OpenLayer, Scene

# In the order that the model was trained with.
MODEL_BANDS: Final = ("B01", "B02", "B04", "B05", "B08", "B8A", "B09", "B10", "B11", "B12")

# The model sees pixels of 60 m, the coarsest of its bands.
PIXEL_M: Final = 60.0

# Radii in pixels of 60 m: probabilities are averaged, then clouds are grown.
_AVERAGE_OVER: Final = 4
_DILATION: Final = 2
_MARGIN: Final = _AVERAGE_OVER + _DILATION
_BLOCK: Final = 512


def load_detector(threshold: float) -> Any:
    """Return the detector. Raises InputError saying how to install it."""
    try:
        module = importlib.import_module("s2cloudless")
    except ImportError as error:
        raise InputError(
            f"mask: s2cloudless needs the package s2cloudless, which cannot be loaded ({error}): "
            f"{install_command('s2cloudless')}"
        ) from error
    return module.S2PixelCloudDetector(
        threshold=threshold, average_over=_AVERAGE_OVER, dilation_size=_DILATION, all_bands=False
    )


def classify_clouds(
    scene: Scene, offset: DecidedOffset, grid: GeoBox, threshold: float, call: Call[Any]
) -> NDArray[np.uint8]:
    """Return classes (y, x) on `grid` (60 m): cloud, unclassified, or no data.

    Raises InputError for other than Level-1C, where a band is missing, or without the package.
    """
    if scene.level != "L1C":
        raise InputError(
            f"scene {scene.id} is not Level-1C, for which alone s2cloudless is made; use mask: scl"
        )
    layers = scene.choose(MODEL_BANDS, None)
    detector = load_detector(threshold)
    classes = np.zeros(grid.shape, np.uint8)
    windows = blocks((int(grid.shape[0]), int(grid.shape[1])), _BLOCK)
    with ExitStack() as stack:
        opened = [stack.enter_context(OpenLayer(layers[name], scene.id)) for name in MODEL_BANDS]
        resamplers = [Resampler.between(layer.geobox, grid) for layer in opened]
        for done, window in enumerate(windows):
            call.progress(done, len(windows), f"{scene.id}: clouds")
            rows, columns = window.toslices()
            block = grid[rows, columns].pad(_MARGIN)
            dn = np.stack(
                [_read(layer, r, block) for layer, r in zip(opened, resamplers, strict=True)]
            )
            part = classify_block(dn, offset, detector)
            classes[rows, columns] = part[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return classes


def classify_block(
    dn: NDArray[np.float32], offset: DecidedOffset, detector: Any
) -> NDArray[np.uint8]:
    """Return classes (y, x) from digital numbers of MODEL_BANDS (band, y, x), NaN where none."""
    offsets = np.array([offset.offsets[name] for name in MODEL_BANDS], np.float32)
    quantification = np.array([offset.quantification[name] for name in MODEL_BANDS], np.float32)
    reflectance = (dn + offsets[:, None, None]) / quantification[:, None, None]
    seen = ~np.isnan(reflectance).any(axis=0)
    bands_last = np.moveaxis(np.nan_to_num(reflectance), 0, -1)[np.newaxis]
    probability = detector.get_cloud_probability_maps(bands_last)
    cloud = detector.get_mask_from_prob(probability)[0] > 0
    classes = np.where(cloud, SceneClass.CLOUD_HIGH_PROBABILITY, SceneClass.UNCLASSIFIED)
    return np.where(seen, classes, SceneClass.NO_DATA).astype(np.uint8)


def _read(layer: OpenLayer, resampler: Resampler, block: GeoBox) -> NDArray[np.float32]:
    plan = resampler.plan(block)
    if plan is None:
        return np.full(block.shape, np.nan, np.float32)
    return resampler.resample(to_float(layer.read(plan.source)), plan, block)
