"""Nothing is overwritten unasked, and nothing of others is removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.ui.conftest import Invoke
from ui.errors import EnvironmentFaultError
from ui.exits import ExitCode
from ui.output_path import refuse_existing, write_whole

WRITERS = {
    "export": ("export", "pipeline.yaml", "--to", "blueprint", "--output", "out.svg"),
    "graph": ("graph", "pipeline.yaml", "--output", "out.svg"),
}


@pytest.mark.parametrize("arguments", WRITERS.values(), ids=WRITERS)
def test_a_file_is_overwritten_only_when_asked(
    eoloom: Invoke, workplace: Path, arguments: tuple[str, ...]
) -> None:
    path = workplace / "out.svg"
    path.write_text("mine")
    result = eoloom(*arguments)
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "out.svg exists already; --force overwrites it" in result.stderr
    assert path.read_text() == "mine"
    assert eoloom(*arguments, "--force").exit_code == 0
    assert path.read_text() != "mine"


def test_of_a_folder_other_files_stay(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "here").mkdir()  # the catalogue that the pipeline reads
    arguments = ("export", "pipeline.yaml", "--to", "compose", "--output", "out")
    assert eoloom(*arguments).exit_code == 0
    (workplace / "out" / "notes.txt").write_text("mine")
    (workplace / "out" / "docker-compose.yaml").write_text("changed")
    result = eoloom(*arguments)
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "out is not empty; name a new folder, or give --force" in result.stderr
    assert (workplace / "out" / "docker-compose.yaml").read_text() == "changed"
    assert eoloom(*arguments, "--force").exit_code == 0
    assert "services:" in (workplace / "out" / "docker-compose.yaml").read_text()
    assert (workplace / "out" / "notes.txt").read_text() == "mine"


def test_a_refusal_comes_before_the_work(eoloom: Invoke, workplace: Path) -> None:
    (workplace / "out").write_text("mine")
    for command in ("provenance", "lineage"):
        arguments = ("--output", "out") if command == "provenance" else ("x", "--output", "p.svg")
        (workplace / "p.svg").write_text("mine")
        result = eoloom(command, "no-such-run", *arguments)
        assert result.exit_code == ExitCode.ENVIRONMENT
        assert "exists already; --force" in result.stderr


def test_a_crate_is_never_written_into_a_folder_with_something_in_it(
    eoloom: Invoke, workplace: Path
) -> None:
    """Its files may be hard links to those of a run, which would be overwritten as well."""
    assert eoloom("run", "pipeline.yaml").exit_code == 0
    (workplace / "crate").mkdir()
    (workplace / "crate" / "mine").touch()
    result = eoloom("provenance", "last", "--output", "crate", "--force")
    assert result.exit_code == ExitCode.ENVIRONMENT
    assert "name a new folder, or a file.zip" in result.stderr


def test_an_empty_folder_and_a_pipe_may_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("empty", "pipe", "new"):
        refuse_existing(tmp_path / name, force=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(EnvironmentFaultError, match="full is not empty"):
        refuse_existing(tmp_path / "full", force=False)


def test_what_a_link_leads_to_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("mine")
    os.link(tmp_path / "own", tmp_path / "linked")
    write_whole(tmp_path / "linked", b"new")
    assert (tmp_path / "own").read_text() == "mine"
    assert (tmp_path / "linked").read_text() == "new"


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("mine")

    def fail(_: Path, __: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "mine"
