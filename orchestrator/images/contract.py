"""What an image tells of its component: /model.proto, /license.json and how it starts.

Run as a module while an image is built:

    python -m orchestrator.images.contract MANIFEST_FOLDER ROOT OUTPUT
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Final

from composer.component import Component, load_component
from composer.errors import ComposerError
from composer.flatten import flatten, licence_json

MODEL_PROTO: Final = "model.proto"
LICENCE: Final = "license.json"
START: Final = "start"


def image_files(component: Component) -> dict[str, str]:
    """Return the texts of the three files by their names.

    The start script replaces itself by the manifest's command, which so gets SIGTERM. Raises
    ContractError for a contract that cannot be flattened.
    """
    return {
        MODEL_PROTO: flatten(component).text,
        LICENCE: licence_json(component.manifest),
        START: f'#!/bin/sh\nexec {shlex.join(component.manifest.command)} "$@"\n',
    }


def write_image_files(folder: Path, root: Path | None, output: Path) -> None:
    """Write the files of the component in `folder` below `output`; see `load_component`."""
    output.mkdir(parents=True, exist_ok=True)
    for name, text in image_files(load_component(folder, root)).items():
        path = output / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755 if name == START else 0o644)


if __name__ == "__main__":
    try:
        write_image_files(*map(Path, sys.argv[1:]))
    except ComposerError as error:
        sys.exit(str(error))
