"""Removes what a run has made when its orchestrator dies, by whatever signal.

    python -m orchestrator.backends.docker.reaper RUN FOLDER PROCESS

A process of its own session that holds the reading end of a pipe. The orchestrator writes one byte
when it has removed everything itself; a pipe that closes without it means that it has died. Nobody
reads what the process says then, so what it cannot remove is written into the run's folder.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from orchestrator.errors import SettingsError

LEFT_FILE: Final = "left-on-engine.txt"
"""In the run's folder: what could not be removed, why, and how to remove it."""

_DONE: Final = b"."
_PATIENCE_S: Final = 300.0
"""How long an engine that refuses or does not answer is asked again: a restart takes less."""


class Reaper:
    """The orchestrator's side of the pipe."""

    def __init__(self, run: str, folder: Path) -> None:
        """Start the reaper of a run and its folder. Raises SettingsError where it cannot start."""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, run, str(folder), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise SettingsError(f"cannot start {sys.executable}: {error.strerror}") from error
        # It goes on in a child that is not ours: whoever kills all our children spares it.
        self._process.wait()

    def dismiss(self) -> None:
        """Let it end without doing anything. May be called twice."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            try:
                pipe.write(_DONE)
                pipe.close()
            except OSError:  # it was killed
                return

    def leave(self) -> None:
        """Let it remove everything, as if the orchestrator had died."""
        pipe = self._process.stdin
        if pipe is not None:
            pipe.close()


def main(run: str, folder: Path, process: int) -> None:
    """Wait until the pipe closes, and remove what `process` has made unless it has done so."""
    if os.fork():
        os._exit(0)
    if os.read(0, 1) != _DONE:
        reap(run, folder, process)


def reap(run: str, folder: Path, process: int, patience_s: float = _PATIENCE_S) -> None:
    """Remove what `process` has made for a run; what is left is said in the run's folder."""
    # Only now, so that the process is small while it waits.
    from orchestrator.backends.docker.cleanup import remove_until_quiet

    try:
        remove_until_quiet(run, process, patience_s)
    except SettingsError as error:
        with contextlib.suppress(OSError):  # the folder is gone, and the run with it
            (folder / LEFT_FILE).write_text(f"{error}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
