"""TLS between the engine and a real component that serves elsewhere."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.backends.addresses import RemoteBackend
from orchestrator.backends.choice import make_backend
from orchestrator.backends.name import BackendName
from orchestrator.certificates import KeyPair, RunAuthority
from orchestrator.engine.channels import ChannelSecurity, channel_security, open_channel
from orchestrator.engine.plan import NodePlan, Plan, Step
from orchestrator.engine.run import Outcome, Run, State
from orchestrator.errors import SettingsError
from orchestrator.settings import OrchestratorSettings
from tests.ports import free_port

HOST = "localhost"


@pytest.fixture(scope="module")
def authority() -> RunAuthority:
    return RunAuthority("tls-run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authority: RunAuthority) -> Path:
    """The files of both sides, and of somebody else's."""
    folder = tmp_path_factory.mktemp("certificates")
    authority.for_component("scenes", [HOST]).write(folder / "component")
    write(authority.for_orchestrator(), folder / "engine")
    write(RunAuthority("another-run").for_orchestrator(), folder / "stranger")
    return folder


def write(security: ChannelSecurity, folder: Path) -> None:
    assert security.authority
    assert security.certificate
    assert security.key
    KeyPair(security.certificate, security.key, security.authority).write(folder)


def serve(folder: Path, **environment: str) -> Iterator[str]:
    """Start sample-scenes on a free port; TLS as the environment says."""
    port = free_port()
    variables = {"EOLOOM_ADDRESS": f"127.0.0.1:{port}", "SHARED_FOLDER_PATH": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "components.sample_scenes"],
        env={**os.environ, **variables, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"dns:///{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def by_tls(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    files = folder / "component"
    yield from serve(
        tmp_path_factory.mktemp("shared"),
        EOLOOM_TLS_CERTIFICATE_FILE=str(files / "certificate.pem"),
        EOLOOM_TLS_KEY_FILE=str(files / "key.pem"),
    )


@pytest.fixture(scope="module")
def by_mutual_tls(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    files = folder / "component"
    yield from serve(
        tmp_path_factory.mktemp("shared"),
        EOLOOM_TLS_CERTIFICATE_FILE=str(files / "certificate.pem"),
        EOLOOM_TLS_KEY_FILE=str(files / "key.pem"),
        EOLOOM_TLS_CLIENT_CA_FILE=str(files / "ca.pem"),
    )


@pytest.fixture(scope="module")
def by_plaintext(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("shared"))


async def run(target: str, start_timeout_s: float = 30.0, **files: Path) -> Outcome:
    """Run a pipeline of the one component at `target`."""
    settings = OrchestratorSettings(
        start_timeout_s=start_timeout_s, **{f"component_{k}_file": v for k, v in files.items()}
    )
    params = {"size": 128, "dates": ["2024-07-31"], "bands": ["B02", "B03", "B04", "B08"]}
    node = NodePlan("scenes", "sample-scenes", "0.1.0", ())
    step = Step(
        "scenes",
        "generate",
        "eoloom.sample_scenes.v1.SampleScenes",
        source=True,
        server_streaming=True,
        params=params,
    )
    return await Run(
        "tls-run",
        Plan("tls", "", (node,), (step,), ()),
        RemoteBackend({"scenes": target}),
        record=lambda *_: None,
        observer=lambda _: None,
        settings=settings,
    ).execute()


def mutual(folder: Path, name: str) -> dict[str, Path]:
    files = folder / name
    return {
        "ca": files / "ca.pem",
        "certificate": files / "certificate.pem",
        "key": files / "key.pem",
    }


async def test_a_component_is_called_by_tls(by_tls: str, folder: Path) -> None:
    outcome = await run(by_tls, ca=folder / "engine" / "ca.pem")
    assert outcome.state is State.SUCCEEDED, outcome.message
    assert outcome.counts["scenes.generate"].answered == 1


async def test_a_component_that_asks_is_shown_a_certificate(
    by_mutual_tls: str, folder: Path
) -> None:
    outcome = await run(by_mutual_tls, **mutual(folder, "engine"))
    assert outcome.state is State.SUCCEEDED, outcome.message


async def test_a_component_of_another_authority_is_refused_at_once(
    by_tls: str, folder: Path
) -> None:
    outcome = await asyncio.wait_for(run(by_tls, ca=folder / "stranger" / "ca.pem"), 20)
    assert outcome.state is State.FAILED
    assert outcome.failed_node == "scenes"
    assert outcome.message.startswith(f"node scenes: sample-scenes at {by_tls}: its certificate is")
    assert "EOLOOM_COMPONENT_CA_FILE" in outcome.message


async def test_a_component_without_tls_is_refused_at_once(by_plaintext: str, folder: Path) -> None:
    await run(by_plaintext)  # it serves
    outcome = await asyncio.wait_for(run(by_plaintext, ca=folder / "engine" / "ca.pem"), 20)
    assert outcome.state is State.FAILED
    assert "node scenes" in outcome.message
    assert "does not speak TLS" in outcome.message


async def test_a_caller_without_tls_is_refused(by_tls: str, folder: Path) -> None:
    await run(by_tls, ca=folder / "engine" / "ca.pem")  # it serves
    outcome = await run(by_tls, start_timeout_s=2.0)
    assert outcome.state is State.FAILED
    assert "node scenes" in outcome.message
    assert "it may want TLS (EOLOOM_COMPONENT_TLS)" in outcome.message


@pytest.mark.parametrize("certificate", ["none", "stranger"])
async def test_a_caller_without_a_certificate_of_the_authority_is_refused(
    by_mutual_tls: str, folder: Path, certificate: str
) -> None:
    await run(by_mutual_tls, **mutual(folder, "engine"))  # it serves
    files = mutual(folder, certificate) if certificate != "none" else {}
    outcome = await run(
        by_mutual_tls, start_timeout_s=2.0, **files | {"ca": folder / "engine" / "ca.pem"}
    )
    assert outcome.state is State.FAILED
    assert "EOLOOM_COMPONENT_CERTIFICATE_FILE" in outcome.message


async def test_a_certificate_for_another_name_is_refused(
    authority: RunAuthority, folder: Path, tmp_path: Path
) -> None:
    authority.for_component("scenes", ["another-host"]).write(tmp_path / "files")
    serving = serve(
        tmp_path,
        EOLOOM_TLS_CERTIFICATE_FILE=str(tmp_path / "files" / "certificate.pem"),
        EOLOOM_TLS_KEY_FILE=str(tmp_path / "files" / "key.pem"),
    )
    target = next(serving)
    outcome = await run(target, ca=folder / "engine" / "ca.pem")
    assert "for another name (EOLOOM_COMPONENT_SERVER_NAME)" in outcome.message
    serving.close()


async def test_a_certificate_that_has_expired_is_refused(folder: Path, tmp_path: Path) -> None:
    old = RunAuthority("old-run", lifetime=timedelta(seconds=-1))
    old.for_component("scenes", [HOST]).write(tmp_path / "files")
    serving = serve(
        tmp_path,
        EOLOOM_TLS_CERTIFICATE_FILE=str(tmp_path / "files" / "certificate.pem"),
        EOLOOM_TLS_KEY_FILE=str(tmp_path / "files" / "key.pem"),
    )
    outcome = await run(next(serving), ca=tmp_path / "files" / "ca.pem")
    assert outcome.state is State.FAILED
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.message
    serving.close()


def test_files_of_a_certificate_are_readable_for_their_owner_only(folder: Path) -> None:
    for path in (folder / "component").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert stat.S_IMODE((folder / "component").stat().st_mode) == 0o700


def test_no_key_is_shown(authority: RunAuthority) -> None:
    assert "PRIVATE KEY" not in repr(authority.for_component("scenes", [HOST]))
    assert "PRIVATE KEY" not in repr(authority.for_orchestrator())


def settings_of(**files: Path) -> OrchestratorSettings:
    return OrchestratorSettings(**{f"component_{name}_file": path for name, path in files.items()})


def test_what_cannot_be_used_is_named(folder: Path, tmp_path: Path) -> None:
    engine = folder / "engine"
    with pytest.raises(SettingsError, match=r"CERTIFICATE_FILE and .*KEY_FILE belong together"):
        channel_security(settings_of(certificate=engine / "certificate.pem"))
    with pytest.raises(SettingsError, match=r"CA_FILE=.*gone.pem: No such file"):
        channel_security(settings_of(ca=tmp_path / "gone.pem"))
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match=r"CA_FILE=.*text.pem: not a PEM file"):
        channel_security(settings_of(ca=tmp_path / "text.pem"))
    swapped = {"certificate": engine / "key.pem", "key": engine / "certificate.pem"}
    with pytest.raises(SettingsError, match=r"CERTIFICATE_FILE=.*not a PEM file"):
        channel_security(settings_of(**swapped))


def test_without_settings_there_is_no_tls() -> None:
    assert channel_security(OrchestratorSettings()) is None
    security = channel_security(OrchestratorSettings(component_tls=True))
    assert security == ChannelSecurity()  # of the authorities of the system


async def test_a_unix_socket_is_never_encrypted(folder: Path, tmp_path: Path) -> None:
    """It is open to its user alone, so that settings for other components do no harm."""
    import grpc

    server = grpc.aio.server()
    server.add_insecure_port(f"unix:{tmp_path / 'x.sock'}")
    await server.start()
    security = channel_security(settings_of(ca=folder / "engine" / "ca.pem"))
    async with open_channel(f"unix:{tmp_path / 'x.sock'}", 1024, security) as channel:
        await asyncio.wait_for(channel.channel_ready(), 10)
    await server.stop(0)


def test_nodes_that_speak_no_tls_are_called_without_beside_those_that_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EOLOOM_ADDRESSES", '{"ours": "dns:///ours:8061", "viewer": "viewer:8061"}')
    monkeypatch.setenv("EOLOOM_COMPONENT_PLAINTEXT", '["viewer"]')
    settings = OrchestratorSettings()
    backend = make_backend(
        BackendName.ADDRESSES,
        "run",
        tmp_path,
        settings,
        log=lambda node, record: None,
        tell=lambda node, kind, detail: None,
    )
    asked = ChannelSecurity()
    assert backend.security("ours", asked) is asked
    assert backend.security("viewer", asked) is None
