"""Solutions of AI4Experiments that are opened: files in, a pipeline out. Knows no Streamlit.

Nothing is kept: the components that a solution brings are in what is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from composer.errors import SolutionError
from composer.solution import import_files, import_solution
from composer.solution_sources import (
    BLUEPRINT,
    DOCKERINFO,
    read_contracts_at,
    read_source,
    read_text,
    read_uploads,
)
from ui.errors import UiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from composer.blueprint_import import ImportedPipeline
    from composer.registry import Registry

UPLOAD_TYPES: Final = ("zip", "json", "proto")
_ARCHIVE: Final = ".zip"


def is_solution(name: str) -> bool:
    """Say whether a file, by its name, is a solution or a part of one."""
    return PurePosixPath(name.lower()).suffix.removeprefix(".") in UPLOAD_TYPES


def import_uploads(uploads: Sequence[tuple[str, bytes]], registry: Registry) -> ImportedPipeline:
    """Return the pipeline of files that belong together, by name and content.

    They are one solution.zip; or one blueprint.json and, as far as there are such, its
    dockerinfo.json and contracts. Raises SolutionError; MissingContractsError where contracts have
    to be added.
    """
    archives = [content for name, content in uploads if name.lower().endswith(_ARCHIVE)]
    if not archives:
        return _imported(read_uploads(uploads), registry)
    if len(uploads) > 1:
        raise SolutionError("a solution.zip is opened alone: it has all its files inside")
    return import_solution(archives[0], registry)


def import_path(
    path: Path,
    registry: Registry,
    *,
    dockerinfo: Path | None = None,
    contracts: Sequence[str] = (),
) -> ImportedPipeline:
    """Return the pipeline of a solution.zip, its unpacked folder, or a blueprint.json.

    What belongs to a blueprint is looked for in its folder as well. dockerinfo and contracts:
    further files, which come first; contracts are files, folders, or `CONTAINER=FILE`.

    Raises SolutionError, MissingContractsError, and UiError for a file that cannot be read.
    """
    try:
        files = read_source(path)
        given = read_contracts_at(contracts)
        if dockerinfo is not None:
            given[DOCKERINFO] = read_text(dockerinfo)
    except OSError as error:
        raise UiError(f"cannot read {error.filename or path}: {error.strerror}") from error
    return _imported({**_without(files, given), **given}, registry)


def _imported(files: Mapping[str, str], registry: Registry) -> ImportedPipeline:
    imported = import_files(files, registry)
    if BLUEPRINT not in files or DOCKERINFO in files:
        return imported
    words = f"there is no {DOCKERINFO}: its containers are started from the images of the blueprint"
    return replace(imported, warnings=(words, *imported.warnings))


def _without(files: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the files in whose stead none of the same name is given, wherever that lies."""
    names = {PurePosixPath(name).name.lower() for name in given}
    return {n: text for n, text in files.items() if PurePosixPath(n).name.lower() not in names}
