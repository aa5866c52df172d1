"""The Docker engine as what builds and moves images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from composer.extras import install_command
from orchestrator.backends.docker.engine import in_words
from orchestrator.errors import SettingsError
from orchestrator.images.labels import COMPONENT
from orchestrator.images.reference import Reference, parse_reference

if TYPE_CHECKING:
    from docker import DockerClient

# Of one answer's next part: a build step that compiles says nothing for long.
_SILENCE_S: Final = 1800


@dataclass(frozen=True)
class EngineImage:
    """One of our images on the engine.

    size_bytes: unpacked, with the layers that it shares. digests: `repository@sha256:...` in each
    registry from which it came or to which it went.
    """

    reference: Reference
    component: str
    id: str
    size_bytes: int
    digests: tuple[str, ...]


@contextmanager
def image_engine() -> Iterator[DockerClient]:
    """Connect to the engine that DOCKER_HOST names, else to this machine's.

    Raises SettingsError where the package docker is missing, where no engine answers, and where it
    stops answering.
    """
    try:
        import docker
    except ImportError as error:
        raise SettingsError(
            f"images need the package docker: {install_command('docker')}"
        ) from error
    host = os.environ.get("DOCKER_HOST")
    place = f"at {host}" if host else "of this machine"
    with in_words(f"use the Docker engine {place}"):
        client = docker.from_env(timeout=_SILENCE_S)
    try:
        with in_words(f"use the Docker engine {place}"):
            client.ping()
            yield client
    finally:
        client.close()


def engine_images(client: DockerClient) -> list[EngineImage]:
    """Return our images on the engine, by name."""
    found = []
    for image in client.images.list(filters={"label": COMPONENT}):
        attributes = image.attrs
        found += [
            EngineImage(
                parse_reference(tag),
                str(image.labels[COMPONENT]),
                str(image.id),
                int(attributes.get("Size") or 0),
                tuple(attributes.get("RepoDigests") or ()),
            )
            for tag in image.tags
        ]
    return sorted(found, key=lambda each: str(each.reference))
