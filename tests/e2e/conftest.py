"""Pipelines of the real components, run as a user runs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SIZE = 256


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


Eoloom = Callable[..., Ended]


def run_eoloom(folder: Path, *arguments: str, timeout: float = 300) -> Ended:
    """Run the command line in a folder, without settings from outside."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EOLOOM_")}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("eoloom")), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def eoloom(tmp_path: Path) -> Eoloom:
    """The command line, in an empty folder."""
    return lambda *arguments, **options: run_eoloom(tmp_path, *arguments, **options)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of sample-scenes, a STAC catalogue; not to be changed."""
    folder = tmp_path_factory.mktemp("simulated")
    pipeline = folder / "scenes.yaml"
    params = f"{{size: {SIZE}, cloud_percentage: 3}}"
    pipeline.write_text(
        f"name: scenes\nnodes:\n  scenes: {{component: sample-scenes, params: {params}}}\n"
    )
    ended = run_eoloom(folder, "run", str(pipeline), "--json")
    assert ended.code == 0, ended.stderr
    return Path(ended.document["folder"])


@pytest.fixture
def catalogue(simulated: Path, tmp_path: Path) -> Path:
    """A copy of the simulated catalogue that a test may damage."""
    target = tmp_path / "catalogue"
    shutil.copytree(simulated, target)
    return target
