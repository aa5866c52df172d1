from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `component_folder` or `descriptor_set` for each there is."""
    if "component_folder" in metafunc.fixturenames:
        folders = sorted(path.parent for path in ROOT.glob("components/*/component.yaml"))
        ids = [folder.name for folder in folders]
        metafunc.parametrize("component_folder", folders, ids=ids)
    if "descriptor_set" in metafunc.fixturenames:
        paths = sorted(ROOT.glob("protos/**/descriptors.binpb"))
        ids = [str(path.parent.relative_to(ROOT / "protos")) for path in paths]
        metafunc.parametrize("descriptor_set", paths, ids=ids)
