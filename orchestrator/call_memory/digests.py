"""Content digests of files and folders: SHA-256, each file read once however often it is asked for.

A file counts as unchanged while its device, inode, size and modification time are the same.
Components write files whole under another name and rename them, so a changed file has another
inode. Hard links of one file share their digest.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from orchestrator.call_memory.errors import NotRememberableError

# A Zarr store of a full tile has some thousand files.
MAX_FILES: Final = 50_000


class Stamp(NamedTuple):
    """What tells without reading that a file has not changed."""

    device: int
    inode: int
    size: int
    mtime_ns: int


class DigestStore(Protocol):
    """Where digests outlive a run."""

    def digest_of(self, stamp: Stamp) -> str | None:
        """Return the digest of a file that has been read before."""
        ...

    def keep_digest(self, stamp: Stamp, digest: str) -> None:
        """Keep the digest of a file."""
        ...


class FileDigests:
    """Digests of files, as hexadecimal text. May be used by several threads at once."""

    def __init__(self, store: DigestStore) -> None:
        self._store = store
        self._known: dict[Stamp, str] = {}

    def of(self, path: Path) -> str:
        """Return the digest of a file, or of all files below a folder with their names.

        Raises NotRememberableError where it is neither, cannot be read, or has too many files.
        """
        try:
            if not path.is_dir():
                return self._of_file(path)
            total = hashlib.sha256(b"folder\0")
            for file in files_of(path):
                name = file.relative_to(path).as_posix()
                total.update(f"{name}\0{self._of_file(file)}\0".encode())
            return total.hexdigest()
        except (OSError, ValueError) as error:
            raise NotRememberableError(f"{path} cannot be read: {error}") from error

    def know(self, path: Path, digest: str) -> None:
        """Take the digest of a file that somebody else has just made sure of."""
        self._known[stamp_of(path)] = digest

    def _of_file(self, path: Path) -> str:
        stamp = stamp_of(path)
        digest = self._known.get(stamp) or self._store.digest_of(stamp)
        if digest is None:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if stamp_of(path) != stamp:
                raise NotRememberableError(f"{path} changed while it was read")
            self._store.keep_digest(stamp, digest)
        self._known[stamp] = digest
        return digest


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a regular file. Raises OSError, NotRememberableError for others."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise NotRememberableError(f"{path} is not a file")
    return Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def files_of(path: Path) -> Iterator[Path]:
    """Yield a file itself, or the files below a folder, sorted.

    Raises NotRememberableError where there are too many, or links, which may lead anywhere.
    """
    if not path.is_dir():
        yield path
        return
    number = 0
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            number += 1
            if number > MAX_FILES:
                raise NotRememberableError(f"{path} has more than {MAX_FILES} files")
            file = Path(folder, name)
            if file.is_symlink():
                raise NotRememberableError(f"{file} is a link")
            yield file
