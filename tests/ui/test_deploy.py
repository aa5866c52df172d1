"""`eoloom deploy`, `undeploy` and `deployments`, against the fake API server."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data import ROOT
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import ready, waiting
from tests.ui.conftest import Invoke, Start

DEMO = str(ROOT / "examples" / "demo.yaml")
SITE = (
    "--profile-set",
    "images.registry=registry.example/eo",
    "--profile-set",
    "storage.storage_class=nfs",
)


@pytest.fixture
def fake(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    with FakeKubernetes() as server:
        # What is rendered has to be allowed where pods are restricted.
        server.add_namespace("eo", restricted=True)
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(workplace)))
        yield server


def test_a_dry_run_shows_every_object_as_a_diff_and_makes_nothing(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    result = eoloom("deploy", DEMO, *SITE, "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "+++ Deployment/" in result.stdout
    assert "+kind: NetworkPolicy" in result.stdout
    assert "would be created PersistentVolumeClaim/" in result.stdout
    assert "nothing was changed: dry run" in result.stdout
    assert fake.names("configmaps") == []


def test_deploy_and_again_and_undeploy(eoloom: Invoke, fake: FakeKubernetes) -> None:
    first = eoloom("deploy", DEMO, *SITE)
    assert first.exit_code == 0, first.stderr
    (name,) = fake.names("configmaps")
    assert f"{name} is ready" in first.stdout
    pods = fake.names("pods")
    again = eoloom("deploy", DEMO, *SITE)
    assert "created" not in again.stdout
    assert fake.names("pods") == pods
    listed = json.loads(eoloom("deployments", "list", "--json").stdout)
    assert [each["name"] for each in listed] == [name]
    shown = json.loads(eoloom("deployments", "show", name, "--json").stdout)
    assert shown["ready"] is True
    gone = eoloom("undeploy", name)
    assert gone.exit_code == 0
    assert f"kept PersistentVolumeClaim/{name}" in gone.stdout
    assert fake.names("pods") == []
    assert "nothing is deployed" in eoloom("deployments", "list").stdout


def test_what_does_not_become_ready_ends_in_1_with_the_reason(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    event = ("Failed", 'Failed to pull image "registry.example/eo/x:1": not found')
    fake.set_outcome("clean", waiting("ImagePullBackOff", "Back-off", event))
    result = eoloom("deploy", DEMO, *SITE, "--timeout", "1")
    assert result.exit_code == 1
    assert "there is no such image in the registry" in result.stderr
    assert "It stays deployed" in result.stderr
    again = eoloom("deploy", DEMO, *SITE, "--timeout", "1", "--json")
    document = json.loads(again.stdout)
    assert document["readiness"]["ready"] is False
    assert document["readiness"]["reasons"][0]["subject"] == "clean"


def test_no_wait_returns_at_once(eoloom: Invoke, fake: FakeKubernetes) -> None:
    fake.set_outcome("clean", waiting("ContainerCreating", ""))
    assert eoloom("deploy", DEMO, *SITE, "--no-wait").exit_code == 0


def test_open_questions_of_the_profile_are_asked(eoloom: Invoke, fake: FakeKubernetes) -> None:
    result = eoloom("deploy", DEMO)
    assert result.exit_code == 2
    assert "images.registry" in result.stderr
    assert "storage.storage_class" in result.stderr
    assert not [path for method, path in fake.requests if method == "PATCH"]


def test_logs_and_scale(eoloom: Invoke, fake: FakeKubernetes) -> None:
    fake.set_outcome("clean", ready('{"level": "WARNING", "message": "cloudy"}', "plain"))
    eoloom("deploy", DEMO, *SITE)
    (name,) = fake.names("configmaps")
    assert eoloom("deployments", "logs", name, "clean").stdout.splitlines() == [
        "clean: WARNING: cloudy",
        "clean: plain",
    ]
    assert eoloom("deployments", "scale", name, "clean=3").stdout == "clean: 1 -> 3 replicas\n"
    assert eoloom("deployments", "scale", name, "clean").exit_code == 2
    unknown = eoloom("deployments", "scale", name, "nix=3")
    assert unknown.exit_code == 2
    assert "has no node 'nix'" in unknown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("undeploy", "nix"), 2, "has no deployment 'nix'"),
        (("deployments", "list", "--context", "nix"), 3, "has no context 'nix'"),
        (("deployments", "list", "--context", "other"), 3, "does not accept the credentials"),
        (("deploy", DEMO, *SITE, "-n", "forest"), 2, "no namespace forest"),
    ],
)
def test_mistakes_are_one_message(
    eoloom: Invoke, fake: FakeKubernetes, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = eoloom(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_ctrl_c_stops_waiting_and_leaves_it_deployed(fake: FakeKubernetes, start: Start) -> None:
    fake.set_outcome("clean", waiting("ContainerCreating", ""))
    with start("deploy", DEMO, *SITE) as process:
        deadline = time.monotonic() + 60
        while not fake.names("pods"):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert process.stdout is not None
        while "ready" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stays deployed" in stderr
    assert fake.names("deployments")


def test_fetch_brings_the_runs_into_a_folder_of_the_name(
    eoloom: Invoke, fake: FakeKubernetes, workplace: Path
) -> None:
    fake.volume = workplace / "volume"
    fake.volume.mkdir()
    (fake.volume / "catalog.json").write_text("{}")
    eoloom("deploy", DEMO, *SITE)
    result = eoloom("deployments", "fetch", "demo")
    assert result.exit_code == 0, result.stderr
    assert "1 file, 2 B in demo" in result.stdout
    assert (workplace / "demo" / "catalog.json").read_text() == "{}"
