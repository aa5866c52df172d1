"""How far the making or moving of an image is, for whoever shows it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Progress:
    """One report.

    image: its name. done, total: steps of a build, or bytes; a total of 0 is not known yet.
    is_bytes: which of them. message: what is being done.
    """

    image: str
    done: int = 0
    total: int = 0
    is_bytes: bool = False
    message: str = ""


Observer = Callable[[Progress], None]

_MOVING: Final = frozenset({"Downloading", "Pushing"})
_MOVED: Final = frozenset(
    {"Download complete", "Pull complete", "Already exists", "Pushed", "Layer already exists"}
)


class Layers:
    """Adds up the layers that an engine pulls or pushes at the same time."""

    def __init__(self, image: str, observe: Observer) -> None:
        self._image = image
        self._observe = observe
        self._layers: dict[str, tuple[int, int]] = {}

    def take(self, message: Mapping[str, Any]) -> None:
        """Take one line of the engine's answer, and report what it changes."""
        layer, status = str(message.get("id", "")), str(message.get("status", ""))
        size = message.get("progressDetail") or {}
        if status in _MOVING and "current" in size:
            done = int(size["current"])
            self._layers[layer] = done, max(done, int(size.get("total") or 0))
        elif status in _MOVED:
            total = self._layers.get(layer, (0, 0))[1]
            self._layers[layer] = total, total
        else:
            return
        done, total = map(sum, zip(*self._layers.values(), strict=True))
        self._observe(Progress(self._image, done, total, is_bytes=True, message=status.lower()))
