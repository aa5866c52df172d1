"""Where the registry database is, without opening it.

Here belongs what is asked before there is a database; `composer.database` opens one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

URL_VARIABLE: Final = "EOLOOM_DATABASE_URL"

_SQLITE: Final = "sqlite:///"


def default_database_url(environment: Mapping[str, str] = os.environ) -> str:
    """Return EOLOOM_DATABASE_URL, or that of a SQLite file in the user's data folder.

    The folder is that of the XDG base directory specification
    (https://specifications.freedesktop.org/basedir-spec/latest/).
    """
    if url := environment.get(URL_VARIABLE):
        return url
    home = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME", "~"), ".local/share")
    path = Path(home, "eoloom", "registry.sqlite").expanduser()
    return f"{_SQLITE}{path}"


def may_have_tables(url: str) -> bool:
    """Return whether reading could find something: not where a SQLite file does not exist yet."""
    if not url.startswith(_SQLITE):
        return True
    path = url.removeprefix(_SQLITE).partition("?")[0]
    return Path(path).exists()
