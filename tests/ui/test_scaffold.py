"""A new component project: whole, refused with a reason, or not there at all."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import rasterio

from composer.parameters import load_schema
from composer.registry import Registry
from ui.scaffold import ScaffoldError, create_component

# Classes of the scene classification of Level-2A products.
VEGETATION, WATER = 4, 6

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "write-a-component.md"
LONGEST = "snow-and-ice-cover-fraction-of-mountains"


def run_python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module in the project, as a developer in its folder would."""
    own = ("PYTEST_", "PYTHONPATH", "EOLOOM_")
    environment = {name: v for name, v in os.environ.items() if not name.startswith(own)}
    command = [sys.executable, "-B", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("projects")
    create_component("water-index", folder, title='Water "index": wet & dry')
    return folder / "water-index"


def test_its_own_tests_pass(project: Path) -> None:
    result = run_tests(project)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


@pytest.mark.parametrize(
    "check",
    [
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        ("mypy", "--cache-dir", os.devnull),
    ],
    ids=["lint", "format", "types"],
)
def test_its_code_is_an_example(project: Path, check: tuple[str, ...]) -> None:
    result = run_python(project, "-m", *check)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_registry_loads_it(project: Path) -> None:
    for folder in (project, project.parent):
        registry = Registry.discover([folder])
        assert [broken for broken in registry.broken if broken.folder == project] == []
        component = registry.find("water-index")
        assert component.manifest.title == 'Water "index": wet & dry'
        assert component.manifest.command == ("python", "-m", "water_index")
        assert component.contract.service == "water_index.v1.WaterIndex"
        assert component.schema.names == ("first_band", "second_band")


def test_its_contract_joins_the_common_messages(project: Path) -> None:
    operation = Registry.discover([project]).find("water-index").contract.operations["compute"]
    assert operation.input.name == operation.output.name == "eoloom.common.v1.Item"


def test_every_file_is_returned_and_nothing_else_is_there(tmp_path: Path) -> None:
    written = create_component("algae", tmp_path)
    assert written == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert [path.name for path in tmp_path.iterdir()] == ["algae"]
    names = {path.relative_to(tmp_path / "algae").as_posix() for path in written}
    assert {"LICENSE", ".gitignore", "component.yaml", "algae/v1/algae_pb2.py"} <= names
    assert not [name for name in names if name.endswith((".template", ".pyc"))]
    assert stat.S_IMODE((tmp_path / "algae").stat().st_mode) & 0o500 == 0o500


def test_the_longest_name_works_too(tmp_path: Path) -> None:
    assert len(LONGEST) == 40
    create_component(LONGEST, tmp_path)
    assert Registry.discover([tmp_path]).find(LONGEST).manifest.title.startswith("Snow and ice")
    for check in (["check"], ["format", "--check"]):
        result = run_python(tmp_path / LONGEST, "-m", "ruff", *check, "--no-cache", ".")
        assert result.returncode == 0, result.stdout


def test_an_rpc_that_the_manifest_does_not_declare_is_found(project: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(project, tmp_path / "water-index")
    proto = copy / "water_index" / "v1" / "water_index.proto"
    rpc = "rpc compute(eoloom.common.v1.Item) returns (eoloom.common.v1.Item);"
    text = proto.read_text(encoding="utf-8")
    proto.write_text(text.replace(rpc, f"{rpc}\n  {rpc.replace('compute', 'map')}"))
    assert run_python(copy, "regenerate.py").returncode == 0
    result = run_tests(copy, "tests/test_contract.py")
    assert result.returncode == 1
    assert "the rpc map is not declared" in result.stdout


def test_its_example_finds_the_water_of_simulated_scenes(project: Path, tmp_path: Path) -> None:
    small = ("--set", "scenes.size=128", "--set", "scenes.dates=[2024-07-31]")
    command = ("run", "example.yaml", "--components", ".", "--runs-folder", str(tmp_path), "--json")
    result = run_python(project, "-c", "from ui.cli import app; app()", *command, *small)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    (index,) = (found for found in report["results"] if found["terminal"])
    (clean,) = (found for found in report["results"] if found["node"] == "clean")
    valid = index["properties"]["water_index:valid_percentage"]
    assert valid == pytest.approx(clean["properties"]["eoloom:clear_percentage"], abs=0.01)
    (asset,) = index["assets"]
    with rasterio.open(asset["path"]) as dataset:
        values = dataset.read(1)
    classification = next(Path(report["folder"]).glob("shared/scenes/*/SCL.tif"))
    with rasterio.open(classification) as dataset:
        classes = dataset.read(1, out_shape=values.shape)
    assert np.nanmedian(values[classes == WATER]) > 0
    assert np.nanmedian(values[classes == VEGETATION]) < 0


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} in {path.name}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_the_guide_can_be_followed(project: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^ +```python\n(.*?)^ +```$", GUIDE.read_text(), flags=re.M | re.S)
    parameter, formula, call, test = map(textwrap.dedent, blocks)
    copy = shutil.copytree(project, tmp_path / "water-index")
    package = copy / "water_index"
    validator = "    @model_validator"
    parameter = textwrap.indent(parameter, "    ")
    replace_in(package / "params.py", validator, f"{parameter}\n{validator}")
    algorithm = package / "algorithm.py"
    replace_in(algorithm, "second: NDArray[np.float32]\n", "second: NDArray, soil: float = 0.0\n")
    text = algorithm.read_text(encoding="utf-8")
    old = text[text.index("    total = ") : text.index("    return result")]
    replace_in(algorithm, old, textwrap.indent(formula, "    "))
    replace_in(package / "service.py", "index = normalised_difference(first, second)\n", call)
    with (copy / "tests" / "test_algorithm.py").open("a", encoding="utf-8") as file:
        file.write(f"\n\n{test}")

    assert "run regenerate.py" in run_tests(copy, "tests/test_contract.py").stdout
    assert run_python(copy, "regenerate.py").returncode == 0
    result = run_tests(copy)
    assert result.returncode == 0, result.stdout
    schema = load_schema(copy / "params.schema.json")
    assert [str(refusal.message) for refusal in schema.check({"soil_factor": 2})]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "the name is empty"),
        ("3d", "it begins with '3', not with a lower-case letter"),
        ("Class", "it begins with 'C', not with a lower-case letter"),
        ("../x", "it begins with '.', not with a lower-case letter"),
        ("x/../../y", "it has '/' in it"),
        ("water_index", "it has '_' in it"),
        ("wasserfläche", "it has 'ä' in it"),
        ("water-", "it ends with a hyphen"),
        ("water\n", "it has '\\n' in it"),
        ("w" * 41, "it has 41 characters; at most 40 are allowed"),
        ("class", "'class' is a keyword of Python"),
        ("json", "there is a Python module 'json' already"),
        ("rasterio", "there is a Python module 'rasterio' already"),
        ("tests", "the files of the project use 'tests' for something else"),
        ("item", "the files of the project use 'item' for something else"),
        ("sample-scenes", "a built-in component has this name"),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_the_reason(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(ScaffoldError) as refused:
        create_component(name, tmp_path)
    assert str(refused.value).startswith(f"a component cannot be called {name!r}: {reason}")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("title", ["two\nlines", "t" * 201])
def test_a_title_that_no_manifest_can_have_is_refused(tmp_path: Path, title: str) -> None:
    with pytest.raises(ScaffoldError, match="one line of at most 200 characters"):
        create_component("algae", tmp_path, title=title)
    assert not [*tmp_path.iterdir()]


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "algae" / "thesis.tex"
    precious.parent.mkdir()
    precious.touch()
    with pytest.raises(ScaffoldError, match=r"algae exists already; choose another"):
        create_component("algae", tmp_path)
    assert [*tmp_path.rglob("*")] == [precious.parent, precious]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "algae").mkdir()
    create_component("algae", tmp_path)
    assert (tmp_path / "algae" / "component.yaml").exists()


def test_missing_folders_above_are_made(tmp_path: Path) -> None:
    create_component("algae", tmp_path / "mine" / "components")
    assert (tmp_path / "mine" / "components" / "algae" / "component.yaml").exists()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.touch()
    with pytest.raises(ScaffoldError, match=r"notes\.txt is not a folder"):
        create_component("algae", file)


def test_a_folder_that_cannot_be_written_is_named() -> None:
    with pytest.raises(ScaffoldError, match=r"cannot make /proc/self/algae: "):
        create_component("algae", Path("/proc/self"))


def test_a_folder_that_protoc_cannot_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="a:b has ':' in it"):
        create_component("algae", tmp_path / "a:b")
    assert not [*tmp_path.iterdir()]


def test_without_protoc_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "grpc_tools", None)
    with pytest.raises(ScaffoldError, match=r"python\S* -m pip install 'eoloom\[dev\]'"):
        create_component("algae", tmp_path)
    assert not [*tmp_path.iterdir()]


def test_nothing_is_left_where_the_code_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ScaffoldError, match="the code of the contract cannot be made: exit code 1"):
        create_component("algae", tmp_path)
    assert not [*tmp_path.iterdir()]
