"""Otsu's threshold with a fine histogram, and its robust form for rare change.

Otsu 1979, 10.1109/TSMC.1979.4310076. Magnitudes are 1-D float arrays without NaN.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from skimage import filters

Array = NDArray[np.floating[Any]]

# The usual 256 bins, over a range that outliers stretch, leave a handful for no change.
BINS: Final = 4096

# Where the smaller class holds less than a tenth of the pixels, Otsu's threshold follows its
# strongest members (Lee, Chung and Park 1990, 10.1016/0734-189X(90)90053-X).
RARE_SHARE: Final = 0.1

# Where change is rare, magnitudes above this multiple of the median count as just so strong.
WINSOR_MEDIANS: Final = 12.0


def otsu_threshold(magnitudes: Array) -> float:
    """Return the threshold of largest between-class variance. Raises ValueError for none."""
    if magnitudes.size == 0:
        raise ValueError("Otsu's threshold needs at least one magnitude")
    if magnitudes.min() == magnitudes.max():
        return float(magnitudes.max())
    threshold_otsu: Any = filters.threshold_otsu
    return float(threshold_otsu(magnitudes, nbins=BINS))


def robust_otsu_threshold(magnitudes: Array) -> tuple[float, bool]:
    """Return Otsu's threshold, winsorised where change is rare, and whether it was.

    Otsu compares squared deviations, so that a few very strong changes pull the threshold above
    all weaker ones. Where Otsu marks less than a tenth of the pixels, magnitudes are therefore
    cut at 12 medians before it is applied again; elsewhere this is Otsu's own threshold.
    """
    plain = otsu_threshold(magnitudes)
    limit = WINSOR_MEDIANS * float(np.median(magnitudes))
    if np.mean(magnitudes > plain) >= RARE_SHARE or not 0.0 < limit < magnitudes.max():
        return plain, False
    return otsu_threshold(np.minimum(magnitudes, limit)), True
