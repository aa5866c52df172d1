"""The errors of this room.

UiError
EnvironmentFaultError   a setting from the environment, or a file to write, cannot be used
"""

from __future__ import annotations


class UiError(Exception):
    """Base; the text is one message for the user."""


class EnvironmentFaultError(UiError):
    """A setting from the environment, or a file to write, cannot be used."""
