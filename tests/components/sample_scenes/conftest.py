from datetime import date
from pathlib import Path

import pytest

from components.kit import Call
from components.kit.storage import Storage
from components.sample_scenes.algorithm import Series
from components.sample_scenes.changes import CHANGE_KINDS
from components.sample_scenes.params import Parameters
from components.sample_scenes.sky import Sun


@pytest.fixture
def call(tmp_path: Path):
    """Makes the call of the service with some parameters."""

    def make(**params: object) -> Call[Parameters]:
        return Call(
            params=Parameters.model_validate(params),
            run="run",
            node="scenes",
            operation="generate",
            storage=Storage(tmp_path, "scenes"),
        )

    return make


@pytest.fixture(scope="session")
def pair() -> Series:
    """Two clear dates two days apart, with changes: what differs is noise, air and changes."""
    return Series(
        seed=1,
        size=512,
        days=(date(2024, 7, 31), date(2024, 8, 2)),
        suns=(Sun(155.7, 53.0), Sun(155.9, 52.5)),
        bands=("B02", "B03", "B04", "B08", "B11"),
        change_numbers=dict.fromkeys(CHANGE_KINDS, 1),
    )
