"""The page of runs: the history, one run, and what can be done with it."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect

from orchestrator.journal import Journal, RunRecord
from orchestrator.settings import JOURNAL_FILE
from tests.browser.conftest import OpenPage
from tests.browser.served import Served

Begin = Callable[..., str]

WITHIN_MS = 60_000
MANY = 5_000


@pytest.fixture(scope="module")
def begin(page: Served) -> Iterator[Begin]:
    """Start runs of the fakes by the command line; each returns its id."""
    started: list[subprocess.Popen[bytes]] = []

    def begun(name: str, clean: dict[str, object], **scenes: object) -> str:
        path = page.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(pipeline(name, clean, scenes)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
        environment |= {
            "EOLOOM_COMPONENTS_PATH": str(page.components),
            "XDG_DATA_HOME": str(page.folder / "data-home"),
        }
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "ui", "run", path, "--no-live", "--runs-folder", page.runs],
                cwd=page.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        return wait_for_run(page, name)

    yield begun
    for process in started:
        process.wait(60)


def pipeline(name: str, clean: dict[str, object], scenes: dict[str, object]) -> dict[str, object]:
    return {
        "name": name,
        "nodes": {
            "scenes": {"component": "fake-scenes", "params": {"count": 3, **scenes}},
            "clean": {"component": "fake-clean", **clean},
            "change": {"component": "fake-change"},
        },
        "links": ["scenes.generate -> clean.prepare", "clean.prepare -> change.detect"],
    }


def wait_for_run(page: Served, name: str) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if (page.runs / JOURNAL_FILE).exists():
            with contextlib.closing(Journal("", page.runs)) as journal:
                for record in journal.runs():
                    if record.pipeline == name:
                        return record.id
        time.sleep(0.1)
    raise AssertionError(f"the run of {name} did not begin")


def wait_for_state(page: Served, run: str, *states: str) -> None:
    until = time.monotonic() + 60
    with contextlib.closing(Journal("", page.runs)) as journal:
        while journal.run(run).state not in states:
            assert time.monotonic() < until, f"{run} is {journal.run(run).state}"
            time.sleep(0.1)


def test_without_runs_the_page_says_how_to_begin(open_page: OpenPage) -> None:
    tab = open_page("runs")
    expect(tab.main).to_contain_text("There are no runs yet")
    tab.go("runs?run=nothing")
    expect(tab.main).to_contain_text("there are no runs yet")


def test_a_failed_run_shows_why_and_the_log_of_its_node(
    page: Served, begin: Begin, open_page: OpenPage
) -> None:
    run = begin("broken", {"params": {"fail_at": 2}})
    wait_for_state(page, run, "failed")
    tab = open_page("runs")
    expect(tab.main).to_contain_text("scene 2 has no band B04")
    tab.assert_accessible()
    tab.page.get_by_role("link", name=run).click()
    expect(tab.page.get_by_role("alert")).to_contain_text(
        "node clean: prepare: scene 2 has no band"
    )
    expect(tab.page.locator('[data-id="clean"] .run-failed')).to_be_visible()
    tab.assert_accessible()
    tab.section("Logs")
    # The log of the node that failed is chosen already.
    expect(tab.page.get_by_role("combobox", name="Node")).to_have_value(re.compile("clean|"))
    expect(tab.text("log of clean")).to_contain_text("scene 2 has no band B04")
    tab.section("Events")
    expect(tab.main).to_contain_text("node failed")
    tab.section("Pipeline file")
    expect(tab.text("pipeline file")).to_contain_text("fail_at: 2")


def test_a_run_is_followed_stopped_and_resumed(
    page: Served, begin: Begin, open_page: OpenPage, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    run = begin("slow", {}, count=60, delay_s=0.5, wait_for=str(gate))
    tab = open_page(f"runs?run={run}")
    expect(tab.main).to_contain_text("running")
    state = tab.page.locator('[data-id="scenes"] .run-state')
    expect(state).to_contain_text(re.compile(r"working\s*\d+ out"), timeout=WITHIN_MS)
    expect(tab.page.get_by_role("row", name=re.compile("scenes"))).to_contain_text("/s")
    tab.button("Stop").click()
    # At once: what is drawn in that moment must not move the button away from below the cursor.
    tab.button("Resume").click(timeout=WITHIN_MS)
    expect(tab.button("Stop")).to_be_visible(timeout=WITHIN_MS)
    tab.button("Stop").click()
    expect(tab.main).to_contain_text("cancelled", timeout=WITHIN_MS)
    expect(tab.main).to_contain_text(re.compile(r"Processor time\s*\d+\.\d s"))
    tab.button("Resume").click()
    expect(tab.button("Stop")).to_be_visible(timeout=WITHIN_MS)
    gate.touch()
    expect(tab.main).to_contain_text("succeeded", timeout=WITHIN_MS)
    expect(tab.page.locator('[data-id="change"] .run-done')).to_be_visible()
    with contextlib.closing(Journal("", page.runs)) as journal:
        assert journal.run(run).operations["scenes.generate"]["answered"] == 60


def test_the_last_run_is_shown_as_it_ended(page: Served, begin: Begin, open_page: OpenPage) -> None:
    run = begin("latest", {})
    wait_for_state(page, run, "succeeded")
    tab = open_page("runs?run=last")
    expect(tab.page.locator('[data-id="change"] .run-done')).to_be_visible()
    expect(tab.page.get_by_role("row", name=re.compile("change"))).to_contain_text("done")
    expect(tab.page).to_have_url(re.compile(f"run={run}$"))


def test_a_run_is_downloaded_as_a_crate(
    page: Served, begin: Begin, open_page: OpenPage, tmp_path: Path
) -> None:
    run = begin("archived", {})
    wait_for_state(page, run, "succeeded")
    tab = open_page(f"runs?run={run}")
    sizes = {}
    for with_data in (True, False):
        tab.button("RO-Crate").click()
        if not with_data:
            tab.dialog.get_by_text("With the files of the results").click()
        link = tab.dialog.get_by_role("link", name="Download")
        expect(link).to_have_attribute("href", re.compile("zip$" if with_data else "data=0$"))
        with tab.page.expect_download() as begun:
            link.click()
        assert begun.value.suggested_filename == f"{run}-crate.zip"
        begun.value.save_as(tmp_path / "crate.zip")
        with zipfile.ZipFile(tmp_path / "crate.zip") as crate:
            assert "ro-crate-metadata.json" in crate.namelist()
            sizes[with_data] = len(crate.namelist())
        tab.page.keyboard.press("Escape")
        expect(tab.dialog).to_have_count(0)
    assert sizes[True] > sizes[False]


def test_dead_letters_are_tried_again(page: Served, begin: Begin, open_page: OpenPage) -> None:
    obstacle = page.folder / "obstacle"
    obstacle.touch()
    clean = {"params": {"fail_while": str(obstacle)}, "on_error": "skip"}
    run = begin("skipping", clean)
    wait_for_state(page, run, "succeeded")
    tab = open_page(f"runs?run={run}")
    tab.section("Dead letters")
    expect(tab.page.get_by_role("cell", name="scene 1 has no band B04")).to_be_visible()
    obstacle.unlink()
    tab.button("Try 1 again").click()
    expect(tab.main).to_contain_text("have been answered since", timeout=WITHIN_MS)


def test_a_run_that_cannot_go_on_says_why(page: Served, begin: Begin, open_page: OpenPage) -> None:
    run = begin("gone", {"params": {"fail_at": 1}})
    wait_for_state(page, run, "failed")
    (page.runs / run / "messages.log").unlink()
    tab = open_page(f"runs?run={run}")
    tab.button("Resume").click()
    expect(tab.main).to_contain_text("kept no messages", timeout=WITHIN_MS)


def test_five_thousand_runs_are_quick(page: Served, open_page: OpenPage) -> None:
    fill(page.runs)
    tab = open_page("runs")
    expect(tab.main).to_contain_text(re.compile(r"1 to 20 of 5,0\d\d runs"))
    begun = time.monotonic()
    tab.page.get_by_role("button", name="Page 2", exact=True).click()
    expect(tab.main).to_contain_text("21 to 40 of 5,0")
    tab.fill("Search", "old-04321")
    expect(tab.main).to_contain_text("1 to 1 of 1 run")
    expect(tab.page.get_by_role("link", name="old-04321")).to_be_visible()
    assert time.monotonic() - begun < 10
    tab.fill("Search", "")
    tab.choose("State", "cancelled")
    expect(tab.main).to_contain_text(f"of {MANY // 2:,} runs")


def fill(runs: Path) -> None:
    """Put very many runs into a journal, all older than those that are there."""
    with contextlib.closing(Journal("", runs)) as journal:
        journal.open_run(RunRecord.begun("old-00000", "old", "d", runs / "old"))
    start = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        (
            f"old-{number:05}",
            "old",
            "d",
            str(runs / "old"),
            ("failed", "cancelled")[number % 2],
            "for a test",
            1,
            (start + timedelta(minutes=number)).strftime("%Y-%m-%d %H:%M:%S.%f"),
            (start + timedelta(minutes=number, seconds=30)).strftime("%Y-%m-%d %H:%M:%S.%f"),
        )
        for number in range(1, MANY + 1)
    ]
    with contextlib.closing(sqlite3.connect(runs / JOURNAL_FILE)) as database, database:
        database.execute("DELETE FROM run WHERE id = 'old-00000'")
        database.executemany(
            "INSERT INTO run (id, pipeline, digest, folder, state, message, process, started, "
            "ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
