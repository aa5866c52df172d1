from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from composer.registry import Registry
from orchestrator.service.server import OrchestratorServer
from orchestrator.service.settings import ServiceSettings
from orchestrator.settings import OrchestratorSettings
from tests.orchestrator.service.ai4eu_client import Client


@dataclass
class Service:
    """A service that answers on a port of this machine, and a channel to it."""

    server: OrchestratorServer
    address: str
    channel: grpc.aio.Channel

    @property
    def ai4eu(self) -> Client:
        return Client(self.channel)


Serve = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Start a service within a `with` statement; keywords are settings of both kinds."""

    @contextlib.asynccontextmanager
    async def start(registry: Registry | None = None, **settings: Any) -> AsyncIterator[Service]:
        names = set(OrchestratorSettings.model_fields)
        orchestrator = OrchestratorSettings(
            **{
                "runs_folder": tmp_path / "runs",
                "start_timeout_s": 10,
                "stop_grace_s": 2,
                "backoff_s": 0.05,
                "live_pause_s": 0.05,
            }
            | {name: value for name, value in settings.items() if name in names}
        )
        own = {name: value for name, value in settings.items() if name not in names}
        server = OrchestratorServer(
            ServiceSettings(**{"address": "127.0.0.1:0"} | own),
            orchestrator,
            lambda _user: registry or Registry([]),
        )
        address = await server.start()
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                yield Service(server, address, channel)
        finally:
            await server.stop()

    return start


@pytest.fixture
async def service(serve: Serve) -> AsyncIterator[Service]:
    """A service with usual settings."""
    async with serve() as running:
        yield running
