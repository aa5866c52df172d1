"""Credentials of image registries, from Docker's own configuration.

`docker login` writes ~/.docker/config.json (or that of DOCKER_CONFIG), or hands them to one of
Docker's credential helpers. Nothing else is read, and nothing is ever logged.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Final

from composer.extras import install_command
from orchestrator.errors import ImageError, RegistryError
from orchestrator.images.reference import DOCKER_HUB

# Docker's configuration knows its own registry by this name.
_HUB_KEY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True)
class Credentials:
    """A user's name and password, or a token that stands for both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_credentials(host: str) -> Credentials | None:
    """Return what Docker's configuration has for a registry, or None.

    Raises RegistryError where the configuration or a credential helper cannot be used, and
    ImageError where the package docker is missing.
    """
    try:
        from docker.auth import load_config
        from docker.errors import DockerException
    except ImportError as error:
        raise ImageError(f"images need the package docker: {install_command('docker')}") from error
    try:
        with warnings.catch_warnings():
            # A helper that is not installed becomes an error of its own below.
            warnings.simplefilter("ignore", UserWarning)
            found = load_config().resolve_authconfig(_HUB_KEY if host == DOCKER_HUB else host)
    except (DockerException, OSError, ValueError) as error:
        raise RegistryError(f"cannot read Docker's credentials of {host}: {error}") from error
    if not found:
        return None
    return Credentials(
        str(found.get("username") or found.get("Username") or ""),
        str(found.get("password") or found.get("Password") or ""),
        str(found.get("identitytoken") or found.get("IdentityToken") or ""),
    )
