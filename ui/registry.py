"""The components that a command may use: built in, in folders, and onboarded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from composer.component import Component
    from composer.registry import Registry
    from composer.store import ComponentStore, StoredComponent


def find_components(
    folders: Iterable[Path] | None, stored: Sequence[StoredComponent] | None = None
) -> Registry:
    """Return all that the user of this process may use. A folder without components is a warning.

    stored: the onboarded ones, where they are known already.
    """
    from composer.manifest import MANIFEST
    from composer.registry import Registry, component_folders
    from ui.output import Output

    folders = list(folders or ())
    for folder in folders:
        if not component_folders(folder):
            Output().warn(
                f"{folder} has no component: neither it nor a folder in it has {MANIFEST}"
            )
    entries = read_stored() if stored is None else stored
    return Registry.discover(folders, stored=entries)


def read_stored(user: str = "") -> list[StoredComponent]:
    """Return what a user may use of the onboarded components; else the user of this process.

    A database that cannot be used is a warning.
    """
    from composer.database_address import default_database_url, may_have_tables

    url = default_database_url()
    if not may_have_tables(url):
        return []
    # Only now, because SQLAlchemy takes a third of a second to load.
    from composer.errors import StoreUnavailableError
    from composer.store import own_user, stored_components
    from ui.output import Output

    try:
        return stored_components(user or own_user(), url)
    except StoreUnavailableError as error:
        Output().warn(f"onboarded components are left out: {error}")
        return []


@contextlib.contextmanager
def open_store() -> Iterator[ComponentStore]:
    """Give the registry database, which is made if there is none. Raises StoreUnavailableError."""
    from composer.store import ComponentStore

    with contextlib.closing(ComponentStore()) as store:
        yield store


def keep_components(components: Sequence[Component], owner: str = "") -> None:
    """Put onboarded components into the registry database, as the owner's own.

    owner: by default the user of this process. Raises StoreError.
    """
    if not components:
        return
    from composer.store import own_user

    with open_store() as store:
        for component in components:
            store.add(component, owner=owner or own_user())
