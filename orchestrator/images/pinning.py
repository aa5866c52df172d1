"""Tags turned into digests, so that what runs is what was meant, also after a tag has moved.

No engine is needed for it: the registries are asked. One that is not reached from here, such as a
registry inside a cluster, leaves its images as they are, with a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from orchestrator.errors import RegistryError
from orchestrator.images.reference import Reference, parse_reference
from orchestrator.images.registry import resolve
from orchestrator.images.registry_session import RegistrySession

OpenSession = Callable[[str], RegistrySession]


@dataclass(frozen=True)
class PinnedImages:
    """`repository@sha256:...` by the names that images had.

    warnings: one for every registry or image that could not be asked.
    """

    images: Mapping[str, str]
    warnings: tuple[str, ...] = ()


def pin_images(
    references: Iterable[str],
    *,
    required: bool = False,
    open_session: OpenSession = RegistrySession,
) -> PinnedImages:
    """Return the digests of images, without those whose names have a digest already.

    required: raise RegistryError where there would be a warning. Raises ImageError for what is no
    name of an image, and where a registry sends other content than its digest says: nobody should
    run that.
    """
    by_host: dict[str, list[Reference]] = {}
    for reference in map(parse_reference, sorted(set(references))):
        if not reference.digest:
            by_host.setdefault(reference.host, []).append(reference)
    images: dict[str, str] = {}
    faults: list[str] = []
    for host, wanted in by_host.items():
        for names, result in _resolved(host, wanted, open_session):
            if isinstance(result, RegistryError):
                faults.append(f"not pinned to a digest: {names}: {result}")
            else:
                images[names] = result
    if faults and required:
        raise RegistryError("\n".join(faults))
    return PinnedImages(images, tuple(faults))


def _resolved(
    host: str, wanted: Iterable[Reference], open_session: OpenSession
) -> Iterator[tuple[str, str | RegistryError]]:
    """Yield name and digest, or why there is none, of each image of one registry.

    A registry that is not reached is asked once only, because that may take long; then the names
    of all its images come together.
    """
    if not host:
        names = ", ".join(map(str, wanted))
        yield names, RegistryError("its name has no registry")
        return
    with open_session(host) as session:
        try:
            session.connect()
        except RegistryError as error:
            yield ", ".join(map(str, wanted)), error
            return
        for reference in wanted:
            try:
                yield str(reference), resolve(str(reference), session)
            except RegistryError as error:
                yield str(reference), error
