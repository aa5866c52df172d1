from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from composer.registry import Registry
from orchestrator.service_client.settings import ServerSettings
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.service.conftest import serve
from tests.orchestrator.service.scripted import make_registry

__all__ = ["serve"]

ServerAt = Callable[..., ServerSettings]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("components"))


@pytest.fixture
def here(tmp_path: Path) -> OrchestratorSettings:
    """Settings of the client, whose runs are not where those of the service are."""
    return OrchestratorSettings(runs_folder=tmp_path / "here", stop_grace_s=2)


@pytest.fixture
def server_at() -> ServerAt:
    """Return settings of a client whose service is at an address."""

    def make(address: str, **settings: Any) -> ServerSettings:
        return ServerSettings(server=address, server_patience_s=10, **settings)

    return make
