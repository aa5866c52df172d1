"""The context of a build as an archive: only what the build needs, the same for equal files."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import IO, Final

from orchestrator.images.sources import Files

_IN_MEMORY_BYTES: Final = 64 * 1024 * 1024


def archive(files: Files) -> IO[bytes]:
    """Return the files as a tar archive, in memory or, if large, in a temporary file.

    Owners and times are left out, and rights are those of git, so that equal files make an equal
    archive wherever it is made.
    """
    # Closed by whoever takes it.
    target = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115
    with tarfile.open(fileobj=target, mode="w") as tar:
        for name in sorted(files):
            _add(tar, name, files[name])
    target.seek(0)
    return target


def _add(tar: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    if isinstance(source, bytes):
        info.size = len(source)
        tar.addfile(info, io.BytesIO(source))
        return
    with source.open("rb") as file:
        status = os.fstat(file.fileno())
        info.size = status.st_size
        info.mode = 0o755 if status.st_mode & 0o100 else 0o644
        tar.addfile(info, file)
