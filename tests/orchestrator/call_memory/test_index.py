"""The index in SQLite and PostgreSQL, used by several processes at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.call_memory.digests import Stamp
from orchestrator.call_memory.index import CallIndex, KeptAnswer, KeptCall, KeptFile

ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from orchestrator.call_memory.digests import Stamp
from orchestrator.call_memory.index import CallIndex, KeptAnswer, KeptCall

index = CallIndex("", Path(sys.argv[1]))
for number in range(60):
    call = KeptCall(f"call{number}", "o", [KeptAnswer(b"x", 1)], [], [Path("/a")], [f"b{number}"])
    index.keep(call)
    index.used(call.key, Path("/b"))
    index.keep_digest(Stamp(1, number, 1, 1), "d")
    if number % 10 == 0:
        index.shrink(10**9)
index.close()
"""


@pytest.fixture
def index(database_url: str, tmp_path: Path) -> Iterator[CallIndex]:
    (tmp_path / "data").mkdir(exist_ok=True)
    made = CallIndex(database_url, tmp_path)
    yield made
    made.close()


def call(tmp_path: Path, key: str = "key") -> KeptCall:
    return KeptCall(
        key=key,
        operation="tests.Items/shape",
        answers=[KeptAnswer(b"\x00one", 1), KeptAnswer(b"two", 3)],
        files=[KeptFile("data/ä.tif", 2**40, 1_700_000_000_123_456_789, "d" * 64)],
        folders=[tmp_path / "work"],
        beginnings=["begin1", "begin2"],
        notices=["few pairs"],
    )


def test_a_call_comes_back_as_it_was_kept(index: CallIndex, tmp_path: Path) -> None:
    kept = call(tmp_path)
    index.keep(kept)
    index.keep(kept)
    assert index.call("key") == replace(kept, beginnings=())
    assert index.begins("begin2")
    assert not index.begins("begin3")


def test_a_call_is_forgotten_whole(index: CallIndex, tmp_path: Path) -> None:
    index.keep(call(tmp_path))
    index.forget("key")
    assert index.call("key") is None
    assert not index.begins("begin1")


def test_the_latest_folders_are_known(index: CallIndex, tmp_path: Path) -> None:
    index.keep(call(tmp_path))
    for number in (1, 2, 3, 1):
        index.used("key", tmp_path / str(number))
    found = index.call("key")
    assert found is not None
    assert [folder.name for folder in found.folders] == ["1", "3", "2"]


def test_a_file_that_took_the_place_of_another_has_its_own_digest(index: CallIndex) -> None:
    huge = Stamp(2**64 - 1, 2**64 - 1, 5, 7)
    index.keep_digest(huge, "old")
    assert index.digest_of(huge) == "old"
    changed = huge._replace(mtime_ns=8)
    assert index.digest_of(changed) is None
    index.keep_digest(changed, "new")
    assert (index.digest_of(huge), index.digest_of(changed)) == (None, "new")


def test_processes_that_begin_at_once_disturb_neither(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], cwd=ROOT) for _ in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    index = CallIndex("", tmp_path)
    assert all(index.call(f"call{number}") for number in range(60))
    index.close()
