"""What everything that belongs to a run is marked with, so that it can be found and removed."""

from __future__ import annotations

import os
import socket
from typing import Any, Final

from composer.system_user import system_user

RUN: Final = "org.eoloom.run"
NODE: Final = "org.eoloom.node"
OWNER: Final = "org.eoloom.owner"
FOLDER: Final = "org.eoloom.folder"
PROCESS: Final = "org.eoloom.process"

OURS: Final = "org.eoloom.component"
"""On the images of our components: they run unprivileged and with a read-only root."""


def owner() -> str:
    """Return `user@host`: engines are shared by users, and remote ones by machines."""
    return f"{system_user()}@{socket.gethostname()}"


def labels_of(run: str, folder: str, node: str = "") -> dict[str, str]:
    """Return the labels of one thing.

    folder: the run's, into which what lies in a volume is brought back.
    """
    labels = {RUN: run, OWNER: owner(), FOLDER: folder, PROCESS: str(os.getpid())}
    return labels | ({NODE: node} if node else {})


def matching(run: str, process: int = 0) -> dict[str, Any]:
    """Return the engine's filter for what belongs to a run.

    process: of the orchestrator of this machine whose things are meant; all that the run had if 0.
    """
    wanted = [f"{RUN}={run}"]
    if process:
        wanted += [f"{OWNER}={owner()}", f"{PROCESS}={process}"]
    return {"label": wanted}
