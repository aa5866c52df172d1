"""Changes of the land between two dates: what they are and how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.cells import Bent
from components.sample_scenes.covers import CoverMap, as_level
from components.sample_scenes.noise import SmoothField, hash_integers, hash_unit, unit_interval
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.spectra import Cover

ChangeKind = Literal["clear-cut", "fire", "flood", "construction", "quarry"]
CHANGE_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
# Value of each kind in the truth raster; 0 is no change.
CODES: dict[ChangeKind, int] = {kind: code for code, kind in enumerate(CHANGE_KINDS, start=1)}

_COVERS: dict[ChangeKind, Cover] = {
    "clear-cut": Cover.CLEAR_CUT,
    "fire": Cover.BURNED,
    "flood": Cover.FLOODED,
    "construction": Cover.BUILT,
    "quarry": Cover.QUARRY,
}
# Halls of a building site, pixels along and across.
_HALL = (8.0, 6.0)


@dataclass(frozen=True)
class Change:
    """One changed patch of ground.

    Attributes:
        kind: what happened.
        row: first pixel row of the patch.
        col: first pixel column.
        mask: the changed pixels, bool (y, x).
        since: number of the first date on which it is seen.
        seed: of its texture.
    """

    kind: ChangeKind
    row: int
    col: int
    mask: NDArray[np.bool_]
    since: int
    seed: int

    @property
    def pixels(self) -> int:
        """Number of changed pixels."""
        return int(np.count_nonzero(self.mask))

    def levels(self, pixels: Pixels) -> NDArray[np.uint8]:
        """Return the levels of the new cover, uint8 (y, x)."""
        middle = (self.row + self.mask.shape[0] / 2, self.col + self.mask.shape[1] / 2)
        along = turned(middle, self.seed, pixels)
        smooth = SmoothField.named(self.seed, "pattern", 6.0).sample(pixels)
        if self.kind == "construction":
            # Halls of different roofs between paved yards.
            hall = (np.mod(along.x, _HALL[0]) > 2.0) & (np.mod(along.y, _HALL[1]) > 1.8)
            words = hash_integers(
                self.seed, np.floor(along.x / _HALL[0]), np.floor(along.y / _HALL[1])
            )
            roof = np.float32(0.35) + np.float32(0.65) * unit_interval(words)
            return as_level(np.where(hall, roof, np.float32(0.1)))
        if self.kind == "quarry":
            # Benches follow the wall around the floor.
            benches = np.float32(0.35) * np.sin(np.hypot(along.x, along.y) * np.float32(1.1))
            return as_level(np.float32(0.55) + benches + np.float32(0.1) * smooth)
        return as_level(np.float32(0.5) + np.float32(0.3) * smooth)


def apply_changes(covers: CoverMap, pixels: Pixels, changes: Sequence[Change], date: int) -> None:
    """Change the cover of consecutive pixels, in place, to what it is on date `date`."""
    for change in changes:
        part = _overlap(change, pixels) if change.since <= date else None
        if part is not None:
            here, of_mask = part
            level = change.levels(pixels.part(here))
            covers.part(here).put(_COVERS[change.kind], change.mask[of_mask], level)


def truth(pixels: Pixels, changes: Sequence[Change], date: int) -> NDArray[np.uint8]:
    """Return codes (see `CODES`) of what changed since the date before, uint8 (y, x)."""
    codes = np.zeros(pixels.shape, np.uint8)
    for change in changes:
        part = _overlap(change, pixels) if change.since == date else None
        if part is not None:
            here, of_mask = part
            np.copyto(codes[here], np.uint8(CODES[change.kind]), where=change.mask[of_mask])
    return codes


def turned(middle: tuple[float, float], seed: int, pixels: Pixels) -> Bent:
    """Return positions from a point (row, col), in axes of a random direction."""
    angle = np.pi * hash_unit(seed, 1)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    y = (pixels.rows - middle[0]).astype(np.float32)[:, None]
    x = (pixels.cols - middle[1]).astype(np.float32)[None, :]
    return Bent(cos * x + sin * y, cos * y - sin * x)


def _overlap(
    change: Change, pixels: Pixels
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Return which rows and columns of pixels and of a change's mask are the same ground."""
    parts = []
    for axis, first, length in (
        (pixels.rows, change.row, change.mask.shape[0]),
        (pixels.cols, change.col, change.mask.shape[1]),
    ):
        origin = int(axis[0])
        start, stop = max(origin, first), min(origin + axis.size, first + length)
        if start >= stop:
            return None
        parts.append((slice(start - origin, stop - origin), slice(start - first, stop - first)))
    return (parts[0][0], parts[1][0]), (parts[0][1], parts[1][1])
