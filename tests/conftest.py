"""Fixtures for the tests of all rooms."""

from pathlib import Path

import pytest

from tests.data import data_folder, require

# Everything else that warns is an error (pyproject.toml).
_ACCEPTED_WARNINGS = (
    # `components.kit.rasters` ignores it in a component's process; pytest resets such filters.
    "ignore::rasterio.errors.NotGeoreferencedWarning",
    # odc-geo 0.5 with shapely 2.2
    "ignore:The 'shapely.ops.transform:DeprecationWarning:odc.geo.geom",
    # odc-geo 0.5 and rasterio 1.4 with affine 3
    "ignore:Use `@` matmul:PendingDeprecationWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    for line in _ACCEPTED_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def eoloom_data() -> Path:
    """The folder of real data; skips the test, or fails it, where there is none."""
    require("data")
    return data_folder()
