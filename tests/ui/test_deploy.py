"""`eoloom deploy`, `undeploy` and `deployments`, against the fake API server."""

import json
import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import pytest

from orchestrator.render import images_of
from tests.data import ROOT
from tests.docker_engine import LocalRegistry
from tests.fakes.kubernetes_api import FakeKubernetes
from tests.fakes.kubernetes_controllers import failed, ready, waiting
from tests.ports import free_port
from tests.registry_images import RegistryImages
from tests.ui.conftest import Invoke, Start

DEMO = str(ROOT / "examples" / "demo.yaml")
STORAGE = ("--profile-set", "storage.storage_class=nfs")
# No registry is asked: there is none of that name.
SITE = (*STORAGE, "--profile-set", "images.registry=registry.example/eo", "--no-pin")


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


def test_an_autoscaler_is_asked_for_by_how_far_it_goes(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    result = eoloom("deploy", DEMO, *SITE, "--max-replicas", "3", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert "+++ HorizontalPodAutoscaler/demo--clean" in result.stdout
    assert "+  maxReplicas: 3" in result.stdout
    assert eoloom("deploy", DEMO, *SITE, "--max-replicas", "0").exit_code == 2


def test_deploying_the_same_again_goes_on_with_a_failed_run(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    fake.set_outcome("orchestrator", failed(1))
    first = eoloom("deploy", DEMO, *SITE)
    assert first.exit_code == 1
    assert "deploying the same again goes on with it" in " ".join(first.stderr.split())
    shown = eoloom("deploy", DEMO, *SITE, "--dry-run")
    assert "would be replaced Job/" in shown.stdout
    assert "it is tried again" in " ".join(shown.stdout.split())


def test_a_user_who_is_a_mere_number_deploys_under_it(
    eoloom: Invoke, fake: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_entry(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", no_entry)
    result = eoloom("deploy", DEMO, *SITE)
    assert result.exit_code == 0, result.stderr
    (listed,) = json.loads(eoloom("deployments", "list", "--json").stdout)
    assert listed["user"] == str(os.getuid())


def test_what_does_not_become_ready_ends_in_1_with_the_reason(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    event = ("Failed", 'Failed to pull image "registry.example/eo/x:1": not found')
    fake.set_outcome("clean", waiting("ImagePullBackOff", "Back-off", event))
    result = eoloom("deploy", DEMO, *SITE, "--timeout", "1")
    assert result.exit_code == 1
    assert "there is no such image in the registry" in result.stderr
    assert "It stays deployed" in result.stderr
    again = eoloom("deploy", DEMO, *SITE, "--timeout", "5", "--json")
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
    silent = eoloom("deployments", "logs", name, "cleen")
    assert "cleen has said nothing: there is no such node" in silent.stderr
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


def test_images_are_pinned_and_a_tag_that_moves_is_a_difference(
    eoloom: Invoke, fake: FakeKubernetes, image_registry: LocalRegistry
) -> None:
    images = RegistryImages(image_registry.host)
    project = f"{image_registry.host}/deploy"
    pinned = {
        name: f"{project}/{name}@{images.put(f'deploy/{name}', tag, 'first')}"
        for name, tag in (
            *((name, "0.1.0") for name in ("sample-scenes", "s2-preprocess", "s2-change")),
            ("orchestrator", version("eoloom")),
        )
    }
    site = (*STORAGE, "--profile-set", f"images.registry={project}", "--require-digests")
    first = eoloom("deploy", DEMO, *site)
    assert first.exit_code == 0, first.stderr
    everything = [*fake.store.of("deployments"), *fake.store.of("jobs")]
    assert images_of(everything) == set(pinned.values())
    (root,) = fake.store.of("configmaps")
    kept = json.loads(root["data"]["images.json"])
    assert kept["change"] == {
        "reference": f"{project}/s2-change:0.1.0",
        "digest": pinned["s2-change"],
    }
    again = json.loads(eoloom("deploy", DEMO, *site, "--dry-run", "--json").stdout)
    assert {change["action"] for change in again["changes"]} == {"unchanged"}

    moved = images.put("deploy/s2-change", "0.1.0", "second")
    shown = eoloom("deploy", DEMO, *site, "--dry-run").stdout
    assert f"-        image: {pinned['s2-change']}" in shown
    assert f"+        image: {project}/s2-change@{moved}" in shown
    assert images_of([*fake.store.of("deployments")]) == {
        pinned[name] for name in ("sample-scenes", "s2-preprocess", "s2-change")
    }


def test_a_registry_that_is_not_reached_is_a_warning_or_an_error_as_asked(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    site = (*STORAGE, "--profile-set", f"images.registry=127.0.0.1:{free_port()}/eo")
    warned = eoloom("deploy", DEMO, *site, "--dry-run")
    assert warned.exit_code == 0, warned.stderr
    assert "cannot reach the image registry 127.0.0.1" in warned.stderr
    assert "+        image: 127.0.0.1" in warned.stdout
    refused = eoloom("deploy", DEMO, *site, "--require-digests")
    assert refused.exit_code == 3
    assert "s2-change:0.1.0" in refused.stderr
    assert fake.names("configmaps") == []


def test_a_volume_outside_of_the_namespace_is_made_kept_and_removed_with_its_claim(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    bucket = "storage.volume={driver: ru.yandex.s3.csi, handle: 'runs/{namespace}/{deployment}'}"
    site = (*SITE[2:], "--profile-set", bucket)
    first = eoloom("deploy", DEMO, *site)
    assert first.exit_code == 0, first.stderr
    (volume,) = fake.store.of("persistentvolumes")
    assert volume["spec"]["csi"]["volumeHandle"] == "runs/eo/demo"
    (claim,) = fake.store.of("persistentvolumeclaims")
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    # A root in a namespace cannot own what is in none: the collector would delete it at once.
    assert "ownerReferences" not in volume["metadata"]
    again = json.loads(eoloom("deploy", DEMO, *site, "--dry-run", "--json").stdout)
    assert {change["action"] for change in again["changes"]} == {"unchanged"}

    kept = eoloom("undeploy", "demo")
    assert kept.exit_code == 0, kept.stderr
    assert f"kept PersistentVolume/{volume['metadata']['name']}" in kept.stdout
    assert "kept PersistentVolumeClaim/demo" in kept.stdout
    assert eoloom("deploy", DEMO, *site).exit_code == 0
    gone = eoloom("undeploy", "demo", "--delete-results")
    assert gone.exit_code == 0, gone.stderr
    assert "was left where it is" in gone.stdout
    assert fake.names("persistentvolumes") == fake.names("persistentvolumeclaims") == []
    deleted = [path for method, path in fake.requests if method == "DELETE" and "volume" in path]
    # A volume is held as long as it is claimed.
    assert "persistentvolumeclaims" in deleted[0]
    assert "persistentvolumes/" in deleted[1]


def test_certificates_are_made_once_and_anew_before_they_expire(
    eoloom: Invoke, fake: FakeKubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = (*SITE, "--profile-set", "tls.generate=true")
    first = eoloom("deploy", DEMO, *site)
    assert first.exit_code == 0, first.stderr
    secrets = {each["metadata"]["name"]: each["data"] for each in fake.store.of("secrets")}
    nodes = {"scenes", "clean", "change"}
    assert set(secrets) == {"demo--tls", *(f"demo--{node}--tls" for node in nodes)}
    assert len({data["ca.crt"] for data in secrets.values()}) == 1
    assert len({data["tls.key"] for data in secrets.values()}) == len(secrets)

    again = eoloom("deploy", DEMO, *site, "--dry-run", "--json")
    document = json.loads(again.stdout)
    assert {change["action"] for change in document["changes"]} == {"unchanged"}

    # In time, by a deployment: with pods that believe the new authority, and the same run.
    monkeypatch.setattr(
        "orchestrator.backends.kubernetes.certificates._RENEWAL", timedelta(days=400)
    )
    shown = eoloom("deploy", DEMO, *site, "--dry-run").stdout
    assert "would be changed Secret/demo--tls" in shown
    assert "would be changed Deployment/demo--clean" in shown
    assert "eoloom.org/authority" in shown
    assert not any(data["tls.key"] in shown for data in secrets.values())
    assert "tls.key: (hidden)" in shown
    eoloom("undeploy", "demo")
    assert fake.names("secrets") == []


def test_without_a_right_to_read_secrets_none_are_made(
    eoloom: Invoke, fake: FakeKubernetes
) -> None:
    fake.fail("GET", "/secrets/", 403)
    result = eoloom("deploy", DEMO, *SITE, "--profile-set", "tls.generate=true")
    assert result.exit_code == 3
    assert "which you must be allowed to get" in result.stderr
    assert fake.names("configmaps") == []
