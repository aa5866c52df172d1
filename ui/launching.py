"""Runs that a page starts: processes of their own, so that they outlive the page.

Everything that is then known of a run is read from the journal, as for a run that was started on
the command line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from composer.store import USER_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestrator.journal import Journal
    from orchestrator.settings import OrchestratorSettings

_SAID: Final = 4000
"""Bytes of the end of what a process has said."""


@dataclass
class Launch:
    """A process of `eoloom run` or `eoloom resume`.

    run: id of its run, once it is known.
    """

    process: subprocess.Popen[bytes]
    output: Path
    run: str = ""

    def find_run(self, journal: Journal | None) -> str:
        """Return the id of the run as soon as the journal has it; empty until then."""
        if not self.run and journal is not None:
            found = (r.id for r in journal.runs(50) if r.process == self.process.pid)
            self.run = next(found, "")
            if self.run:  # from now on the journal tells everything
                self.output.unlink(missing_ok=True)
        return self.run

    @property
    def failure(self) -> str | None:
        """What the process has said where it has ended before a run began; else None."""
        if self.run or self.process.poll() is None:
            return None
        try:
            said = self.output.read_bytes()[-_SAID:].decode(errors="replace").strip()
        except OSError:
            said = ""
        return said or f"the run did not begin: its process ended with {self.process.returncode}"


def launch(
    arguments: Sequence[str],
    settings: OrchestratorSettings,
    user: str = "",
    environment: Mapping[str, str] | None = None,
) -> Launch:
    """Start the command line, such as `run FILE`, in a session of its own. Raises OSError.

    user: whose onboarded components it may use; by default those of the user of this process.
    environment: instead of that of this process, such as with somebody's token.
    """
    with tempfile.NamedTemporaryFile(
        prefix="eoloom-launch-", suffix=".log", delete=False
    ) as output:
        command = [sys.executable, "-m", "ui", *arguments, "--no-live"]
        variables = {
            **(os.environ if environment is None else environment),
            "EOLOOM_RUNS_FOLDER": str(settings.runs_folder.absolute()),
            "NO_COLOR": "1",
            **({USER_VARIABLE: user} if user else {}),
        }
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            command,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Launch(process, Path(output.name))
