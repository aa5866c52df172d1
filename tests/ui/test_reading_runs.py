"""Runs that are only read: in folders that cannot be written, that were moved, or are damaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.ui.conftest import EOLOOM, Invoke
from tests.ui.fake import PIPELINE
from ui.exits import ExitCode

ITEM: Final = "scene-1-scene-2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, fake_components: Path) -> Path:
    """A folder with a runs folder, in which is one run that succeeded."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "pipeline.yaml").write_text(PIPELINE)
    done = subprocess.run(
        [*EOLOOM, "run", "pipeline.yaml", "--json"],
        cwd=folder,
        env=os.environ | {"EOLOOM_COMPONENTS_PATH": str(fake_components)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (folder / "run.json").write_text(done.stdout)
    return folder


@pytest.fixture
def run(made: Path, workplace: Path) -> dict[str, Any]:
    """That run as a document, copied to where the test works."""
    shutil.copytree(made / "runs", workplace / "runs")
    document: dict[str, Any] = json.loads((made / "run.json").read_text())
    return document | {"folder": str(workplace / "runs" / document["run"])}


@pytest.fixture
def read_only(
    run: dict[str, Any], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The runs folder as somebody sees it who may only read it; root may write everywhere."""
    runs = workplace / "runs"
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **_: not mode & os.W_OK and real(path, mode)
    )
    runs.chmod(0o555)
    yield runs
    runs.chmod(0o755)


def test_runs_can_be_read_where_nothing_can_be_written(
    read_only: Path, eoloom: Invoke, run: dict[str, Any]
) -> None:
    before = sorted(path.name for path in read_only.iterdir())
    assert [each["run"] for each in json.loads(eoloom("runs", "--json").stdout)] == [run["run"]]
    for arguments in (
        ("show", "last"),
        ("watch", "last"),
        ("lineage", "last", ITEM),
        ("dead-letters", "last"),
        ("provenance", "last", "--output", "crate.zip"),
    ):
        result = eoloom(*arguments)
        assert result.exit_code == 0, (arguments, result.stderr)
    assert sorted(path.name for path in read_only.iterdir()) == before


def test_what_has_to_write_says_what_to_do(
    read_only: Path, eoloom: Invoke, run: dict[str, Any]
) -> None:
    log = Path(run["folder"]) / "messages.log"
    record = log.read_bytes()
    result = eoloom("stop", "last")
    assert "had ended already" in result.stdout
    from orchestrator.errors import SettingsError
    from orchestrator.journal import Journal

    journal = Journal("", read_only)
    with pytest.raises(SettingsError, match="may only be read here; give another folder with"):
        journal.touch(run["run"])
    journal.close()
    assert log.read_bytes() == record


def test_a_run_that_is_going_on_can_be_read_from_where_nothing_can_be_written(
    run: dict[str, Any], workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orchestrator.journal import Journal

    runs = workplace / "runs"
    with_log = Journal("", runs)  # what it writes stays in SQLite's log until it is closed
    with_log.touch(run["run"])
    assert (runs / "journal.sqlite-wal").stat().st_size
    seen = with_log.run(run["run"]).seen
    monkeypatch.setattr(os, "access", lambda _, mode, **__: not mode & os.W_OK)
    reader = Journal("", runs)
    assert reader.run(run["run"]).seen == seen
    reader.close()
    with_log.close()


def test_runs_may_be_moved_with_their_journal(
    workplace: Path, eoloom: Invoke, run: dict[str, Any]
) -> None:
    shutil.move(workplace / "runs", workplace / "archive")
    moved = ("--runs-folder", "archive")
    document = json.loads(eoloom("show", "last", "--json", *moved).stdout)
    assert document["folder"] == str(workplace / "archive" / run["run"])
    assert [result["item"] for result in document["results"]] == [
        result["item"] for result in run["results"]
    ]
    assert Path(document["catalogue"]).is_file()
    assert eoloom("lineage", "last", ITEM, *moved).exit_code == 0
    assert eoloom("provenance", "last", "--output", "crate.zip", *moved).exit_code == 0


def test_of_a_copy_the_copy_is_read(workplace: Path, eoloom: Invoke, run: dict[str, Any]) -> None:
    shutil.copytree(workplace / "runs", workplace / "copy")
    shutil.rmtree(workplace / "runs" / run["run"] / "results")
    document = json.loads(eoloom("show", "last", "--json", "--runs-folder", "copy").stdout)
    assert len(document["results"]) == len(run["results"])


@pytest.mark.parametrize("damage", ["cut off", "overwritten"])
def test_a_damaged_log_is_told_and_left_as_it_is(
    eoloom: Invoke, run: dict[str, Any], workplace: Path, damage: str
) -> None:
    log = Path(run["folder"]) / "messages.log"
    content = log.read_bytes()
    at = content.index(b"clean.prepare#1")
    log.write_bytes(content[:at] if damage == "cut off" else content[:at] + b"\xff" * 2000)
    left = log.read_bytes()
    result = eoloom("provenance", "last", "--output", "crate", "--json")
    assert result.exit_code == 0
    assert "messages.log is damaged or cut off: the crate does not say what" in result.stderr
    assert set(json.loads(result.stdout)["untraced"]) >= {ITEM}
    assert (workplace / "crate" / "ro-crate-metadata.json").is_file()
    result = eoloom("lineage", "last", ITEM)
    assert result.exit_code == ExitCode.INVALID
    assert "messages.log: it was changed or cut off" in result.stderr
    assert log.read_bytes() == left


def test_a_whole_log_leaves_nothing_to_tell(eoloom: Invoke, run: dict[str, Any]) -> None:
    result = eoloom("provenance", "last", "--output", "crate", "--json")
    assert json.loads(result.stdout)["untraced"] == []
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("cc-by-4.0", "https://spdx.org/licenses/CC-BY-4.0"),
        ("https://terms.example/1", "https://terms.example/1"),
        ("mit or apache-2.0", "#licence-MIT-OR-Apache-2-0"),
        ("LicenseRef-Our-Terms", "#licence-LicenseRef-Our-Terms"),
    ],
)
def test_a_licence_is_an_expression_of_spdx_or_a_url(
    eoloom: Invoke, run: dict[str, Any], workplace: Path, given: str, written: str
) -> None:
    assert run["state"] == "succeeded"
    arguments = ("provenance", "last", "--no-data", "--output", "crate", "--licence")
    assert eoloom(*arguments, given).exit_code == 0
    graph = json.loads((workplace / "crate" / "ro-crate-metadata.json").read_bytes())["@graph"]
    (root,) = [entity for entity in graph if entity["@id"] == "./"]
    assert root["license"] == {"@id": written}


@pytest.mark.parametrize("given", ["our own", "CC-BY", "http:// x", "MIT OR", "https://"])
def test_what_is_no_licence_is_refused(eoloom: Invoke, workplace: Path, given: str) -> None:
    result = eoloom("provenance", "last", "--output", "crate", "--licence", given)
    assert result.exit_code == ExitCode.INVALID
    assert "neither an SPDX expression" in " ".join(result.stderr.replace("│", " ").split())
    assert not (workplace / "crate").exists()
