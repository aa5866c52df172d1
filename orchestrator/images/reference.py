"""What the image of a component is called, and the parts of such a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.errors import ImageError

DEFAULT_IMAGE_REGISTRY: Final = "eoloom"
"""Without a host: images of this machine's Docker engine only."""

DOCKER_HUB: Final = "docker.io"

# The grammar of names: https://pkg.go.dev/github.com/distribution/reference
_REPOSITORY: Final = re.compile(
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
)
_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9.-]+)(?::[0-9]{1,5})?")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Reference:
    """The parts of an image's name.

    host: of the registry, with its port; "" for an image that has none. repository: the name
    below the host. tag, digest: "" where there is none.
    """

    host: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}" if self.host else self.repository

    @property
    def version(self) -> str:
        """What names one image of the repository: the digest, else the tag, else "latest"."""
        return self.digest or self.tag or "latest"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def image_reference(registry: str, component: str, version: str) -> str:
    """Return `registry/component:version`.

    registry: host with project, such as `registry.example/eoloom`, or a project alone. A version's
    build metadata is joined by a hyphen, because a tag has no plus sign.
    """
    return f"{registry.rstrip('/')}/{component}:{version.replace('+', '-')}"


def parse_reference(text: str) -> Reference:
    """Return the parts of an image's name. Raises ImageError for what is no such name."""
    rest, _, digest = text.partition("@")
    host, repository = split_host(rest)
    tag = ""
    if ":" in repository:
        repository, _, tag = repository.rpartition(":")
    if (
        len(text) > 500
        or not _REPOSITORY.fullmatch(repository)
        or (host and not _HOST.fullmatch(host))
        or (tag and not _TAG.fullmatch(tag))
        or ("@" in text and not _DIGEST.fullmatch(digest))
        or (":" in rest.rpartition("/")[2] and not tag)
    ):
        raise ImageError(
            f"{text!r} is not the name of an image, such as registry.example/project/name:1.0"
        )
    return Reference(host, repository, tag, digest)


def split_host(name: str) -> tuple[str, str]:
    """Return the host of a registry, or "", and what follows it.

    The first part is a host where it has a dot or a port, or is `localhost`: Docker's own rule.
    """
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def registry_host(registry: str) -> str:
    """Return the host of the setting `image_registry`.

    Raises ImageError where it has none, so that nothing goes to Docker Hub by mistake.
    """
    host, _ = split_host(f"{registry.rstrip('/')}/")
    if not host:
        raise ImageError(
            f"the image registry {registry!r} has no host; name one with --registry or "
            "EOLOOM_IMAGE_REGISTRY, such as registry.example/project "
            f"(Docker Hub is {DOCKER_HUB}/project)"
        )
    return host
