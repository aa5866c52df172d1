"""What a solution is read from: an archive, a folder, or single files.

Whichever it is, what comes of it are the texts of a solution by their names in the original's
layout. What they mean is read by `composer.solution`.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from composer.archive import MAX_ARCHIVE_BYTES, MAX_FILE_BYTES, MAX_FILES, decode, unpack
from composer.errors import SolutionError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

BLUEPRINT: Final = "blueprint.json"
DOCKERINFO: Final = "dockerinfo.json"
DEPLOYMENT: Final = "deployment.yaml"
"""Of a single model."""
MODEL_NAME: Final = "modelname.txt"
CONTRACTS: Final = "microservice/"
DEPLOYMENTS: Final = "deployments/"

_ARCHIVE: Final = b"PK"
_CONTRACT: Final = ".proto"
_YAML: Final = f"{DEPLOYMENTS}*.yaml"


def solution_names(names: Collection[str]) -> dict[str, str]:
    """Return which files a solution is made of: their names in it, by their own.

    A folder around all of them is left out. Contracts may lie beside the blueprint as well.
    """
    inside = ""
    for mark in (BLUEPRINT, DEPLOYMENT):
        tops = [name.removesuffix(f"/{mark}") for name in names if name.count("/") == 1]
        top = next((top for top in tops if f"{top}/{mark}" in names), None)
        if mark not in names and top is not None:
            inside = f"{top}/"
            break
    single = {BLUEPRINT, DOCKERINFO, DEPLOYMENT, MODEL_NAME}
    found = {}
    for name in names:
        short = name.removeprefix(inside)
        is_below = name.startswith(inside)
        if is_below and (short in single or short.startswith((CONTRACTS, DEPLOYMENTS))):
            found[name] = short
        elif is_below and "/" not in short and short.endswith(_CONTRACT):
            found[name] = f"{CONTRACTS}{short}"
    taken: set[str] = set()
    # Where one lies in both places, the original's place counts.
    for name, short in sorted(found.items(), key=lambda item: item[0] != f"{inside}{item[1]}"):
        if short in taken:
            del found[name]
        taken.add(short)
    return found


def read_archive(content: bytes) -> dict[str, str]:
    """Return the texts of a solution.zip. Raises SolutionError."""
    return unpack(content, solution_names)


def read_source(path: Path) -> dict[str, str]:
    """Return the texts of a solution.zip, of its unpacked folder, or of a blueprint.

    What belongs to a blueprint is looked for in its folder. Raises SolutionError, and OSError
    where something cannot be read.
    """
    if path.is_dir():
        return _read_folder(_folder_of_solution(path))
    content = _read(path, MAX_ARCHIVE_BYTES)
    if content.startswith(_ARCHIVE) or path.suffix == ".zip":
        return read_archive(content)
    if kind_of(content) != BLUEPRINT:
        raise SolutionError(
            f"it is neither a solution.zip nor a {BLUEPRINT}; a pipeline file is used as it is"
        )
    files = _read_folder(path.parent)
    # Those are of a single model, or of another blueprint.
    for name in (DEPLOYMENT, MODEL_NAME):
        files.pop(name, None)
    return files | {BLUEPRINT: decode(path.name, content)}


def read_contracts_at(given: Sequence[str]) -> dict[str, str]:
    """Return contracts by their names in a solution.

    given: files, folders with files, or `CONTAINER=FILE`, which says whose contract it is.

    Raises SolutionError, and OSError where something cannot be read.
    """
    return {
        f"{CONTRACTS}{name}": decode(str(path), _read(path, MAX_FILE_BYTES))
        for text in given
        for name, path in _contracts_at(text)
    }


def read_uploads(uploads: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Return the texts of a solution of which single files are given, by name and content.

    JSON is known by what it says, because a file may have any name by now. Raises SolutionError.
    """
    files: dict[str, str] = {}
    for name, content in uploads:
        if len(content) > MAX_FILE_BYTES:
            raise SolutionError(f"{name} is larger than {MAX_FILE_BYTES} bytes")
        if name.lower().endswith(_CONTRACT):
            place = f"{CONTRACTS}{PurePosixPath(name).name}"
        else:
            place = kind_of(content)
        if not place:
            raise SolutionError(f"{name} is neither {BLUEPRINT} nor {DOCKERINFO} nor a contract")
        text = decode(name, content)
        if files.setdefault(place, text) != text:
            raise SolutionError(f"{name} is there twice, as {place}")
    if BLUEPRINT not in files:
        raise SolutionError(f"there is no {BLUEPRINT} among the files")
    return files


def kind_of(content: bytes) -> str:
    """Return which file of a solution some JSON is, empty if it is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        # What is broken is told by whoever reads it as what it was meant to be.
        return BLUEPRINT if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else ""
    if not isinstance(value, dict):
        return ""
    return DOCKERINFO if "docker_info_list" in value else BLUEPRINT


def _read_folder(folder: Path) -> dict[str, str]:
    """Return what a folder has of a solution; it may be somebody's downloads."""
    paths = {
        path.relative_to(folder).as_posix(): path
        for pattern in ("*.json", "*.yaml", "*.txt", f"*{_CONTRACT}", f"{CONTRACTS}*", _YAML)
        for path in folder.glob(pattern)
        if path.is_file()
    }
    if len(paths) > MAX_FILES:
        raise SolutionError(f"{folder} has more than {MAX_FILES} files")
    return {
        name: decode(str(paths[own]), _read(paths[own], MAX_FILE_BYTES))
        for own, name in solution_names(paths).items()
    }


def _folder_of_solution(folder: Path) -> Path:
    """Return the folder itself, or the only one in it that has a solution."""
    marks = (BLUEPRINT, DEPLOYMENT)
    if any((folder / mark).exists() for mark in marks):
        return folder
    inside = sorted({path.parent for mark in marks for path in folder.glob(f"*/{mark}")})
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise SolutionError(f"the folder has several solutions, such as {inside[0].name}; name one")
    raise SolutionError(f"the folder has neither {BLUEPRINT} nor {DEPLOYMENT}")


def _contracts_at(text: str) -> list[tuple[str, Path]]:
    """Return names of contracts, which are those of their paths, and where they are."""
    path = Path(text)
    container, is_named, file = text.partition("=")
    if is_named and not path.exists():
        return [(f"{container}{_CONTRACT}", Path(file))]
    if not path.is_dir():
        return [(path.as_posix(), path)]
    found = sorted(path.glob(f"*{_CONTRACT}"))
    if not found:
        raise SolutionError(f"{path} has no {_CONTRACT} file")
    return [(file.as_posix(), file) for file in found]


def read_text(path: Path) -> str:
    """Return the text of one file. Raises SolutionError and OSError."""
    return decode(str(path), _read(path, MAX_FILE_BYTES))


def _read(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise SolutionError(f"{path} is larger than {limit} bytes")
    return content
