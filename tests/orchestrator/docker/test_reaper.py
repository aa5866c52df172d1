"""What the reaper does where the engine does not let it remove what a dead run has left."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backends.docker import labels
from orchestrator.backends.docker.reaper import LEFT_FILE, reap
from tests.orchestrator.docker.conftest import left_of

RUN = "test-reaper"
OURS = 4_000_001
"""Processes that are not there."""
ANOTHER = 4_000_002


def marks(process: int) -> dict[str, str]:
    return labels.labels_of(RUN, "", "work") | {labels.PROCESS: str(process)}


@pytest.fixture
def network(client: Any, scripted: str) -> Iterator[Any]:
    """A dead run's network, which something that is not the run's is using."""
    network = client.networks.create(f"eoloom-{RUN}", labels=marks(OURS))
    user = None
    try:
        user = client.containers.create(scripted, network=network.name)
        user.start()
        yield network
    finally:
        if user is not None:
            user.remove(force=True)
        for left in client.networks.list(filters={"label": f"{labels.RUN}={RUN}"}):
            left.remove()


def test_what_the_engine_does_not_let_go_is_named_after_a_while(
    network: Any, tmp_path: Path
) -> None:
    began = time.monotonic()
    reap(RUN, tmp_path, OURS, patience_s=2)
    assert time.monotonic() - began < 30
    said = (tmp_path / LEFT_FILE).read_text()
    assert f"run {RUN} has left on the Docker engine: network {network.id[:12]}" in said
    assert "has active endpoints" in said
    assert f"`eoloom stop {RUN}`" in said
    assert f"docker network rm {network.id[:12]}" in said
    assert len(said.splitlines()) == 1
    assert "Traceback" not in said


# docker-py leaves its socket to the garbage collector where nothing answers.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_engine_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
    reap(RUN, tmp_path, OURS, patience_s=0)
    gc.collect()
    said = (tmp_path / LEFT_FILE).read_text()
    assert "nothing answers there; is the engine running?" in said
    assert f"`eoloom stop {RUN}`" in said


# docker-py leaves its socket to the garbage collector where nothing answers.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_an_engine_that_comes_back_is_cleaned(
    client: Any, scripted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.containers.create(scripted, labels=marks(OURS))
    path = tmp_path / "docker.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    comes_back = threading.Timer(1.5, path.symlink_to, ["/var/run/docker.sock"])
    comes_back.start()
    reap(RUN, tmp_path, OURS, patience_s=60)
    gc.collect()
    assert left_of(client, RUN) == []
    assert not (tmp_path / LEFT_FILE).exists()


def test_what_goes_on_with_the_run_is_left_alone(
    client: Any, scripted: str, tmp_path: Path
) -> None:
    client.containers.create(scripted, labels=marks(OURS))
    goes_on = client.containers.create(scripted, labels=marks(ANOTHER))
    try:
        reap(RUN, tmp_path, OURS, patience_s=10)
        assert [container.id for container in left_of(client, RUN)] == [goes_on.id]
        assert not (tmp_path / LEFT_FILE).exists()
    finally:
        goes_on.remove(force=True)
