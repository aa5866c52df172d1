"""What goes into a build: requirements that fit the code, and only the files that are needed."""

import ast
import io
import sys
import tarfile
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from composer.component import load_component
from composer.registry import Registry
from orchestrator.errors import ImageError
from orchestrator.images import sources
from orchestrator.images.context import archive
from orchestrator.images.pip_settings import certificates, index_arguments
from orchestrator.images.sources import common_files, component_sources, platform_files
from tests.data import ROOT
from ui.scaffold import create_component

KIT = ROOT / "components/kit"
# Part of a package that is asked for: `import botocore` is for the errors of s3fs.
COMES_WITH = {"botocore": "s3fs", "fsspec": "s3fs"}
# Imported only where an s3:// URL is read, by components that ask for it.
ONLY_FOR_S3 = {"s3fs"}
# Packages that several distributions share.
SHARED = {"pystac": "pystac", "google": "protobuf", "opentelemetry": "opentelemetry-sdk"}
ROOMS = {path.parent.name: path for path in (ROOT / "components").glob("*/requirements.txt")}


def required(path: Path) -> set[str]:
    names = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= required((path.parent / line.removeprefix("-r ")).resolve())
        elif line and not line.startswith("#"):
            names.add(line)
    return names


def imported(folder: Path) -> set[str]:
    """Distributions that the modules of a folder import, without those only for type checkers."""
    modules = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module)
    tops = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    known = packages_distributions()
    found = {
        SHARED.get(top) or known[top][0].lower().replace("_", "-")
        for top in tops - {"components", "protos"}
    }
    return {COMES_WITH.get(name, name) for name in found}


def test_every_built_in_component_says_what_it_requires() -> None:
    folders = {c.folder.name for c in Registry.discover().components}
    assert folders | {"kit"} == ROOMS.keys()


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_requirements_are_what_the_code_imports(room: str) -> None:
    asked = required(ROOMS[room]) | required(KIT / "requirements.txt")
    if room == "kit":
        asked |= required(KIT / "requirements-rasters.txt")
    assert imported(ROOMS[room].parent) - ONLY_FOR_S3 <= asked


def test_requirements_are_those_of_the_distribution_and_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["s2"]
    lines += project["optional-dependencies"]["telemetry"]
    declared = {line.split(">")[0].split("[")[0].split("<")[0] for line in lines}
    pinned = {
        line.partition("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    asked = set().union(*map(required, ROOMS.values()))
    assert asked - {"pyproj"} <= declared  # pyproj is odc-geo's
    assert asked <= pinned


def test_a_context_has_the_component_and_no_other() -> None:
    component = Registry.discover().find("s2-change")
    names = set(common_files() | component_sources(component).files)
    assert "components/s2_change/algorithm.py" in names
    assert "components/kit/server.py" in names
    others = {name for name in names if name.startswith("components/stac_source/")}
    assert others == {"components/stac_source/requirements.txt"}
    assert not any(name.startswith(("tests", "ui")) or "__pycache__" in name for name in names)


def test_a_component_without_rasters_stands_on_less() -> None:
    registry = Registry.discover()
    bases = {
        name: component_sources(registry.find(name)).arguments["BASIS"]
        for name in ("stac-source", "s2-change")
    }
    assert bases == {"stac-source": "serving", "s2-change": "rasters"}


def test_the_platform_has_all_rooms_and_what_its_wheel_takes_in() -> None:
    names = set(platform_files())
    assert {"pyproject.toml", "ui/cli.py", "components/s2_change/component.yaml"} <= names
    assert any(name.startswith("k8s/profiles/") for name in names)
    assert not any("node_modules" in name or "__pycache__" in name for name in names)


def test_equal_files_make_equal_archives(tmp_path: Path) -> None:
    script = tmp_path / "a.sh"
    script.write_text("echo")
    script.chmod(0o700)
    with archive({"b": b"text", "a.sh": script}) as file:
        first = file.read()
    script.touch()
    with archive({"a.sh": script, "b": b"text"}) as file:
        assert first == file.read()
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        assert [(m.name, m.mode, m.uid, m.mtime) for m in tar] == [
            ("a.sh", 0o755, 0, 0),
            ("b", 0o644, 0, 0),
        ]


def test_a_project_of_ones_own_takes_the_place_of_the_distribution(tmp_path: Path) -> None:
    create_component("burnt-area", tmp_path)
    found = component_sources(load_component(tmp_path / "burnt-area"))
    lines = found.files["project-requirements.txt"].decode().splitlines()  # type: ignore[union-attr]
    assert "numpy>=2" in [line.replace(" ", "") for line in lines]
    assert not any("eoloom" in line for line in lines)
    assert "project/burnt_area/service.py" in found.files
    assert not any(name.startswith("project/tests") for name in found.files)


def test_a_link_out_of_a_project_is_refused(tmp_path: Path) -> None:
    create_component("burnt-area", tmp_path)
    (tmp_path / "burnt-area/secret.txt").symlink_to("/etc/hostname")
    with pytest.raises(ImageError, match="is a link out of the component's folder"):
        component_sources(load_component(tmp_path / "burnt-area"))


def test_data_in_a_project_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_component("burnt-area", tmp_path)
    monkeypatch.setattr(sources, "MAX_PROJECT_BYTES", 1000)
    with pytest.raises(ImageError, match="too large for an image"):
        component_sources(load_component(tmp_path / "burnt-area"))


def test_the_certificates_of_this_machine_are_taken(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(b"pem")
    assert certificates({"SSL_CERT_FILE": "/nowhere", "PIP_CERT": str(bundle)}) == b"pem"
    assert certificates({}) is None
    with pytest.raises(ImageError, match=r"PIP_CERT=/nowhere\.pem: No such file"):
        certificates({"PIP_CERT": "/nowhere.pem"})


def test_a_password_of_a_package_index_does_not_get_into_the_cache() -> None:
    assert index_arguments({"PIP_INDEX_URL": "https://pypi.example/simple"}) == {
        "PIP_INDEX_URL": "https://pypi.example/simple"
    }
    with pytest.raises(ImageError, match="PIP_EXTRA_INDEX_URL has a password") as refused:
        index_arguments({"PIP_EXTRA_INDEX_URL": "https://a.example https://me:word@b.example/"})
    assert "word@" not in str(refused.value)
