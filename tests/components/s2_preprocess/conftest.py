from pathlib import Path

import pytest


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The shared folder of a run."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder
