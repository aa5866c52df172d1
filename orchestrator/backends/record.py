"""With which backend a run was started, and with which images: kept in its folder.

A run that goes on uses the same ones, unless told otherwise. Of a run at a service, which has a
mirror here only, it is kept where that service is.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import SettingsError

BACKEND_FILE: Final = "backend.json"

SERVER: Final = "server"
"""What stands in place of a backend where a service runs the run, and it is mirrored here."""


class BackendRecord:
    """The file `backend.json` of a run's folder: its `backend`, and `images` by node.

    With the backend `server` it has the address of the service instead.

    An image has `reference`, the `id` that its engine knows it by, and `digest` if it has been in
    a registry. A file that is not there or not ours counts as empty.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / BACKEND_FILE
        self._document: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            document = json.loads(self._path.read_bytes())
            if isinstance(document, dict):
                self._document = document

    @property
    def backend(self) -> str:
        """Its name; empty if none was written down."""
        return str(self._document.get("backend", ""))

    def set_backend(self, name: str) -> None:
        """Write the name down. Raises SettingsError where the folder cannot be written."""
        if name != self.backend:
            self._write(backend=name)

    @property
    def server(self) -> str:
        """The address of the service whose run is mirrored here; empty for a run of our own."""
        return str(self._document.get("server", "")) if self.backend == SERVER else ""

    def set_server(self, address: str) -> None:
        """Write down that a service runs it. Raises SettingsError as `set_backend`."""
        if address != self.server:
            self._write(backend=SERVER, server=address)

    def image(self, node: str) -> Mapping[str, str]:
        """Return the image that a node had; empty if it had none."""
        images = self._document.get("images")
        image = images.get(node) if isinstance(images, dict) else None
        return image if isinstance(image, dict) else {}

    def set_image(self, node: str, image: Mapping[str, str]) -> None:
        """Write down which image a node has. Raises SettingsError as `set_backend`."""
        if dict(image) != self.image(node):
            self._write(images={**self._document.get("images", {}), node: dict(image)})

    def _write(self, **values: Any) -> None:
        self._document |= values
        part = self._path.with_name(f".{self._path.name}.part")
        try:
            part.write_text(json.dumps(self._document, indent=2), encoding="utf-8")
            part.replace(self._path)
        except OSError as error:
            raise SettingsError(f"cannot write {self._path}: {error.strerror}") from error
