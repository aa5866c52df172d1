"""What the image of a component is called."""

from __future__ import annotations

from typing import Final

DEFAULT_IMAGE_REGISTRY: Final = "eoloom"
"""Without a host: images of this machine's Docker engine only."""


def image_reference(registry: str, component: str, version: str) -> str:
    """Return `registry/component:version`.

    registry: host with project, such as `registry.example/eoloom`, or a project alone. A version's
    build metadata is joined by a hyphen, because a tag has no plus sign.
    """
    return f"{registry.rstrip('/')}/{component}:{version.replace('+', '-')}"
