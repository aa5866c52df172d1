"""What an image registry holds: repositories, tags, digests and sizes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

from orchestrator.errors import ImageError, RegistryError
from orchestrator.images.reference import Reference, parse_reference, registry_host, split_host
from orchestrator.images.registry_session import Answer, RegistrySession

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_SIZE: Final = 100
MAX_PAGES: Final = 200

_CATALOG_SCOPE: Final = "registry:catalog:*"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)


@dataclass(frozen=True)
class RemoteImage:
    """An image in a registry.

    size_bytes: of its layers as they travel, compressed; None for an image of several platforms.
    """

    reference: Reference
    digest: str
    size_bytes: int | None


def resolve(reference: str, session: RegistrySession | None = None) -> str:
    """Return the name by which nothing else can be meant: `host/repository@sha256:...`.

    Raises RegistryError where the registry has no such image, is not reached, or refuses. A name
    with a digest is returned as it is; one without a host is asked for at no registry, and refused.
    """
    parsed = parse_reference(reference)
    if parsed.digest:
        return f"{parsed.name}@{parsed.digest}"
    registry_host(parsed.name)
    if session is not None:
        return f"{parsed.name}@{find_image(session, parsed).digest}"
    with RegistrySession(parsed.host) as own:
        return f"{parsed.name}@{find_image(own, parsed).digest}"


def list_images(registry: str, names: Iterable[str]) -> Iterator[RemoteImage]:
    """Yield the images of a project in a registry, by name and tag.

    registry: host with project. names: what is looked for where the registry does not tell what
    repositories it has, as Harbor does not to users. Raises ImageError.
    """
    host, project = registry_host(registry), split_host(f"{registry.rstrip('/')}/")[1].strip("/")
    prefix = f"{project}/" if project else ""
    with RegistrySession(host) as session:
        repositories = _catalog(session)
        if repositories is None:
            repositories = [f"{prefix}{name}" for name in names]
        for repository in sorted(r for r in repositories if r.startswith(prefix)):
            for tag in sorted(_tags(session, repository)):
                yield find_image(session, Reference(host, repository, tag))


def find_image(session: RegistrySession, reference: Reference) -> RemoteImage:
    """Return what the registry says of an image.

    Raises RegistryError where it is not there, and ImageError where what comes is not what its
    digest says.
    """
    path = f"/v2/{reference.repository}/manifests/{reference.version}"
    answer = session.ask(path, _scope(reference.repository), accept=_ACCEPT)
    if answer.status != 200:
        raise RegistryError(f"{session.host} has no image {reference}{_reason(answer)}")
    # Of the content itself: what the header says must not be believed of a name that pins.
    digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
    told = answer.headers.get("docker-content-digest", digest)
    if told != digest or (reference.digest and reference.digest != digest):
        raise ImageError(f"{reference}: {session.host} sends other content than its digest says")
    return RemoteImage(reference, digest, _size(answer.document()))


def _size(manifest: Mapping[str, Any]) -> int | None:
    layers = manifest.get("layers")
    if not isinstance(layers, list):
        return None
    parts = [manifest.get("config"), *layers]
    return sum(int(part.get("size", 0)) for part in parts if isinstance(part, dict))


def _catalog(session: RegistrySession) -> list[str] | None:
    """Return all repositories, or None where the registry does not tell."""
    try:
        pages = list(_pages(session, "/v2/_catalog", _CATALOG_SCOPE))
    except ImageError:
        # Whether the credentials are wrong altogether shows when tags are asked for.
        return None
    if any(page.status != 200 for page in pages):
        return None
    return [name for page in pages for name in _texts(page.document().get("repositories"))]


def _tags(session: RegistrySession, repository: str) -> list[str]:
    tags = []
    for page in _pages(session, f"/v2/{repository}/tags/list", _scope(repository)):
        if page.status == 404:
            return []
        if page.status != 200:
            raise ImageError(f"{session.host}: no tags of {repository}{_reason(page)}")
        tags += _texts(page.document().get("tags"))
    return tags


def _pages(session: RegistrySession, path: str, scope: str) -> Iterator[Answer]:
    """Yield the pages of a list. Raises ImageError where they do not end."""
    short, path = path, f"{path}?n={PAGE_SIZE}"
    for _ in range(MAX_PAGES):
        answer = session.ask(path, scope)
        if answer.status == 400 and path != short:
            # It gives smaller pages, and refuses instead of doing so.
            answer = session.ask(short, scope)
        yield answer
        link = re.match(r'\s*<([^>]+)>\s*;\s*rel="?next"?', answer.headers.get("link", ""))
        if answer.status != 200 or link is None:
            return
        # A path only: the list must not lead to another server, with our credentials.
        target = urlsplit(urljoin(f"https://{session.host}{path}", link[1]))
        path = f"{target.path}?{target.query}"
    raise ImageError(f"{session.host} lists more than {MAX_PAGES * PAGE_SIZE:,} names")


def _scope(repository: str) -> str:
    return f"repository:{repository}:pull"


def _texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _reason(answer: Answer) -> str:
    """Return what a registry says of a failure, as ": reason"."""
    try:
        first = answer.document().get("errors", [{}])[0]
        return f": {first.get('message') or first.get('code') or answer.status}"
    except (ImageError, AttributeError, IndexError, KeyError, TypeError):
        return f": status {answer.status}"
