"""The page as a process of its own, with folders of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

STARTS_WITHIN_S = 90


@dataclass
class Served:
    """`eoloom ui` on a port of its own; workspace, runs and onboarded components in `folder`."""

    folder: Path
    components: Path | None = None
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    """Variables of the environment."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def workspace(self) -> Path:
        """Where it keeps pipelines and drafts."""
        return self.folder / "pipelines"

    @property
    def runs(self) -> Path:
        """Where runs go."""
        return self.folder / "runs"

    @property
    def log(self) -> Path:
        """What the process has said."""
        return self.folder / "page.log"

    def start(self) -> None:
        """Start it, on the same port as before, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
        environment["XDG_DATA_HOME"] = str(self.folder / "data-home")
        if self.components is not None:
            environment["EOLOOM_COMPONENTS_PATH"] = str(self.components)
        environment |= self.settings
        options = ["--port", str(self.port), "--no-browser"]
        folders = ["--workspace", str(self.workspace), "--runs-folder", str(self.runs)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ui", "ui", *options, *folders],
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait()

    def kill(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it as Ctrl-C would."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def _wait(self) -> None:
        until = time.monotonic() + STARTS_WITHIN_S
        while time.monotonic() < until:
            assert self._process is not None
            if self._process.poll() is not None:
                break
            found = re.search(r"open http://127\.0\.0\.1:(\d+)", self.log.read_text())
            if found:
                self.port = int(found[1])
                if self._answers():
                    return
            time.sleep(0.1)
        raise AssertionError(f"the page did not start:\n{self.log.read_text()}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2):  # noqa: S310 - our own page
                return True
        except (urllib.error.URLError, OSError):
            return False
