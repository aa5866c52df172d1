"""The bands of the Sentinel-2 multispectral instrument that a scene may have."""

from dataclasses import dataclass
from typing import Literal, get_args

BandName = Literal["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]


@dataclass(frozen=True)
class BandInfo:
    """What distinguishes one band.

    Wavelengths are those of Sentinel-2A in "Sentinel-2 MSI spectral responses" (ESA,
    COPE-GSEG-EOPG-TN-15-0007), rounded to nm; asset keys and common names those of
    Earth Search v1 (https://earth-search.aws.element84.com/v1/collections/sentinel-2-l2a).

    Attributes:
        name: ESA's band name.
        key: asset key in the item.
        common_name: STAC common name (https://github.com/stac-extensions/eo#common-band-names).
        wavelength: of the band's centre, micrometres.
        gsd: pixel size, m.
        noise: standard deviation of the difference between two clear observations of one surface,
            reflectance. B02, B03, B04 and B08 were measured on a real pair of scenes two days
            apart; the others lie between them by wavelength and signal.
        haze: reflectance that a hazy date adds, against 1 in B02; falls with the wavelength.
    """

    name: BandName
    key: str
    common_name: str
    wavelength: float
    gsd: int
    noise: float
    haze: float


BANDS: dict[BandName, BandInfo] = {
    band.name: band
    for band in (
        BandInfo("B02", "blue", "blue", 0.492, 10, 0.003, 1.00),
        BandInfo("B03", "green", "green", 0.560, 10, 0.004, 0.88),
        BandInfo("B04", "red", "red", 0.665, 10, 0.003, 0.76),
        BandInfo("B05", "rededge1", "rededge", 0.704, 20, 0.005, 0.72),
        BandInfo("B06", "rededge2", "rededge", 0.741, 20, 0.010, 0.69),
        BandInfo("B07", "rededge3", "rededge", 0.783, 20, 0.013, 0.66),
        BandInfo("B08", "nir", "nir", 0.833, 10, 0.016, 0.63),
        BandInfo("B8A", "nir08", "nir08", 0.865, 20, 0.014, 0.61),
        BandInfo("B11", "swir16", "swir16", 1.614, 20, 0.009, 0.48),
        BandInfo("B12", "swir22", "swir22", 2.202, 20, 0.007, 0.44),
    )
}
BAND_NAMES: tuple[BandName, ...] = get_args(BandName)
