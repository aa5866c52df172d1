"""Settings from options and the environment, and what they lead to: registry and journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from orchestrator.settings import JOURNAL_FILE, OrchestratorSettings
from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.journal import Journal

_PREFIX: Final = "EOLOOM_"


def load_settings(runs_folder: Path | None = None) -> OrchestratorSettings:
    """Return the orchestrator's settings; the option counts before the environment.

    Raises EnvironmentFaultError naming each variable that cannot be used.
    """
    try:
        if runs_folder is None:
            return OrchestratorSettings()
        return OrchestratorSettings(runs_folder=runs_folder)
    except ValidationError as error:
        faults = "; ".join(
            f"{_PREFIX}{str(fault['loc'][0]).upper()}={fault['input']}: {fault['msg']}"
            for fault in error.errors()
        )
        raise EnvironmentFaultError(faults) from error


def open_journal(settings: OrchestratorSettings) -> Journal | None:
    """Return the journal, or None if there is none yet: reading does not make one.

    Raises SettingsError.
    """
    from orchestrator.journal import Journal

    if not settings.database_url and not (settings.runs_folder / JOURNAL_FILE).exists():
        return None
    return Journal(settings.database_url, settings.runs_folder)
