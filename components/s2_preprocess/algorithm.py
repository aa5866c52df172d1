"""Digital numbers to reflectance and its encoding: pure arithmetic on arrays of one band (y, x).

reflectance = (DN + offset) / quantification (Sentinel-2 Products Specification Document, section
on radiometric offsets, https://sentiwiki.copernicus.eu/web/s2-processing). Two digital numbers
are no measurements: 0 is no data, 65535 is saturated; neither has a reflectance.

Stored reflectance follows ESA's own encoding since processing baseline 04.00:
stored = round(reflectance * 10000) + 1000 as uint16, within 1 to 65535; 0 is no data. So what a
product of such a baseline stores is kept bit by bit.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NODATA_DN: Final = 0
SATURATED_DN: Final = 65535

STORED_NODATA: Final = 0
STORED_PER_REFLECTANCE: Final = 10_000
STORED_AT_ZERO: Final = 1000
STORED_SCALE: Final = 1e-4
STORED_OFFSET: Final = -0.1
STORED_DTYPE: Final = "uint16"


def measured(dn: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where digital numbers (y, x) are measurements: neither no data nor saturated."""
    valid: NDArray[np.bool_] = (dn != NODATA_DN) & (dn != SATURATED_DN)
    return valid


def to_float(dn: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.float32]:
    """Return digital numbers (y, x) as float32 for resampling, NaN where nothing is measured."""
    return np.where(measured(dn), dn, np.float32(np.nan)).astype(np.float32)


def reflectance(
    dn: NDArray[np.unsignedinteger[Any]], offset: float, quantification: float
) -> NDArray[np.float64]:
    """Return reflectance (y, x) of digital numbers, NaN where nothing is measured."""
    values = (dn.astype(np.float64) + offset) / quantification
    values[~measured(dn)] = np.nan
    return values


def encode_dn(dn: NDArray[Any], offset: float, quantification: float) -> NDArray[np.uint16]:
    """Return the stored reflectance (y, x) of digital numbers.

    `dn` is as delivered (unsigned integers), or resampled (floating point, NaN where nothing is
    measured). With the usual quantification of 10000 the result for integers is exact.
    """
    if np.issubdtype(dn.dtype, np.floating):
        valid = ~np.isnan(dn)
        factor = STORED_PER_REFLECTANCE / quantification
        with np.errstate(invalid="ignore"):
            stored = np.rint((dn + np.float32(offset)) * np.float32(factor)) + STORED_AT_ZERO
            stored = np.clip(stored, 1, 65535)
        return np.where(valid, stored, STORED_NODATA).astype(np.uint16)
    valid = measured(dn)
    if quantification == STORED_PER_REFLECTANCE and float(offset).is_integer():
        exact = dn.astype(np.int32) + np.int32(int(offset) + STORED_AT_ZERO)
    else:
        scaled = (dn.astype(np.float64) + offset) * (STORED_PER_REFLECTANCE / quantification)
        exact = np.rint(scaled).astype(np.int32) + np.int32(STORED_AT_ZERO)
    np.clip(exact, 1, 65535, out=exact)
    exact[~valid] = STORED_NODATA
    return exact.astype(np.uint16)


def decode(stored: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Return the reflectance (y, x) of stored values, NaN where no data."""
    values: NDArray[np.float32] = stored.astype(np.float32)
    values = (values - np.float32(STORED_AT_ZERO)) / np.float32(STORED_PER_REFLECTANCE)
    values[stored == STORED_NODATA] = np.nan
    return values
