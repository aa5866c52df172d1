"""Mutual TLS between the engine and containers of ours, and who is refused."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker.backend import DockerBackend
from orchestrator.backends.docker.certificates import PLACE, make_certificates
from orchestrator.certificates import RunAuthority
from orchestrator.engine.channels import ChannelSecurity, open_channel, wait_until_ready
from orchestrator.engine.plan import NodePlan
from orchestrator.engine.run import State
from orchestrator.errors import ChannelError, SettingsError
from orchestrator.events import Kind
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.conftest import Execute, make_plan, step
from tests.orchestrator.docker.conftest import left_of, with_image

RUN = "tls-in-containers"
IMAGE = "eoloom/sample-scenes:0.1.0"
SCENES = NodePlan("my-scenes", "sample-scenes", "0.1.0", (), image=IMAGE)
MIB = 1024 * 1024


@dataclass
class Started:
    """A component that serves in a container."""

    backend: DockerBackend
    target: str
    container: Any
    notices: list[str]

    @property
    def security(self) -> ChannelSecurity:
        security = self.backend.security(SCENES.name, None)
        assert security is not None
        return security


@pytest.fixture
async def started(component_images: object, tmp_path: Path, client: Any) -> AsyncIterator[Started]:
    notices: list[str] = []

    def tell(node: str, kind: Kind, detail: Any) -> None:
        if kind is Kind.NOTICE:
            notices.append(f"{node} {detail['message']}")

    settings = OrchestratorSettings(stop_grace_s=2.0)
    backend = DockerBackend(RUN, tmp_path, settings, lambda *_: None, tell)
    try:
        (target,) = await backend.start(SCENES)
        (container,) = client.containers.list(filters={"label": f"org.eoloom.run={RUN}"})
        yield Started(backend, target, container, notices)
    finally:
        await backend.stop()
    assert left_of(client, RUN) == []


async def serves(target: str, security: ChannelSecurity | None, timeout_s: float = 60.0) -> None:
    """Return when the component answers. Raises ChannelError or TimeoutError."""
    async with open_channel(target, MIB, security) as channel:
        await wait_until_ready(channel, timeout_s)


async def test_only_the_engine_of_the_run_is_answered(started: Started) -> None:
    ours = started.security
    await serves(started.target, ours)
    assert started.notices == []
    with pytest.raises((ChannelError, TimeoutError)):
        await serves(started.target, None, 2)
    with pytest.raises((ChannelError, TimeoutError)):
        await serves(started.target, replace(ours, certificate=None, key=None), 2)
    stranger = replace(RunAuthority(RUN).for_orchestrator(), authority=ours.authority)
    with pytest.raises((ChannelError, TimeoutError)):
        await serves(started.target, replace(stranger, server_name=SCENES.name), 2)
    # Nobody else on this machine can play the component, nor another component this one.
    with pytest.raises(ChannelError):
        await serves(started.target, replace(ours, authority=RunAuthority(RUN).certificate))
    with pytest.raises(ChannelError):
        await serves(started.target, replace(ours, server_name="other"))
    await serves(started.target, ours)


async def test_a_component_that_is_started_again_has_a_new_certificate(started: Started) -> None:
    await serves(started.target, started.security)
    first = certificate_of(started.container)
    (again,) = await started.backend.start(SCENES)
    await serves(again, started.security)
    client = started.container.client
    (container,) = client.containers.list(filters={"label": f"org.eoloom.run={RUN}"})
    second = certificate_of(container)
    assert first.startswith(b"-----BEGIN CERTIFICATE-----")
    assert second.startswith(b"-----BEGIN CERTIFICATE-----")
    assert first != second


def certificate_of(container: Any) -> bytes:
    return bytes(container.exec_run(["cat", f"{PLACE}/tls.crt"]).output)


async def test_a_component_cannot_change_its_files_and_they_go_with_it(
    started: Started, client: Any
) -> None:
    from docker.errors import NotFound

    await serves(started.target, started.security)
    for command in (f"echo > {PLACE}/tls.key", f"echo > {PLACE}/new", f"rm {PLACE}/ca.crt"):
        assert started.container.exec_run(["sh", "-c", command]).exit_code != 0, command
    (volume,) = [m["Name"] for m in started.container.attrs["Mounts"] if m["Destination"] == PLACE]
    assert client.volumes.get(volume)
    await started.backend.stop()
    with pytest.raises(NotFound):
        client.volumes.get(volume)


async def test_an_image_of_others_is_called_in_plaintext_which_is_told(
    in_containers: Execute,
) -> None:
    plan = with_image(make_plan([step("theirs", "produce", count=1)], []))
    told = await in_containers(plan)
    assert told.outcome.state is State.SUCCEEDED
    (notice,) = [e for e in told.events if e.kind is Kind.NOTICE]
    assert notice.node == "theirs"
    assert "in plaintext at 127.0.0.1" in notice.detail["message"]
    assert "eoloom-tests/scripted:1.0 is not an image of ours" in notice.detail["message"]


async def test_plaintext_that_was_asked_for_is_not_told(in_containers: Execute) -> None:
    plan = with_image(make_plan([step("theirs", "produce", count=1)], []))
    execution = await in_containers(plan, component_tls=False)
    assert execution.outcome.state is State.SUCCEEDED
    assert [e for e in execution.events if e.kind is Kind.NOTICE] == []


def test_without_the_package_there_is_plaintext_unless_tls_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert make_certificates(RUN, wanted=None)
    assert make_certificates(RUN, wanted=False) is None
    monkeypatch.delitem(sys.modules, "orchestrator.certificates")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert make_certificates(RUN, wanted=None) is None
    with pytest.raises(SettingsError, match=r"python\S* -m pip install 'eoloom\[tls\]'"):
        make_certificates(RUN, wanted=True)
