"""Time and memory of preparing a Sentinel-2 scene, and the accuracy of the co-registration.

    python benchmarks/s2_preprocess.py [--size 2000] [--format jp2]

Simulates a scene of four bands (10980 pixels per side is a whole tile) and its scene
classification, and prints for each way of preparing it the peak memory of a process that does
nothing else, and the time as a ratio to reading the four bands and writing them as one
Cloud-Optimized GeoTIFF in the same blocks. Then a second scene, shifted by a known part of a pixel,
is aligned onto the first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from components.kit import Call
from components.kit.cog import cog_writer
from components.kit.rasters import blocks, open_raster
from components.kit.storage import Storage
from components.s2_preprocess.params import Parameters
from components.s2_preprocess.service import S2Preprocess
from protos.common import stac
from protos.common.v1.item_pb2 import Item

BANDS = ("B02", "B03", "B04", "B08")
LEFT, TOP = 300_000, 5_900_040
BLOCK = 1024
SHIFT_PX = (0.37, -1.42)

# Parameters of each way of preparing the scene.
WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "dilated mask": {"dilation_m": 100},
    "to 20 m": {"resolution": 20},
    "to EPSG:3035": {"crs": "EPSG:3035", "resolution": 10},
}


def main() -> None:
    """Make the scene, measure each way in a process of its own, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--size", type=int, default=2000, help="pixels of each side, even")
    parser.add_argument("--format", choices=("jp2", "tif"), default="jp2")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(_measured(options.step, options.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for scene, shift in (("first", (0.0, 0.0)), ("second", SHIFT_PX)):
            _simulate(folder, scene, options.size, options.format, shift)
        plain = _run("plain", folder)
        raw_mib = options.size**2 * len(BANDS) * 2 / 2**20
        print(
            f"{options.size} x {options.size} x {len(BANDS)}, {raw_mib:.0f} MiB, {options.format}"
        )
        _report("read and write", plain, plain)
        for way in WAYS:
            _report(way, _run(way, folder), plain)
        aligned = _run("align", folder)
        _report("align", aligned, plain)
    found, true = aligned["shift"], SHIFT_PX
    error = max(abs(found[0] - true[0]), abs(found[1] - true[1]))
    print(f"shift found {found[0]:+.2f} {found[1]:+.2f} px, true {true[0]:+.2f} {true[1]:+.2f} px, "
          f"error {error:.3f} px")  # fmt: skip


def _report(name: str, result: dict[str, Any], plain: dict[str, Any]) -> None:
    ratio = result["seconds"] / plain["seconds"]
    print(f"{name:16}{result['seconds']:8.1f} s {ratio:6.2f} x {result['peak_mib']:7.0f} MiB")


def _run(step: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, "--step", step, "--folder", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measured(step: str, folder: Path) -> dict[str, Any]:
    steps: dict[str, Callable[[], dict[str, Any]]] = {
        "plain": lambda: _read_and_write(folder),
        "align": lambda: _align(folder),
    }
    work = steps.get(step) or (lambda: _prepare(folder, step, "first"))
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "peak_mib": peak} | result


def _read_and_write(folder: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        rasters = [stack.enter_context(open_raster(str(_band(folder, "first", b)))) for b in BANDS]
        geobox = rasters[0].geobox
        target = folder / "plain.tif"
        writer = stack.enter_context(
            cog_writer(target, geobox, dtype="uint16", count=len(BANDS), nodata=0)
        )
        for window in blocks((int(geobox.shape[0]), int(geobox.shape[1])), BLOCK):
            stored = [raster.read_stored(window, [1])[0] for raster in rasters]
            writer.write(np.stack(stored), window)
    return {}


def _prepare(folder: Path, way: str, scene: str) -> dict[str, Any]:
    call = _call(folder, way.replace(" ", "-").replace(":", ""), {"quicklook": False} | WAYS[way])
    item = S2Preprocess().prepare(_item(folder, scene), call)
    (folder / f"{scene}.item").write_bytes(item.SerializeToString())
    return {}


def _align(folder: Path) -> dict[str, Any]:
    """Align what was prepared; the time is that of the alignment only."""
    for scene in ("first", "second"):
        _prepare(folder, "as it is", scene)
    items = [Item.FromString((folder / f"{s}.item").read_bytes()) for s in ("first", "second")]
    started = time.perf_counter()
    *_, second = S2Preprocess().align(iter(items), _call(folder, "align", {}))
    seconds = time.perf_counter() - started
    made = json.loads(second.properties)
    shift = [-made["eoloom:shift_north"] / 10, made["eoloom:shift_east"] / 10]
    return {"seconds": seconds, "shift": shift}


def _call(folder: Path, node: str, params: dict[str, Any]) -> Call[Parameters]:
    return Call(
        params=Parameters.model_validate(params),
        run="benchmark",
        node=node,
        operation="prepare",
        storage=Storage(folder, node),
    )


def _item(folder: Path, scene: str) -> Item:
    files = [*BANDS, "SCL"]
    paths = {name: _band(folder, scene, name).relative_to(folder).as_posix() for name in files}
    return stac.from_dict(
        {
            "type": "Feature",
            "id": scene,
            "collection": "sentinel-2-l2a",
            "geometry": None,
            "properties": {
                "datetime": "2024-07-31T10:00:00Z",
                "s2:processing_baseline": "05.10",
            },
            "assets": {name: {"href": path} for name, path in paths.items()},
        }
    )


def _band(folder: Path, scene: str, name: str) -> Path:
    (path,) = (folder / scene).glob(f"{name}.*")
    return path


def _simulate(folder: Path, scene: str, size: int, file_format: str, shift: Any) -> None:
    """Write digital numbers of a smooth texture with noise; a tenth is cloud."""
    (folder / scene).mkdir()
    texture = _texture(shift)
    for number, name in enumerate(BANDS):
        reflectance = (0.04 + 0.06 * number) * (1 + texture)
        dn = np.rint(np.clip(reflectance, 0.005, 1) * 10_000 + 1000).astype(np.uint16)
        _tile(folder / scene / f"{name}.{file_format}", dn, size, 10)
    classes = np.full((BLOCK // 2, BLOCK // 2), 4, np.uint8)
    classes[100:250, 100:275] = 9
    _tile(folder / scene / f"SCL.{file_format}", classes, size // 2, 20)


def _texture(shift: tuple[float, float]) -> NDArray[np.float64]:
    """Return a periodic texture of standard deviation 0.2, moved against `shift`."""
    rng = np.random.default_rng(0)
    field = gaussian_filter(rng.normal(size=(BLOCK, BLOCK)), 1.5, mode="wrap")
    y, x = np.meshgrid(*[np.fft.fftfreq(BLOCK)] * 2, indexing="ij")
    ramp = np.exp(2j * np.pi * (y * shift[0] + x * shift[1]))
    moved: NDArray[np.float64] = np.fft.ifft2(np.fft.fft2(field) * ramp).real
    texture: NDArray[np.float64] = 0.2 * moved / moved.std()
    return texture


def _tile(path: Path, values: NDArray[Any], size: int, pixel: int) -> None:
    """Repeat a block of values over a raster, block by block."""
    side = values.shape[0]
    profile: dict[str, Any] = {
        "driver": "GTiff", "width": size, "height": size, "count": 1, "dtype": values.dtype,
        "crs": "EPSG:32633", "transform": Affine(pixel, 0, LEFT, 0, -pixel, TOP),
        "tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "DEFLATE", "predictor": 2,
    }  # fmt: skip
    target = path if path.suffix == ".tif" else path.with_suffix(".blocks.tif")
    with rasterio.open(target, "w", **profile) as dataset:
        for window in blocks((size, size), side):
            dataset.write(values[: window.height, : window.width], 1, window=window)
    if target is not path:
        # As ESA writes them, but without loss: tiles of 1024, five resolution levels.
        options = {"QUALITY": "100", "REVERSIBLE": "YES", "BLOCKXSIZE": 1024, "BLOCKYSIZE": 1024}
        rasterio.shutil.copy(target, path, driver="JP2OpenJPEG", **options)
        target.unlink()


if __name__ == "__main__":
    main()
