"""Fixtures for the tests of all rooms."""

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import postgresql
from tests.data import data_folder, require

# Fixtures of what several rooms' tests need.
pytest_plugins = ["tests.docker_engine"]

# Everything else that warns is an error (pyproject.toml).
_ACCEPTED_WARNINGS = (
    # `components.kit.rasters` ignores it in a component's process; pytest resets such filters.
    "ignore::rasterio.errors.NotGeoreferencedWarning",
    # odc-geo 0.5 with shapely 2.2
    "ignore:The 'shapely.ops.transform:DeprecationWarning:odc.geo.geom",
    # odc-geo 0.5 and rasterio 1.4 with affine 3
    "ignore:Use `@` matmul:PendingDeprecationWarning",
)


# No test is about time, and a busy machine is no defect.
hypothesis.settings.register_profile("eoloom", deadline=None)


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("eoloom")
    for line in _ACCEPTED_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


_WITH_DOCKER = ("tests/orchestrator/docker/", "tests/orchestrator/images/", "tests/ui/test_stop.py")


def _fixtures_of(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say which tests stay together where several processes share them.

    Those of a file, for its fixtures; and those with the Docker engine or a browser: they would
    otherwise build the same images twice and stop each other's runs, and together they are more
    than two cores do in time for somebody who looks at a page.
    """
    for item in items:
        if item.nodeid.startswith("tests/browser/"):
            group = "heavy"
            # A browser on a busy machine may miss a deadline; a defect fails each time.
            item.add_marker(pytest.mark.flaky(reruns=2))
        elif item.nodeid.startswith(_WITH_DOCKER) or "docker_engine" in _fixtures_of(item):
            group = "heavy"
        else:
            group = item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where the groups would have no effect: versions of pytest and xdist that do not fit."""
    is_grouped = session.config.getoption("loadgroup", False)
    if is_grouped and not all("@" in item.nodeid for item in session.items):
        pytest.exit("pytest-xdist does not know the groups of the tests", returncode=4)


@pytest.fixture(scope="session")
def eoloom_data() -> Path:
    """The folder of real data; skips the test, or fails it, where there is none."""
    require("data")
    return data_folder()


@pytest.fixture(scope="session", autouse=True)
def _no_registry_of_the_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the components that whoever runs the tests has onboarded out of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
        patch.delenv("EOLOOM_DATABASE_URL", raising=False)
        yield


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A PostgreSQL; skips the test, or fails it, where there is none."""
    require("postgresql")
    programs = postgresql.find_programs()
    assert programs is not None
    with postgresql.running(programs) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/database.sqlite"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.new_database()
