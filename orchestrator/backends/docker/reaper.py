"""Removes what a run has made when its orchestrator dies, by whatever signal.

    python -m orchestrator.backends.docker.reaper RUN

A process of its own session that holds the reading end of a pipe. The orchestrator writes one byte
when it has removed everything itself; a pipe that closes without it means that it has died.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from orchestrator.errors import SettingsError

_DONE: Final = b"."


class Reaper:
    """The orchestrator's side of the pipe."""

    def __init__(self, run: str) -> None:
        """Start the reaper of a run. Raises SettingsError where that is not possible."""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, run],
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


def main(run: str) -> None:
    """Wait until the pipe closes, and remove the run's things unless they are gone."""
    if os.fork():
        os._exit(0)
    if os.read(0, 1) == _DONE:
        return
    # Only now, so that it is small while it waits.
    from orchestrator.backends.docker.cleanup import remove_until_quiet
    from orchestrator.backends.docker.engine import connect

    engine = connect(publish="unused")
    remove_until_quiet(engine.client, run)
    engine.close()


if __name__ == "__main__":
    main(sys.argv[1])
