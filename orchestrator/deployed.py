"""The orchestrator of one deployed run: `python -m orchestrator.deployed`, in the pod of a Job.

It calls components that run already, at the addresses that it is given, and keeps the run on a
volume. The pod may be lost at any time: the next one finds the message log on the volume, goes on
with the run, and repeats no finished call. What happens is written as JSON lines to stdout.

    <folder>/pipeline.yaml      the pipeline
    <folder>/addresses.json     gRPC targets by node
    <folder>/replicas.json      how many replicas each node should have, if it is to wait for them
    <folder>/images.json        images of nodes that are pinned to a digest, if any
    <folder>/components/        components that are not built in, if any
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from composer.errors import ComposerError
from composer.graph import compose
from composer.pipeline_file import load_pipeline
from composer.registry import Registry
from orchestrator.backends.name import BackendName
from orchestrator.backends.record import BackendRecord
from orchestrator.embedded import PIPELINE_FILE, run_pipeline
from orchestrator.engine.run import State
from orchestrator.errors import OrchestratorError, RunNotFoundError, SettingsError
from orchestrator.events import Event
from orchestrator.journal import Journal, RunRecord
from orchestrator.render.options import RUN_NAME
from orchestrator.replica_names import wait_for_replicas
from orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    from composer.graph import Graph

ADDRESSES_FILE: Final = "addresses.json"
REPLICAS_FILE: Final = "replicas.json"
IMAGES_FILE: Final = "images.json"
COMPONENTS_FOLDER: Final = "components"
LOCK_FILE: Final = ".lock"
_LOCK_INTERVAL_S: Final = 1.0
_MAX_REASON: Final = 1000  # a cluster keeps 4,096 bytes

# Those of `eoloom`. The Job ends with the first three, and tries again after everything else.
SUCCEEDED: Final = 0
FAILED: Final = 1
INVALID: Final = 2
ENVIRONMENT: Final = 3
"""A volume, a database or the like cannot be used now."""
BROKEN: Final = 70
"""A defect (EX_SOFTWARE of sysexits.h); Python's own code for it would be that of a failed run."""
INTERRUPTED: Final = 130

logger = logging.getLogger(__name__)


class DeployedSettings(BaseSettings):
    """What the pod's environment says, with the prefix `EOLOOM_DEPLOYED_`."""

    model_config = SettingsConfigDict(env_prefix="EOLOOM_DEPLOYED_", frozen=True)

    run: str = Field(pattern=f"^{RUN_NAME.pattern}$", description="The run's id, and its folder.")
    folder: Path = Field(description="Where the pipeline and what belongs to it is mounted.")
    replicas_timeout_s: float = Field(
        default=600.0, ge=0, description="Seconds in which all replicas of a node should be ready."
    )
    termination_log: Path | None = Field(
        default=None, description="A file for the reason where the run does not end well."
    )


class End(NamedTuple):
    """How the process exits, and why if it is not well."""

    code: int
    reason: str = ""


async def run_deployed(deployed: DeployedSettings, settings: OrchestratorSettings) -> End:
    """Begin the run, or go on with it, and return how the process exits.

    Raises ComposerError and OrchestratorError for what trying again does not help, and of the
    latter SettingsError for what may pass.
    """
    addresses: dict[str, str] = _read(deployed.folder / ADDRESSES_FILE, str)
    replicas_file = deployed.folder / REPLICAS_FILE
    replicas: dict[str, int] = _read(replicas_file, int) if replicas_file.exists() else {}
    settings = settings.model_copy(update={"addresses": addresses})
    components = deployed.folder / COMPONENTS_FOLDER
    registry = Registry.discover([components] if components.is_dir() else [])
    graph = compose(load_pipeline(deployed.folder / PIPELINE_FILE), registry, cycles=True)
    folder = settings.runs_folder.resolve() / deployed.run
    async with _alone(folder):
        record = _begin(deployed, graph, folder, settings)
        if record.state == State.SUCCEEDED:
            logger.info("run %s has succeeded already", record.id)
            return End(SUCCEEDED)
        _keep_images(deployed.folder / IMAGES_FILE, folder)
        await wait_for_replicas(addresses, replicas, deployed.replicas_timeout_s)
        report = await run_pipeline(
            graph, settings, [_tell], resume=record, backend=BackendName.ADDRESSES
        )
    if report.state == State.CANCELLED:
        return End(INTERRUPTED)
    return End(SUCCEEDED) if report.state == State.SUCCEEDED else End(FAILED, report.message)


def main() -> int:
    """Run what the environment says; return the exit code."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        deployed = DeployedSettings()  # type: ignore[call-arg] # the environment gives the values
    except ValidationError as error:
        logger.error("wrong environment: %s", error)
        return INVALID
    end = _ended(deployed)
    if end.reason:
        logger.error("%s", end.reason)
        _leave_reason(deployed.termination_log, end.reason)
    return end.code


def _ended(deployed: DeployedSettings) -> End:
    try:
        return asyncio.run(_interruptible(deployed, OrchestratorSettings()))
    except ValidationError as error:
        return End(INVALID, f"wrong environment: {error}")
    except SettingsError as error:
        return End(ENVIRONMENT, str(error))
    except (ComposerError, OrchestratorError) as error:
        return End(INVALID, str(error))
    except Exception as error:
        logger.exception("this is a defect of EO Loom; please report it")
        return End(BROKEN, f"a defect of EO Loom: {error!r}")


def _leave_reason(path: Path | None, reason: str) -> None:
    """Write why the process ends where the cluster reads it: `eoloom deploy` tells it then."""
    if path is None:
        return
    try:
        path.write_text(reason[:_MAX_REASON], encoding="utf-8")
    except OSError as error:
        logger.warning("cannot write %s: %s", path, error.strerror)


async def _interruptible(deployed: DeployedSettings, settings: OrchestratorSettings) -> End:
    """Run until SIGTERM at most, with which a pod is asked to end: the run can go on later."""
    task = asyncio.ensure_future(run_deployed(deployed, settings))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return End(INTERRUPTED)


def _begin(
    deployed: DeployedSettings, graph: Graph, folder: Path, settings: OrchestratorSettings
) -> RunRecord:
    """Return the record of the run, entered into the journal if it is not there."""
    with contextlib.closing(Journal(settings.database_url, settings.runs_folder)) as journal:
        try:
            return journal.run(deployed.run)
        except RunNotFoundError:
            pass
        pinned = graph.pinned()
        try:
            (folder / PIPELINE_FILE).write_text(pinned.to_yaml(), encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error
        record = RunRecord.begun(deployed.run, graph.pipeline.name, pinned.digest, folder)
        journal.open_run(record)
        return record


def _keep_images(path: Path, folder: Path) -> None:
    """Write down in the run's folder which images its nodes have, by digest."""
    if not path.exists():
        return
    record = BackendRecord(folder)
    for node, image in _read(path, dict).items():
        record.set_image(node, image)


@contextlib.asynccontextmanager
async def _alone(folder: Path) -> AsyncIterator[None]:
    """Hold the run's folder: two orchestrators must not write one message log.

    Waits for the one that holds it, which the cluster is about to end.
    """
    descriptor = _open_lock(folder)
    try:
        has_told = False
        while not _lock(descriptor, folder):
            if not has_told:
                logger.info("another orchestrator is at work in %s; waiting for its end", folder)
            has_told = True
            await asyncio.sleep(_LOCK_INTERVAL_S)
        yield
    finally:
        os.close(descriptor)


def _open_lock(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"cannot write into {folder}: {error.strerror}") from error


def _lock(descriptor: int, folder: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise SettingsError(f"cannot lock {folder}: {error.strerror}") from error
    return True


def _read(path: Path, kind: type) -> dict[str, Any]:
    """Return a JSON mapping of nodes to values of one kind."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    values = document.values() if isinstance(document, dict) else (None,)
    if not all(isinstance(value, kind) for value in values):
        raise SettingsError(f"{path} is not a mapping of nodes to {kind.__name__}")
    return dict(document)


def _tell(event: Event) -> None:
    line = {
        "time": event.time.isoformat(),
        "run": event.run,
        "event": event.kind.value,
        "node": event.node,
        "operation": event.operation,
        "detail": dict(event.detail),
    }
    sys.stdout.write(json.dumps(line, default=str) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
