"""Where the pipelines and runs of each user are, on a page that several people use."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.settings import OrchestratorSettings
    from ui.page_settings import PageSettings

USERS: Final = "users"
_READABLE: Final = 40


def folder_name(user: str) -> str:
    """Return the name of a user's folder, whatever letters the name of the user has.

    What can be read of it is for people; the digest keeps two users apart.
    """
    readable = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:_READABLE]
    digest = hashlib.sha256(user.encode(errors="surrogatepass")).hexdigest()[:16]
    return f"{readable}-{digest}" if readable else digest


def workspace_of(user: str, page: PageSettings) -> Path:
    """Return the folder of a user's pipelines: that of the page, where nobody signs in."""
    if not page.page_behind_proxy:
        return page.workspace
    return page.workspace / USERS / folder_name(user)


def settings_of(
    user: str, settings: OrchestratorSettings, page: PageSettings
) -> OrchestratorSettings:
    """Return the settings of a user's runs, which have a folder and a journal of their own."""
    if not page.page_behind_proxy:
        return settings
    folder = settings.runs_folder / USERS / folder_name(user)
    return settings.model_copy(update={"runs_folder": folder, "database_url": ""})
