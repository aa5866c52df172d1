"""The backend: one network, and one container per replica of a node, for one run."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from composer.extras import install_command
from orchestrator.backends.base import Death, LogSink, Tell
from orchestrator.backends.docker import labels, web_pages
from orchestrator.backends.docker.certificates import RunCertificates, make_certificates
from orchestrator.backends.docker.cleanup import remove_run
from orchestrator.backends.docker.containers import (
    GRPC_PORT,
    WEB_PORT,
    Surroundings,
    container_options,
    make_shared_folder,
)
from orchestrator.backends.docker.deaths import DeathWatch, how_it_ended
from orchestrator.backends.docker.engine import Engine, connect, in_words
from orchestrator.backends.docker.following import follow
from orchestrator.backends.docker.images import Image, find_image
from orchestrator.backends.docker.paths import mounts_of
from orchestrator.backends.docker.reaper import LEFT_FILE, Reaper
from orchestrator.backends.docker.volume import make_volume
from orchestrator.backends.node_log import NodeLog
from orchestrator.backends.record import BackendRecord
from orchestrator.engine.channels import ChannelSecurity, channel_security
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import ComponentDiedError, SettingsError
from orchestrator.events import Kind
from orchestrator.settings import OrchestratorSettings

if TYPE_CHECKING:
    from docker.models.containers import Container

logger = logging.getLogger(__name__)

T = TypeVar("T")

_WORKERS: Final = 16
_LAST_WORDS_S: Final = 1.0
_CALLS_UNDER_WAY_S: Final = 30.0
_MIB: Final = 1024 * 1024


class _StoppedError(Exception):
    """The run was stopped while an image was pulled."""


@dataclass
class _Replica:
    name: str
    container: Container
    log: NodeLog
    followed: asyncio.Future[None]


class DockerBackend:
    """Containers of one run.

    folder: of the run; `shared/` in it is the components' shared folder, `logs/<node>.log` what
    they say, or `logs/<node>-<n>.log` where a node has several replicas. log: told every record of
    theirs. tell: told of images that are pulled and of web pages that answer.
    """

    def __init__(
        self, run: str, folder: Path, settings: OrchestratorSettings, log: LogSink, tell: Tell
    ) -> None:
        self._run = run
        self._folder = folder.resolve()
        self._settings = settings
        self._log = log
        self._tell = tell
        self._record = BackendRecord(self._folder)
        self._replicas: dict[str, list[_Replica]] = {}
        self._numbers = itertools.count(1)
        # Apart from asyncio's own, so that slow pulls hold up nobody else.
        self._threads = ThreadPoolExecutor(_WORKERS, thread_name_prefix="docker")
        self._calls: set[asyncio.Future[Any]] = set()
        self._pages: set[asyncio.Task[None]] = set()
        self._lock = asyncio.Lock()
        self._engine: Engine | None = None
        self._reaper: Reaper | None = None
        self._around: Surroundings | None = None
        self._deaths: DeathWatch | None = None
        self._certificates: RunCertificates | None = None
        self._by_tls: set[str] = set()
        self._told: set[str] = set()
        self._stopping = False

    async def start(self, node: NodePlan) -> tuple[str, ...]:
        """Start the node's containers, anew if they run already: all replicas of it.

        Raises NodeError where there is no image, a path cannot be mounted or a container does not
        start, SettingsError where the engine cannot be used.
        """
        engine = await self._connect()
        mounts = mounts_of(node, engine.host, is_local=engine.is_local)
        image = await self._find_image(engine, node)
        around = await self._prepare(engine, image)
        await self._remove(self._replicas.pop(node.name, []))
        self._note_security(node, image, around)
        options = container_options(node, image, mounts, around)
        self._replicas[node.name] = []
        return tuple(
            [
                await self._start_replica(
                    node, node.name if node.replicas == 1 else f"{node.name}-{number}", options
                )
                for number in range(1, node.replicas + 1)
            ]
        )

    def security(self, node: str, asked: ChannelSecurity | None) -> ChannelSecurity | None:
        """Return mutual TLS of this run for components of ours, else what is asked for."""
        if self._certificates is None or node not in self._by_tls:
            return asked
        return self._certificates.of_engine(node)

    @property
    def starts_components(self) -> bool:
        """Whether it starts them: yes."""
        return True

    @property
    def shares_folder(self) -> bool:
        """Whether the engine is of this machine; else files come when the run ends."""
        return self._engine is not None and self._engine.shares

    async def died(self, node: str) -> Death:
        """Wait until a container ends by itself; return which, how, and its last words."""
        deaths, replicas = self._deaths, list(self._replicas.get(node, ()))
        if deaths is None or not replicas:
            await asyncio.Event().wait()  # nothing of it runs that could die
            raise AssertionError("nobody sets the event")  # pragma: no cover
        by_id = {str(replica.container.id): replica for replica in replicas}
        ended, lost = await deaths.wait_for(by_id)
        replica = by_id[ended]
        if self._stopping or replica not in self._replicas.get(node, ()):
            await asyncio.Event().wait()  # it was stopped: this is no death, and never returns
        death = Death(lost) if lost else await self._death_of(replica)
        which = "its container" if len(replicas) == 1 else f"the container of {replica.name}"
        return replace(death, reason=f"{which} {death.reason} (log: {replica.log.path})")

    async def stop(self) -> None:
        """Remove containers, network and volume; containers get the grace time to end."""
        self._stopping = True
        for page in self._pages:
            page.cancel()
        # What is just being made would be left otherwise.
        if self._calls:
            await asyncio.wait(set(self._calls), timeout=_CALLS_UNDER_WAY_S)
        engine, self._engine = self._engine, None
        if engine is None:
            return
        if self._reaper is not None:
            await self._clear(engine, self._reaper)
        if self._deaths is not None:
            self._deaths.close()
        replicas = [replica for replicas in self._replicas.values() for replica in replicas]
        if replicas:
            await asyncio.wait({r.followed for r in replicas}, timeout=_LAST_WORDS_S)
        engine.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _clear(self, engine: Engine, reaper: Reaper) -> None:
        try:
            await self._call(remove_run, engine.client, self._run, self._settings.stop_grace_s)
        except SettingsError as error:
            # The reaper goes on where we have failed.
            logger.warning(
                "run %s: %s; what is left is removed in the background, or else named in %s",
                *(self._run, error, self._folder / LEFT_FILE),
            )
            reaper.leave()
        else:
            reaper.dismiss()

    async def _connect(self) -> Engine:
        def open_engine() -> None:
            self._engine = connect(self._settings.docker_publish)

        async with self._lock:
            if self._engine is None:
                await self._call(open_engine)
            if self._engine is None:
                raise SettingsError("the run is being stopped")
            return self._engine

    async def _find_image(self, engine: Engine, node: NodePlan) -> Image:
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            if self._stopping:
                raise _StoppedError
            detail = {
                "done": done,
                "total": total,
                "message": f"pulling {node.image}: {done / _MIB:.0f} of {total / _MIB:.0f} MiB",
            }
            loop.call_soon_threadsafe(self._tell, node.name, Kind.PROGRESS, detail)

        pinned = self._record.image(node.name)
        if pinned.get("reference") != node.image:
            pinned = {}
        # Not among the calls that `stop` waits for: a pull may take long, and leaves nothing.
        image = await loop.run_in_executor(
            self._threads, _worded, find_image, engine.client, node, pinned, progress
        )
        if pinned and image.id != pinned.get("id"):
            message = f"the image that the run began with is gone; {node.image} is {image.id} now"
            self._tell(node.name, Kind.NOTICE, {"message": message})
        self._record.set_image(
            node.name, {"reference": node.image, "id": image.id, "digest": image.digest}
        )
        return image

    async def _prepare(self, engine: Engine, image: Image) -> Surroundings:
        """Make what containers need, once: what is left of an earlier attempt goes first."""

        def prepare() -> None:
            remove_run(engine.client, self._run)
            (self._folder / LEFT_FILE).unlink(missing_ok=True)
            self._reaper = Reaper(self._run, self._folder)
            self._certificates = make_certificates(self._run, self._settings.component_tls)
            self._around = self._make_surroundings(engine, image)

        async with self._lock:
            if self._around is None:
                await self._call(prepare)
                self._deaths = DeathWatch(engine.client, self._run, engine.host)
            if self._around is None:
                raise SettingsError("the run is being stopped")
            return self._around

    def _make_surroundings(self, engine: Engine, image: Image) -> Surroundings:
        marks = labels.labels_of(self._run, str(self._folder))
        shared = self._folder / "shared"
        try:
            make_shared_folder(shared)
            (self._folder / "logs").mkdir(exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot write into {self._folder}: {error.strerror}") from error
        network = engine.client.networks.create(
            f"eoloom-{self._run}",
            labels=marks,
            # Containers of a run have nothing to say to each other.
            options={"com.docker.network.bridge.enable_icc": "false"},
        )
        volume = (
            str(shared)
            if engine.shares
            else make_volume(engine.client, self._run, self._folder, image.id)
        )
        return Surroundings(
            shared=volume,
            network=str(network.name),
            publish=engine.publish,
            cpus=engine.cpus,
            user=os.geteuid(),
            group=os.getegid(),
            is_rootless=engine.is_rootless,
            max_message_bytes=self._settings.max_message_bytes,
            environment=os.environ,
            by_tls=self._certificates is not None,
        )

    def _note_security(self, node: NodePlan, image: Image, around: Surroundings) -> None:
        """Remember how a node is called, and tell of plaintext that nobody has asked for."""
        self._by_tls.discard(node.name)
        if image.is_ours and around.by_tls:
            self._by_tls.add(node.name)
            return
        wanted = self._settings.component_tls
        if wanted is not None or channel_security(self._settings) or node.name in self._told:
            return
        self._told.add(node.name)
        why = (
            f"certificates need `{install_command('tls')}`"
            if image.is_ours
            else f"{image.reference} is not an image of ours"
        )
        message = (
            f"is called in plaintext at {around.publish}, where others may connect too: {why} "
            "(EOLOOM_COMPONENT_TLS=false to accept it)"
        )
        self._tell(node.name, Kind.NOTICE, {"message": message})

    async def _start_replica(self, node: NodePlan, name: str, options: Mapping[str, Any]) -> str:
        """Start one container and return the target at which it will answer."""
        engine, around = self._engine, self._around
        if engine is None or around is None or self._stopping:
            raise ComponentDiedError(node.name, "the run is being stopped")
        container = await self._call(
            lambda: engine.client.containers.create(
                name=f"eoloom-{self._run}-{name}-{next(self._numbers)}",
                labels=labels.labels_of(self._run, str(self._folder), node.name),
                **options,
            )
        )
        if node.name in self._by_tls and self._certificates is not None:
            await self._call(self._certificates.put, container, node.name, around.group)
        await self._call(container.start)
        log = NodeLog(node.name, self._folder / "logs" / f"{name}.log", self._log)
        replica = _Replica(name, container, log, follow(container, log))
        self._replicas[node.name].append(replica)
        await self._call(container.reload)
        port = _published(container, GRPC_PORT)
        if port is None:
            death = await self._death_of(replica)
            raise ComponentDiedError(
                node.name, f"its container {death.reason} (log: {log.path})", killed=death.killed
            )
        page = _published(container, WEB_PORT)
        if page is not None:
            task = asyncio.create_task(self._tell_of_page(node.name, around.publish, page))
            self._pages.add(task)
            task.add_done_callback(self._pages.discard)
        return f"{around.publish}:{port}"

    async def _tell_of_page(self, node: str, address: str, port: int) -> None:
        if await web_pages.answers(address, port):
            self._tell(node, Kind.WEB_PAGE, {"url": f"http://{address}:{port}/"})

    async def _death_of(self, replica: _Replica) -> Death:
        """Return how a container ended, and its last words."""
        await asyncio.wait({replica.followed}, timeout=_LAST_WORDS_S)
        death = await self._call(how_it_ended, replica.container)
        said = f", after saying: {replica.log.last_line}" if replica.log.last_line else ""
        return replace(death, reason=f"{death.reason}{said}")

    async def _remove(self, replicas: Sequence[_Replica]) -> None:
        from docker.errors import NotFound

        def remove(container: Container) -> None:
            with contextlib.suppress(NotFound):
                container.remove(force=True, v=True)

        for replica in replicas:
            await self._call(remove, replica.container)

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call the engine in a thread, in words where it fails; `stop` waits for the call."""
        loop = asyncio.get_running_loop()
        call = loop.run_in_executor(self._threads, _worded, function, *arguments)
        self._calls.add(call)
        call.add_done_callback(self._forget)
        return await asyncio.shield(call)

    def _forget(self, call: asyncio.Future[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # looked at, lest asyncio complain where its task was cancelled


def _worded(function: Callable[..., T], *arguments: Any) -> T:
    with in_words("use the Docker engine"):
        return function(*arguments)


def _published(container: Container, port: int) -> int | None:
    """Return the port at which a container's own is published; None if it does not run."""
    bindings = container.attrs["NetworkSettings"]["Ports"].get(f"{port}/tcp")
    return int(bindings[0]["HostPort"]) if bindings else None
