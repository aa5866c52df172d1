"""Whether marked pixels lie together, as changes of the ground do and noise does not.

Moran 1950, 10.1093/biomet/37.1-2.17: for a mask, the correlation of a pixel with its neighbours.
Magnitudes are (window, y, x), NaN where missing; neighbours share an edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

# Candidate thresholds from the one found to the strongest pixels, evenly in the logarithm of the
# share that they mark.
CANDIDATES: Final = 40
SMALLEST_SHARE: Final = 5e-5

# Scattered pixels of noise reach about 0.3 in real pairs, 0.5 where coarse bands were upsampled;
# changes of several pixels across lie above 0.7.
SMALLEST_COHERENCE: Final = 0.35


@dataclass(frozen=True)
class Coherence:
    """A threshold and Moran's I of what it marks; `raised` if it is not the one given."""

    threshold: float
    morans_i: float
    raised: bool


def morans_i(marked: NDArray[np.bool_], valid: NDArray[np.bool_]) -> float:
    """Return Moran's I of a mask among valid pixels, (window, y, x) each.

    0 for pixels marked at random, whatever their share; near 1 for large patches; NaN where all
    or none are marked.
    """
    share = marked.sum() / max(1, valid.sum())
    if not 0.0 < share < 1.0:
        return float("nan")
    both = pairs = 0
    for here, there in (
        (np.s_[:, :, :-1], np.s_[:, :, 1:]),
        (np.s_[:, :-1, :], np.s_[:, 1:, :]),
    ):
        # Each pair counts once from either side.
        pairs += int((marked[here] & valid[there]).sum()) + int((marked[there] & valid[here]).sum())
        both += 2 * int((marked[here] & marked[there]).sum())
    if pairs == 0:
        return float("nan")
    return float((both / pairs - share) / (1.0 - share))


def coherent_threshold(magnitudes: FloatArray, threshold: float, wanted: float) -> Coherence | None:
    """Return the lowest threshold, from the one given upwards, that marks coherent patches.

    Moran's I of what is marked must reach `wanted`; where it never does, the threshold of largest
    I is taken if that is at least SMALLEST_COHERENCE, and otherwise there is none: None.
    """
    valid = np.isfinite(magnitudes)
    with np.errstate(invalid="ignore"):
        marked = magnitudes > threshold
    found = morans_i(marked, valid)
    if found >= wanted:
        return Coherence(threshold, found, raised=False)
    best: Coherence | None = None
    for candidate in _candidates(magnitudes[marked], int(valid.sum())):
        with np.errstate(invalid="ignore"):
            value = morans_i(magnitudes > candidate, valid)
        if value >= wanted:
            return Coherence(float(candidate), value, raised=True)
        if value >= SMALLEST_COHERENCE and (best is None or value > best.morans_i):
            best = Coherence(float(candidate), value, raised=True)
    return best


def _candidates(marked: FloatArray, valid: int) -> FloatArray:
    """Return rising thresholds among the magnitudes that the first one marked."""
    smallest = min(1.0, SMALLEST_SHARE * valid / max(1, marked.size))
    if marked.size < 2:
        return np.empty(0)
    shares = np.geomspace(1.0, smallest, CANDIDATES)[1:]
    return np.unique(np.quantile(marked, 1.0 - shares))
