"""The Docker engine: connecting to it, and what about it decides how containers are made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from orchestrator.errors import SettingsError
from orchestrator.extras import missing_extra

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.errors import APIError

_DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True)
class Engine:
    """A connection to an engine.

    host: its URL, for messages. is_local: whether it sees the folders of this machine. shares:
    whether what is written into them there belongs to whom it should here. publish: the address at
    which the ports of containers are published and called. cpus: cores that it has. is_rootless:
    whether root in a container is the user who runs the engine.
    """

    client: DockerClient
    host: str
    is_local: bool
    shares: bool
    publish: str
    cpus: int
    is_rootless: bool

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()


def connect(publish: str = "") -> Engine:
    """Connect to the engine that DOCKER_HOST names, else to this machine's.

    publish: overrides the address at which ports are published. Raises SettingsError where the
    package is missing, where no engine answers, and where its ports cannot be reached.
    """
    try:
        import docker
        from docker.errors import DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        raise missing_extra("the Docker engine", "docker") from error
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    try:
        client = docker.from_env()
    except (DockerException, OSError) as error:
        raise SettingsError(f"cannot use the Docker engine at {host}: {_reason(error)}") from error
    try:
        return _engine(client, host, publish)
    except (DockerException, RequestException, OSError) as error:
        client.close()
        raise SettingsError(f"cannot use the Docker engine at {host}: {_reason(error)}") from error
    except SettingsError:
        client.close()
        raise


def _engine(client: DockerClient, host: str, publish: str) -> Engine:
    facts = client.info()
    options = " ".join(facts.get("SecurityOptions") or ())
    is_local = urlsplit(host).scheme in {"unix", "npipe"}
    return Engine(
        client=client,
        host=host,
        is_local=is_local,
        # With user namespaces the owners of bound folders would be others inside.
        shares=is_local and "name=userns" not in options,
        publish=publish or _published_at(host, is_local=is_local),
        cpus=int(facts.get("NCPU") or 0),
        is_rootless="name=rootless" in options,
    )


@contextmanager
def in_words(doing: str) -> Iterator[None]:
    """Turn an error of the engine into a SettingsError: "cannot <doing>: <why>"."""
    try:
        from docker.errors import APIError, DockerException
        from requests.exceptions import RequestException
    except ImportError as error:
        raise missing_extra("the Docker engine", "docker") from error
    try:
        yield
    except APIError as error:
        raise SettingsError(f"cannot {doing}: {explain(error)}") from error
    except (DockerException, RequestException, OSError) as error:
        raise SettingsError(f"cannot {doing}: {_reason(error)}") from error


def explain(error: APIError) -> str:
    """Return what the engine says, with what to do where that is known."""
    text = str(error.explanation or error)
    if "non-overlapping IPv4 address pool" in text:
        return (
            "the engine has no addresses left for networks; remove old ones by "
            "`eoloom stop --all` or `docker network prune`"
        )
    if "could not select device driver" in text:
        return (
            "the engine has no GPU for containers; install the NVIDIA Container Toolkit, or "
            "ask for no gpu in the node's resources"
        )
    return text


def _published_at(host: str, *, is_local: bool) -> str:
    if is_local:
        return _LOOPBACK
    name = urlsplit(host).hostname or ""
    if name in {"localhost", _LOOPBACK, "::1"}:
        return _LOOPBACK
    raise SettingsError(
        f"DOCKER_HOST={host}: the ports of containers on another machine are open to whoever "
        "reaches it; where that is safe, say at which of its addresses by EOLOOM_DOCKER_PUBLISH"
    )


def _reason(error: Exception) -> str:
    """Return the innermost cause, without the wrapping of three libraries."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, PermissionError):
        return "permission denied; is this user in the group docker?"
    if isinstance(cause, FileNotFoundError | ConnectionRefusedError):
        return "nothing answers there; is the engine running?"
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
