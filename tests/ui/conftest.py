from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.ui.fake import PIPELINE, put_components
from ui.cli import app

EOLOOM = [sys.executable, "-c", "from ui.cli import app; app(prog_name='eoloom')"]

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def fake_components(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_components(tmp_path_factory.mktemp("fakes"))


@pytest.fixture
def workplace(tmp_path: Path, fake_components: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with the fakes in the environment and a pipeline of them."""
    for name in [name for name in os.environ if name.startswith("EOLOOM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EOLOOM_COMPONENTS_PATH", str(fake_components))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data-home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


@pytest.fixture
def eoloom(workplace: Path) -> Invoke:
    """Call the command line in this process."""

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def start(workplace: Path) -> Start:
    """Start the command line as a process of its own."""

    def popen(*arguments: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*EOLOOM, *arguments],
            cwd=workplace,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    return popen


@pytest.fixture
def finish(start: Start) -> Callable[..., tuple[int, str, str]]:
    """Run the command line as a process to its end: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        with start(*arguments) as process:
            stdout, stderr = process.communicate(timeout=120)
            return process.returncode, stdout, stderr

    return run
