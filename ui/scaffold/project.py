"""Making the project of a component: templates filled in, code generated, all at once or not."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from string import Template
from tempfile import TemporaryDirectory
from typing import Final

from composer.extras import install_command
from ui.scaffold.errors import ScaffoldError
from ui.scaffold.naming import parse_component_name, parse_title

_SUFFIX: Final = ".template"
_PACKAGE: Final = "PACKAGE"
"""What stands in the path of a template for the name of the component's package."""

_GENERATE_TIMEOUT_S: Final = 120


def create_component(name: str, folder: Path, *, title: str = "") -> list[Path]:
    """Make the project `folder`/`name` of a new component, and return its files.

    The project is whole: with generated code, tests that pass and a pipeline that runs. Raises
    ScaffoldError for a name that a component cannot have, a folder that is there already or
    cannot be written, and a missing protoc; nothing is left then.
    """
    component = parse_component_name(name)
    values = {
        "name": component.name,
        "package": component.package,
        "service": component.service,
        "title": parse_title(title or component.title),
    }
    # JSON text is valid in YAML and in TOML.
    values["title_json"] = json.dumps(values["title"], ensure_ascii=False)
    if importlib.util.find_spec("grpc_tools") is None:
        raise ScaffoldError(
            "the code of a contract is made with grpcio-tools, which is not installed; "
            f"install it with: {install_command('dev')}"
        )
    target = folder.absolute() / component.name
    try:
        _check_place(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{component.name}-", dir=target.parent) as temporary:
            draft = Path(temporary) / component.name
            _render(draft, values)
            _generate(draft)
            draft.rename(target)
    except OSError as error:
        raise ScaffoldError(f"cannot make {target}: {error.strerror or error}") from error
    return sorted(path for path in target.rglob("*") if path.is_file())


def _check_place(target: Path) -> None:
    if os.pathsep in str(target):
        raise ScaffoldError(
            f"{target.parent} has {os.pathsep!r} in it, with which protoc separates folders; "
            "choose another folder"
        )
    if target.parent.exists() and not target.parent.is_dir():
        raise ScaffoldError(f"{target.parent} is not a folder; choose another")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ScaffoldError(f"{target} exists already; choose another name or folder")


def _render(project: Path, values: Mapping[str, str]) -> None:
    """Write every template below `project`, with the values in its path and its text."""
    template = resources.files("ui.scaffold") / "template"
    for source, relative in _templates(template, PurePosixPath()):
        path = project / str(relative).replace(_PACKAGE, values["package"]).removesuffix(_SUFFIX)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = Template(source.read_text(encoding="utf-8")).substitute(values)
        path.write_text(text, encoding="utf-8")


def _templates(
    folder: Traversable, relative: PurePosixPath
) -> Iterator[tuple[Traversable, PurePosixPath]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _templates(entry, relative / entry.name)
        elif entry.name.endswith(_SUFFIX):
            yield entry, relative / entry.name


def _generate(project: Path) -> None:
    """Run the project's own script, so that code is made in one way only."""
    command = [sys.executable, "-B", "regenerate.py"]
    try:
        subprocess.run(  # noqa: S603 - our own script, without a shell
            command,
            cwd=project,
            check=True,
            capture_output=True,
            text=True,
            timeout=_GENERATE_TIMEOUT_S,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines()
        reason = said[-1] if said else f"exit code {error.returncode}"
        raise ScaffoldError(f"the code of the contract cannot be made: {reason}") from error
    except subprocess.TimeoutExpired as error:
        raise ScaffoldError(
            f"making the code of the contract took more than {_GENERATE_TIMEOUT_S} s"
        ) from error
