"""One scene from its files to masked reflectance in a COG, block by block."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from components.kit import Call, InputError
from components.kit.cog import CogWriter
from components.kit.rasters import blocks
from components.s2_preprocess.algorithm import STORED_NODATA, encode_dn, to_float
from components.s2_preprocess.classification import (
    Classification,
    ComputedClassification,
    coarse_grid,
    open_classification,
)
from components.s2_preprocess.cloud_probability import PIXEL_M, classify_clouds
from components.s2_preprocess.grid import (
    grid_footprint,
    overlaps,
    parse_crs,
    pixel_size,
    pixel_size_m,
    target_grid,
)
from components.s2_preprocess.mask import SceneClass, select_masked
from components.s2_preprocess.offset import DecidedOffset, decide_offset, examine_pixels
from components.s2_preprocess.outputs import write_classification, write_reflectance
from components.s2_preprocess.params import Parameters
from components.s2_preprocess.resampling import Resampler
from components.s2_preprocess.scene import OpenLayer, Scene

_BLOCK_PX: Final = 1024

# Side of what is read of a source for one block; bounds memory where pixels get much larger.
_SOURCE_BLOCK_PX: Final = 4096

# The offset is checked on this many windows per side, spread over the scene.
_SAMPLES: Final = 4
_SAMPLE_PX: Final = 256
_SAMPLED_BANDS: Final = ("B04", "B03", "B02", "B05", "B12")


@dataclass(frozen=True)
class Prepared:
    """What became of a scene.

    geobox: grid of the outputs. bands: in the order of the COG. offset: what was used. classes:
    pixels per class of the scene classification, (12,), all zero where there is none. observed,
    clear: pixels with a measurement in every band, and those of them that are not masked.
    """

    geobox: GeoBox
    bands: tuple[str, ...]
    offset: DecidedOffset
    classes: NDArray[np.int64]
    observed: int
    clear: int

    @property
    def classified(self) -> bool:
        """Whether the scene has a classification."""
        return bool(self.classes.any())


def prepare_scene(
    scene: Scene, reflectance: Path, classification: Path | None, call: Call[Parameters]
) -> Prepared:
    """Write the masked reflectance of a scene, and its classification if a path is given.

    Raises InputError or MissingDataError naming the scene and what is wrong with it.
    """
    params = call.params
    with ExitStack() as stack:
        layers = {
            name: stack.enter_context(OpenLayer(layer, scene.id))
            for name, layer in scene.choose(params.bands, params.resolution).items()
        }
        native = min((layer.geobox for layer in layers.values()), key=pixel_size)
        target = _target(native, params, scene.id)
        offset = choose_offset(scene, layers, call)
        classes = stack.enter_context(_classification(scene, offset, native, target, call))
        sources = {
            name: (layer, Resampler.between(layer.geobox, target, params.resampling))
            for name, layer in layers.items()
        }
        executor = stack.enter_context(ThreadPoolExecutor(len(layers)))
        work = _Work(sources, classes, offset, target, params, executor)
        writer = stack.enter_context(write_reflectance(reflectance, target, tuple(layers)))
        classes_writer = None
        if classification is not None and classes is not None:
            classes_writer = stack.enter_context(write_classification(classification, target))
        windows = blocks((int(target.shape[0]), int(target.shape[1])), work.block_side())
        for done, window in enumerate(windows):
            call.progress(done, len(windows), scene.id)
            work.write(window, writer, classes_writer)
        call.progress(len(windows), len(windows), scene.id)
    return Prepared(target, tuple(layers), offset, work.counts, work.observed, work.clear)


def choose_offset(
    scene: Scene, layers: Mapping[str, OpenLayer], call: Call[Parameters]
) -> DecidedOffset:
    """Return the offset of a scene after a look at its pixels, and warn of a contradiction."""
    mode = call.params.offset
    evidence = None
    if mode in {"auto", "metadata"}:
        name = next((name for name in _SAMPLED_BANDS if name in layers), None)
        if name is not None:
            evidence = examine_pixels(*_sample(scene, layers[name]))
    decided = decide_offset(mode, scene.offset, evidence, scene=scene.id, bands=tuple(scene.bands))
    if decided.warning:
        call.warn(decided.warning)
    return decided


def _sample(scene: Scene, layer: OpenLayer) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Return windows of a band spread over the scene, and their classes where there are any."""
    height, width = (int(side) for side in layer.geobox.shape)
    rois = [
        (slice(row, min(height, row + _SAMPLE_PX)), slice(col, min(width, col + _SAMPLE_PX)))
        for row in _sample_starts(height)
        for col in _sample_starts(width)
    ]
    dn = np.concatenate([layer.read(roi).ravel() for roi in rois])
    if scene.scl is None:
        return dn, None
    with open_classification(
        scene, "scl", layer.geobox, layer.geobox, lambda _: None
    ) as classification:
        if classification is None:
            return dn, None
        read = [classification.read(layer.geobox[roi]).ravel() for roi in rois]
    return dn, np.concatenate(read)


def _sample_starts(length: int) -> list[int]:
    """Return starts of windows, at multiples of their size so that none crosses a tile."""
    spread = np.linspace(0, max(0, length - _SAMPLE_PX), _SAMPLES)
    return sorted({int(start) // _SAMPLE_PX * _SAMPLE_PX for start in spread})


def _target(native: GeoBox, params: Parameters, scene: str) -> GeoBox:
    if params.grid is None:
        return target_grid(
            native, crs=params.crs, resolution=params.resolution, bbox=params.bbox, scene=scene
        )
    given = params.grid
    target = GeoBox(given.shape, Affine(*given.transform), parse_crs(given.code))
    if not overlaps(native, grid_footprint(target)):
        raise InputError(
            f"the grid {given.code} {list(given.transform)} lies outside scene {scene}"
        )
    return target


def _classification(
    scene: Scene, offset: DecidedOffset, native: GeoBox, target: GeoBox, call: Call[Parameters]
) -> AbstractContextManager[Classification | None]:
    source = call.params.mask
    if source == "none" and call.params.keep_classification:
        source = "auto"
    if source != "s2cloudless":
        return open_classification(scene, source, native, target, call.warn)
    coarse = _part(coarse_grid(native, PIXEL_M), target)
    classes = classify_clouds(scene, offset, coarse, call.params.cloud_probability, call)
    resampler = Resampler.between(coarse, target, "nearest")
    return nullcontext(ComputedClassification(classes, resampler))


def _part(source: GeoBox, target: GeoBox) -> GeoBox:
    """Return the part of a grid that reaches the target."""
    plan = Resampler.between(source, target, "nearest").plan(target)
    return source if plan is None else source[plan.source]


@dataclass
class _Work:
    """The blocks of one scene, and what is counted in them (see Prepared)."""

    sources: Mapping[str, tuple[OpenLayer, Resampler]]
    classification: Classification | None
    offset: DecidedOffset
    target: GeoBox
    params: Parameters
    executor: Executor
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(SceneClass), np.int64))
    observed: int = 0
    clear: int = 0

    def block_side(self) -> int:
        """Return the side of a block: less where each of its pixels comes from many."""
        shrink = max(resampler.scale for _, resampler in self.sources.values())
        side = _BLOCK_PX
        while side > 1 and side * shrink > _SOURCE_BLOCK_PX:
            side //= 2
        return side

    def write(self, window: Window, writer: CogWriter, classes: CogWriter | None) -> None:
        """Read, mask and write one block."""
        rows, columns = window.toslices()
        block = self.target[rows, columns]
        # One thread for each band: most of the time goes into decompression.
        stored = np.stack(
            list(self.executor.map(lambda name: self._read(name, block), self.sources))
        )
        observed = (stored != STORED_NODATA).all(axis=0)
        masked = ~observed
        if self.classification is not None:
            masked |= self._read_mask(self.classification, block, window, classes)
        stored[:, masked] = STORED_NODATA
        self.observed += int(observed.sum())
        self.clear += int((observed & ~masked).sum())
        writer.write(stored, window)

    def _read(self, name: str, block: GeoBox) -> NDArray[np.uint16]:
        layer, resampler = self.sources[name]
        offset, quantification = self.offset.offsets[name], self.offset.quantification[name]
        plan = resampler.plan(block)
        if plan is None:
            return np.full(block.shape, STORED_NODATA, np.uint16)
        dn = layer.read(plan.source)
        if plan.copy:
            stored = np.full(block.shape, STORED_NODATA, np.uint16)
            stored[plan.block] = encode_dn(dn, offset, quantification)
            return stored
        return encode_dn(resampler.resample(to_float(dn), plan, block), offset, quantification)

    def _read_mask(
        self,
        classification: Classification,
        block: GeoBox,
        window: Window,
        writer: CogWriter | None,
    ) -> NDArray[np.bool_]:
        """Return what is masked in a block; count its classes, and write them if wanted."""
        dilation_px = self.params.dilation_m / pixel_size_m(self.target)
        margin = math.ceil(dilation_px)
        around = classification.read(block.pad(margin) if margin else block)
        inside = np.s_[margin : margin + block.shape[0], margin : margin + block.shape[1]]
        classes = around[inside]
        self.counts += np.bincount(classes.ravel(), minlength=len(SceneClass))
        if writer is not None:
            writer.write(classes, window)
        chosen = () if self.params.mask == "none" else self.params.mask_classes
        return select_masked(around, chosen, dilation_px)[inside]
