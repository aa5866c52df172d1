"""The components that there are: built in, in further folders, and onboarded.

Built-in components are found without importing them. A component that cannot be loaded is kept
with its error, and does not stand in the way of the others.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from composer.component import Component, load_component
from composer.errors import ComposerError, UnknownComponentError
from composer.manifest import MANIFEST
from composer.names import alternatives, nearest, version_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from composer.store import StoredComponent

BUILT_IN = "components"
"""The package in which the built-in components lie."""


@dataclass(frozen=True)
class BrokenComponent:
    """A folder with a manifest, or an onboarded component, that cannot be used, and why."""

    folder: Path
    error: ComposerError


class Registry:
    """Components by name and version."""

    def __init__(
        self, components: Iterable[Component], broken: Iterable[BrokenComponent] = ()
    ) -> None:
        self._versions: dict[str, dict[str, Component]] = {}
        failed = list(broken)
        for component in components:
            manifest = component.manifest
            versions = self._versions.setdefault(manifest.name, {})
            first = versions.setdefault(manifest.version, component)
            if first is not component:
                error = ComposerError(f"{component.reference} exists already in {first.folder}")
                failed.append(BrokenComponent(component.folder, error))
        self._broken = tuple(failed)

    @classmethod
    def discover(
        cls,
        folders: Iterable[Path] = (),
        *,
        built_in: bool = True,
        stored: Iterable[StoredComponent] = (),
    ) -> Registry:
        """Find the built-in components, those in `folders` and those `stored` for a user.

        Each folder is a component, or has components as its subfolders. Raises ComposerError if
        a folder does not exist. Where two have one name and version, the first counts. A name is
        that of the first place or owner that has it: nobody can put a newer version before it.
        """
        found: list[Component] = []
        broken: list[BrokenComponent] = []
        places: list[tuple[Path, Path | None]] = [*_built_in()] if built_in else []
        places += [(place, None) for folder in folders for place in component_folders(folder)]
        for folder, root in places:
            try:
                found.append(load_component(folder, root))
            except ComposerError as error:
                broken.append(BrokenComponent(folder, error))
        owners: dict[str, str | None] = {component.manifest.name: None for component in found}
        for entry in stored:
            try:
                _claim(entry, owners)
                found.append(entry.load())
            except ComposerError as error:
                broken.append(BrokenComponent(entry.folder, error))
        return cls(found, broken)

    def extended(self, components: Iterable[Component]) -> Registry:
        """Return a registry that has further components, which come before those of this one."""
        own = (c for versions in self._versions.values() for c in versions.values())
        return Registry([*components, *own], self._broken)

    @property
    def components(self) -> tuple[Component, ...]:
        """The newest version of each component, by name."""
        return tuple(self.find(name) for name in sorted(self._versions))

    @property
    def broken(self) -> tuple[BrokenComponent, ...]:
        """Folders that hold no usable component."""
        return self._broken

    def versions(self, name: str) -> tuple[str, ...]:
        """Return the versions of a component, newest first; none if it is not known."""
        return tuple(sorted(self._versions.get(name, ()), key=version_key, reverse=True))

    def find(self, reference: str) -> Component:
        """Return the component called `name`, in its newest version, or `name@version`.

        Raises UnknownComponentError with the nearest name that exists.
        """
        name, _, version = reference.partition("@")
        versions = self.versions(name)
        if not versions:
            broken = next((b for b in self._broken if _could_be(b.folder, name)), None)
            if broken is not None:
                raise UnknownComponentError(f"component {name!r} cannot be used: {broken.error}")
            suggestion = nearest(name, self._versions)
            others = "" if suggestion else alternatives(self._versions)
            raise UnknownComponentError(f"there is no component {name!r}{others}", suggestion)
        if version and version not in versions:
            there_are = ", ".join(versions)
            raise UnknownComponentError(
                f"there is no version {version!r} of {name}; there is {there_are}"
            )
        return self._versions[name][version or versions[0]]


def _built_in() -> Iterator[tuple[Path, Path]]:
    """Yield each built-in component's folder and the root that its paths are relative to."""
    package = importlib.util.find_spec(BUILT_IN)
    for location in (package and package.submodule_search_locations) or ():
        for folder in component_folders(Path(location)):
            yield folder, Path(location).parent


def component_folders(folder: Path) -> list[Path]:
    """Return the folders of components: this one, or those in it. Raises ComposerError."""
    if not folder.is_dir():
        raise ComposerError(f"there is no folder {folder} to look for components in")
    if (folder / MANIFEST).exists():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))


def _claim(entry: StoredComponent, owners: dict[str, str | None]) -> None:
    """Give a name to the first owner that has it. Raises ComposerError for all others."""
    owner = owners.setdefault(entry.name, entry.owner)
    if owner != entry.owner:
        whose = "built in or in a folder of yours" if owner is None else f"that of {owner}"
        reference = f"{entry.name}@{entry.version}"
        raise ComposerError(f"{reference} of {entry.owner} is hidden: {entry.name} is {whose}")


def _could_be(folder: Path, name: str) -> bool:
    """Say whether a folder is the one of a component, by the habit of naming them alike."""
    return folder.name.replace("_", "-") == name
