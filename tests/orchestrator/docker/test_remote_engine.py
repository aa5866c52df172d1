"""An engine that is reached over TCP: it does not see the folders of this machine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.run import State
from tests.orchestrator.conftest import Execute, make_plan, step
from tests.orchestrator.docker.conftest import with_image

SOCKET = "/var/run/docker.sock"


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@pytest.fixture
def over_tcp(monkeypatch: pytest.MonkeyPatch, client: Any) -> Iterator[None]:
    """The engine of this machine, as if it were that of another one."""
    listener = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(SOCKET)
            connections.extend((near, far))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{listener.getsockname()[1]}")
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
    for connection in connections:
        connection.close()


async def test_what_components_write_comes_back(
    over_tcp: None, in_containers: Execute, tmp_path: Path
) -> None:
    (tmp_path / "shared" / "earlier").mkdir(parents=True)
    (tmp_path / "shared" / "earlier" / "file").write_text("of an earlier attempt")
    steps = [step("source", "produce", count=3), step("end", "sink", file="/shared/end.txt")]
    plan = make_plan(steps, ["source.produce -> end.sink"])
    execution = await in_containers(with_image(plan))
    assert execution.outcome.state is State.SUCCEEDED
    assert (tmp_path / "shared" / "end.txt").read_text() == "m1\nm2\nm3\n"
    assert (tmp_path / "shared" / "earlier" / "file").read_text() == "of an earlier attempt"
