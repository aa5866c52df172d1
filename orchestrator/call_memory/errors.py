"""Why something cannot be remembered. Neither ends a run."""

from __future__ import annotations


class NotRememberableError(Exception):
    """A call whose input or answer cannot be told apart by content; it is simply made."""


class IndexUnusableError(Exception):
    """The index cannot be read or written; the text says why."""
