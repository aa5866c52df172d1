"""Memory and time of writing a Cloud-Optimized GeoTIFF block by block.

    python benchmarks/kit_cog.py [--size 8000] [--bands 4]

Prints the peak memory of the process, the same before anything was written, and the time as a
ratio to writing the same blocks into a plain tiled GeoTIFF, compressed alike and without overviews.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from components.kit.cog import cog_writer
from components.kit.rasters import blocks


def main() -> None:
    """Write one file and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8000, help="pixels of each side")
    parser.add_argument("--bands", type=int, default=4)
    arguments = parser.parse_args()
    shape = (arguments.size, arguments.size)
    windows = blocks(shape)
    block = _texture(arguments.bands, 1024)
    before = _peak_mib()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        geobox = GeoBox(shape, Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
        started = time.perf_counter()
        with cog_writer(path, geobox, dtype="uint16", count=arguments.bands, nodata=0) as writer:
            for window in windows:
                writer.write(block[:, : window.height, : window.width], window)
        writing = time.perf_counter() - started
        peak = _peak_mib()
        size_mib = path.stat().st_size / 2**20
        started = time.perf_counter()
        with rasterio.open(
            Path(folder) / "plain.tif",
            "w",
            driver="GTiff",
            width=arguments.size,
            height=arguments.size,
            count=arguments.bands,
            dtype="uint16",
            crs="EPSG:32633",
            transform=geobox.transform,
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="DEFLATE",
            predictor=2,
            zlevel=6,
            num_threads="ALL_CPUS",
        ) as plain:
            for window in windows:
                plain.write(block[:, : window.height, : window.width], window=window)
        plain_writing = time.perf_counter() - started
    raw_mib = arguments.size**2 * arguments.bands * 2 / 2**20
    print(f"raster       {raw_mib:8.0f} MiB, {size_mib:.0f} MiB as a COG")
    print(f"peak memory  {peak:8.0f} MiB, {before:.0f} MiB before writing")
    print(f"time         {writing:8.1f} s, {writing / plain_writing:.2f} x a plain GeoTIFF")


def _texture(bands: int, size: int) -> NDArray[np.uint16]:
    """Return a smooth surface with sensor noise, which compresses as reflectance does."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / 50
    surface = 3000 + 800 * np.sin(x) * np.cos(y)
    values = surface + rng.normal(0, 40, (bands, size, size))
    texture: NDArray[np.uint16] = values.astype(np.uint16)
    return texture


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
