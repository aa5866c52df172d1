"""Components as processes of this machine, each behind a Unix socket that only this user can open.

Each process holds the reading end of a pipe as its standard input; when the orchestrator dies, by
whatever signal, the pipe closes and the component ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from orchestrator.backends.base import Death, LogSink, Tell
from orchestrator.backends.node_log import LINE_LIMIT_BYTES, NodeLog
from orchestrator.engine.channels import ChannelSecurity
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import ComponentDiedError, NodeError, SettingsError
from orchestrator.events import Kind
from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

_SOCKETS: Final = "eoloom-sockets-"

_NOT_FOR_COMPONENTS: Final = ("EOLOOM_SERVER", "EOLOOM_SERVICE_", "EOLOOM_DATABASE_URL")
"""Beginnings of variables with tokens and passwords that are the orchestrator's own."""


@dataclass
class _Process:
    name: str
    process: asyncio.subprocess.Process
    log: NodeLog
    following: asyncio.Task[None] | None = None


class LocalBackend:
    """One process per replica of a node, for one run.

    folder: of the run; `shared/` in it is the components' shared folder, `logs/<node>.log` what
    they say, or `logs/<node>-<n>.log` where a node has several replicas. log: told every record of
    theirs. tell: told what each process has used, when it is stopped.
    """

    def __init__(
        self, folder: Path, settings: OrchestratorSettings, log: LogSink, tell: Tell | None = None
    ) -> None:
        self._folder = folder.resolve()
        self._tell = tell
        self._settings = settings
        self._log = log
        self._processes: dict[str, list[_Process]] = {}
        self._sockets: Path | None = None
        self._numbers = itertools.count()
        self._stopping = False

    async def start(self, node: NodePlan) -> tuple[str, ...]:
        """Start the node's processes, anew if they run already: all replicas of it.

        Raises NodeError if it has no command that can be run.
        """
        if not node.command:
            raise NodeError(
                node.name,
                f"{node.component} is a container image; local processes cannot run it",
            )
        await self._end(self._processes.get(node.name, []))
        if self._sockets is None:
            _remove_left_sockets()
            # A socket's path is limited to about 100 bytes, so it cannot lie in the run's folder.
            self._sockets = Path(tempfile.mkdtemp(prefix=f"{_SOCKETS}{os.getpid()}-"))
        shared, logs = self._folder / "shared", self._folder / "logs"
        try:
            logs.mkdir(parents=True, exist_ok=True)
            shared.mkdir(exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot write into {self._folder}: {error.strerror}") from error
        addresses = []
        started = self._processes[node.name] = []
        for number in range(1, node.replicas + 1):
            name = node.name if node.replicas == 1 else f"{node.name}-{number}"
            address = f"unix:{self._sockets / str(next(self._numbers))}.sock"
            environment = self._environment(address, shared, node)
            process = await self._start_process(node, environment)
            log = NodeLog(node.name, logs / f"{name}.log", self._log)
            entry = _Process(name, process, log)
            entry.following = asyncio.create_task(_follow(entry))
            started.append(entry)
            addresses.append(address)
        return tuple(addresses)

    async def _start_process(
        self, node: NodePlan, environment: Mapping[str, str]
    ) -> asyncio.subprocess.Process:
        command = [sys.executable if part == "python" else part for part in node.command]
        try:
            return await asyncio.create_subprocess_exec(
                *command,
                cwd=node.folder or None,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the orchestrator, which stops them in order
                limit=LINE_LIMIT_BYTES,
            )
        except OSError as error:
            raise ComponentDiedError(
                node.name, f"{command[0]!r} cannot be run: {error.strerror}"
            ) from error

    @property
    def starts_components(self) -> bool:
        """Whether it starts them: yes."""
        return True

    @property
    def shares_folder(self) -> bool:
        """Always: they are processes of this machine."""
        return True

    def security(self, node: str, asked: ChannelSecurity | None) -> ChannelSecurity | None:
        """Return what is asked for: channels to Unix sockets pass it over."""
        return asked

    async def died(self, node: str) -> Death:
        """Wait until a process ends by itself; return which, how, and its last words."""
        entries = self._processes[node]
        waits = {asyncio.create_task(entry.process.wait()): entry for entry in entries}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._stopping:
            await asyncio.Event().wait()  # it was stopped: this is no death, and never returns
        ended = next(iter(done))
        entry, code = waits[ended], ended.result()
        if entry.following is not None:
            await asyncio.wait({entry.following}, timeout=1.0)
        how = (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        said = f", after saying: {entry.log.last_line}" if entry.log.last_line else ""
        which = "its process" if len(entries) == 1 else f"the process of replica {entry.name}"
        return Death(f"{which} {how}{said} (log: {entry.log.path})", killed=code < 0)

    async def stop(self) -> None:
        """End all processes, first by SIGTERM, after the grace time by SIGKILL."""
        self._stopping = True
        await self._end([entry for entries in self._processes.values() for entry in entries])
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    async def _end(self, entries: Sequence[_Process]) -> None:
        for entry in entries:
            self._tell_usage(entry)
            _signal(entry.process, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._settings.stop_grace_s):
                await asyncio.gather(*(entry.process.wait() for entry in entries))
        except TimeoutError:
            for entry in entries:
                _signal(entry.process, signal.SIGKILL)
            await asyncio.gather(*(entry.process.wait() for entry in entries))
        logs = [entry.following for entry in entries if entry.following]
        await asyncio.gather(*logs, return_exceptions=True)

    def _tell_usage(self, entry: _Process) -> None:
        """Tell what a process has used; of one that has died nothing is known any more."""
        seconds = _cpu_seconds(entry.process.pid) if entry.process.returncode is None else None
        if self._tell is not None and seconds is not None:
            self._tell(entry.log.node, Kind.USAGE, {"cpu_s": round(seconds, 2)})

    def _environment(self, address: str, shared: Path, node: NodePlan) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [node.folder, os.environ.get("PYTHONPATH", "")]))
        return {
            **{
                n: value for n, value in os.environ.items() if not n.startswith(_NOT_FOR_COMPONENTS)
            },
            **({"PYTHONPATH": path} if path else {}),
            "EOLOOM_ADDRESS": address,
            "EOLOOM_EXIT_WITH_STDIN": "1",
            "EOLOOM_LOG_FORMAT": "json",
            "EOLOOM_MAX_MESSAGE_BYTES": str(self._settings.max_message_bytes),
            "SHARED_FOLDER_PATH": str(shared),
            "PYTHONUNBUFFERED": "1",
        }


async def _follow(entry: _Process) -> None:
    """Write what the process says to its log, and tell of each record."""
    stdout = entry.process.stdout
    assert stdout is not None  # noqa: S101 - we asked for a pipe
    with entry.log:
        while True:
            try:
                line = await stdout.readline()
            except ValueError:  # longer than the limit: asyncio has dropped it
                line = b"(a line of more than 1 MiB was left out)\n"
            if not line:
                return
            entry.log.take(line)


def _cpu_seconds(process: int) -> float | None:
    """Return the processor time of a process with all its children; None if it has gone.

    Both those that still run and those that have ended count.
    """
    try:
        leader = psutil.Process(process)
        family = [leader, *leader.children(recursive=True)]
    except psutil.Error:
        return None
    seconds = 0.0
    for member in family:
        with contextlib.suppress(psutil.Error):
            seconds += sum(member.cpu_times()[:4])  # own and waited-for, user and system
    return seconds


def _remove_left_sockets() -> None:
    """Remove the socket folders of orchestrators that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SOCKETS}*-*"):
        process = folder.name.removeprefix(_SOCKETS).partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)  # those of other users stay


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the process and what it started; it leads its own session."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
