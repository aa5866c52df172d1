"""The part of a large pair from which its model is learnt: windows in two strata.

Windows on a regular grid stand for the scene; means, deviations and correlations come from them
alone. Change is rare and lies together, so that such windows may hold none of it: more windows are
taken where an overview of the two dates differs most, and thresholds and classes see both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from components.s2_change import cva

FloatArray = NDArray[np.floating[Any]]

# Side of a window, and how many stand for the scene along each side of it.
SAMPLE_PX: Final = 128
SAMPLE_CELLS: Final = 8

# How many windows are taken where an overview of this side differs most.
SUSPECTS: Final = 48
OVERVIEW_PX: Final = 1400

# A scene of at most this side is read as a whole.
WHOLE_PX: Final = 2048


@dataclass(frozen=True)
class Sample:
    """Both dates, (band, window, y, x) reflectance; the first windows stand for the scene."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    representative: int


def sample_windows(shape: tuple[int, int]) -> list[Window]:
    """Return the windows that stand for a scene (y, x): equal in size, spread over all of it."""
    height, width = shape
    if max(height, width) <= WHOLE_PX:
        return [Window(0, 0, width, height)]
    rows, columns = min(SAMPLE_PX, height), min(SAMPLE_PX, width)
    return [
        Window(left, top, columns, rows)
        for top in _spread(height, rows)
        for left in _spread(width, columns)
    ]


def suspect_windows(before: FloatArray, after: FloatArray, shape: tuple[int, int]) -> list[Window]:
    """Return windows of a scene (y, x) in which overviews of it, (band, y, x), differ most.

    Windows are those of `sample_windows` in size, on a grid; the difference is
    the largest z-scored magnitude in a window.
    """
    clear = cva.common_clear(before, after)
    if not clear.any():
        return []
    standardisation = cva.z_score(before[:, clear], after[:, clear])
    magnitudes = cva.magnitude(cva.difference(standardisation, before[:, clear], after[:, clear]))
    rows, columns = min(SAMPLE_PX, shape[0]), min(SAMPLE_PX, shape[1])
    y, x = np.nonzero(clear)
    cell_y = ((y + 0.5) * shape[0] / clear.shape[0] // rows).astype(np.intp)
    cell_x = ((x + 0.5) * shape[1] / clear.shape[1] // columns).astype(np.intp)
    largest = np.zeros((-(-shape[0] // rows), -(-shape[1] // columns)), dtype=magnitudes.dtype)
    np.maximum.at(largest, (cell_y, cell_x), magnitudes)
    order = np.argsort(-largest, axis=None, kind="stable")[:SUSPECTS]
    tops, lefts = np.unravel_index(np.sort(order[largest.flat[order] > 0.0]), largest.shape)
    # The last windows of a side end with it.
    tops, lefts = (
        np.minimum(tops * rows, shape[0] - rows),
        np.minimum(lefts * columns, shape[1] - columns),
    )
    return [
        Window(left, top, columns, rows)
        for top, left in zip(tops.tolist(), lefts.tolist(), strict=True)
    ]


def _spread(length: int, side: int) -> list[int]:
    """Return where windows begin that lie in the middle of equal parts of a side."""
    count = min(SAMPLE_CELLS, length // side)
    starts: NDArray[Any] = (np.arange(count) + 0.5) * length / count - side / 2
    return [int(start) for start in starts]
