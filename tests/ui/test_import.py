"""`eoloom import` of blueprints and folders, and the same for files that are dropped on a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from composer.archive import pack
from composer.errors import MissingContractsError, SolutionError
from composer.registry import Registry
from tests.composer.solutions import game
from tests.ui.conftest import Invoke
from ui.solutions import import_uploads, is_solution


@pytest.fixture
def files(workplace: Path) -> Path:
    """A blueprint alone; its contracts and dockerinfo.json elsewhere."""
    text, infos, protos = game()
    (workplace / "game").mkdir()
    (workplace / "game" / "blueprint.json").write_text(text)
    (workplace / "infos.json").write_text(infos)
    for name, proto in protos.items():
        folder = workplace / "components" / name.removesuffix(".proto")
        folder.mkdir(parents=True)
        (folder / "model.proto").write_text(proto)
    return workplace


def given(*names: str) -> list[str]:
    return [part for name in names for part in ("--proto", f"{name}=components/{name}/model.proto")]


def test_a_blueprint_with_its_contracts_becomes_a_pipeline(files: Path, eoloom: Invoke) -> None:
    result = eoloom(
        *("import", "game/blueprint.json", "--output", "game.yaml", "--json"),
        *("--dockerinfo", "infos.json", *given("Board1", "judge1", "Solver1")),
    )
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["onboarded"] == ["board@1.5.0", "judge@1.5.0", "solver@1.5.0"]
    assert document["addresses"]["board1"] == "dns:///board1:30000"
    assert document["warnings"] == []
    assert "valid: game-of-boards, 3 nodes, 4 links" in eoloom("validate", "game.yaml").stdout


def test_a_folder_in_the_layout_of_the_original_needs_no_options(
    files: Path, eoloom: Invoke
) -> None:
    for name, proto in game()[2].items():
        (files / "game" / "microservice").mkdir(exist_ok=True)
        (files / "game" / "microservice" / name).write_text(proto)
    result = eoloom("import", "game", "--output", "game.yaml")
    assert result.exit_code == 0, result.stderr
    assert "warning: there is no dockerinfo.json: its containers are started" in result.stderr
    result = eoloom("import", "game", "--output", "b.yaml", "--dockerinfo", "infos.json")
    assert result.stderr == ""


def test_what_is_missing_is_named_with_how_to_give_it(files: Path, eoloom: Invoke) -> None:
    result = eoloom("import", "game", "--output", "game.yaml", *given("Board1"))
    assert result.exit_code == 2
    assert "no contract of Judge1, Solver1: Judge1.proto, Solver1.proto are missing" in (
        result.stderr
    )
    assert "--proto Judge1=FILE" in result.stderr
    assert not (files / "game.yaml").exists()
    # Nothing of the part that was there has been onboarded.
    assert "board" not in eoloom("components").stdout


def test_a_given_contract_comes_before_the_one_beside_the_blueprint(
    files: Path, eoloom: Invoke
) -> None:
    for name in game()[2]:
        (files / "game" / name).write_text("no contract at all")
    result = eoloom(
        "import", "game", "--output", "game.yaml", *given("Board1", "judge1", "Solver1")
    )
    assert result.exit_code == 0, result.stderr


def test_a_file_that_is_not_there_is_named(files: Path, eoloom: Invoke) -> None:
    for options in (["--dockerinfo", "no.json"], ["--proto", "Board1=no.json"]):
        result = eoloom("import", "game", "--output", "game.yaml", *options)
        assert result.exit_code == 2
        assert "cannot read no.json: No such file or directory" in result.stderr


def test_nothing_is_overwritten_unasked(files: Path, eoloom: Invoke) -> None:
    before = (files / "pipeline.yaml").read_text()
    arguments = ("import", "game", "--output", "pipeline.yaml")
    options = given("Board1", "judge1", "Solver1")
    result = eoloom(*arguments, *options)
    assert result.exit_code == 3
    assert "pipeline.yaml exists already; --force overwrites it" in result.stderr
    assert (files / "pipeline.yaml").read_text() == before
    assert "board" not in eoloom("components").stdout
    assert eoloom(*arguments, *options, "--force").exit_code == 0
    assert "game-of-boards" in (files / "pipeline.yaml").read_text()


def test_dropped_files_are_a_pipeline() -> None:
    text, infos, protos = game()
    registry = Registry([])
    uploads = [("My blueprint.json", text.encode())]
    with pytest.raises(MissingContractsError) as caught:
        import_uploads(uploads, registry)
    assert caught.value.containers == ("Board1", "Judge1", "Solver1")
    uploads += [(name, proto.encode()) for name, proto in protos.items()]
    found = import_uploads(uploads, registry)
    assert found.warnings == (
        "there is no dockerinfo.json: its containers are started from the images of the blueprint",
    )
    whole = import_uploads([*uploads, ("d.json", infos.encode())], registry)
    assert (len(whole.pipeline.links), whole.warnings) == (4, ())
    # Of a component that is known by now, the contract need not be dropped again.
    assert len(import_uploads(uploads[:1], whole.registry).pipeline.links) == 4


def test_an_archive_is_dropped_alone() -> None:
    text, _, protos = game()
    packed = pack({"blueprint.json": text, **{f"microservice/{n}": p for n, p in protos.items()}})
    assert import_uploads([("s.ZIP", packed)], Registry([])).warnings == ()
    with pytest.raises(SolutionError, match="opened alone"):
        import_uploads([("s.zip", packed), ("b.json", text.encode())], Registry([]))


def test_which_files_are_of_solutions() -> None:
    assert [
        name for name in ("a.ZIP", "b.json", "c.proto", "d.yaml", "e") if is_solution(name)
    ] == [
        *("a.ZIP", "b.json", "c.proto"),
    ]
