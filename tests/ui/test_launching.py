"""Runs that a page starts, and how it follows them on the canvas."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.run import State
from orchestrator.settings import OrchestratorSettings
from tests.ui.fake import PIPELINE
from ui.launching import Launch, launch
from ui.registry import find_components
from ui.running import ShownRun
from ui.settings import load_settings, open_journal

ENDS_WITHIN_S = 60


@pytest.fixture
def settings(workplace: Path) -> OrchestratorSettings:
    return load_settings()


@pytest.fixture
def launched() -> Iterator[list[Launch]]:
    """Launches that have ended when the test has."""
    launches: list[Launch] = []
    yield launches
    for one in launches:
        one.process.kill()
        one.process.wait()
        one.output.unlink(missing_ok=True)


def follow(
    shown: ShownRun, settings: OrchestratorSettings, components: Path
) -> dict[str, dict[str, Any]]:
    """Look at a run again and again, as a page does, until it has ended; its last picture."""
    registry = find_components([components])
    until = time.monotonic() + ENDS_WITHIN_S
    nodes = None
    while not shown.has_ended:
        assert time.monotonic() < until, shown
        journal = open_journal(settings)
        if journal is None:
            shown.nodes(None, registry)
        else:
            with closing(journal):
                nodes = shown.nodes(journal, registry)
        time.sleep(0.1)
    return nodes or {}


def test_a_launched_run_is_followed_to_its_end(
    settings: OrchestratorSettings, launched: list[Launch], workplace: Path, fake_components: Path
) -> None:
    launched.append(launch(["run", "pipeline.yaml"], settings))
    shown = ShownRun(launched[0])
    nodes = follow(shown, settings, fake_components)
    assert shown.state == State.SUCCEEDED
    assert shown.run in shown.sentence
    assert {name: node["state"] for name, node in nodes.items()} == {
        "scenes": "done",
        "clean": "done",
        "change": "done",
    }
    assert [nodes[name]["answered"] for name in ("scenes", "clean", "change")] == [3, 3, 2]
    assert launched[0].process.wait(20) == 0
    assert not launched[0].output.exists()


def test_a_failed_run_says_why_at_its_node(
    settings: OrchestratorSettings, launched: list[Launch], workplace: Path, fake_components: Path
) -> None:
    text = PIPELINE.replace(
        "{component: fake-clean}", "{component: fake-clean, params: {fail_at: 2}}"
    )
    (workplace / "pipeline.yaml").write_text(text)
    launched.append(launch(["run", "pipeline.yaml"], settings))
    shown = ShownRun(launched[0])
    nodes = follow(shown, settings, fake_components)
    assert shown.state == State.FAILED
    assert nodes["clean"]["state"] == "failed"
    assert "scene 2 has no band B04" in shown.message
    assert ":red[failed]" in shown.sentence


def test_a_run_that_cannot_begin_says_what_its_process_said(
    settings: OrchestratorSettings, launched: list[Launch], fake_components: Path
) -> None:
    launched.append(launch(["run", "nothing.yaml"], settings))
    shown = ShownRun(launched[0])
    assert follow(shown, settings, fake_components) == {}
    assert "nothing.yaml" in shown.failure
    assert "Traceback" not in shown.failure
    assert "did not begin" in shown.sentence


def test_what_a_run_says_is_not_taken_for_markup() -> None:
    shown = ShownRun(run="r", state=State.FAILED, message="**x** [a](javascript:1) :red[y] <b>")
    assert "\\*\\*x\\*\\*" in shown.sentence
    assert "\\[a\\]\\(javascript" in shown.sentence
    assert "\\:red" in shown.sentence
