"""What a component is: two calls can only be equal where the same code answers them.

A version is not enough while somebody works on a component, so its source counts as well. Which
image runs is known to the backend only; here its reference counts.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from orchestrator.call_memory.errors import NotRememberableError

if TYPE_CHECKING:
    from pathlib import Path

    from composer.component import Component
    from orchestrator.call_memory.digests import FileDigests
    from orchestrator.engine.plan import NodePlan

# What is no source: compiled, of version control, or of editors.
_NOT_SOURCE: Final = frozenset({"__pycache__", "node_modules", "venv"})
_MAX_FILES: Final = 5_000
_MAX_BYTES: Final = 64 * 1024 * 1024


def identity(node: NodePlan, component: Component, digests: FileDigests) -> str:
    """Return name, version, image and the digest of the source of a node's component.

    Raises NotRememberableError where the source is too large to be looked through.
    """
    folders: list[Path] = []
    if not component.is_onboarded:
        folders.append(component.folder)
        if component.is_built_in:
            folders.append(component.folder.parent / "kit")
    sources = [_source_digest(folder, digests) for folder in folders]
    return json.dumps([node.component, node.version, node.command, node.image, *sources])


def _source_digest(folder: Path, digests: FileDigests) -> str:
    """Return the digest of the files below a folder that could be source, with their names."""
    total = hashlib.sha256()
    size = 0
    try:
        paths = sorted(_source_files(folder))
        for path in paths:
            size += path.stat().st_size
            if size > _MAX_BYTES:
                raise NotRememberableError(f"{folder} is too large to be looked through")
            total.update(f"{path.relative_to(folder).as_posix()}\0{digests.of(path)}\0".encode())
    except OSError as error:
        raise NotRememberableError(f"{folder} cannot be read: {error.strerror}") from error
    return total.hexdigest()


def _source_files(folder: Path) -> list[Path]:
    found: list[Path] = []
    waiting = [folder]
    while waiting:
        for path in waiting.pop().iterdir():
            if path.name in _NOT_SOURCE or path.name.startswith("."):
                continue
            if path.is_dir() and not path.is_symlink():
                waiting.append(path)
            elif path.is_file():
                found.append(path)
        if len(found) > _MAX_FILES:
            raise NotRememberableError(f"{folder} has more than {_MAX_FILES} files")
    return found
