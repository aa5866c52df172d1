"""What a killed component has left in a shared folder is known by its name."""

import signal
import subprocess
import sys
from pathlib import Path

from orchestrator.unfinished import remove_unfinished

WRITES_AND_DIES = """
import os, signal, sys
from pathlib import Path
import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from components.kit.cog import cog_writer

geobox = GeoBox((64, 64), Affine(10, 0, 0, 0, -10, 0), "EPSG:32633")
folder = Path(sys.argv[1])
for name in ("whole", "half"):
    with cog_writer(folder / f"{name}.tif", geobox, dtype="uint8") as writer:
        writer.write(np.ones((1, 64, 64), "uint8"))
        if name == "half":
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_the_kit_has_not_finished_is_removed_and_nothing_else(tmp_path: Path):
    folder = tmp_path / "shared" / "scene"
    folder.mkdir(parents=True)
    ended = subprocess.run([sys.executable, "-c", WRITES_AND_DIES, str(folder)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(folder.iterdir())) == 2
    # What lies elsewhere is not reached by a link.
    elsewhere = tmp_path / "elsewhere" / f".x.{'0' * 32}.part"
    elsewhere.parent.mkdir()
    elsewhere.touch()
    (folder / "link").symlink_to(elsewhere.parent)
    assert remove_unfinished(tmp_path / "shared") == 1
    assert sorted(path.name for path in folder.iterdir()) == ["link", "whole.tif"]
    assert elsewhere.exists()
    assert remove_unfinished(tmp_path / "no such folder") == 0
