"""A component's process for tests: `python -m tests.components.kit.sums_process`."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from odc.geo.geobox import GeoBox

from components.kit import Call, serve
from components.kit.cog import cog_writer
from tests.components.kit.sums import SERVICE, Number, Parameters, Sums

# The number whose double is waited for.
HELD = 4


class Working(Sums):
    """Works long: until a file appears, writing a raster, or without looking at its caller."""

    def double(self, number: Any, call: Call[Parameters]) -> Any:
        """Answer at once, but to `HELD` when the file `go` appears beside the nodes' folders."""
        if number.value != HELD:
            return super().double(number, call)
        call.progress(1, 2, "waiting")
        while not (call.storage.root / "go").exists():
            time.sleep(0.01)
        call.warn("the wait is over")
        return super().double(number, call)

    def count(self, number: Any, call: Call[Parameters]) -> Iterator[Any]:
        """Write a raster for ever."""
        path = call.storage.output / "scene.tif"
        with cog_writer(path, GeoBox.from_bbox((0, 0, 1, 1), shape=64), dtype="uint8"):
            yield Number(value=1)
            while True:
                time.sleep(0.01)
                call.progress(1, 2)

    def total(self, numbers: Iterator[Any], call: Call[Parameters]) -> Any:
        """Never look whether the caller has gone."""
        Path(call.storage.output / "begun").touch()
        time.sleep(600)


if __name__ == "__main__":
    serve(SERVICE, Working(), Parameters)
