"""Packages that not every user needs: what to say where one of them is missing."""

from __future__ import annotations

from composer.extras import install_command
from orchestrator.errors import SettingsError


def missing_extra(what: str, extra: str) -> SettingsError:
    """Return the error for a feature whose packages are not installed."""
    return SettingsError(f"{what} needs more packages: {install_command(extra)}")
