from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


def component_descriptors(root: Path) -> list[Path]:
    """The descriptor sets of all components; the orchestrator's own contracts are none."""
    return sorted(
        path
        for path in root.glob("protos/**/descriptors.binpb")
        if "orchestrator" not in path.relative_to(root).parts
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `component_folder` or `descriptor_set` for each there is."""
    if "component_folder" in metafunc.fixturenames:
        folders = sorted(path.parent for path in ROOT.glob("components/*/component.yaml"))
        ids = [folder.name for folder in folders]
        metafunc.parametrize("component_folder", folders, ids=ids)
    if "descriptor_set" in metafunc.fixturenames:
        paths = component_descriptors(ROOT)
        ids = [str(path.parent.relative_to(ROOT / "protos")) for path in paths]
        metafunc.parametrize("descriptor_set", paths, ids=ids)
