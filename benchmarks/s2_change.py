"""Time and memory of s2-change on a full Sentinel-2 tile, against reading and writing alone.

    python benchmarks/s2_change.py [--size 10980] [--methods cva irmad]

A simulated pair of four bands is written once. Then, in processes of their own: both are read and
layers like those of a change written in the same blocks, with nothing computed; and each method
makes its change, with patches, outlines, statistics and picture. Prints seconds, the ratio to plain
reading and writing, and the peak of memory (resident set) of each process.
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


def read_and_write(folder: Path) -> None:
    """Read both scenes and write the four layers of a change, computing nothing."""
    paths = [folder / "scenes" / f"{date}.tif" for date in (0, 1)]
    output = folder / "plain"
    output.mkdir(exist_ok=True)
    with ExitStack() as stack:
        rasters = [stack.enter_context(open_raster(str(path))) for path in paths]
        geobox = rasters[0].geobox
        writers = [
            stack.enter_context(cog_writer(output / f"{name}.tif", geobox, dtype=dtype))
            for name, dtype in (
                ("magnitude", "float32"),
                ("direction", "uint16"),
                ("mask", "uint8"),
                ("classes", "uint8"),
            )
        ]
        for window in blocks(geobox.shape.yx):
            before, after = (raster.read(window) for raster in rasters)
            # As hard to compress as the layers of a change.
            writers[0].write(before[3], window)
            writers[1].write((after[3] * 3e4).astype(np.uint16), window)
            flat = np.zeros(before.shape[1:], dtype=np.uint8)
            writers[2].write(flat, window)
            writers[3].write(flat, window)


def detect(folder: Path, method: str) -> None:
    """Make the change of the pair, as the component does."""
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


def run_task(folder: Path, task: str) -> None:
    """Do one task in this process and print its seconds and its peak of memory as JSON."""
    started = time.monotonic()
    if task == "plain":
        read_and_write(folder)
    else:
        detect(folder, task)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def measure(folder: Path, task: str) -> dict[str, float]:
    """Do one task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main(size: int, methods: list[str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_pair(folder, size)
        plain = measure(folder, "plain")
        print(f"read and write: {plain['seconds']:.1f} s, peak {plain['peak_mib']:.0f} MiB")
        for method in methods:
            result = measure(folder, method)
            print(
                f"{method}: {result['seconds']:.1f} s, "
                f"ratio {result['seconds'] / plain['seconds']:.2f}, "
                f"peak {result['peak_mib']:.0f} MiB",
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
        run_task(options.folder, options.task)
    else:
        main(options.size, options.methods)
