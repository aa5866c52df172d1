from pathlib import Path

import pytest

from composer.registry import Registry
from tests.composer.fakes import Shelf, put_usual_components


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "shelf")


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Scenes (a source), filters (two operations) and charts (a relay and a sink)."""
    shelf = Shelf(tmp_path_factory.mktemp("components"))
    put_usual_components(shelf)
    found = Registry.discover([shelf.folder], built_in=False)
    assert not found.broken
    return found
