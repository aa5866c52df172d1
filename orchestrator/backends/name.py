"""The names of the backends; apart, because every command line has them and few need a backend."""

from __future__ import annotations

from enum import StrEnum


class BackendName(StrEnum):
    """Where the components of a run are."""

    LOCAL = "local"
    """Processes of this machine."""
    DOCKER = "docker"
    """Containers of a Docker engine."""
    ADDRESSES = "addresses"
    """Wherever EOLOOM_ADDRESSES says that they run already."""
