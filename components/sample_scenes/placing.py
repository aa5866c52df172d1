"""Where changes happen: on ground that can change that way, clear of each other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from components.sample_scenes.changes import CODES, Change, ChangeKind, turned
from components.sample_scenes.landscape import Landscape
from components.sample_scenes.noise import (
    SmoothField,
    hash_integers,
    hash_unit,
    named_seed,
    unit_interval,
)
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.settlements import Settlements
from components.sample_scenes.spectra import FARMLAND, FOREST
from components.sample_scenes.terrain import Disc

# The search looks at every so many rows and columns, this many rows at a time.
_STEP = 4
_STEP_OF_LARGE_SCENES = 8
_LARGE_SCENE = 4000
_STRIP = 128
_SMALLEST_PATCH = 12
# Where there is no room for a large change, smaller ones are tried.
_SHRINK = (1.0, 0.75, 0.55, 0.4)
_TRIES = 40
# Building sites are not farther than this from a settlement's last houses.
_EDGE = 25.0


@dataclass(frozen=True)
class _Manner:
    """How one kind of change comes about.

    Attributes:
        radius: smallest and largest, pixels.
        share: of the surroundings that must be able to change this way.
        rough: how irregular the outline is that nature draws; None where people draw it.
    """

    radius: tuple[float, float]
    share: float
    rough: float | None


_MANNERS: dict[ChangeKind, _Manner] = {
    "clear-cut": _Manner((12.0, 22.0), 0.93, None),
    "fire": _Manner((22.0, 34.0), 0.85, 0.36),
    "flood": _Manner((24.0, 36.0), 0.50, 0.30),
    "construction": _Manner((12.0, 18.0), 0.90, None),
    "quarry": _Manner((11.0, 16.0), 0.90, 0.22),
}


def place_changes(
    landscape: Landscape, numbers: Mapping[ChangeKind, int], dates: int
) -> tuple[list[Change], dict[ChangeKind, int]]:
    """Find places for changes where the landscape allows them.

    Args:
        landscape: to change.
        numbers: of changes of each kind.
        dates: number of dates; the changes are spread over those from the second on.

    Returns:
        The changes, and how many of each kind found no place (kinds with none left out).
    """
    allowed = _search(landscape, tuple(numbers))
    taken: list[Disc] = []
    changes: list[Change] = []
    missing: dict[ChangeKind, int] = {}
    for kind, number in numbers.items():
        seed = named_seed(landscape.seed, f"change {kind}")
        found = 0
        for count, disc in enumerate(
            _choose(allowed[kind], _MANNERS[kind], number, seed, (taken, landscape.size))
        ):
            since = 1 + (count + CODES[kind]) % max(dates - 1, 1)
            own = int(hash_integers(seed, count, 9)[0])
            mask, pixels = _outline(landscape, kind, disc, own)
            if mask.size:
                found += 1
                row, col = int(pixels.rows[0]), int(pixels.cols[0])
                changes.append(Change(kind, row, col, mask, since, own))
        if found < number:
            missing[kind] = number - found
    return changes, missing


def _search(
    landscape: Landscape, kinds: Sequence[ChangeKind]
) -> dict[ChangeKind, NDArray[np.bool_]]:
    """Return which ground of a coarse grid each kind of change may hit; bool (y, x) each."""
    axis = np.arange(0, landscape.size, _step(landscape.size))
    found: dict[ChangeKind, list[NDArray[np.bool_]]] = {kind: [] for kind in kinds}
    for start in range(0, axis.size, _STRIP):
        pixels = Pixels(axis[start : start + _STRIP], axis)
        kind_of_cover = landscape.covers(pixels).kind
        for kind in kinds:
            found[kind].append(_can_change(landscape, kind, kind_of_cover, pixels))
    return {kind: np.concatenate(strips) for kind, strips in found.items()}


def _step(size: int) -> int:
    return _STEP if size <= _LARGE_SCENE else _STEP_OF_LARGE_SCENES


def _can_change(
    landscape: Landscape, kind: ChangeKind, cover: NDArray[np.uint8], pixels: Pixels
) -> NDArray[np.bool_]:
    """Return the ground that a kind of change can hit, bool (y, x)."""
    forest = np.isin(cover, FOREST)
    if kind in {"clear-cut", "fire"}:
        return forest
    fields = np.isin(cover, FARMLAND)
    river = landscape.terrain.river(pixels)
    if kind == "flood":
        return fields & (river < 7)
    if kind == "quarry":
        return (fields | forest) & (river > 6)
    return fields & (river > 3) & _at_settlement(landscape.settlements, pixels)


def _at_settlement(settlements: Settlements, pixels: Pixels) -> NDArray[np.bool_]:
    near = np.zeros(pixels.shape, np.bool_)
    for place in settlements.near(pixels, reach=_EDGE):
        reach = 2.0 * place.radius + _EDGE
        part = pixels.within(place.row, place.col, reach)
        near[part] |= pixels.part(part).distance(place.row, place.col) < reach
    return near


def _choose(
    allowed: NDArray[np.bool_],
    manner: _Manner,
    number: int,
    seed: int,
    scene: tuple[list[Disc], int],
) -> list[Disc]:
    """Choose up to `number` discs on mostly allowed ground.

    Args:
        allowed: ground of the coarse grid.
        manner: of the change.
        number: of discs.
        seed: of the choice.
        scene: discs that are taken, from which the new ones keep apart and to which they are
            added, and the size of the scene.
    """
    taken, size = scene
    step = _step(size)
    chosen: list[Disc] = []
    for shrink in _SHRINK:
        low, high = (shrink * limit for limit in manner.radius)
        window = max(1, round((low + high) / step))
        share = ndimage.uniform_filter(allowed.astype(np.float32), window, mode="constant")
        rows, cols = np.nonzero(share >= manner.share)
        words = hash_integers(seed, rows, cols)
        order = np.argsort(words, kind="stable")[: _TRIES * number]
        radii = low + (high - low) * unit_interval(words[order])
        for row, col, radius in zip(rows[order] * step, cols[order] * step, radii, strict=True):
            if len(chosen) == number:
                return chosen
            disc = Disc(float(row), float(col), float(radius))
            if _fits(disc, taken, size):
                chosen.append(disc)
                taken.append(disc)
    return chosen


def _fits(disc: Disc, taken: Sequence[Disc], size: int) -> bool:
    """Tell whether a disc lies within the scene and clear of others."""
    if disc.radius > min(disc.row, disc.col, size - disc.row, size - disc.col):
        return False
    return all(
        math.hypot(disc.row - other.row, disc.col - other.col) > 1.6 * (disc.radius + other.radius)
        for other in taken
    )


def _outline(
    landscape: Landscape, kind: ChangeKind, disc: Disc, seed: int
) -> tuple[NDArray[np.bool_], Pixels]:
    """Return the ground that changes, bool (y, x), and its pixels; both empty if there is none."""
    reach = round(1.8 * disc.radius) + 2
    rows, cols = (
        np.arange(max(0, round(centre) - reach), min(landscape.size, round(centre) + reach))
        for centre in (disc.row, disc.col)
    )
    pixels = Pixels(rows, cols)
    rough = _MANNERS[kind].rough
    mask = (
        _rectangle(disc, seed, pixels) if rough is None else disc.distance(seed, pixels, rough) < 0
    )
    mask &= _can_change(landscape, kind, landscape.covers(pixels).kind, pixels)
    if kind == "fire":
        # Fires leave islands.
        mask &= SmoothField.named(seed, "islands", 5.0).sample(pixels) > -1.7
    patches, count = ndimage.label(mask)
    sizes = np.bincount(patches.ravel(), minlength=count + 1)
    mask &= (sizes >= _SMALLEST_PATCH)[patches]
    y, x = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not y.size:
        return np.zeros((0, 0), np.bool_), pixels
    part = (slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1))
    return mask[part], pixels.part(part)


def _rectangle(disc: Disc, seed: int, pixels: Pixels) -> NDArray[np.bool_]:
    """Return a parcel with a corner cut out, in a random direction, bool (y, x)."""
    along = turned((disc.row, disc.col), seed, pixels)
    wide = disc.radius * (0.5 + 0.25 * hash_unit(seed, 2))
    corner = (along.x > 0.35 * disc.radius) & (along.y > 0.2 * wide)
    return (np.abs(along.x) < disc.radius) & (np.abs(along.y) < wide) & ~corner
