"""Where files are: the shared folder of a run, and what lies behind absolute URLs.

An href is a path relative to the shared folder, or an absolute s3://, https:// or http:// URL.
Relative hrefs come from other components, so they are never trusted to stay inside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from components.kit.documents import read_url
from components.kit.errors import InputError, MissingDataError, storage_error

REMOTE_SCHEMES: Final = ("s3", "https", "http")

# Metadata files of products are below 10 MiB; a document beyond this is refused.
DOCUMENT_LIMIT_BYTES: Final = 64 * 1024 * 1024


class Storage:
    """The files of one node in one run.

    root: the shared folder. output: root/<node>; everything the node writes goes there. Both are
    absolute; `output` is made on first use. Raises StorageError where it cannot be made.
    """

    def __init__(self, root: Path, node: str) -> None:
        self.root = root.resolve()
        self._output = self.root / node

    @property
    def output(self) -> Path:
        """The node's folder, which exists."""
        try:
            self._output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self._output, error) from error
        return self._output

    def local(self, href: str) -> Path:
        """Return the absolute path of a relative href; InputError if it leaves the folder."""
        if not href:
            raise InputError("an href is empty; give a path or a URL")
        if "://" in href:
            raise InputError(f"href {href!r}: only {', '.join(REMOTE_SCHEMES)} URLs can be read")
        path = _resolved(self.root / href)
        if Path(href).is_absolute() or not path.is_relative_to(self.root):
            raise InputError(
                f"href {href!r} leaves the shared folder; give a path inside it, "
                "or an s3:// or https:// URL"
            )
        return path

    def resolve(self, href: str) -> str:
        """Return what GDAL opens for an href: a path, /vsis3/... or /vsicurl/...."""
        scheme = _remote_scheme(href)
        if not scheme:
            return str(self.local(href))
        rest = href[len(scheme) :]  # GDAL knows schemes in small letters only
        return (
            f"/vsis3/{rest.removeprefix('://')}" if scheme == "s3" else f"/vsicurl/{scheme}{rest}"
        )

    def href(self, path: Path) -> str:
        """Return the relative href of an absolute path inside the shared folder."""
        absolute = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
        if not absolute.is_relative_to(self.root):
            raise InputError(f"{path} lies outside the shared folder {self.root}")
        return absolute.relative_to(self.root).as_posix()

    def read_bytes(self, href: str, limit: int = DOCUMENT_LIMIT_BYTES) -> bytes:
        """Return a whole document (XML, JSON) of at most `limit` bytes.

        Raises MissingDataError if it is not there, InputError if it is larger, TemporaryError
        where the network fails.
        """
        if _remote_scheme(href):
            return read_url(href, limit)
        path = self.local(href)
        if not path.is_file():  # a pipe would never end
            raise MissingDataError(
                f"{href} is not a file" if path.exists() else f"{href} does not exist"
            )
        try:
            with path.open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError as error:
            raise MissingDataError(f"{href} cannot be read: {error.strerror}") from error
        if len(content) > limit:
            raise InputError(f"{href} is larger than {limit} bytes")
        return content

    def stage(self, source: Path, name: str | None = None) -> str:
        """Bring a local file or folder into the node's folder and return its href.

        Hard links where the file system allows, else copies; a staged file is therefore never to
        be written to. Links to files inside a folder are followed where they stay within it. The
        caller has checked that `source` may be read. Raises MissingDataError where it cannot be,
        InputError for a name or link that leads outside, StorageError where writing fails.
        """
        target = self.output / (name or source.name or source.resolve().name)
        inside, output = _resolved(target), self._output.resolve()
        if not inside.is_relative_to(output) or inside == output:
            raise InputError(f"{name or str(source)!r} is not a name inside the node's folder")
        if not source.exists():
            raise MissingDataError(f"{source} does not exist")
        if source.is_dir():
            _stage_folder(source.resolve(), target)
        else:
            _stage_file(source.resolve(), target)
        return self.href(target)


def _remote_scheme(href: str) -> str:
    """Return the scheme if the href is a URL that can be read, else nothing."""
    try:
        scheme = urlsplit(href).scheme
    except ValueError as error:
        raise InputError(f"href {href!r} is not a URL: {error}") from error
    return scheme if scheme in REMOTE_SCHEMES and "://" in href else ""


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (ValueError, RuntimeError, OSError) as error:  # NUL, links in a circle, too long
        raise InputError(f"{str(path)!r} is not a path: {error}") from error


def _stage_folder(source: Path, target: Path) -> None:
    # Links to folders could lead in circles; no product that is known has any.
    for entry in sorted(source.rglob("*")):
        if entry.is_symlink() and entry.is_dir():
            raise InputError(f"{entry} is a link to a folder; replace it by the folder")
        if entry.is_file():
            real = entry.resolve()
            if not real.is_relative_to(source):
                raise InputError(f"{entry} is a link to outside of {source}")
            _stage_file(real, target / entry.relative_to(source))
    with _writing(target):
        target.mkdir(parents=True, exist_ok=True)


def _stage_file(source: Path, target: Path) -> None:
    """Link or copy under a temporary name, then rename: a reader never sees half a file."""
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with _writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, part)
        except OSError:  # another file system, or links not permitted
            _copy(source, part)
        with _writing(target):
            part.replace(target)
    finally:
        # Where target already is a link to source, rename does nothing and leaves the part.
        with contextlib.suppress(OSError):
            part.unlink()


def _copy(source: Path, target: Path) -> None:
    try:
        stream = source.open("rb")
    except OSError as error:
        raise MissingDataError(f"{source} cannot be read: {error.strerror}") from error
    with stream, _writing(target), target.open("xb") as copy:
        shutil.copyfileobj(stream, copy, 1024 * 1024)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise storage_error(path, error) from error
