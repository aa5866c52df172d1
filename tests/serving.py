"""An orchestrator service as a process of its own, which wants tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

STARTS_WITHIN_S = 60


@dataclass
class Serving:
    """`eoloom serve` with its runs in `folder`; tokens: each with its user."""

    folder: Path
    components: Path
    tokens: dict[str, str]
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What the process has said."""
        return self.folder / "service.log"

    @property
    def stopped(self) -> bool:
        """Whether there is no process."""
        return self._process is None

    def start(self) -> None:
        """Start it, on the same port as before, and wait until it listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        tokens = self.folder.with_suffix(".tokens")
        tokens.write_text(json.dumps(self.tokens))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
        environment |= {
            "XDG_DATA_HOME": str(self.folder / "data-home"),
            "EOLOOM_COMPONENTS_PATH": str(self.components),
            "EOLOOM_SERVICE_TOKENS_FILE": str(tokens),
            "EOLOOM_RUNS_FOLDER": str(self.folder / "runs"),
        }
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ui", "serve", "--port", str(self.port)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until = time.monotonic() + STARTS_WITHIN_S
        while b"listens on" not in self.log.read_bytes()[said:]:
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power failure would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it as Ctrl-C would, with its runs."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None
