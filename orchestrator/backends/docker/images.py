"""Images for the containers of a run: found on the engine, or pulled, and pinned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestrator.backends.docker import labels
from orchestrator.backends.docker.engine import explain
from orchestrator.engine.plan import NodePlan
from orchestrator.errors import NodeError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.images import Image as EngineImage

# Told (bytes done, bytes in all) while an image comes.
PullProgress = Callable[[int, int], None]

_DOWNLOADING: Final = "Downloading"


@dataclass(frozen=True)
class Image:
    """An image that the engine has.

    reference: as the plan names it. id: the engine's, which no later build or pull changes.
    digest: `repository@sha256:...` if it came from a registry, or went there. ports: that it says
    it opens. is_ours: whether it is one of our components.
    """

    reference: str
    id: str
    digest: str
    ports: frozenset[int]
    is_ours: bool


def find_image(
    client: DockerClient, node: NodePlan, pinned: Mapping[str, str], progress: PullProgress
) -> Image:
    """Return the node's image; pull it if the engine has not got it.

    pinned: `id` and `digest` that an earlier attempt of the run used, which are preferred. Raises
    NodeError saying how to get the image where it is nowhere.
    """
    from docker.errors import ImageNotFound

    for name in filter(None, (pinned.get("id"), pinned.get("digest"), node.image)):
        try:
            return _image(node.image, client.images.get(name))
        except ImageNotFound:
            continue
    return _image(node.image, _pull(client, node, pinned.get("digest") or node.image, progress))


def _image(reference: str, image: EngineImage) -> Image:
    config: Mapping[str, Any] = image.attrs.get("Config") or {}
    digests = image.attrs.get("RepoDigests") or [""]
    return Image(
        reference=reference,
        id=str(image.id),
        digest=str(digests[0]),
        ports=frozenset(
            int(port.partition("/")[0])
            for port in config.get("ExposedPorts") or ()
            if port.endswith("/tcp")
        ),
        is_ours=labels.OURS in (config.get("Labels") or {}),
    )


def _pull(
    client: DockerClient, node: NodePlan, reference: str, progress: PullProgress
) -> EngineImage:
    from docker.errors import APIError, ImageNotFound, NotFound
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(reference)
    layers: dict[str, tuple[int, int]] = {}
    try:
        for message in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in message:
                raise _missing(node, str(message["error"]))
            size = message.get("progressDetail") or {}
            if message.get("status") == _DOWNLOADING and "total" in size:
                layers[message["id"]] = int(size["current"]), int(size["total"])
                done, total = map(sum, zip(*layers.values(), strict=True))
                progress(done, total)
        return client.images.get(reference)
    except (ImageNotFound, NotFound) as error:
        raise _missing(node, explain(error)) from error
    except APIError as error:
        raise _missing(node, explain(error)) from error


def _missing(node: NodePlan, why: str) -> NodeError:
    what = f"there is no image {node.image} on the Docker engine, and it cannot be pulled: {why}"
    if node.command:
        return NodeError(node.name, f"{what}; build it by `eoloom images build {node.component}`")
    return NodeError(
        node.name, f"{what}; check the name, and whether `docker login` to its registry is needed"
    )
