"""Moving images between the Docker engine and an image registry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import ImageError
from orchestrator.images.progress import Layers, Observer, Progress
from orchestrator.images.reference import (
    DEFAULT_IMAGE_REGISTRY,
    image_reference,
    parse_reference,
    registry_host,
)

if TYPE_CHECKING:
    from docker import DockerClient

_REFUSALS: Final = ("unauthorized", "denied", "no basic auth", "authentication required")
_MISSING: Final = ("manifest unknown", "not found", "repository does not exist")


def push(client: DockerClient, local: str, reference: str, observe: Observer) -> str:
    """Push the engine's image `local` as `reference`; return `repository@sha256:...`.

    Raises ImageError where the engine has no such image, and where the registry is not reached or
    refuses.
    """
    from docker.errors import ImageNotFound

    target = parse_reference(reference)
    host = registry_host(reference)
    try:
        image = client.images.get(local)
    except ImageNotFound as error:
        raise ImageError(f"there is no image {local} to push; build it first") from error
    if local != reference:
        image.tag(target.name, target.tag)
    observe(Progress(reference, message="pushing"))
    lines = client.api.push(target.name, tag=target.tag, stream=True, decode=True)
    digest = _follow(lines, f"cannot push {reference}", host, Layers(reference, observe))
    if not digest:
        raise ImageError(f"cannot push {reference}: {host} did not say its digest")
    return f"{target.name}@{digest}"


def pull(client: DockerClient, reference: str, observe: Observer) -> str:
    """Pull an image; return `repository@sha256:...`. Raises ImageError where that fails."""
    from docker.errors import APIError

    target = parse_reference(reference)
    host = registry_host(reference)
    observe(Progress(reference, message="pulling"))
    version = target.version
    try:
        lines = client.api.pull(target.name, tag=version, stream=True, decode=True)
        digest = _follow(lines, f"cannot pull {reference}", host, Layers(reference, observe))
    except APIError as error:
        reason = str(error.explanation or error)
        raise ImageError(_explain(f"cannot pull {reference}", reason, host)) from error
    return f"{target.name}@{digest or target.digest}"


def _follow(lines: Iterable[Mapping[str, Any]], doing: str, host: str, layers: Layers) -> str:
    """Report a transfer to its end; return the digest that was named. Raises ImageError."""
    digest = failure = ""
    for line in lines:
        if "error" in line:
            failure = _explain(doing, str(line["error"]), host)
            continue  # to the end of the answer, which frees its connection
        layers.take(line)
        told = line.get("aux") or {}
        digest = str(told.get("Digest") or digest)
        status = str(line.get("status", ""))
        if status.startswith("Digest: "):
            digest = status.removeprefix("Digest: ").strip()
    if failure:
        raise ImageError(failure)
    return digest


def _explain(doing: str, reason: str, host: str) -> str:
    """Return what an engine says of a failed transfer, with what to do."""
    text = reason.lower()
    if any(sign in text for sign in _REFUSALS):
        return f"{doing}: {host} refuses ({reason}); run `docker login {host}`"
    if any(sign in text for sign in _MISSING):
        return f"{doing}: {host} has no such image ({reason})"
    if "no space left" in text:
        return f"{doing}: the engine's disk is full; `docker system prune` frees some"
    if "http response to https" in text or "x509" in text:
        return (
            f"{doing}: {reason}; the engine trusts this registry only with its certificate in "
            f"/etc/docker/certs.d/{host}/ca.crt"
        )
    return f"{doing}: {reason}"


def local_name(client: DockerClient, reference: str, component: str, version: str) -> str:
    """Return what an image to be pushed as `reference` is called on the engine.

    It may have been built for that registry, or before one was known.
    """
    from docker.errors import ImageNotFound

    try:
        client.images.get(reference)
    except ImageNotFound:
        return image_reference(DEFAULT_IMAGE_REGISTRY, component, version)
    return reference
