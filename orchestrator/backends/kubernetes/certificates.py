"""Certificates of a deployment, made here and kept in Secrets of its namespace.

All of them are of one authority, whose key is thrown away: nobody can make another one that the
deployment would believe. So they are made together, and made anew together when one is missing, is
for another host, or will soon expire. Making them anew restarts all pods.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.kubernetes.errors import ClusterAccessError
from orchestrator.backends.kubernetes.objects import ObjectKey
from orchestrator.certificates import KeyPair, RunAuthority, is_fit

if TYPE_CHECKING:
    from orchestrator.backends.kubernetes.cluster import Cluster

_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_AUTHORITY: Final = "ca.crt"

# A live run may go on for long, and must not end by the calendar; a deployment renews them.
_LIFETIME: Final = timedelta(days=365)
_RENEWAL: Final = timedelta(days=60)


def certificates(
    cluster: Cluster, deployment: str, hosts: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, bytes]]:
    """Return the contents of the Secrets of a deployment, as they are or made anew, by name.

    hosts: those of each Secret's certificate; none for the orchestrator, which only calls. Raises
    ClusterAccessError where Secrets may not be read, SettingsError without the extra `tls`.
    """
    found = {name: _contents(cluster, name) for name in hosts}
    authorities = {files.get(_AUTHORITY) for files in found.values()}
    until = datetime.now(UTC) + _RENEWAL
    if len(authorities) == 1 and all(
        is_fit(_pair(files), hosts[name], until) for name, files in found.items()
    ):
        return found
    authority = RunAuthority(deployment, _LIFETIME)
    return {name: _files(_issue(authority, name, names)) for name, names in hosts.items()}


def _issue(authority: RunAuthority, name: str, hosts: Sequence[str]) -> KeyPair:
    if hosts:
        return authority.for_component(name, hosts)
    return authority.for_caller(name)


def _contents(cluster: Cluster, name: str) -> dict[str, bytes]:
    """Return what is in a Secret; nothing where there is none."""
    try:
        secret = cluster.get(ObjectKey("v1", "Secret", cluster.namespace, name))
    except ClusterAccessError as error:
        raise ClusterAccessError(
            f"{error}\nCertificates that are made for a deployment (tls.generate) are kept in "
            "Secrets, which you must be allowed to get, list, create, patch and delete"
        ) from error
    data: dict[str, Any] = (secret or {}).get("data") or {}
    try:
        return {key: base64.b64decode(str(text), validate=True) for key, text in data.items()}
    except binascii.Error:
        return {}


def _pair(files: Mapping[str, bytes]) -> KeyPair:
    return KeyPair(*(files.get(name, b"") for name in (_CERTIFICATE, _KEY, _AUTHORITY)))


def _files(pair: KeyPair) -> dict[str, bytes]:
    return {_CERTIFICATE: pair.certificate, _KEY: pair.key, _AUTHORITY: pair.authority}
