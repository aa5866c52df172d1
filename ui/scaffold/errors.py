"""The error of this room."""

from __future__ import annotations

from ui.errors import UiError


class ScaffoldError(UiError):
    """A project cannot be made: its name, its folder, or a tool that is missing."""
