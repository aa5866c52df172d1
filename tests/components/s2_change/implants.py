"""Changes of known outline, implanted into a real pair on which next to nothing has changed.

Sentinel-2 Level-2A of tile 33TWL on 13 and 15 August 2023 at 120 m. Discs of one to 23 pixels in
radius get the spectra of cleared ground, of new buildings, of burnt ground or of water, with the
texture that was there and the noise between two real dates.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from skimage.draw import disk

from components.kit.rasters import open_raster

BANDS: Final = ("B02", "B03", "B04", "B08")
COMMON_NAMES: Final = ("blue", "green", "red", "nir")
FOLDER: Final = "s2_preprocess/mapchete_l2a_120m"
DATES: Final = ("S2B_33TWL_20230813_0_L2A", "S2A_33TWL_20230815_0_L2A")

# Reflectance in the four bands.
SPECTRA: Final = {
    "cleared": (0.08, 0.11, 0.14, 0.22),
    "built": (0.18, 0.20, 0.22, 0.26),
    "burnt": (0.03, 0.035, 0.045, 0.09),
    "flooded": (0.04, 0.04, 0.025, 0.02),
}
RADII_PX: Final = (3, 5, 8, 14, 22)

# Clear-pixel noise between two dates, by band.
NOISE: Final = (0.003, 0.004, 0.003, 0.016)

_MASKED_CLASSES: Final = (0, 1, 3, 8, 9, 10)


@dataclass(frozen=True)
class ImplantedPair:
    """before, after: (band, y, x) float32 reflectance, NaN where masked; truth: (y, x) bool."""

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    truth: NDArray[np.bool_]


def read_real_pair(data: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both dates, (band, y, x) reflectance, NaN where either is masked."""
    scenes, clear = [], np.ones((), dtype=bool)
    for date in DATES:
        folder = data / FOLDER / date
        bands = np.stack([_read(folder / f"{band}.tif") for band in BANDS])
        clear = clear & ~np.isin(_read(folder / "SCL.tif"), _MASKED_CLASSES) & (bands > 0).all(0)
        scenes.append((bands / 1e4).astype(np.float32))
    for scene in scenes:
        scene[:, ~clear] = np.nan
    return scenes[0], scenes[1]


def implant(
    before: NDArray[np.float32], after: NDArray[np.float32], share: float, seed: int
) -> ImplantedPair:
    """Return the pair with changes on `share` of its clear pixels."""
    rng = np.random.default_rng(seed)
    changed = after.copy()
    clear = np.isfinite(before).all(axis=0) & np.isfinite(after).all(axis=0)
    truth = np.zeros(clear.shape, dtype=bool)
    while truth.sum() < share * clear.sum():
        centre = rng.integers(0, clear.shape[0]), rng.integers(0, clear.shape[1])
        rows, columns = disk(centre, int(rng.choice(RADII_PX)), shape=clear.shape)
        if truth[rows, columns].any() or clear[rows, columns].mean() < 0.95:
            continue
        spectrum = np.asarray(SPECTRA[str(rng.choice(list(SPECTRA)))])[:, None]
        ground = changed[:, rows, columns]
        texture = (ground / np.nanmean(ground, axis=1, keepdims=True) - 1) * 0.5 + 1
        noise = rng.normal(0, np.asarray(NOISE)[:, None], ground.shape)
        changed[:, rows, columns] = spectrum * texture + noise
        truth[rows, columns] = True
    return ImplantedPair(before, changed, truth & clear)


def score(changed: NDArray[np.bool_], pair: ImplantedPair) -> tuple[float, float]:
    """Return F1 and the share of unchanged clear pixels that were marked."""
    clear = np.isfinite(pair.before).all(axis=0) & np.isfinite(pair.after).all(axis=0)
    hits = int((changed & pair.truth).sum())
    false = int((changed & ~pair.truth & clear).sum())
    missed = int((~changed & pair.truth).sum())
    return 2 * hits / (2 * hits + false + missed), false / int((clear & ~pair.truth).sum())


def _read(path: Path) -> NDArray[Any]:
    with open_raster(str(path)) as raster:
        return raster.read_stored()[0]
