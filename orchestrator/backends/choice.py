"""Which backend a run has: the one that was asked for, else the one that it began with."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.backends.addresses import RemoteBackend
from orchestrator.backends.docker.containers import make_shared_folder
from orchestrator.backends.local import LocalBackend
from orchestrator.backends.name import BackendName
from orchestrator.backends.record import BackendRecord

if TYPE_CHECKING:
    from orchestrator.backends.base import Backend, LogSink, Tell
    from orchestrator.settings import OrchestratorSettings


def choose_backend(
    folder: Path, settings: OrchestratorSettings, asked: BackendName | None, *, goes_on: bool
) -> BackendName:
    """Return the backend of a run and write it down in its folder.

    goes_on: whether the run has begun before. Raises SettingsError where the folder cannot be
    written.
    """
    record = BackendRecord(folder)
    recorded = record.backend if goes_on and record.backend in list(BackendName) else ""
    name = asked or BackendName(recorded or settings.backend)
    record.set_backend(name)
    return name


async def check_backend(name: BackendName, settings: OrchestratorSettings) -> None:
    """Raise SettingsError where a backend cannot be used at all: before there is a run of it."""
    if name is BackendName.DOCKER:
        from orchestrator.backends.docker.engine import connect

        engine = await asyncio.to_thread(connect, settings.docker_publish)
        engine.close()


def make_backend(
    name: BackendName,
    run: str,
    folder: Path,
    settings: OrchestratorSettings,
    *,
    log: LogSink,
    tell: Tell,
) -> Backend:
    """Return the backend for one run; nothing is started yet.

    folder: the run's. log: told every record of the components' logs. tell: told what else happens
    to them. Raises SettingsError.
    """
    if name is BackendName.DOCKER:
        from orchestrator.backends.docker.backend import DockerBackend

        return DockerBackend(run, folder, settings, log, tell)
    if name is BackendName.ADDRESSES:
        with contextlib.suppress(OSError):  # not every file system of a cluster has modes
            make_shared_folder(folder / "shared")
        return RemoteBackend(settings.addresses, plaintext=settings.component_plaintext)
    return LocalBackend(folder, settings, log, tell)
