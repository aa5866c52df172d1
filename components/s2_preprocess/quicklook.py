"""A small picture of a prepared scene, for the eye."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from components.kit.errors import storage_error
from components.kit.rasters import open_raster

# The same stretch for every scene, so that pictures of a series can be compared.
_WHITE_REFLECTANCE: Final = 0.3
_GAMMA: Final = 1 / 1.5
_SIZE_PX: Final = 512

TRUE_COLOUR: Final = ("B04", "B03", "B02")


def render(reflectance: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return RGBA (y, x, 4) for red, green, blue reflectance (3, y, x); clear where NaN."""
    seen = ~np.isnan(reflectance).any(axis=0)
    scaled = np.clip(np.nan_to_num(reflectance) / _WHITE_REFLECTANCE, 0.0, 1.0) ** _GAMMA
    rgba = np.zeros((*seen.shape, 4), np.uint8)
    rgba[..., :3] = np.moveaxis(np.rint(255 * scaled), 0, -1)
    rgba[..., 3] = np.where(seen, 255, 0)
    return rgba


def write_quicklook(raster: Path, bands: Sequence[str], path: Path) -> None:
    """Write a PNG of a prepared scene whose COG is `raster`, with `bands` in that order.

    True colour where the scene has red, green and blue, else its first three bands, else grey.
    """
    chosen = list(TRUE_COLOUR if set(TRUE_COLOUR) <= set(bands) else bands[:3])
    if len(chosen) < 3:
        chosen = [bands[0]] * 3
    with open_raster(str(raster)) as opened:
        values = opened.overview(_SIZE_PX, [bands.index(name) + 1 for name in chosen])
    write_png(render(values), path)


def write_png(rgba: NDArray[np.uint8], path: Path) -> None:
    """Write RGBA (y, x, 4) as a PNG that is whole when it appears."""
    from matplotlib.image import imsave

    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        imsave(os.fspath(part), rgba, format="png")
        part.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    finally:
        part.unlink(missing_ok=True)
