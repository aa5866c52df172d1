"""Change between two dates: learnt from a sample of the pair, applied to any block of it.

Arrays only. `fit` learns a ChangeModel (standardisation or MAD transform, threshold, direction
classes), `apply` computes the layers of a block, `detect` does both on whole arrays. Reflectance
is (band, y, x) or (band, window, y, x), float, NaN where missing; both dates on one grid with the
same bands in the same order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from rasterio.features import sieve

from components.s2_change import cva, irmad
from components.s2_change.directions import DirectionClasses, classify, fit_directions
from components.s2_change.thresholds import Rule, Threshold, find_threshold, manual_threshold

FloatArray = NDArray[np.floating[Any]]

Method = Literal["cva", "irmad", "mad"]
METHODS: Final = get_args(Method)

# The rule for which each method is known to work; what `threshold="auto"` means.
USUAL_RULE: Final[dict[Method, Rule]] = {"cva": "em", "irmad": "otsu", "mad": "otsu"}

# Moran's I that marked pixels must reach, where the user gives none. Noise stays below 0.5; the
# tail of IR-MAD's chi2 is heavier than that of a difference, and changes show less clearly.
USUAL_COHERENCE: Final[dict[Method, float]] = {"cva": 0.65, "irmad": 0.6, "mad": 0.6}

# Fewer common clear pixels tell nothing about a pair.
FEWEST_PIXELS: Final = 100

# More pixels do not move covariances of this kind.
FIT_PIXELS: Final = 400_000

NODATA: Final = 255


class TooFewPixelsError(ValueError):
    """The two dates have too few clear pixels in common, or none that vary."""


@dataclass(frozen=True)
class Settings:
    """How change is detected.

    method: of the magnitude. threshold: rule, "auto" for the method's usual one, or a number in
    units of the magnitude. standardise: z-score each band and date before differences are taken
    (CVA's magnitude; the direction of all methods). classes: number of direction classes, None
    for automatic. min_coherence: Moran's I that marked pixels must reach, None for the method's
    usual one, 0 to take the rule's own threshold. min_patch: smallest patch in pixels.
    connectivity: 4 or 8 neighbours. seed: of all sampling.
    """

    method: Method = "cva"
    threshold: Rule | Literal["auto"] | float = "auto"
    standardise: bool = True
    classes: int | None = None
    min_coherence: float | None = None
    min_patch: int = 9
    connectivity: Literal[4, 8] = 4
    seed: int = 0


@dataclass(frozen=True)
class ChangeModel:
    """What was learnt from a pair; all that `apply` needs. notes: sentences for the user."""

    settings: Settings
    standardisation: cva.Standardisation
    mad: irmad.MadTransform | None
    threshold: Threshold
    directions: DirectionClasses
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ChangeLayers:
    """The layers of a block, (y, x) each.

    magnitude: float, NaN where missing. direction: degrees 0..180, NaN where missing or without
    difference. changed: bool. kinds: uint8, direction class 1..K of every pixel, changed or not.
    clear: bool, where both dates have a value.
    """

    magnitude: FloatArray
    direction: FloatArray
    changed: NDArray[np.bool_]
    kinds: NDArray[np.uint8]
    clear: NDArray[np.bool_]


@dataclass(frozen=True)
class ChangeMap:
    """The result on whole arrays, (y, x): layers, and uint8 classes after the smallest patch.

    classes: 0 no change, 1..K direction class, 255 where missing.
    """

    layers: ChangeLayers
    classes: NDArray[np.uint8]
    model: ChangeModel

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Changed pixels after the smallest patch, (y, x)."""
        return (self.classes > 0) & (self.classes < NODATA)


def detect(
    before: FloatArray,
    after: FloatArray,
    settings: Settings | None = None,
    common_names: tuple[str, ...] = (),
) -> ChangeMap:
    """Return the change between two dates held in memory, (band, y, x) each.

    common_names: STAC common names of the bands, for the names of the classes. Raises ValueError
    where the arrays do not match and TooFewPixelsError where they have too little in common.
    """
    chosen = settings or Settings()
    model = fit(before, after, chosen, common_names)
    layers = apply(model, before, after)
    changed = drop_small_patches(layers.changed, chosen.min_patch, chosen.connectivity)
    classes = np.where(changed, layers.kinds, 0).astype(np.uint8)
    classes[~layers.clear] = NODATA
    return ChangeMap(layers, classes, model)


def fit(
    before: FloatArray,
    after: FloatArray,
    settings: Settings,
    common_names: tuple[str, ...] = (),
    representative: int | None = None,
) -> ChangeModel:
    """Learn the model of a pair from arrays (band, y, x) or windows (band, window, y, x).

    representative: how many of the first windows stand for the scene, so that means, deviations
    and correlations come from them; all by default. The others are there for their change. Raises
    ValueError where the arrays do not match and TooFewPixelsError where they have too few clear
    pixels in common, or none that vary.
    """
    if before.shape != after.shape or before.ndim not in {3, 4}:
        raise ValueError(f"the dates have shapes {before.shape} and {after.shape}")
    clear = cva.common_clear(before, after)
    typical = clear.copy()
    if representative is not None:
        typical[representative:] = False
    count = int(typical.sum())
    if count < FEWEST_PIXELS:
        raise TooFewPixelsError(f"the dates have {count} clear pixels in common")
    rng = np.random.default_rng(settings.seed)
    notes: list[str] = []
    first, second = before[:, typical], after[:, typical]
    standardisation = _standardise(first, second, settings, notes)
    mad = None if settings.method == "cva" else _fit_mad(first, second, settings, rng, notes)
    first, second = before[:, clear], after[:, clear]
    differences = cva.difference(standardisation, first, second)
    values = cva.magnitude(differences) if mad is None else irmad.chi_magnitude(mad, first, second)
    magnitudes = np.full(clear.shape, np.nan, dtype=np.float32)
    magnitudes[clear] = values
    windows = magnitudes.reshape(-1, *magnitudes.shape[-2:])
    threshold = _threshold(windows, settings, rng)
    changed = values > threshold.value
    directions = fit_directions(
        differences[:, changed],
        second[:, changed] - first[:, changed],
        common_names,
        rng,
        settings.classes,
    )
    return ChangeModel(
        settings, standardisation, mad, threshold, directions, (*notes, *threshold.notes)
    )


def apply(model: ChangeModel, before: FloatArray, after: FloatArray) -> ChangeLayers:
    """Return the layers of a block of the pair, (band, y, x) each."""
    differences = cva.difference(model.standardisation, before, after)
    lengths = cva.magnitude(differences)
    magnitudes = lengths if model.mad is None else irmad.chi_magnitude(model.mad, before, after)
    with np.errstate(invalid="ignore"):
        changed = magnitudes > model.threshold.value
    return ChangeLayers(
        magnitude=magnitudes,
        direction=cva.direction(differences, lengths),
        changed=changed,
        kinds=classify(model.directions, differences),
        clear=np.isfinite(lengths),
    )


def drop_small_patches(
    changed: NDArray[np.bool_], min_patch: int, connectivity: Literal[4, 8]
) -> NDArray[np.bool_]:
    """Return the mask without patches, and without holes in patches, of less than `min_patch`.

    By GDAL's sieve, which also goes through files (gdal_sieve; no file is touched here).
    """
    if min_patch <= 1:
        return changed
    kept: NDArray[np.uint8] = sieve(
        changed.astype(np.uint8), size=min_patch, connectivity=connectivity
    )
    return kept > 0


def _standardise(
    first: FloatArray, second: FloatArray, settings: Settings, notes: list[str]
) -> cva.Standardisation:
    if not settings.standardise:
        return cva.no_standardisation(first.shape[0])
    standardisation = cva.z_score(first, second)
    constant = np.flatnonzero(standardisation.gain_before == 0.0)
    if constant.size == first.shape[0]:
        raise TooFewPixelsError("every band is constant on one of the dates")
    if constant.size:
        numbers = ", ".join(str(index + 1) for index in constant)
        notes.append(f"band {numbers} (in order) is constant on one of the dates and was left out")
    return standardisation


def _fit_mad(
    first: FloatArray,
    second: FloatArray,
    settings: Settings,
    rng: np.random.Generator,
    notes: list[str],
) -> irmad.MadTransform:
    if first.shape[1] > FIT_PIXELS:
        chosen = rng.choice(first.shape[1], FIT_PIXELS, replace=False)
        first, second = first[:, chosen], second[:, chosen]
    try:
        if settings.method == "mad":
            return irmad.fit_mad(first, second)
        transform = irmad.fit_irmad(first, second)
    except irmad.DegenerateCorrelationError as error:
        raise TooFewPixelsError(str(error)) from error
    if not transform.converged:
        notes.append(
            f"IR-MAD did not converge in {transform.iterations} iterations (last step of the "
            f"canonical correlations {transform.last_step:.1g})"
        )
    return transform


def _threshold(windows: FloatArray, settings: Settings, rng: np.random.Generator) -> Threshold:
    if isinstance(settings.threshold, (int, float)):
        return manual_threshold(windows, float(settings.threshold))
    rule = USUAL_RULE[settings.method] if settings.threshold == "auto" else settings.threshold
    wanted = settings.min_coherence
    coherence = USUAL_COHERENCE[settings.method] if wanted is None else wanted
    return find_threshold(windows, rule, coherence, rng)
