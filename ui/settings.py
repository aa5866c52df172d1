"""Settings from options and the environment, and what they lead to: registry and journal."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final, get_origin

from pydantic import ValidationError

from orchestrator.settings import JOURNAL_FILE, OrchestratorSettings
from ui.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.journal import Journal

_PREFIX: Final = "EOLOOM_"


def load_settings(
    runs_folder: Path | None = None, *, cache: bool | None = None
) -> OrchestratorSettings:
    """Return the orchestrator's settings; options count before the environment.

    Raises EnvironmentFaultError naming each variable that cannot be used.
    """
    try:
        options = {"runs_folder": runs_folder, "cache": cache}
        given = {name: value for name, value in options.items() if value is not None}
        return OrchestratorSettings.model_validate(given)
    except ValidationError as error:
        unreadable = _unreadable()
        raise EnvironmentFaultError(unreadable or setting_faults(error, _PREFIX)) from error


def setting_faults(error: ValidationError, prefix: str) -> str:
    """Return what is wrong with variables, each with its name, its value and the reason."""
    faults = []
    for fault in error.errors():
        message = fault["msg"].removeprefix("Value error, ")
        if fault["loc"]:
            variable = f"{prefix}{str(fault['loc'][0]).upper()}={fault['input']}"
            message = f"{variable}: {message[:1].lower()}{message[1:]}"
        faults.append(message)
    return "; ".join(faults)


def _unreadable() -> str:
    """Say which variable is no JSON where it has to be: then pydantic has no place for it."""
    for name, field in OrchestratorSettings.model_fields.items():
        variable = f"{_PREFIX}{name.upper()}"
        if get_origin(field.annotation) is dict and not _is_json(os.environ.get(variable, "{}")):
            return f'{variable}={os.environ[variable]}: not JSON, such as {{"node": "value"}}'
    return ""


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def open_journal(settings: OrchestratorSettings) -> Journal | None:
    """Return the journal, or None if there is none yet: reading does not make one.

    Raises SettingsError.
    """
    from orchestrator.journal import Journal

    if not settings.database_url and not (settings.runs_folder / JOURNAL_FILE).exists():
        return None
    return Journal(settings.database_url, settings.runs_folder)
