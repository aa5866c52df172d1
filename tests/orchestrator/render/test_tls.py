"""TLS in rendered objects, and that what they say makes a component and its caller agree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import ValidationError

from composer.graph import Graph
from orchestrator.certificates import KeyPair, RunAuthority
from orchestrator.engine.channels import channel_security, open_channel, wait_until_ready
from orchestrator.errors import RenderError
from orchestrator.profiles import Profile, Tls
from orchestrator.render import Orchestrator, RenderOptions, certificate_hosts, render
from orchestrator.render.checks import check, external_objects
from orchestrator.render.kustomize import export_kustomize
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.render.conftest import Objects, container, environment, one
from tests.ports import free_port

MakeGraph = Callable[..., Graph]

MOUNTED = "/run/secrets/eoloom"
HOST = "forest--clean.eo.svc"


@pytest.fixture
def site(profile: Profile) -> Profile:
    tls = Tls(components="components-tls", orchestrator="orchestrator-tls")
    return profile.model_copy(update={"tls": tls})


@pytest.fixture
def encrypted(make_graph: MakeGraph, site: Profile) -> Objects:
    """Two nodes of ours, and one that is only an image."""
    return render(make_graph(chart="viewer"), site, RenderOptions(namespace="eo"))


def job_container(objects: Objects) -> dict[str, Any]:
    (found,) = one(objects, "Job")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_the_objects_are_valid_with_their_secrets_and_only_then(
    encrypted: Objects, site: Profile, profile: Profile
):
    assert not check(encrypted, external=external_objects(site))
    missing = {str(found.message) for found in check(encrypted, external=external_objects(profile))}
    assert missing == {
        "there is no Secret components-tls",
        "there is no Secret orchestrator-tls",
    }


def test_certificates_come_from_secrets_at_the_paths_that_the_settings_name(encrypted: Objects):
    pod = one(encrypted, "Deployment", "forest--clean")["spec"]["template"]["spec"]
    (volume,) = [v for v in pod["volumes"] if "secret" in v]
    assert volume["secret"]["secretName"] == "components-tls"
    # Of the pod's group, and nobody's to change.
    assert volume["secret"]["defaultMode"] == 0o440
    files = {f"{MOUNTED}/{item['path']}" for item in volume["secret"]["items"]}
    ours = container(encrypted, "clean")
    (mount,) = [m for m in ours["volumeMounts"] if m["name"] == volume["name"]]
    assert (mount["mountPath"], mount["readOnly"]) == (MOUNTED, True)
    named = environment(ours)
    assert {named[name] for name in named if name.startswith("EOLOOM_TLS_")} == files
    job = environment(job_container(encrypted))
    assert {job[f"EOLOOM_COMPONENT_{n}_FILE"] for n in ("CA", "CERTIFICATE", "KEY")} == files
    volumes = one(encrypted, "Job")["spec"]["template"]["spec"]["volumes"]
    assert {v["secret"]["secretName"] for v in volumes if "secret" in v} == {"orchestrator-tls"}


def test_no_probe_needs_a_certificate(encrypted: Objects):
    ours, theirs = container(encrypted, "clean"), container(encrypted, "charts")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert ours[probe]["grpc"] == {"port": 8063}
        assert theirs[probe]["tcpSocket"] == {"port": 8061}
    # The kubelet reaches the port; the Service does not lead there.
    ports = one(encrypted, "Service", "forest--clean")["spec"]["ports"]
    assert [port["port"] for port in ports] == [8061]


def test_images_of_others_stay_in_plaintext_and_get_no_certificate(encrypted: Objects):
    theirs = container(encrypted, "charts")
    assert not [name for name in environment(theirs) if "TLS" in name]
    pod = one(encrypted, "Deployment", "forest--charts")["spec"]["template"]["spec"]
    assert not [v for v in pod["volumes"] if "secret" in v]
    assert environment(job_container(encrypted))["EOLOOM_COMPONENT_PLAINTEXT"] == '["charts"]'


def test_without_health_service_the_port_is_asked(make_graph: MakeGraph, site: Profile):
    options = RenderOptions(without_health=frozenset({"clean"}))
    found = container(render(make_graph(), site, options), "clean")
    assert found["readinessProbe"]["tcpSocket"] == {"port": 8061}
    assert "EOLOOM_HEALTH_ADDRESS" not in environment(found)


def test_the_standing_orchestrator_has_certificates_of_its_own(
    make_graph: MakeGraph, site: Profile
):
    objects = render(make_graph(), site, RenderOptions(orchestrator=Orchestrator.SERVICE))
    assert "EOLOOM_TLS_KEY_FILE" in environment(container(objects, "clean"))


def test_other_names_of_keys_and_of_the_server(make_graph: MakeGraph, profile: Profile):
    tls = Tls(components="a", orchestrator="b", authority="root.pem", server_name="components")
    objects = render(make_graph(), profile.model_copy(update={"tls": tls}))
    pod = one(objects, "Job")["spec"]["template"]["spec"]
    (secret,) = [v["secret"] for v in pod["volumes"] if "secret" in v]
    assert {"key": "root.pem", "path": "ca.crt"} in secret["items"]
    assert environment(job_container(objects))["EOLOOM_COMPONENT_SERVER_NAME"] == "components"


@pytest.mark.parametrize(
    "given", [{}, {"components": "a"}, {"generate": True, "components": "a", "orchestrator": "b"}]
)
def test_secrets_are_named_or_made_and_never_both(given: dict[str, Any]):
    with pytest.raises(ValidationError, match="give components and orchestrator, or generate"):
        Tls(**given)


@pytest.fixture
def making(profile: Profile) -> Profile:
    return profile.model_copy(update={"tls": Tls(generate=True)})


def test_secrets_that_are_made_are_of_one_node_each(make_graph: MakeGraph, making: Profile):
    graph, options = make_graph(chart="viewer"), RenderOptions(namespace="eo")
    hosts = certificate_hosts(graph, making, options)
    assert hosts == {
        "forest--scenes--tls": ("forest--scenes", "forest--scenes.eo", "forest--scenes.eo.svc"),
        "forest--clean--tls": ("forest--clean", "forest--clean.eo", HOST),
        "forest--tls": (),
    }
    authority = RunAuthority("forest")
    contents = {
        name: {"tls.crt": pair.certificate, "tls.key": pair.key, "ca.crt": pair.authority}
        for name in hosts
        for pair in [authority.for_caller(name)]
    }
    objects = render(graph, making, replace(options, certificates=contents))
    assert not check(objects, external=external_objects(making))
    for node in ("scenes", "clean"):
        pod = one(objects, "Deployment", f"forest--{node}")["spec"]["template"]
        (volume,) = [v for v in pod["spec"]["volumes"] if "secret" in v]
        assert volume["secret"]["secretName"] == f"forest--{node}--tls"
        # Another authority is another pod, or the two would not believe each other.
        assert pod["metadata"]["annotations"]["eoloom.org/authority"]
    other = {name: {**files, "ca.crt": b"another"} for name, files in contents.items()}
    again = render(graph, making, replace(options, certificates=other))
    run, changed = (one(each, "Job")["metadata"] for each in (objects, again))
    assert run["name"] != changed["name"]
    assert run["annotations"] == changed["annotations"]


def test_a_folder_gets_no_keys(make_graph: MakeGraph, making: Profile):
    with pytest.raises(RenderError, match=r"tls\.generate: a folder holds no keys"):
        export_kustomize(make_graph(), [making], RenderOptions())


def put_secret(folder: Path, pair: KeyPair) -> Path:
    """What a kubelet makes of a Secret of cert-manager."""
    folder.mkdir()
    (folder / "tls.crt").write_bytes(pair.certificate)
    (folder / "tls.key").write_bytes(pair.key)
    (folder / "ca.crt").write_bytes(pair.authority)
    return folder


def variables(item: dict[str, Any], secret: Path) -> dict[str, str]:
    """The plain variables of a container, with its mounted Secret in a folder."""
    return {
        name: value.replace(MOUNTED, str(secret))
        for name, value in environment(item).items()
        if isinstance(value, str) and name.startswith("EOLOOM_")
    }


@pytest.fixture
def authority() -> RunAuthority:
    return RunAuthority("a cluster")


@pytest.fixture
def component(
    encrypted: Objects, authority: RunAuthority, tmp_path: Path
) -> Iterator[tuple[str, str]]:
    """A real component with the environment of its pod: its address, and that of its probe."""
    secret = put_secret(tmp_path / "component", authority.for_component("all", ["*.eo.svc"]))
    address, probed = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    own = variables(container(encrypted, "clean"), secret)
    assert own["EOLOOM_HEALTH_ADDRESS"].endswith(":8063")
    own |= {"EOLOOM_ADDRESS": address, "EOLOOM_HEALTH_ADDRESS": probed}
    env = {**os.environ, **own, "SHARED_FOLDER_PATH": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-m", "components.sample_scenes"], env=env)
    yield address, probed
    process.terminate()
    process.wait()


async def wait_for(channel: grpc.aio.Channel, timeout_s: float = 60) -> None:
    async with channel:
        await wait_until_ready(channel, timeout_s)


async def test_what_is_rendered_makes_the_two_agree_and_keeps_others_out(
    encrypted: Objects,
    authority: RunAuthority,
    component: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, probed = component
    # The kubelet.
    await wait_for(grpc.aio.insecure_channel(probed))
    # The orchestrator, which calls the host of the Service.
    ours = authority.for_orchestrator()
    assert ours.certificate
    assert ours.key
    pair = KeyPair(ours.certificate, ours.key, authority.certificate)
    secret = put_secret(tmp_path / "orchestrator", pair)
    for name, value in variables(job_container(encrypted), secret).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EOLOOM_COMPONENT_SERVER_NAME", HOST)
    settings = OrchestratorSettings()
    assert settings.component_plaintext == {"charts"}
    await wait_for(open_channel(address, 1 << 20, channel_security(settings)))
    # Somebody without a certificate, and somebody without TLS.
    monkeypatch.delenv("EOLOOM_COMPONENT_CERTIFICATE_FILE")
    monkeypatch.delenv("EOLOOM_COMPONENT_KEY_FILE")
    stranger = channel_security(OrchestratorSettings())
    for channel in (
        open_channel(address, 1 << 20, stranger),
        grpc.aio.insecure_channel(address),
    ):
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=5
                )
