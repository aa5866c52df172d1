"""The shared folder as a volume: for engines that do not see the folders of this machine.

What the run's folder has goes into the volume before the components start, and what they have
written comes back when they have ended, through a container that is made for it and never started.
"""

from __future__ import annotations

import io
import logging
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.docker import labels

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container
    from docker.models.volumes import Volume

logger = logging.getLogger(__name__)

_PLACE: Final = "/shared"
_IMAGE: Final = "org.eoloom.image"
_SPOOL_BYTES: Final = 64 * 1024 * 1024
_CHUNK_BYTES: Final = 1024 * 1024


def make_volume(client: DockerClient, run: str, folder: Path, image: str) -> str:
    """Make the run's volume with what `folder`/shared has; return its name.

    image: any that the engine has; the copying containers are made of it.
    """
    name = f"eoloom-{run}"
    marks = labels.labels_of(run, str(folder)) | {_IMAGE: image}
    volume = client.volumes.create(name, labels=marks)
    with (
        _container(client, volume) as container,
        tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as tar,
    ):
        _pack(folder / "shared", tar)
        tar.seek(0)
        container.put_archive(_PLACE, tar)
    return name


def bring_back(client: DockerClient, volume: Volume) -> None:
    """Write what a volume holds into `shared` of its run's folder, if that is still there."""
    marks = volume.attrs.get("Labels") or {}
    folder = Path(marks.get(labels.FOLDER, ""))
    if not folder.is_absolute() or not folder.is_dir():
        return
    with _container(client, volume) as container:
        chunks, _ = container.get_archive(f"{_PLACE}/.", chunk_size=_CHUNK_BYTES)
        _unpack(_Chunks(chunks), folder / "shared")


@contextmanager
def _container(client: DockerClient, volume: Volume) -> Iterator[Container]:
    from docker.types import Mount

    marks = volume.attrs.get("Labels") or {}
    container = client.containers.create(
        marks[_IMAGE],
        entrypoint=["false"],
        mounts=[Mount(_PLACE, volume.name, type="volume", no_copy=True)],
        labels={name: mark for name, mark in marks.items() if name != _IMAGE},
        network_mode="none",
    )
    try:
        yield container
    finally:
        container.remove(force=True)


def _pack(folder: Path, target: Any) -> None:
    """Write the folder as a tar file. Its root may be written by the users of all containers."""
    with tarfile.open(fileobj=target, mode="w") as tar:
        root = tarfile.TarInfo(".")
        root.type, root.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(root)
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                continue
            entry = tar.gettarinfo(path, path.relative_to(folder).as_posix())
            entry.mode |= 0o0777 if path.is_dir() else 0o0666
            if path.is_file():
                with path.open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)


def _unpack(source: Any, folder: Path) -> None:
    """Write a tar file into a folder; nothing of it leads outside (filter `data`, PEP 706)."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(fileobj=source, mode="r|") as tar:
        for entry in tar:
            if not (entry.isdir() or entry.isfile()):
                continue
            try:
                tar.extract(entry, folder, filter="data")
            except (tarfile.FilterError, OSError) as error:
                logger.warning("%s was left out: %s", entry.name, error)


class _Chunks(io.RawIOBase):
    """What the engine sends, as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts = [self._rest]
        length = len(self._rest)
        while length < size or size < 0:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            length += len(chunk)
        whole = b"".join(parts)
        if size < 0:
            self._rest = b""
            return whole
        self._rest = whole[size:]
        return whole[:size]
