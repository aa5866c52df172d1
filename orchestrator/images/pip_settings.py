"""What the pip of a build needs to know of this machine: the package index and certificates.

Both may be a company's own. They go into the first stages of a build and into no image.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from orchestrator.errors import ImageError

CERTIFICATES: Final = "certificates.pem"
"""What the bundle is called in the build's context."""

_BUNDLE_VARIABLES: Final = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_INDEX_VARIABLES: Final = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_MAX_BUNDLE_BYTES: Final = 8 * 1024 * 1024


def certificates(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """Return the bundle that pip uses on this machine, or None where it uses its own.

    Raises ImageError where the file that a variable names cannot be read.
    """
    for variable in _BUNDLE_VARIABLES:
        name = environment.get(variable, "")
        if not name:
            continue
        try:
            with Path(name).open("rb") as file:
                bundle = file.read(_MAX_BUNDLE_BYTES + 1)
        except OSError as error:
            raise ImageError(f"{variable}={name}: {error.strerror or error}") from error
        if len(bundle) > _MAX_BUNDLE_BYTES:
            raise ImageError(f"{variable}={name}: larger than {_MAX_BUNDLE_BYTES} bytes")
        return bundle
    return None


def index_arguments(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the build arguments for a package index of one's own.

    Raises ImageError where its URL has a password, which would stay in the engine's build cache.
    """
    arguments = {name: environment[name] for name in _INDEX_VARIABLES if environment.get(name)}
    for name, value in arguments.items():
        if any(urlsplit(url).password for url in value.split()):
            raise ImageError(
                f"{name} has a password in it, which the Docker engine would keep in its build "
                "cache; use an index that needs none, or a proxy for it"
            )
    return arguments
