"""The spectral bands of the MultiSpectral Instrument and the names that catalogues give them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class SpectralBand:
    """One of the thirteen bands.

    name: ESA's name, "B8A". number: ESA's band_id in product metadata. common_name: of the STAC
    eo extension. key: the asset key that catalogues derive from the common name, unique per band.
    resolution_m: native pixel size. center_wavelength: micrometres, Sentinel-2A.
    """

    name: str
    number: int
    common_name: str
    key: str
    resolution_m: int
    center_wavelength: float


# Spectral characteristics: https://sentiwiki.copernicus.eu/web/s2-mission#S2Mission-MSIInstrument
# Common names: https://github.com/stac-extensions/eo#common-band-names
BANDS: Final = tuple(
    SpectralBand(name, number, common_name, key, resolution, wavelength)
    for number, (name, common_name, key, resolution, wavelength) in enumerate(
        [
            ("B01", "coastal", "coastal", 60, 0.4427),
            ("B02", "blue", "blue", 10, 0.4924),
            ("B03", "green", "green", 10, 0.5598),
            ("B04", "red", "red", 10, 0.6646),
            ("B05", "rededge071", "rededge1", 20, 0.7041),
            ("B06", "rededge075", "rededge2", 20, 0.7405),
            ("B07", "rededge078", "rededge3", 20, 0.7828),
            ("B08", "nir", "nir", 10, 0.8328),
            ("B8A", "nir08", "nir08", 20, 0.8647),
            ("B09", "nir09", "nir09", 60, 0.9451),
            ("B10", "cirrus", "cirrus", 60, 1.3735),
            ("B11", "swir16", "swir16", 20, 1.6137),
            ("B12", "swir22", "swir22", 20, 2.2024),
        ]
    )
)

BY_NAME: Final = {band.name: band for band in BANDS}
BY_NUMBER: Final = {band.number: band for band in BANDS}
_BY_KEY: Final = (
    {band.key: band.name for band in BANDS}
    | {band.common_name: band.name for band in BANDS}
    | {"nir2": "B8A", "rededge4": "B8A"}  # names of older catalogues for the narrow near infrared
)

_ESA_NAME = re.compile(r"B?0?(\d{1,2}A?)", re.IGNORECASE)


def parse_band(text: str) -> str | None:
    """Return ESA's name ("B04") for a name in any dialect ("B4", "b04", "red"), or None."""
    name = _BY_KEY.get(text.lower())
    if name is not None:
        return name
    match = _ESA_NAME.fullmatch(text)
    if match is None:
        return None
    name = "B" + match[1].upper().zfill(2)
    return name if name in BY_NAME else None
