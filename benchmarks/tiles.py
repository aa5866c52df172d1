"""Time to draw a tile of a full Sentinel-2 tile for the map.

    python benchmarks/tiles.py [--size 10980] [--tiles 40] [--keep FILE]

Writes a Cloud-Optimized GeoTIFF of four reflectance bands as the components do, then draws tiles
at random places, from far away to full resolution, one after the other. Prints medians in
milliseconds: cold, with the file put out of the system's memory before every tile, warm, for the
same tile again, and of that the processor time, which a busy machine does not change. Cold needs
Linux (posix_fadvise).
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from components.kit.cog import cog_writer
from components.kit.rasters import blocks
from ui.raster_files import open_raster, reader_of
from ui.tiles import parse_style, render_tile

PATH = "shared/clean/scene/reflectance.tif"
STYLES = {
    "natural colour": {"bands": "3,2,1", "range": "1000,5000", "gamma": "1.4"},
    "one band": {"bands": "4", "range": "1000,5000", "ramp": "viridis"},
}
ZOOMS = (7, 9, 11, 13, 14)


def main() -> None:
    """Write the raster, draw and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_980, help="pixels of each side")
    parser.add_argument("--tiles", type=int, default=20, help="tiles of each zoom")
    parser.add_argument("--keep", type=Path, help="folder of a run to keep, for another time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = arguments.keep or Path(temporary) / "run"
        if not (run / PATH).exists():
            write_scene(run / PATH, arguments.size)
        print(f"raster  {arguments.size} x {arguments.size}, {_mib(run / PATH):.0f} MiB as a COG")
        for name, query in STYLES.items():
            for zoom in ZOOMS:
                cold, warm, processor, size = draw(run, query, zoom, arguments.tiles)
                print(
                    f"{name:15} zoom {zoom:2}  cold {cold:5.0f} ms  warm {warm:5.0f} ms  "
                    f"processor {processor:4.0f} ms  {size / 1000:.0f} kB",
                    flush=True,
                )


def write_scene(path: Path, size: int) -> None:
    """Write four bands of fields with sensor noise, which compress as reflectance does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size, size)
    block = _fields(4, 1024)
    geobox = GeoBox(shape, Affine(10, 0, 300_000, 0, -10, 5_900_040), "EPSG:32633")
    with cog_writer(path, geobox, dtype="uint16", count=4, nodata=0) as writer:
        for window in blocks(shape):
            writer.write(block[:, : window.height, : window.width], window)


def draw(
    run: Path, query: dict[str, str], zoom: int, count: int
) -> tuple[float, float, float, float]:
    """Return the medians of milliseconds, cold, warm and of the processor, and of bytes."""
    chance = np.random.default_rng(zoom)
    style = parse_style(query, [PATH])
    cold: list[float] = []
    warm: list[float] = []
    processor: list[float] = []
    sizes = []
    with open_raster(run, PATH) as dataset, reader_of(dataset) as reader:
        west, south, east, north = reader.get_geographic_bounds("EPSG:4326")
        grid = reader.tms
    for _ in range(count):
        tile = grid.tile(
            chance.uniform(west + 0.1, east - 0.1), chance.uniform(south + 0.1, north - 0.1), zoom
        )
        _forget(run / PATH)
        for times in (cold, warm):
            started, worked = time.perf_counter(), time.process_time()
            content = render_tile(run, style, zoom, tile.x, tile.y)
            times.append(1000 * (time.perf_counter() - started))
        processor.append(1000 * (time.process_time() - worked))
        sizes.append(len(content))
    cold_ms, warm_ms, processor_ms = map(statistics.median, (cold, warm, processor))
    return cold_ms, warm_ms, processor_ms, statistics.median(sizes)


def _forget(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)


def _fields(bands: int, size: int) -> NDArray[np.uint16]:
    rng = np.random.default_rng(0)
    fields = rng.integers(1200, 4000, (bands, size // 32, size // 32)).repeat(32, 1).repeat(32, 2)
    return np.asarray(fields + rng.normal(0, 40, fields.shape), np.uint16)


def _mib(path: Path) -> float:
    return path.stat().st_size / 2**20


if __name__ == "__main__":
    main()
