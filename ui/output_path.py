"""What a command may write where: nothing is overwritten unasked, and nothing half written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from pathlib import Path


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise EnvironmentFaultError for a file, or a folder with something in it, that is there.

    force: it may be overwritten. A device or pipe, such as /dev/stdout, always may.
    """
    try:
        is_taken = path.is_file() or (path.is_dir() and any(path.iterdir()))
    except OSError as error:
        raise EnvironmentFaultError(f"cannot use {path}: {error.strerror}") from error
    if not is_taken or force:
        return
    if path.is_dir():
        raise EnvironmentFaultError(
            f"{path} is not empty; name a new folder, or give --force to write into this one, "
            "which leaves what else is in it"
        )
    raise EnvironmentFaultError(f"{path} exists already; --force overwrites it")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file: whole or not at all, and not through a link. Raises OSError."""
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
