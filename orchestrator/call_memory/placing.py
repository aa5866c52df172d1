"""Bringing the files of remembered answers into the folder of another run."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Sequence
from pathlib import Path

from orchestrator.call_memory.digests import FileDigests
from orchestrator.call_memory.errors import NotRememberableError
from orchestrator.call_memory.index import KeptCall, KeptFile


def find_folder(call: KeptCall, digests: FileDigests) -> Path | None:
    """Return a folder in which all files of a call still are as they were, or None."""
    if not call.files:
        return call.folders[0] if call.folders else None
    for folder in call.folders:
        with contextlib.suppress(OSError, NotRememberableError):
            if all(_is_same(folder / file.path, file, digests) for file in call.files):
                return folder
    return None


def bring_files(
    files: Sequence[KeptFile], source: Path, target: Path, digests: FileDigests
) -> None:
    """Link the files of one node's folder into another's; copy where links are not possible.

    What lies there under the same name is replaced, as the component itself would. Raises OSError,
    NotRememberableError where a link in the target leads outside.
    """
    for file in files:
        old, new = source / file.path, target / file.path
        if not new.parent.resolve().is_relative_to(target):
            raise NotRememberableError(f"{new} leads outside")
        if not (new.exists() and new.samefile(old)):
            _make_folder(new.parent, target.parent)
            _bring(old, new)
        digests.know(new, file.digest)


def _make_folder(folder: Path, shared: Path) -> None:
    """Make a folder below the shared one, with its rights: containers may have other users."""
    if folder == shared:
        shared.mkdir(parents=True, exist_ok=True)
    elif not folder.exists():
        _make_folder(folder.parent, shared)
        folder.mkdir(exist_ok=True)
        folder.chmod(stat.S_IMODE(shared.stat().st_mode))


def _is_same(path: Path, file: KeptFile, digests: FileDigests) -> bool:
    status = path.lstat()
    if status.st_size != file.size or not stat.S_ISREG(status.st_mode) or path != path.resolve():
        return False
    # Another time need not be another content: the folder may have been copied.
    return status.st_mtime_ns == file.mtime_ns or digests.of(path) == file.digest


def _bring(source: Path, target: Path) -> None:
    """Link or copy under a temporary name, then rename: a reader never sees half a file."""
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        try:
            os.link(source, part)
        except OSError:  # another file system, or links not permitted
            shutil.copy2(source, part)
        part.replace(target)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
