"""Time and memory of s2-change on a full Sentinel-2 tile, against reading and writing alone.

    python benchmarks/s2_change.py [--size 10980] [--methods cva irmad]

A simulated pair of four bands is written once. Then, in processes of their own: each method makes
its change, with patches, outlines, statistics and picture; and, for comparison, both scenes are
read and the same layers written in the same blocks, with nothing computed. Prints seconds, the
ratio to that plain reading and writing, and the peak of memory (resident set) of each process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from components.kit import Call
from components.kit.cog import cog_writer
from components.kit.rasters import blocks, open_raster, raster_asset
from components.kit.storage import Storage
from components.s2_change.params import Parameters
from components.s2_change.service import S2Change
from protos.common.v1.item_pb2 import Band, Item

BANDS = ("B02", "B03", "B04", "B08")
COMMON_NAMES = ("blue", "green", "red", "nir")
LEVELS = (0.03, 0.05, 0.04, 0.30)
NOISE = (0.003, 0.004, 0.003, 0.016)
SEED = 7

# The rasters of a change, with the resampling of their overviews.
LAYERS = {"magnitude": "average", "direction": "nearest", "mask": "mode", "classes": "mode"}


def make_pair(folder: Path, size: int) -> None:
    """Write two scenes: fields of different brightness, noise, and one percent of change."""
    geobox = GeoBox((size, size), Affine(10, 0, 500_000, 0, -10, 5_100_000), "EPSG:32633")
    storage = Storage(folder, "scenes")
    for date in (0, 1):
        path = storage.output / f"{date}.tif"
        with cog_writer(
            path,
            geobox,
            dtype="uint16",
            count=4,
            nodata=0,
            band_names=BANDS,
            scale=1e-4,
            offset=-0.1,
        ) as writer:
            for number, window in enumerate(blocks(geobox.shape.yx)):
                writer.write(_block(date, number, (window.height, window.width)), window)
        item = Item(id=f"scene{date}", collection="eoloom-s2-reflectance")
        item.datetime = f"2024-07-{10 + date}T10:00:00Z"
        bands = [
            Band(name=b, common_name=c, data_type="uint16", nodata="0", scale=1e-4, offset=-0.1)
            for b, c in zip(BANDS, COMMON_NAMES, strict=True)
        ]
        item.assets.append(raster_asset("reflectance", path, storage, geobox=geobox, bands=bands))
        (folder / f"{date}.item").write_bytes(item.SerializeToString())


def _block(date: int, number: int, shape: tuple[int, int]) -> np.ndarray:
    """Return stored reflectance (band, y, x): the ground alike on both dates, the noise not."""
    ground, noise = np.random.default_rng((SEED, number)), np.random.default_rng((date, number))
    fields = ground.uniform(0.6, 1.4, (4, 18, 18)).repeat(60, 1).repeat(60, 2)
    fields = fields[:, : shape[0], : shape[1]]
    values = np.asarray(LEVELS)[:, None, None] * fields
    values += noise.normal(size=(4, *shape)) * np.asarray(NOISE)[:, None, None]
    if date and number % 2 == 0:
        values[:, 100:250, 100:250] = np.asarray((0.09, 0.12, 0.15, 0.22))[:, None, None]
    return np.clip(np.rint(values * 1e4) + 1000, 1, 65535).astype(np.uint16)


def read_and_write(folder: Path, method: str) -> float:
    """Read both scenes and write the layers that a method made; return the seconds.

    The layers are in memory before the clock starts, so that nothing else is read.
    """
    [made] = (folder / method).iterdir()
    layers = []
    for name, resampling in LAYERS.items():
        with rasterio.open(made / f"{name}.tif") as dataset:
            layers.append((name, resampling, dataset.profile, dataset.read()))
    output = folder / "plain"
    output.mkdir(exist_ok=True)
    started = time.monotonic()
    with ExitStack() as stack:
        rasters = [
            stack.enter_context(open_raster(str(folder / "scenes" / f"{date}.tif")))
            for date in (0, 1)
        ]
        geobox = rasters[0].geobox
        writers = [
            stack.enter_context(
                cog_writer(
                    output / f"{name}.tif",
                    geobox,
                    dtype=profile["dtype"],
                    nodata=profile["nodata"],
                    resampling=resampling,
                )
            )
            for name, resampling, profile, _ in layers
        ]
        for window in blocks(geobox.shape.yx):
            for raster in rasters:
                raster.read(window)
            for writer, (*_, values) in zip(writers, layers, strict=True):
                writer.write(values[:, *window.toslices()], window)
    return time.monotonic() - started


def detect(folder: Path, method: str) -> float:
    """Make the change of the pair, as the component does; return the seconds."""
    started = time.monotonic()
    items = [Item.FromString((folder / f"{date}.item").read_bytes()) for date in (0, 1)]
    call = Call(
        params=Parameters(method=method),
        run="benchmark",
        node=method,
        operation="detect",
        storage=Storage(folder, method),
    )
    [change] = S2Change().detect(iter(items), call)
    print(change.properties, file=sys.stderr)
    return time.monotonic() - started


def run_task(folder: Path, task: str, method: str) -> None:
    """Do one task in this process and print its seconds and its peak of memory as JSON."""
    seconds = TASKS[task](folder, method)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


TASKS = {"detect": detect, "plain": read_and_write}


def measure(folder: Path, task: str, method: str) -> dict[str, float]:
    """Do one task in a process of its own."""
    arguments = ["--task", task, "--methods", method, "--folder", str(folder)]
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(size: int, methods: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pair(folder, size)
        for method in methods:
            made = measure(folder, "detect", method)
            plain = measure(folder, "plain", method)
            print(
                f"{method}: {made['seconds']:.1f} s, read and write {plain['seconds']:.1f} s, "
                f"ratio {made['seconds'] / plain['seconds']:.2f}, peak {made['peak_mib']:.0f} MiB",
                flush=True,
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=10980)
    parser.add_argument("--methods", nargs="+", default=["cva", "irmad"])
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        run_task(options.folder, options.task, options.methods[0])
    else:
        main(options.size, options.methods)
