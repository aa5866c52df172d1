"""Images of a pipeline at sites, pinned to the digests that their registries tell."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from orchestrator.images.pinning import pin_images
from orchestrator.render import RenderOptions, images_of, render

if TYPE_CHECKING:
    from collections.abc import Iterable

    from composer.graph import Graph
    from orchestrator.profiles import Profile


def with_digests(
    graph: Graph, profiles: Iterable[Profile], options: RenderOptions, *, required: bool
) -> tuple[RenderOptions, tuple[str, ...]]:
    """Return options that render images by digest, and a warning for each that cannot be.

    Raises what `render` and `pin_images` raise.
    """
    names = {name for profile in profiles for name in images_of(render(graph, profile, options))}
    pinned = pin_images(names, required=required)
    images = {**options.images, **pinned.images}
    return dataclasses.replace(options, images=images), pinned.warnings
