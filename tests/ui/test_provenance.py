"""`eoloom provenance`: a run as RO-Crate and as OpenLineage events."""

import hashlib
import json
import os
import shutil
import subprocess
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from rocrate.rocrate import ROCrate

from composer.graph import compose
from composer.pipeline_file import parse_pipeline
from composer.registry import Registry
from orchestrator.events import Event, Kind
from orchestrator.provenance.open_lineage import Translation
from tests.data import require
from tests.ui.conftest import EOLOOM, Invoke
from tests.ui.fake import PIPELINE

Export = Callable[..., tuple[int, str, Path]]

PROVENANCE_PROFILE = "https://w3id.org/ro/wfrun/provenance/0.5"
COMPLETED = "http://schema.org/CompletedActionStatus"
FAILED = "http://schema.org/FailedActionStatus"


@dataclass(frozen=True)
class Runs:
    """One runs folder with two runs, by their ids."""

    folder: Path
    succeeded: str
    failed: str


@pytest.fixture(scope="module")
def runs(fake_components: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    workplace = tmp_path_factory.mktemp("provenance")
    return make_runs(workplace, fake_components, PIPELINE)


def make_runs(workplace: Path, components: Path, pipeline: str) -> Runs:
    (workplace / "pipeline.yaml").write_text(pipeline)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
    ids = []
    for code, options in ((0, ()), (1, ("--set", "clean.fail_at=2"))):
        done = subprocess.run(
            [*EOLOOM, "run", "pipeline.yaml", "--json", *options],
            cwd=workplace,
            env=environment | {"EOLOOM_COMPONENTS_PATH": str(components)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr
        ids.append(json.loads(done.stdout)["run"])
    return Runs(workplace / "runs", *ids)


@pytest.fixture
def export(eoloom: Invoke, workplace: Path) -> Export:
    """Export a run in this process: exit code, what was said, where it was to be written."""

    def call(runs: Runs, run: str, *options: str, to: str = "output") -> tuple[int, str, Path]:
        arguments = ("--runs-folder", str(runs.folder), "--output", to, *options)
        result = eoloom("provenance", run, *arguments)
        return result.exit_code, " ".join(result.stderr.split()), workplace / to

    return call


@pytest.fixture
def crate(export: Export, runs: Runs) -> ROCrate:
    """The crate of a run that succeeded, read back by the library."""
    agent = ("--agent", "Ada L <https://orcid.org/0000-0002-1825-0097>")
    code, stderr, path = export(runs, runs.succeeded, *agent, "--licence", "CC-BY-4.0", to="crate")
    assert (code, stderr) == (0, "")
    return ROCrate(path)


def _of_type(crate: ROCrate, name: str) -> list[Any]:
    return [entity for entity in crate.get_entities() if name in _list(entity.type)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_the_crate_says_what_it_is(crate: ROCrate) -> None:
    root = crate.root_dataset
    assert PROVENANCE_PROFILE in {profile.id for profile in root["conformsTo"]}
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert root["author"]["name"] == "Ada L"
    assert crate.mainEntity.id == "pipeline.yaml"
    assert set(crate.mainEntity.type) == {
        "File",
        "SoftwareSourceCode",
        "ComputationalWorkflow",
        "HowTo",
    }
    assert crate.mainEntity["image"].id == "pipeline.svg"
    assert crate.mainEntity["programmingLanguage"]["name"] == "EO Loom pipeline"


def test_every_file_is_there_and_is_what_the_crate_says(crate: ROCrate, workplace: Path) -> None:
    described = [entity for entity in _of_type(crate, "File") if "sha256" in entity]
    assert len(described) >= 10
    for entity in described:
        content = (workplace / "crate" / entity.id).read_bytes()
        assert entity["sha256"] == hashlib.sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    geojson = next(e for e in described if e.id.endswith("scene-1-scene-2-polygons.geojson"))
    assert geojson["encodingFormat"] == "application/geo+json"


def test_actions_tell_what_was_made_from_what(crate: ROCrate) -> None:
    (run,) = [a for a in _of_type(crate, "CreateAction") if a["instrument"].id == "pipeline.yaml"]
    assert run["actionStatus"] == COMPLETED
    assert run["agent"].id == "https://orcid.org/0000-0002-1825-0097"
    assert datetime.fromisoformat(run["startTime"]) < datetime.fromisoformat(run["endTime"])
    values = {e["name"]: e["value"] for e in run["object"] if e.type == "PropertyValue"}
    assert values["scenes.count"] == "3"
    assert {Path(e.id).name for e in run["result"]} >= {
        "scene-1-scene-2.json",
        "scene-1-scene-2-quicklook.png",
    }
    tools = {c["instrument"].id for c in _of_type(crate, "CreateAction")} - {"pipeline.yaml"}
    assert tools == {"#fake-scenes@1.2.0", "#fake-clean@1.2.0", "#fake-change@1.2.0"}
    change = crate.get("results/change/eoloom-s2-change/scene-1-scene-2.json")
    cleaned = "results/clean/eoloom-s2-reflectance"
    assert {e.id for e in change["isBasedOn"]} >= {
        f"{cleaned}/scene-1.json",
        f"{cleaned}/scene-2.json",
    }
    (engine,) = _of_type(crate, "OrganizeAction")
    assert engine["result"].id == run.id
    steps = _of_type(crate, "HowToStep")
    assert {c["instrument"].id for c in _of_type(crate, "ControlAction")} == {s.id for s in steps}
    assert {c.id for c in engine["object"]} == {c.id for c in _of_type(crate, "ControlAction")}


def test_every_reference_leads_somewhere(crate: ROCrate, workplace: Path) -> None:
    document = json.loads((workplace / "crate" / "ro-crate-metadata.json").read_text())
    known = {entity["@id"] for entity in document["@graph"]}
    assert len(known) == len(document["@graph"])
    referred = {
        value["@id"]
        for entity in document["@graph"]
        for values in entity.values()
        for value in _list(values)
        if isinstance(value, dict)
    }
    outside = {"https://w3id.org/ro/crate/1.1", "https://eoloom.readthedocs.io"}
    assert referred - known <= outside | {"https://w3id.org/workflowhub/workflow-ro-crate/1.0"}


def test_a_crate_of_a_failed_run_says_so(export: Export, runs: Runs) -> None:
    code, _, path = export(runs, runs.failed)
    assert code == 0
    crate = ROCrate(path)
    assert "FAILED" in crate.root_dataset["description"]
    actions = {a["instrument"].id: a for a in _of_type(crate, "CreateAction")}
    assert actions["pipeline.yaml"]["actionStatus"] == FAILED
    assert "scene 2 has no band B04" in actions["pipeline.yaml"]["error"]
    assert actions["#fake-clean@1.2.0"]["actionStatus"] == FAILED
    assert "stopped before its work had ended" in actions["#fake-change@1.2.0"]["error"]


def test_the_validator_of_the_profile_finds_no_fault(
    export: Export, runs: Runs, tmp_path: Path
) -> None:
    """With https://pypi.org/project/roc-validator/, whose pins do not fit ours.

    It would fetch the contexts of JSON-LD; here they are put in from the library that has them.
    """
    require("rocrate-validator")
    context = json.loads((files("rocrate") / "data" / "ro-crate.jsonld").read_text())["@context"]
    # The library has RO-Crate 1.3, which maps these otherwise than 1.1.
    for name in ("ComputationalWorkflow", "FormalParameter"):
        context[name] = f"https://bioschemas.org/{name}"
    for name in ("input", "output"):
        context[name] = f"https://bioschemas.org/properties/{name}"
    context["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
    for run in (runs.succeeded, runs.failed):
        _, _, path = export(runs, run, to=run)
        metadata = path / "ro-crate-metadata.json"
        document = json.loads(metadata.read_text()) | {"@context": context}
        metadata.write_text(json.dumps(document))
        options = "-y validate --no-paging -p provenance-run-crate -l required"
        done = subprocess.run(
            ["rocrate-validator", *options.split(), "--skip-availability-check", str(path)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_a_zip_has_the_same_files(export: Export, runs: Runs) -> None:
    _, _, folder = export(runs, runs.succeeded, to="crate")
    _, _, file = export(runs, runs.succeeded, to="crate.zip")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    with zipfile.ZipFile(file) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == names
    assert list(file.parent.glob(".*.part")) == []


def test_without_data_files_are_described_but_not_taken(export: Export, runs: Runs) -> None:
    code, _, path = export(runs, runs.succeeded, "--no-data")
    assert code == 0
    assert not (path / "shared").exists()
    (quicklook,) = [
        e for e in ROCrate(path).get_entities() if e.id.endswith("1-scene-2-quicklook.png")
    ]
    assert quicklook.id.startswith("file:///")
    assert quicklook["sha256"] == hashlib.sha256(b"{}").hexdigest()


def test_json_says_what_was_written(eoloom: Invoke, workplace: Path, runs: Runs) -> None:
    arguments = ("--runs-folder", str(runs.folder), "--output", "crate", "--json")
    document = json.loads(eoloom("provenance", runs.succeeded, *arguments).stdout)
    assert document == {
        "run": runs.succeeded,
        "format": "ro-crate",
        "path": str(workplace / "crate"),
        "missing": [],
        "untraced": [],
    }


def test_results_that_are_gone_are_told(export: Export, runs: Runs) -> None:
    folder = runs.folder / runs.succeeded / "shared" / "change"
    folder.rename(folder.with_name("elsewhere"))
    try:
        code, stderr, _ = export(runs, runs.succeeded)
    finally:
        folder.with_name("elsewhere").rename(folder)
    assert code == 0
    assert "4 files of the run's results are gone and were left out" in stderr


def test_secret_parameters_stay_secret(
    export: Export, workplace: Path, fake_components: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    components = workplace / "components"
    shutil.copytree(fake_components, components)
    path = components / "fake-scenes" / "params.schema.json"
    schema = json.loads(path.read_text())
    schema["properties"]["mode"] |= {"format": "password", "writeOnly": True}
    path.write_text(json.dumps(schema))
    monkeypatch.setenv("EOLOOM_COMPONENTS_PATH", str(components))
    pipeline = yaml.safe_load(PIPELINE)
    pipeline["nodes"]["scenes"]["params"]["mode"] = "s3cr3t"
    runs = make_runs(workplace, components, yaml.safe_dump(pipeline))
    code, _, crate = export(runs, runs.succeeded, to="crate")
    assert code == 0
    code, _, events = export(runs, runs.succeeded, "--to", "openlineage", to="events")
    assert code == 0
    written = [path for path in crate.rglob("*") if path.is_file()]
    assert not [path for path in [*written, events] if b"s3cr3t" in path.read_bytes()]


@pytest.mark.parametrize(
    ("to", "options", "words"),
    [
        ("full", (), "full exists already"),
        ("crate", ("--agent", "Ada <nowhere>"), "is neither"),
        ("missing/crate.zip", (), "cannot write missing/crate.zip"),
        ("missing/events", ("--to", "openlineage"), "cannot write missing/events"),
    ],
)
def test_what_cannot_be_written_is_one_message(
    export: Export, workplace: Path, runs: Runs, to: str, options: tuple[str, ...], words: str
) -> None:
    (workplace / "full").mkdir()
    (workplace / "full" / "file").touch()
    code, stderr, _ = export(runs, runs.succeeded, *options, to=to)
    assert code in {2, 3}
    assert words in stderr


def _facets(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all facets of an event; of those, each is an object with a schema."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name.endswith(("facets", "Facets")):
                yield from below.values()
            yield from _facets(below)
    elif isinstance(value, list):
        for below in value:
            yield from _facets(below)


def _events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_openlineage_events_keep_their_schema(export: Export, runs: Runs) -> None:
    """The demands of https://openlineage.io/spec/2-0-2/OpenLineage.json."""
    code, _, path = export(runs, runs.succeeded, "--to", "openlineage")
    assert code == 0
    events = _events(path)
    for event in events:
        assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
        assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
        assert event["producer"].startswith("https://")
        assert event["schemaURL"].startswith("https://openlineage.io/spec/2-0-2/OpenLineage.json")
        assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
        assert event["job"]["namespace"]
        assert event["job"]["name"]
        for dataset in event["inputs"] + event["outputs"]:
            assert dataset["namespace"]
            assert dataset["name"]
        facets = list(_facets(event))
        assert facets
        for facet in facets:
            assert facet["_producer"].startswith("https://eoloom")
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/")


def test_openlineage_links_operations_by_their_datasets(export: Export, runs: Runs) -> None:
    code, _, path = export(runs, runs.succeeded, "--to", "openlineage")
    assert code == 0
    events = _events(path)
    ended = {e["job"]["name"]: e for e in events if e["eventType"] == "COMPLETE"}
    clean, change = ended["fake-change.clean.prepare"], ended["fake-change.change.detect"]
    assert [d["name"] for d in clean["outputs"]] == [d["name"] for d in change["inputs"]]
    (output,) = change["outputs"]
    assert output["facets"]["lifecycleStateChange"]["lifecycleStateChange"] == "CREATE"
    assert {f["name"] for f in output["facets"]["schema"]["fields"]} == {"polygons", "quicklook"}
    statistics = output["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["fileCount"], statistics["size"]) == (2, 4, 8)
    run = ended["fake-change"]["run"]["runId"]
    assert change["run"]["facets"]["parent"]["run"]["runId"] == run
    starts = {e["run"]["runId"] for e in events if e["eventType"] == "START"}
    assert starts == {e["run"]["runId"] for e in ended.values()}


def test_openlineage_of_a_failed_run(export: Export, runs: Runs) -> None:
    code, _, path = export(runs, runs.failed, "--to", "openlineage")
    assert code == 0
    last = {e["job"]["name"]: e for e in _events(path)}
    assert last["fake-change"]["eventType"] == "FAIL"
    failed = last["fake-change.clean.prepare"]
    assert failed["eventType"] == "FAIL"
    assert "scene 2 has no band B04" in failed["run"]["facets"]["errorMessage"]["message"]
    assert last["fake-change.change.detect"]["eventType"] == "ABORT"


def test_a_run_that_was_killed_and_went_on_is_two_runs_each_with_an_end(
    fake_components: Path,
) -> None:
    graph = compose(parse_pipeline(PIPELINE), Registry.discover([fake_components]))
    translation = Translation(graph)
    moment = datetime(2024, 5, 13, tzinfo=UTC)
    told = [
        Event("run", kind, node, detail={"state": "succeeded"}, time=moment + timedelta(seconds=s))
        for s, (kind, node) in enumerate(
            [
                (Kind.RUN_STARTED, ""),
                (Kind.NODE_READY, "clean"),
                (Kind.RUN_STARTED, ""),
                (Kind.RUN_CLOSED, ""),
            ]
        )
    ]
    events = [translated for event in told for translated in translation.translate(event)]
    states = [(e.job.name.partition(".")[2], e.eventType.value) for e in events if e.eventType]
    assert states == [
        ("", "START"),
        ("clean.prepare", "START"),
        ("clean.prepare", "ABORT"),
        ("", "FAIL"),
        ("", "START"),
        ("", "COMPLETE"),
    ]
    assert len({e.run.runId for e in events if e.job.name == "fake-change"}) == 2


def test_an_operation_that_ends_before_its_component_is_ready_has_a_start(
    fake_components: Path,
) -> None:
    graph = compose(parse_pipeline(PIPELINE), Registry.discover([fake_components]))
    translation = Translation(graph)
    moment = datetime(2024, 5, 13, tzinfo=UTC)
    told = [
        Event("run", Kind.RUN_STARTED, time=moment),
        Event("run", Kind.OPERATION_ENDED, "clean", "prepare", time=moment),
        Event("run", Kind.NODE_READY, "clean", time=moment),
        Event("run", Kind.RUN_CLOSED, detail={"state": "succeeded"}, time=moment),
    ]
    events = [translated for event in told for translated in translation.translate(event)]
    states = [(e.job.name.partition(".")[2], e.eventType.value) for e in events if e.eventType]
    assert states == [
        ("", "START"),
        ("clean.prepare", "START"),
        ("clean.prepare", "COMPLETE"),
        ("", "COMPLETE"),
    ]
