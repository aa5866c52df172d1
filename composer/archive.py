"""Archives of texts, in and out.

An archive that is read may come from anybody: its size, its number of files and what they unpack
to are bounded, names that lead outside are refused, and nothing is ever unpacked onto a disk.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from composer.errors import SolutionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

MAX_ARCHIVE_BYTES: Final = 16 << 20
MAX_FILES: Final = 5_000
MAX_FILE_BYTES: Final = 4 << 20
MAX_TOTAL_BYTES: Final = 64 << 20
"""Of the files that are read."""

_ENTRY: Final = b"PK\x01\x02"
"""Begins each entry of an archive's list of files (APPNOTE.TXT, 4.3.12)."""
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED: Final = 0x1
_DATE: Final = (1980, 1, 1, 0, 0, 0)


def pack(files: Mapping[str, str]) -> bytes:
    """Return an archive of texts by name; equal texts give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, _DATE)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if text.startswith("#!") else 0o644) << 16
            archive.writestr(info, text)
    return buffer.getvalue()


def unpack(
    content: bytes, choose: Callable[[Collection[str]], Mapping[str, str]]
) -> dict[str, str]:
    """Return texts of an archive by name.

    choose: what is wanted of all names: the name that each is to have, by its own.

    Raises SolutionError.
    """
    if len(content) > MAX_ARCHIVE_BYTES:
        raise SolutionError(f"the archive is larger than {MAX_ARCHIVE_BYTES} bytes")
    if content.count(_ENTRY) > MAX_FILES:
        raise SolutionError(f"the archive has more than {MAX_FILES} files")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = _safe(archive.infolist())
            wanted = {name: files[own] for own, name in choose(files).items()}
            return _read_all(archive, wanted)
    # All that zipfile is known to raise on archives that are damaged, or made to be.
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        OverflowError,
    ) as error:
        raise SolutionError(f"it is no archive that can be read: {error}") from error


def _safe(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the entries that are files. Raises SolutionError for unsafe names."""
    files: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename
        path = PurePosixPath(name)
        if not name:  # zipfile itself does not expect one
            raise SolutionError("the archive has a file without a name")
        if "\\" in name or ":" in name or path.is_absolute() or ".." in path.parts:
            raise SolutionError(f"the archive has a file that leads outside: {name[:200]!r}")
        if entry.is_dir():
            continue
        if str(path) in files:
            raise SolutionError(f"the archive has {name[:200]!r} twice")
        files[str(path)] = entry
    return files


def _read_all(archive: zipfile.ZipFile, wanted: Mapping[str, zipfile.ZipInfo]) -> dict[str, str]:
    files, total = {}, 0
    for name, entry in wanted.items():
        if entry.flag_bits & _ENCRYPTED:
            raise SolutionError(f"{name[:200]} is encrypted")
        if entry.compress_type not in _METHODS:
            raise SolutionError(f"{name[:200]} is compressed in an unusual way")
        with archive.open(entry) as file:
            # What it says of its size need not be true: count what really comes.
            content = file.read(MAX_FILE_BYTES + 1)
        total += len(content)
        if len(content) > MAX_FILE_BYTES or total > MAX_TOTAL_BYTES:
            raise SolutionError(f"{name[:200]} unpacks to too much; the archive may be a bomb")
        files[name] = decode(name, content)
    return files


def decode(name: str, content: bytes) -> str:
    """Return the text of one file. Raises SolutionError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SolutionError(f"{name[:200]} is not UTF-8 text") from error
