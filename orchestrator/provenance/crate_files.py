"""The files of a crate: described with size and checksum, and taken along or referred to."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from rocrate.model.file import File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rocrate.model.entity import Entity
    from rocrate.rocrate import ROCrate

_MEDIA_TYPES: Final = {
    ".yaml": "application/yaml",
    ".binpb": "application/x-protobuf",
    ".log": "text/plain",
    ".geojson": "application/geo+json",
}
"""Those that `mimetypes` does not know on every system."""


class CrateFiles:
    """Adds files to a crate, each once; a file of the run keeps its path below the run's folder.

    with_data: take along what components wrote; without it, such files are described and referred
    to where they lie. missing: what the run had left and is no longer there.
    """

    def __init__(self, crate: ROCrate, folder: Path, *, with_data: bool) -> None:
        self._crate = crate
        self._folder = folder.resolve()
        self._shared = self._folder / "shared"
        self._with_data = with_data
        self._added: dict[str, Entity] = {}
        self.missing: list[str] = []

    def add(self, place: str | Path, properties: Mapping[str, Any]) -> Entity | None:
        """Add a file or folder by its absolute path, or what a URL names; None if it is gone."""
        key = str(place)
        if key not in self._added:
            if urlsplit(key).scheme:
                added = self._crate.add_file(key, properties=dict(properties))
            else:
                path = Path(key)
                if not path.exists():
                    if key not in self.missing:
                        self.missing.append(key)
                    return None
                added = self._add_path(path, properties)
            self._added[key] = added
        return self._added[key]

    def _add_path(self, path: Path, properties: Mapping[str, Any]) -> Entity:
        described = {"name": path.name, **_describe(path), **properties}
        is_data = path.is_relative_to(self._shared)
        if not path.is_relative_to(self._folder) or (is_data and not self._with_data):
            # What lies elsewhere was an input, and is not the run's to give away.
            return self._crate.add_file(path.as_uri(), properties=described)
        name = path.relative_to(self._folder)
        if path.is_dir():
            return self._crate.add_dataset(path, name, properties=described)
        kind = _LinkedFile if is_data else File
        return self._crate.add(kind(self._crate, path, name, properties=described))


class _LinkedFile(File):  # type: ignore[misc] # rocrate has no types
    """A large file: in a folder it is a hard link where the file system has them."""

    def write(self, base_path: Path) -> None:
        """Write the file below the crate's folder."""
        target = Path(base_path) / unquote(self.id)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(self.source, target)
        except OSError:  # another file system
            shutil.copy(self.source, target)


def _describe(path: Path) -> dict[str, Any]:
    """Return size, checksum and media type of a file; nothing of a folder or a device."""
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    known = _MEDIA_TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return {
        "contentSize": str(path.stat().st_size),
        "sha256": digest,
        "encodingFormat": known or "application/octet-stream",
    }
