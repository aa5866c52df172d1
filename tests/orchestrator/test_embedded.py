"""What the report of a run says, beside its results."""

from __future__ import annotations

import asyncio
import os
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from composer.graph import compose
from composer.pipeline_file import parse_pipeline
from orchestrator.embedded import load_resumable, run_pipeline
from orchestrator.engine.run import State
from orchestrator.errors import NotResumableError
from orchestrator.events import Event, Kind
from orchestrator.journal import Journal
from orchestrator.processes import ProcessIdentity
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.service.scripted import CHAIN, make_registry

SKIPPING = CHAIN.replace(
    "work: {component: scripted", "work: {component: scripted, on_error: skip", 1
)


@pytest.fixture
def settings(tmp_path: Path) -> OrchestratorSettings:
    return OrchestratorSettings(runs_folder=tmp_path / "runs", stop_grace_s=2, attempts=1)


async def test_the_report_has_so_many_warnings_and_says_how_many_more_there_are(
    tmp_path: Path, settings: OrchestratorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.embedded.MAX_NOTICES", 2)
    registry = make_registry(tmp_path / "components")
    pipeline = parse_pipeline(SKIPPING, ["work.fail_at=[1, 2, 3, 4, 5]"])

    def deaf(_: Event) -> None:
        raise ZeroDivisionError

    report = await run_pipeline(compose(pipeline, registry), settings, [deaf])
    assert report.state is State.SUCCEEDED, report.message
    assert [event.kind for event in report.notices] == [Kind.DEAD_LETTER] * 2
    journal = Journal("", settings.runs_folder)
    kept = journal.events(report.id, kinds=[Kind.DEAD_LETTER, Kind.NOTICE])
    assert report.notices_left_out == len(kept) - 2 >= 3
    journal.close()


@pytest.mark.parametrize("ends", ["well", "badly"])
async def test_a_run_that_ends_well_leaves_nothing_half_written(
    tmp_path: Path, settings: OrchestratorSettings, ends: str
) -> None:
    """A component that was killed has left it; of a failed run it may tell something."""
    registry = make_registry(tmp_path / "components")
    pipeline = parse_pipeline(CHAIN, ["work.fail_at=[2]"] if ends == "badly" else [])
    kept = {"B02.tif", ".B02.tif.part", ".hidden.blocks.tif"}

    def litter(event: Event) -> None:
        if event.kind is Kind.NODE_READY:
            folder = settings.runs_folder / event.run / "shared" / "scene"
            folder.mkdir(parents=True, exist_ok=True)
            half = f".B02.tif.{uuid.uuid4().hex}.blocks.tif"
            for name in (*kept, half, f".{uuid.uuid4().hex}.part"):
                (folder / name).touch()

    report = await run_pipeline(compose(pipeline, registry), settings, [litter])
    names = {path.name for path in (report.folder / "shared" / "scene").iterdir()}
    assert (names == kept) == (ends == "well")
    assert names >= kept


async def test_a_run_whose_process_is_gone_can_go_on_though_its_number_is_taken(
    tmp_path: Path, settings: OrchestratorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that was started again: every orchestrator has the same number."""
    registry = make_registry(tmp_path / "components")
    graph = compose(parse_pipeline(CHAIN, ["work.fail_at=[2]"]), registry)
    report = await run_pipeline(graph, settings)
    assert report.state is State.FAILED
    journal = Journal("", settings.runs_folder)
    journal.reopen_run(report.id)
    with pytest.raises(NotResumableError, match=rf"still running \(process {os.getpid()}\)"):
        load_resumable(report.id, registry, settings)
    this = ProcessIdentity.current()
    assert this.started is not None
    before = replace(this, started=this.started - timedelta(minutes=5))
    monkeypatch.setattr(ProcessIdentity, "current", lambda: before)
    journal.reopen_run(report.id)
    assert load_resumable(report.id, registry, settings)[0].state == State.RUNNING
    journal.close()


async def test_runs_that_draw_the_same_number_in_one_second_get_ids_of_their_own(
    tmp_path: Path, settings: OrchestratorSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter(["aaaa", "aaaa", "bbbb"])
    fake = SimpleNamespace(token_hex=lambda _: next(drawn))
    monkeypatch.setattr("orchestrator.embedded.secrets", fake)
    graph = compose(parse_pipeline(CHAIN, []), make_registry(tmp_path / "components"))
    reports = await asyncio.gather(*(run_pipeline(graph, settings) for _ in range(2)))
    assert [report.state for report in reports] == [State.SUCCEEDED] * 2
    assert reports[0].id != reports[1].id
