"""Components as processes of this machine, each behind a Unix socket that only this user can open.

Each process holds the reading end of a pipe as its standard input; when the orchestrator dies, by
whatever signal, the pipe closes and the component ends itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from orchestrator.backends.base import LogSink
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import ComponentDiedError, NodeError, SettingsError
from orchestrator.settings import OrchestratorSettings

logger = logging.getLogger(__name__)

_SOCKETS: Final = "eoloom-sockets-"
_LINE_LIMIT: Final = 1024 * 1024


@dataclass
class _Process:
    process: asyncio.subprocess.Process
    log_path: Path
    log: asyncio.Task[None] | None = None
    last_line: str = ""


class LocalBackend:
    """One process per node, for one run.

    folder: of the run; `shared/` in it is the components' shared folder, `logs/<node>.log` what
    they say. log: told every record of theirs.
    """

    def __init__(self, folder: Path, settings: OrchestratorSettings, log: LogSink) -> None:
        self._folder = folder.resolve()
        self._settings = settings
        self._log = log
        self._processes: dict[str, _Process] = {}
        self._sockets: Path | None = None
        self._numbers = itertools.count()
        self._stopping = False

    async def start(self, node: NodePlan) -> str:
        """Start the node's process. Raises NodeError if it has no command that can be run."""
        if not node.command:
            raise NodeError(
                node.name,
                f"{node.component} is a container image; local processes cannot run it",
            )
        if self._sockets is None:
            _remove_left_sockets()
            # A socket's path is limited to about 100 bytes, so it cannot lie in the run's folder.
            self._sockets = Path(tempfile.mkdtemp(prefix=f"{_SOCKETS}{os.getpid()}-"))
        address = f"unix:{self._sockets / str(next(self._numbers))}.sock"
        log_path = self._folder / "logs" / f"{node.name}.log"
        try:
            log_path.parent.mkdir(parents=True, exist_ok=True)
            shared = self._folder / "shared"
            shared.mkdir(exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot write into {self._folder}: {error.strerror}") from error
        command = [sys.executable if part == "python" else part for part in node.command]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=node.folder or None,
                env=self._environment(address, shared, node),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the orchestrator, which stops them in order
                limit=_LINE_LIMIT,
            )
        except OSError as error:
            raise ComponentDiedError(
                node.name, f"{command[0]!r} cannot be run: {error.strerror}"
            ) from error
        entry = _Process(process, log_path)
        entry.log = asyncio.create_task(self._follow(node.name, entry))
        self._processes[node.name] = entry
        return address

    async def died(self, node: str) -> str:
        """Wait until the process ends by itself; return how, and its last words."""
        entry = self._processes[node]
        code = await entry.process.wait()
        if self._stopping:
            await asyncio.Event().wait()  # it was stopped: this is no death, and never returns
        if entry.log is not None:
            await asyncio.wait({entry.log}, timeout=1.0)
        how = (
            f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
        said = f", after saying: {entry.last_line}" if entry.last_line else ""
        return f"its process {how}{said} (log: {entry.log_path})"

    async def stop(self) -> None:
        """End all processes, first by SIGTERM, after the grace time by SIGKILL."""
        self._stopping = True
        entries = list(self._processes.values())
        for entry in entries:
            _signal(entry.process, signal.SIGTERM)
        try:
            async with asyncio.timeout(self._settings.stop_grace_s):
                await asyncio.gather(*(entry.process.wait() for entry in entries))
        except TimeoutError:
            for entry in entries:
                _signal(entry.process, signal.SIGKILL)
            await asyncio.gather(*(entry.process.wait() for entry in entries))
        await asyncio.gather(*(entry.log for entry in entries if entry.log), return_exceptions=True)
        if self._sockets is not None:
            shutil.rmtree(self._sockets, ignore_errors=True)
            self._sockets = None

    def _environment(self, address: str, shared: Path, node: NodePlan) -> dict[str, str]:
        path = os.pathsep.join(filter(None, [node.folder, os.environ.get("PYTHONPATH", "")]))
        return {
            **os.environ,
            **({"PYTHONPATH": path} if path else {}),
            "EOLOOM_ADDRESS": address,
            "EOLOOM_EXIT_WITH_STDIN": "1",
            "EOLOOM_LOG_FORMAT": "json",
            "EOLOOM_MAX_MESSAGE_BYTES": str(self._settings.max_message_bytes),
            "SHARED_FOLDER_PATH": str(shared),
            "PYTHONUNBUFFERED": "1",
        }

    async def _follow(self, node: str, entry: _Process) -> None:
        """Write what the process says to its log, and tell of each record."""
        stdout = entry.process.stdout
        assert stdout is not None  # noqa: S101 - we asked for a pipe
        with entry.log_path.open("ab") as log:
            while True:
                try:
                    line = await stdout.readline()
                except ValueError:  # longer than the limit: asyncio has dropped it
                    line = b"(a line of more than 1 MiB was left out)\n"
                if not line:
                    return
                with contextlib.suppress(OSError):  # a full disk must not end the run's other work
                    log.write(line)
                    log.flush()
                record = _parse(line)
                if "progress" not in record and record["message"].strip():
                    entry.last_line = record["message"].strip()[:300]
                self._log(node, record)


def _remove_left_sockets() -> None:
    """Remove the socket folders of orchestrators that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SOCKETS}*-*"):
        process = folder.name.removeprefix(_SOCKETS).partition("-")[0]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(folder, ignore_errors=True)  # those of other users stay


def _parse(line: bytes) -> Mapping[str, Any]:
    """Return a log line as a record; what is not our JSON becomes its `message`."""
    text = line.decode(errors="replace").rstrip()
    with contextlib.suppress(ValueError):
        record = json.loads(text)
        if isinstance(record, dict) and isinstance(record.get("message"), str):
            return record
    return {"message": text, "level": "INFO"}


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the process and what it started; it leads its own session."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
