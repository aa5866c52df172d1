from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.backends.kubernetes import connection
from orchestrator.backends.kubernetes.cluster import Cluster
from orchestrator.backends.kubernetes.connection import connect
from tests.fakes.kubernetes_api import FakeKubernetes


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """A fake API server, and KUBECONFIG for it; the namespace is `eo`."""
    # Real pauses between attempts, only shorter.
    monkeypatch.setattr(connection, "_RETRIES", connection._RETRIES.new(backoff_factor=0.01))
    with FakeKubernetes() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        yield server


@pytest.fixture
def cluster(fake: FakeKubernetes) -> Iterator[Cluster]:
    with closing(connect()) as found:
        yield found
