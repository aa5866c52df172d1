"""A run goes on after any process of it was killed at any moment."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.message import Message
from orchestrator.engine.message_log import MessageLog
from orchestrator.errors import SettingsError
from tests.fakes.resumable_run import plan

ROOT = Path(__file__).parents[2]


def start(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.resumable_run", str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )


def finished_calls(folder: Path) -> set[str]:
    """Requests to the unary relay whose answers the log has."""
    with MessageLog(folder / "messages.log", plan(folder)) as log:
        return set(log.histories["work.relay"].answers())


def notes(folder: Path) -> Counter[str]:
    file = folder / "notes.txt"
    return Counter(file.read_text().splitlines() if file.exists() else [])


def request_texts(folder: Path, ids: set[str]) -> set[str]:
    """What the relay notes for requests of those ids: m3 for stream.produce#3 and so on."""
    with MessageLog(folder / "messages.log", plan(folder)) as log:
        texts = set()
        for key in ("stream.produce", "poll.poll"):
            for number, output in log.histories[key].outputs.items():
                if f"{key}#{number}" in ids:
                    texts.add(f"{key}:{log.payload(output).decode()}")
        return texts


def kill_something(process: subprocess.Popen[bytes], choice: random.Random) -> None:
    """Kill the orchestrator, one of its components, or both."""
    orchestrator = psutil.Process(process.pid)
    components = orchestrator.children()
    victims = {
        "orchestrator": [orchestrator],
        "component": choice.sample(components, min(1, len(components))),
        "both": [orchestrator, *components[:1]],
    }[choice.choice(["orchestrator", "component", "both"])]
    for victim in victims:
        try:
            victim.kill()
        except psutil.NoSuchProcess:
            continue


def check_results(folder: Path) -> None:
    """Nothing lost, nothing double, whatever happened on the way."""
    emitted = json.loads((folder / "emitted.json").read_text())
    sources = [f"m{i}" for i in range(1, 13)] + [f"m{i}" for i in range(1, 9)]
    assert Counter(emitted["work.relay"].values()) == Counter(sources)
    assert Counter(emitted["twice.split"].values()) == Counter(
        f"{m}/{i}" for m in sources for i in (0, 1)
    )
    pairs = list(emitted["pairs.pair"].values())
    assert len(pairs) == len(sources) - 1
    [gathered] = emitted["all.gather"].values()
    assert Counter(gathered.split(",")) == Counter(emitted["twice.split"].values())
    # What was written by the last attempt alone may be less: earlier ones had written the rest.
    written = Counter((folder / "sink.txt").read_text().splitlines())
    assert set(written) == set(sources)


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_moments_a_run_ends_with_the_same_results(
    tmp_path: Path, seed: int
) -> None:
    choice = random.Random(seed)
    repeated: Counter[str] = Counter()
    for _ in range(8):
        done = finished_calls(tmp_path)
        before = notes(tmp_path)
        process = start(tmp_path)
        time.sleep(choice.uniform(0.35, 1.0))
        if process.poll() is None:
            kill_something(process, choice)
        process.communicate(timeout=30)
        came = notes(tmp_path) - before
        texts = [text.split(":")[1] for text in request_texts(tmp_path, done)]
        total = Counter(f"m{i}" for i in [*range(1, 13), *range(1, 9)])
        open_calls = total - Counter(texts)
        for text, count in came.items():
            operation, request = text.split(" ")
            if operation == "relay" and count > open_calls[request]:
                repeated[request] += 1
        if process.returncode == 0:
            break
    process = start(tmp_path)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert repeated == Counter()
    check_results(tmp_path)


def test_a_run_that_had_ended_is_not_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        process = start(tmp_path)
        process.communicate(timeout=60)
        assert process.returncode == 0
        calls = notes(tmp_path)
    assert calls["relay m1"] == 2  # one from each source
    assert calls["relay m12"] == 1
    check_results(tmp_path)


def test_a_record_that_is_not_whole_is_cut_off(tmp_path: Path) -> None:
    made = plan(tmp_path)
    path = tmp_path / "messages.log"
    with MessageLog(path, made) as log:
        log.emitted(made.steps[0], Message(b"one", "stream.produce#1"))
        whole = path.stat().st_size
        log.emitted(made.steps[0], Message(b"two", "stream.produce#2"))
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        with MessageLog(path, made) as log:
            outputs = log.histories["stream.produce"].outputs
            assert [log.payload(output) for output in outputs.values()] == [b"one"]
        assert path.stat().st_size == whole


def test_reading_cuts_nothing_off_and_makes_no_log(tmp_path: Path) -> None:
    made = plan(tmp_path)
    path = tmp_path / "messages.log"
    with pytest.raises(SettingsError, match=r"cannot open .*messages\.log: No such file"):
        MessageLog(path, made, read_only=True)
    with MessageLog(path, made) as log:
        log.emitted(made.steps[0], Message(b"one", "stream.produce#1"))
    content = path.read_bytes()
    # Of what its run is just about to write a part may be there.
    path.write_bytes(content + content[-5:])
    with MessageLog(path, made, read_only=True) as log:
        assert [*log.histories["stream.produce"].outputs] == [1]
        assert not log.is_whole
    assert path.read_bytes() == content + content[-5:]


@pytest.mark.parametrize("where", ["type", "step", "text"])
def test_of_a_damaged_log_nothing_is_thrown_away(tmp_path: Path, where: str) -> None:
    made = plan(tmp_path)
    path = tmp_path / "messages.log"
    with MessageLog(path, made) as log:
        begin = path.stat().st_size
        log.done(made.steps[0], "first")
        log.done(made.steps[0], "second")
    content = bytearray(path.read_bytes())
    content[begin + {"type": 0, "step": 2, "text": 19}[where]] = 0xFF
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"messages.log is damaged at byte {begin}"):
        MessageLog(path, made)
    assert path.read_bytes() == content
    with MessageLog(path, made, read_only=True) as log:
        assert not log.is_whole


def test_a_log_of_another_pipeline_is_refused(tmp_path: Path) -> None:
    made = plan(tmp_path)
    with MessageLog(tmp_path / "messages.log", made):
        pass
    other = type(made)("other", "another digest", made.nodes, made.steps, made.links)
    with pytest.raises(SettingsError, match="belongs to another pipeline"):
        MessageLog(tmp_path / "messages.log", other)
