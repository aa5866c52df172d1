"""Where a file of a run there may lie here: what the service says is not believed."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.service_client.errors import ServiceAnswerError

_RUN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,159}")

_COPIED: Final = frozenset({"results", "shared", "logs"})
"""Folders of a run that are copied; beside them lies what is written here."""
_CATALOGUE: Final = ("catalog.json",)


def check_run(run: str) -> str:
    """Return the id of a run that is fit to name a folder. Raises ServiceAnswerError."""
    if not _RUN.fullmatch(run):
        raise ServiceAnswerError(f"the service names a run {run[:200]!r}, which is no id of a run")
    return run


def lies_elsewhere(path: str) -> bool:
    """Whether a path of a result is a URL or a path outside of the run's folder there."""
    return "://" in path or path.startswith("/")


def local_path(folder: Path, path: str) -> Path:
    """Return where a file of a run lies here.

    folder: of the run. path: relative to it, as the service says. Raises ServiceAnswerError where
    it leads out of the folder, be it by a link, or to what is not copied.
    """
    parts = PurePosixPath(path).parts
    is_known = parts == _CATALOGUE or (len(parts) > 1 and parts[0] in _COPIED)
    if not is_known or ".." in parts or "\0" in path:
        raise ServiceAnswerError(f"the service names a file {path[:300]!r} that no run has")
    root = folder.resolve()
    target = root.joinpath(*parts)
    try:
        leads = target.parent.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise ServiceAnswerError(f"{target} cannot be written: {error}") from error
    if leads != target.parent or target.is_symlink():
        raise ServiceAnswerError(f"{target} leads out of the folder of the run by a link")
    return target
