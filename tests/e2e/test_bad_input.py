"""What a user may do wrong, or find broken: one clear message, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from tests.e2e.conftest import EXAMPLES, Ended, Eoloom

CHANGE = str(EXAMPLES / "s2_change.yaml")

Change = Callable[..., Ended]


@pytest.fixture
def change(eoloom: Eoloom, catalogue: Path) -> Change:
    """Run the example on the catalogue, with further settings."""

    def run(*settings: str) -> Ended:
        overrides = [f"scenes.catalogue={catalogue}", *settings]
        flags = [part for override in overrides for part in ("--set", override)]
        return eoloom("run", CHANGE, *flags)

    return run


def scenes(catalogue: Path) -> list[Path]:
    """The folders with the files of each scene, in time order."""
    return sorted({path.parent for path in (catalogue / "shared").rglob("B04.tif")})


def rewrite(path: Path, **profile: object) -> None:
    """Write a raster again with another profile."""
    with rasterio.open(path) as source:
        values, changed = source.read(), source.profile | profile
        changed.update(driver="GTiff")
    path.unlink()
    with rasterio.open(path, "w", **changed) as target:
        target.write(values)


def check(ended: Ended, node: str, *words: str) -> None:
    """The run failed with one message that names the node and says those words."""
    said = ended.stdout + ended.stderr
    assert ended.code == 1, said
    assert f"node {node}" in said
    flat = " ".join(said.split())
    for word in words:
        assert word in flat, said
    assert "Traceback" not in said


def test_a_truncated_raster(change: Change, catalogue: Path) -> None:
    path = scenes(catalogue)[1] / "B04.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    ended = change()
    check(ended, "clean", "B04.tif", "truncated, damaged")
    # The first scene had been prepared, and is kept and listed.
    kept = list(Path(catalogue.parent / "runs").glob("*/results/clean/*/SIM*.json"))
    assert len(kept) == 1


def test_a_missing_raster(change: Change, catalogue: Path) -> None:
    (scenes(catalogue)[1] / "B08.tif").unlink()
    ended = change()
    check(ended, "clean", "nir")


def test_rasters_of_another_crs(change: Change, catalogue: Path) -> None:
    for path in scenes(catalogue)[1].glob("*.tif"):
        rewrite(path, crs="EPSG:32632")
    check(change(), "change", "EPSG:32632", "EPSG:32633")


def test_rasters_of_another_shape(change: Change, catalogue: Path) -> None:
    for path in scenes(catalogue)[1].glob("*.tif"):
        with rasterio.open(path) as source:
            profile, values = source.profile, source.read()
        height, width = values.shape[1] // 2, values.shape[2]
        profile.update(driver="GTiff", height=height)
        path.unlink()
        with rasterio.open(path, "w", **profile) as target:
            target.write(values[:, :height, :width])
    check(change(), "change", "256")


def test_scenes_that_do_not_overlap(change: Change, catalogue: Path) -> None:
    for path in scenes(catalogue)[1].glob("*.tif"):
        with rasterio.open(path) as source:
            moved = Affine.translation(50_000, 0) @ source.transform
        rewrite(path, transform=moved)
    check(change(), "change", "overlap")


def test_all_cloud(change: Change, catalogue: Path) -> None:
    path = scenes(catalogue)[1] / "SCL.tif"
    with rasterio.open(path) as source:
        values, profile = source.read(), source.profile
    profile.update(driver="GTiff")
    path.unlink()
    with rasterio.open(path, "w", **profile) as target:
        target.write(np.full_like(values, 9))
    check(change(), "change", "clear")


def test_one_scene_only(change: Change) -> None:
    check(change("scenes.limit=1"), "change", "one scene")


def test_no_scene_at_all(change: Change) -> None:
    ended = change("scenes.datetime=1999-01-01/1999-12-31")
    check(ended, "scenes", "1999")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("change.methd=irmad", ["methd", "method"]),
        ("change.method=magic", ["magic", "irmad"]),
        ("clean.resolution=-5", ["resolution", "-5"]),
        ("chnge.method=irmad", ["chnge", "change"]),
        ("nonsense", ["nonsense"]),
    ],
)
def test_wrong_parameters_are_found_before_anything_starts(
    change: Change, catalogue: Path, override: str, words: list[str]
) -> None:
    ended = change(override)
    assert ended.code == 2
    for word in words:
        assert word in ended.stderr
    assert not (catalogue.parent / "runs").exists()


def test_a_catalogue_that_is_not_there(eoloom: Eoloom) -> None:
    ended = eoloom("run", CHANGE, "--set", "scenes.catalogue=nowhere/at/all")
    check(ended, "scenes", "nowhere/at/all")


def test_a_runs_folder_that_cannot_be_made(eoloom: Eoloom, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    demo = str(EXAMPLES / "demo.yaml")
    ended = eoloom("run", demo, "--runs-folder", str(tmp_path / "file" / "runs"))
    assert ended.code == 3
    assert "cannot write into" in ended.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(eoloom: Eoloom, small_disk: Path) -> None:
    demo = str(EXAMPLES / "demo.yaml")
    ended = eoloom("run", demo, "--runs-folder", str(small_disk / "runs"))
    check(ended, "scenes", "cannot write", str(small_disk))


def test_a_pipeline_file_with_many_faults(eoloom: Eoloom, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(
        """\
name: Bad Name
nodes:
  scenes: {component: stac-sorce}
  clean: {component: s2-preprocess, params: {resolution: none, bandz: [B02]}}
  change: {component: s2-change, parms: {}}
  Lonely: {component: s2-change}
links:
  - scenes.search -> clean.prepare
  - clean.prepair -> change.detect
  - change.detect => clean.prepare
  - nobody.search -> clean.prepare
  - clean.prepare -> clean.prepare
owner: me
"""
    )
    ended = eoloom("validate", "bad.yaml", "--json")
    assert ended.code == 2
    document = json.loads(ended.stdout)
    assert document["valid"] is False
    assert len(document["faults"]) >= 10
    said = json.dumps(document)
    for word in ("stac-source", "bandz", "parms", "prepare", "nobody", "owner", "Lonely"):
        assert word in said
