"""Certificates of a run in its containers, so that only its engine can call them.

The ports of containers are published where every user of the machine can connect. Components of
ours get a certificate each and ask callers for one of the same run. The files lie in a volume of
the container that goes with it; they belong to root and are readable for the container's group.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import SettingsError

if TYPE_CHECKING:
    from docker.models.containers import Container

    from orchestrator.certificates import KeyPair, RunAuthority
    from orchestrator.engine.channels import ChannelSecurity

PLACE: Final = "/run/secrets/eoloom"
"""Where the files are in a container; Docker's own place for secrets is the folder above."""

_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_AUTHORITY: Final = "ca.crt"

ENVIRONMENT: Final[Mapping[str, str]] = {
    "EOLOOM_TLS_CERTIFICATE_FILE": f"{PLACE}/{_CERTIFICATE}",
    "EOLOOM_TLS_KEY_FILE": f"{PLACE}/{_KEY}",
    "EOLOOM_TLS_CLIENT_CA_FILE": f"{PLACE}/{_AUTHORITY}",
}

# The keys go with the containers; a live run may go on for long, and must not end by the calendar.
_LIFETIME: Final = timedelta(days=365)


class RunCertificates:
    """Makes certificates for the components of one run, and the engine's own."""

    def __init__(self, authority: RunAuthority) -> None:
        self._authority = authority
        self._engine = authority.for_orchestrator()

    def of_engine(self, node: str) -> ChannelSecurity:
        """Return what the engine needs to call a node. No other node can answer in its place."""
        return replace(self._engine, server_name=node)

    def put(self, container: Container, node: str, group: int) -> None:
        """Put a new certificate of a node into its container, before that starts.

        group: numeric; its members may read the files. Raises docker.errors.DockerException.
        """
        pair = self._authority.for_component(node, [node])
        container.put_archive(PLACE, _tar(pair, group))


def make_certificates(run: str, wanted: bool | None) -> RunCertificates | None:
    """Return the certificates of a run, or None for plaintext.

    wanted: whether the settings ask for TLS; None for where it is possible. Raises SettingsError
    where it is asked for and the package that makes certificates is missing.
    """
    if wanted is False:
        return None
    try:
        from orchestrator.certificates import RunAuthority
    except SettingsError:
        if wanted:
            raise
        return None
    return RunCertificates(RunAuthority(run, _LIFETIME))


def mount() -> Any:
    """Return the mount for the files: a volume without a name, which goes with its container."""
    from docker.types import Mount

    return Mount(PLACE, None, type="volume", no_copy=True)


def _tar(pair: KeyPair, group: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        root = tarfile.TarInfo(".")
        root.type, root.mode, root.gid = tarfile.DIRTYPE, 0o750, group
        tar.addfile(root)
        files = {_CERTIFICATE: pair.certificate, _KEY: pair.key, _AUTHORITY: pair.authority}
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.gid = len(content), 0o440, group
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()
