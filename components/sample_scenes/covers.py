"""A map of what covers the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.noise import FloatArray
from components.sample_scenes.spectra import LEVELS, Cover


@dataclass(frozen=True)
class CoverMap:
    """Cover and level of each pixel; changed in place while a landscape is composed.

    Attributes:
        kind: value of :class:`Cover`, uint8 (y, x).
        level: 0 to 15, the spectrum among those of its cover, uint8 (y, x).
    """

    kind: NDArray[np.uint8]
    level: NDArray[np.uint8]

    def put(
        self,
        cover: Cover | NDArray[np.uint8],
        where: NDArray[np.bool_],
        level: int | NDArray[np.uint8] | None = None,
    ) -> None:
        """Cover some pixels; their level stays where none is given."""
        np.copyto(self.kind, np.asarray(cover, np.uint8), where=where)
        if level is not None:
            np.copyto(self.level, np.asarray(level, np.uint8), where=where)

    def part(self, part: tuple[slice, slice]) -> CoverMap:
        """Return some of the rows and columns: a view, not a copy."""
        return CoverMap(self.kind[part], self.level[part])


def as_level(share: FloatArray) -> NDArray[np.uint8]:
    """Return 0 to 1 as levels 0 to 15; values beyond are clipped."""
    return (np.clip(share, 0.0, 0.999) * np.float32(LEVELS)).astype(np.uint8)
