"""Sub-pixel shifts between two scenes by phase correlation, robust to clouds and to change.

Both scenes are compared in chips. In each chip the peak of the cross-correlation is found to a
hundredth of a pixel by an upsampled matrix product of the Fourier transform (Guizar-Sicairos 2008,
10.1364/OL.33.000156, as in scikit-image); the median over the chips is the shift, and chips that
clouds or changes lead astray do not move it.

Before that, chips are smoothed and windowed. The smoothing takes out the finest frequencies, which
are aliased differently in the two scenes and pull the peak towards whole pixels; for the same
reason the correlation is not normalised to pure phase. The window, and the common mask of both
chips, lie still and pull the peak towards zero; what is left of the shift is therefore estimated
again with the shifted chip and its shifted mask, until nothing is left.

Pure: arrays (y, x) in, numbers out. A shift (y, x) in pixels is what must be added to the
positions in the moving scene to bring it onto the reference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter, spline_filter
from scipy.ndimage import shift as shift_array
from skimage.registration import phase_cross_correlation

UPSAMPLING: Final = 100
_SMOOTHING_PX: Final = 1.0
_ROUNDS: Final = 8
_CONVERGED_PX: Final = 1.0 / UPSAMPLING

# Below this share of pixels that are clear in both scenes a chip says too little.
_CLEAR_SHARE: Final = 0.5
_WHOLLY_CLEAR: Final = 0.99

# A shift needs this many chips, of which this share must agree within this distance.
MIN_CHIPS: Final = 3
_AGREEING_SHARE: Final = 0.5
_AGREEING_PX: Final = 0.5

# From the median absolute deviation to the standard deviation of a normal distribution.
_MAD_TO_SIGMA: Final = 1.4826

YX = tuple[float, float]

# scikit-image does not say what it returns.
_phase_cross_correlation: Any = phase_cross_correlation


@dataclass(frozen=True)
class Shift:
    """The shift between two scenes.

    y, x: pixels. spread_y, spread_x: robust standard deviation over the chips, pixels.
    chips: how many chips agree. clear_chips: how many were compared.
    """

    y: float
    x: float
    spread_y: float
    spread_x: float
    chips: int
    clear_chips: int

    @classmethod
    def none(cls) -> Shift:
        """Return the shift of the reference itself."""
        return cls(0.0, 0.0, 0.0, 0.0, 0, 0)

    @property
    def is_none(self) -> bool:
        """Whether nothing needs to be moved."""
        return self.y == 0.0 and self.x == 0.0


def chip_shift(
    reference: NDArray[np.float32], moving: NDArray[np.float32], max_shift: float
) -> YX | None:
    """Return the shift of one pair of chips, or None if they say too little.

    reference, moving: of one shape (y, x), NaN where masked. A chip whose shift is beyond
    `max_shift` pixels, or that has no texture, says nothing.
    """
    fixed, fixed_clear = _prepared(reference)
    moved, moved_clear = _prepared(moving)
    spline = spline_filter(moved, order=3, mode="nearest")
    # Periodic Hann windows. scipy.signal has them too, and takes a second to be imported.
    window = np.outer(*(np.hanning(side + 1)[:-1] for side in reference.shape))
    total = np.zeros(2)
    for _ in range(_ROUNDS):
        current, clear = moved, moved_clear
        if total.any():
            current = shift_array(spline, total, order=3, mode="nearest", prefilter=False)
            clear = shift_array(moved_clear.astype(np.float32), total, order=1) > _WHOLLY_CLEAR
        clear = clear & fixed_clear
        if clear.mean() < _CLEAR_SHARE:
            return None
        first, second = (_weighted(chip, clear, window) for chip in (fixed, current))
        if not first.any() or not second.any():
            return None
        step = _phase_cross_correlation(
            first, second, upsample_factor=UPSAMPLING, normalization=None
        )[0]
        total += step
        if np.hypot(*total) > max_shift:
            return None
        if np.abs(step).max() <= _CONVERGED_PX:
            break
    return float(total[0]), float(total[1])


def combine_shifts(shifts: Sequence[YX]) -> Shift | None:
    """Return the shift on which the chips agree, or None if too few do."""
    if len(shifts) < MIN_CHIPS:
        return None
    values = np.asarray(shifts)
    near = np.hypot(*(values - np.median(values, axis=0)).T) <= _AGREEING_PX
    if near.sum() < max(MIN_CHIPS, _AGREEING_SHARE * len(values)):
        return None
    agreeing = values[near]
    centre = np.median(agreeing, axis=0)
    spread = _MAD_TO_SIGMA * np.median(np.abs(agreeing - centre), axis=0)
    return Shift(
        y=float(centre[0]),
        x=float(centre[1]),
        spread_y=float(spread[0]),
        spread_x=float(spread[1]),
        chips=len(agreeing),
        clear_chips=len(values),
    )


def _prepared(chip: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return a smoothed chip, and where nothing that is masked was smoothed into it."""
    clear = ~np.isnan(chip)
    mean = float(chip[clear].mean()) if clear.any() else 0.0
    filled = np.where(clear, chip.astype(np.float64), mean)
    smooth: NDArray[np.float64] = gaussian_filter(filled, _SMOOTHING_PX, mode="nearest")
    if not clear.all():
        reach = math.ceil(2 * _SMOOTHING_PX)
        clear = binary_erosion(clear, iterations=reach, border_value=1)
    return smooth, clear


def _weighted(
    chip: NDArray[np.float64], clear: NDArray[np.bool_], window: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the deviations from the mean of what is clear, fading out towards the edges."""
    weighted: NDArray[np.float64] = np.where(clear, chip - chip[clear].mean(), 0.0) * window
    return weighted
