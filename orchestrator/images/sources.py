"""The files of an image's build, from a checkout or from an installed distribution."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import requires
from pathlib import Path
from typing import TYPE_CHECKING, Final

import composer
from orchestrator.errors import ImageError

if TYPE_CHECKING:
    from composer.component import Component

DOCKERFILE: Final = "components/Dockerfile"
CONSTRAINTS: Final = "constraints.txt"
REQUIREMENTS: Final = "requirements.txt"
RASTERS: Final = "requirements-rasters.txt"
PROJECT: Final = "project"
"""Where the project of a component that is not built in lies in a context."""
PROJECT_REQUIREMENTS: Final = "project-requirements.txt"

MAX_PROJECT_BYTES: Final = 2 * 1024**3
_MAX_PROJECT_FILES: Final = 20_000

_ROOT: Final = Path(composer.__file__).parent.parent
_BUNDLED: Final = Path(__file__).parent / "distribution"
"""Where a wheel keeps what lies at the root of a checkout (pyproject.toml)."""

_ROOT_FILES: Final = ("pyproject.toml", "README.md", "LICENSE", CONSTRAINTS)
_ROOMS: Final = ("components", "composer", "orchestrator", "protos", "ui")
_LEFT_OUT: Final = ("__pycache__", "*.py[cod]", "*.pyi", "node_modules")
_LEFT_OUT_OF_PROJECTS: Final = (
    ".*", "tests", "docs", "build", "dist", "runs", "venv", "*.egg-info",
)  # fmt: skip
_OURS = re.compile(r"eoloom\s*(?:\[([\w\s,-]*)\])?\s*(?:[<>=!~;@].*)?", re.IGNORECASE)
_EXTRA_MARKER = re.compile(r"""\s*;\s*extra\s*==\s*["']([\w-]+)["']\s*$""")

Files = dict[str, Path | bytes]
"""Files of a context by their path in it: those on this machine, and those made for it."""


@dataclass(frozen=True)
class ComponentSources:
    """What a component brings to a build: its files, and the Dockerfile's arguments for it."""

    files: Files
    arguments: Mapping[str, str]


def root_file(name: str) -> Path:
    """Return the place of a file that lies at the root of a checkout.

    Raises ImageError where the installation lacks it.
    """
    for folder in (_ROOT, _BUNDLED):
        if (folder / name).is_file():
            return folder / name
    raise ImageError(f"this installation of EO Loom lacks {name}; install it anew")


def dockerfile_text() -> str:
    """Return the text of the one Dockerfile."""
    return root_file(DOCKERFILE).read_text(encoding="utf-8")


def common_files() -> Files:
    """Return what the build of every component needs."""
    files: Files = {
        CONSTRAINTS: root_file(CONSTRAINTS),
        "components/__init__.py": _ROOT / "components/__init__.py",
        "components/slim.sh": root_file("components/slim.sh"),
        "orchestrator/__init__.py": _ROOT / "orchestrator/__init__.py",
    }
    for room in ("components/kit", "composer", "protos", "orchestrator/images"):
        files |= _folder(_ROOT / room, room)
    for path in sorted(_ROOT.glob(f"components/*/{REQUIREMENTS}")):
        files[path.relative_to(_ROOT).as_posix()] = path
    return files


def platform_files() -> Files:
    """Return what the images of the orchestrator and of the command line need."""
    files = common_files() | {name: root_file(name) for name in _ROOT_FILES}
    for room in _ROOMS:
        files |= _folder(_ROOT / room, room)
    for source, place in _further_data().items():
        found = _ROOT / source if (_ROOT / source).exists() else _ROOT / place
        files |= {source: found} if found.is_file() else _folder(found, source)
    return files


def _further_data() -> dict[str, str]:
    """Return what a wheel takes in from outside the rooms, with its place there."""
    document = tomllib.loads(root_file("pyproject.toml").read_text(encoding="utf-8"))
    wheel = document["tool"]["hatch"]["build"]["targets"]["wheel"]
    forced: dict[str, str] = wheel.get("force-include", {})
    return {source: place for source, place in forced.items() if source not in _ROOT_FILES}


def component_sources(component: Component) -> ComponentSources:
    """Return what a component brings to its image.

    Raises ImageError where it is only an image, and where its requirements cannot be read.
    """
    if not component.manifest.command:
        raise ImageError(
            f"{component.reference} is an image already: {component.manifest.image}; "
            "there is nothing to build"
        )
    if component.is_built_in:
        return _built_in(component)
    return _project(component.folder, component.reference)


def _built_in(component: Component) -> ComponentSources:
    place = component.folder.relative_to(component.root).as_posix()
    requirements = component.folder / REQUIREMENTS
    if not requirements.is_file():
        raise ImageError(f"{component.reference}: {requirements} is missing")
    has_rasters = RASTERS in requirements.read_text(encoding="utf-8")
    return ComponentSources(
        files=_folder(component.folder, place),
        arguments={
            "COMPONENT": component.folder.name,
            "BASIS": "rasters" if has_rasters else "serving",
        },
    )


def _project(folder: Path, reference: str) -> ComponentSources:
    """Return the project that `eoloom new-component` began.

    Its requirements are those of its requirements.txt, else of its pyproject.toml.
    """
    files: Files = {f"{PROJECT}/{path}": source for path, source in _project_files(folder)}
    lines = list(_project_requirements(folder, reference))
    files[PROJECT_REQUIREMENTS] = "".join(f"{line}\n" for line in lines).encode()
    return ComponentSources(
        files=files,
        arguments={
            "COMPONENT": reference.partition("@")[0],
            "SOURCE": PROJECT,
            "PLACE": "/app",
            "REQUIREMENTS": PROJECT_REQUIREMENTS,
            "BASIS": "rasters",
        },
    )


def _project_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield a project's files by their relative paths. Raises ImageError where it is too large."""
    total = 0
    for count, (name, path) in enumerate(_walk(folder, (*_LEFT_OUT, *_LEFT_OUT_OF_PROJECTS))):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ImageError(f"{path} is a link out of the component's folder; copy the file")
        total += path.stat().st_size
        if total > MAX_PROJECT_BYTES or count >= _MAX_PROJECT_FILES:
            raise ImageError(
                f"{folder} is too large for an image: more than "
                f"{MAX_PROJECT_BYTES // 1024**3} GiB or {_MAX_PROJECT_FILES:,} files; "
                "keep data elsewhere"
            )
        yield name, path


def _project_requirements(folder: Path, reference: str) -> Iterator[str]:
    requirements, pyproject = folder / REQUIREMENTS, folder / "pyproject.toml"
    try:
        if requirements.is_file():
            yield from requirements.read_text(encoding="utf-8").splitlines()
            return
        if not pyproject.is_file():
            return
        document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
        for line in document.get("project", {}).get("dependencies", []):
            ours = _OURS.fullmatch(str(line))
            yield from _extras((ours[1] or "").split(",")) if ours else [str(line)]
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, AttributeError) as error:
        raise ImageError(f"{reference}: its requirements cannot be read: {error}") from error


def _extras(names: list[str]) -> Iterator[str]:
    """Yield what extras of EO Loom ask for: its own code is in the image already."""
    wanted = {name.strip() for name in names}
    for line in requires("eoloom") or ():
        marker = _EXTRA_MARKER.search(line)
        if marker and marker[1] in wanted:
            yield line[: marker.start()]


def _folder(folder: Path, place: str) -> Files:
    return {f"{place}/{name}": path for name, path in _walk(folder, _LEFT_OUT)}


def _walk(folder: Path, left_out: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder in order, by relative path. A link to a folder is left out."""
    for path in sorted(folder.iterdir()):
        if any(path.match(pattern) for pattern in left_out):
            continue
        if path.is_dir() and not path.is_symlink():
            for name, below in _walk(path, left_out):
                yield f"{path.name}/{name}", below
        elif path.is_file():
            yield path.name, path
