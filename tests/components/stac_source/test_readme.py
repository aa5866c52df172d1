"""The script in the component's README does what it says."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from components import stac_source
from components.kit.items import asset
from protos.common.v1.item_pb2 import Item

DATES = ["2018-04-15", "2018-05-15"]


def test_the_script_makes_a_series_searchable(
    search: Callable[..., list[Item]], tmp_path: Path, shared: Path
) -> None:
    readme = (Path(stac_source.__file__).parent / "README.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "split_series.py").write_text(script)
    series = tmp_path / "series.tif"
    values = np.arange(20, dtype=np.int16)[:, None, None] * np.ones((1, 4, 5), np.int16)
    with rasterio.open(
        series, "w", driver="GTiff", count=20, height=4, width=5, dtype="int16",
        crs="EPSG:32631", transform=Affine(10, 0, 300_000, 0, -10, 4_900_000), nodata=-10000,
    ) as target:  # fmt: skip
        values[12, 0, 0] = -10000
        target.write(values)
    command = [sys.executable, "split_series.py", str(series), "items", *DATES]
    subprocess.run(command, cwd=tmp_path, check=True)
    found = search(tmp_path / "items")
    assert [item.datetime[:10] for item in found] == DATES
    # The second date's third band is the thirteenth of the file.
    with rasterio.open(shared / asset(found[1], "red").href) as dataset:
        stored = dataset.read(1)
    assert stored[0, 0] == 0
    assert (stored.ravel()[1:] == 12).all()
