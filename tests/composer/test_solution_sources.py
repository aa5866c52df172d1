"""Where the files of a solution may lie, and what is refused."""

import json
from pathlib import Path

import pytest

from composer.archive import MAX_FILE_BYTES, pack
from composer.errors import SolutionError
from composer.solution_sources import read_contracts_at, read_source, read_uploads, solution_names
from tests.composer.solutions import SOLVER, game

FILES = ("blueprint.json", "dockerinfo.json", "microservice/solver1.proto")


def put(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def put_game(folder: Path, contracts: str = "microservice/") -> None:
    text, infos, protos = game()
    put(folder, **{"blueprint.json": text, "dockerinfo.json": infos})
    put(folder, **{f"{contracts}{name}": proto for name, proto in protos.items()})


def test_names_of_a_solution() -> None:
    names = [
        *("top/blueprint.json", "top/microservice/a.proto", "top/a.proto", "top/b.proto"),
        *("top/deployments/a_service.yaml", "top/orchestrator_client/x.py", "other/c.proto"),
    ]
    assert solution_names(names) == {
        "top/blueprint.json": "blueprint.json",
        "top/microservice/a.proto": "microservice/a.proto",
        "top/b.proto": "microservice/b.proto",
        "top/deployments/a_service.yaml": "deployments/a_service.yaml",
    }


@pytest.mark.parametrize("contracts", ["microservice/", ""], ids=["apart", "beside"])
def test_a_blueprint_is_read_with_what_is_around_it(tmp_path: Path, contracts: str) -> None:
    put_game(tmp_path, contracts)
    protos = game()[2]
    expected = {"blueprint.json", "dockerinfo.json", *(f"microservice/{name}" for name in protos)}
    assert set(read_source(tmp_path / "blueprint.json")) == expected
    assert read_source(tmp_path) == read_source(tmp_path / "blueprint.json")


def test_a_blueprint_may_have_any_name(tmp_path: Path) -> None:
    put_game(tmp_path)
    own = json.dumps({"name": "mine", "nodes": []})
    put(tmp_path, **{"mine.json": own, "deployment.yaml": "x: 1"})
    files = read_source(tmp_path / "mine.json")
    assert files["blueprint.json"] == own
    assert "deployment.yaml" not in files


def test_the_folder_around_a_solution_may_be_named(tmp_path: Path) -> None:
    put_game(tmp_path / "solution")
    assert read_source(tmp_path) == read_source(tmp_path / "solution")
    put_game(tmp_path / "another")
    with pytest.raises(SolutionError, match="several solutions, such as another"):
        read_source(tmp_path)


def test_what_is_no_source(tmp_path: Path) -> None:
    put(tmp_path, **{"pipeline.yaml": "name: a", "list.json": "[]", "bytes.zip": "no"})
    with pytest.raises(SolutionError, match="a pipeline file is used as it is"):
        read_source(tmp_path / "pipeline.yaml")
    with pytest.raises(SolutionError, match=r"neither a solution\.zip nor"):
        read_source(tmp_path / "list.json")
    with pytest.raises(SolutionError, match="no archive that can be read"):
        read_source(tmp_path / "bytes.zip")
    with pytest.raises(SolutionError, match=r"neither blueprint\.json nor"):
        read_source(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "missing")
    (tmp_path / "large.proto").write_bytes(bytes(MAX_FILE_BYTES + 1))
    with pytest.raises(SolutionError, match=r"large\.proto is larger than"):
        read_contracts_at([str(tmp_path / "large.proto")])


def test_contracts_are_given_as_files_folders_or_for_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, **{"a/model.proto": "1", "b/model.proto": "2", "c=d.proto": "3", "empty/x": ""})
    monkeypatch.chdir(tmp_path)
    assert read_contracts_at(["a/model.proto", "b", "Solver1=b/model.proto", "c=d.proto"]) == {
        "microservice/a/model.proto": "1",
        "microservice/b/model.proto": "2",
        "microservice/Solver1.proto": "2",
        "microservice/c=d.proto": "3",
    }
    with pytest.raises(SolutionError, match=r"empty has no \.proto file"):
        read_contracts_at(["empty"])


def test_uploads_are_known_by_what_they_say() -> None:
    text, infos, _ = game()
    files = read_uploads(
        [("b (1).json", text.encode()), ("d.json", infos.encode()), ("x/S.PROTO", SOLVER.encode())]
    )
    assert files == {
        "blueprint.json": text,
        "dockerinfo.json": infos,
        "microservice/S.PROTO": SOLVER,
    }


@pytest.mark.parametrize(
    ("uploads", "words"),
    [
        ([("a.proto", b"")], "no blueprint.json among the files"),
        ([("a.json", b"[1]")], "a.json is neither blueprint.json nor dockerinfo.json"),
        ([("a.json", b"\xff")], "a.json is neither blueprint.json nor"),
        ([("a.json", b'{"nodes": []}'), ("b.json", b'{"nodes": [1]}')], "b.json is there twice"),
        ([("a.json", b'{"x": "\xff"}')], "a.json is not UTF-8 text"),
        ([("a.json", b"{" + bytes(MAX_FILE_BYTES))], "a.json is larger than"),
    ],
)
def test_uploads_that_are_refused(uploads: list[tuple[str, bytes]], words: str) -> None:
    with pytest.raises(SolutionError) as caught:
        read_uploads(uploads)
    assert words in str(caught.value)


def test_an_archive_may_have_its_contracts_beside_the_blueprint(tmp_path: Path) -> None:
    (tmp_path / "s.zip").write_bytes(pack({"blueprint.json": "{}", "a.proto": "x"}))
    assert read_source(tmp_path / "s.zip") == {"blueprint.json": "{}", "microservice/a.proto": "x"}
