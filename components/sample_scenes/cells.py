"""Division of the plane into irregular cells (Voronoi cells of jittered lattice points)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.sample_scenes.noise import FloatArray, HashArray, hash_integers, unit_interval

_JITTER = 0.85


@dataclass(frozen=True)
class Bent:
    """Positions in the bent plane in which roads, parcels and districts are straight; pixels.

    Attributes:
        x: float32 (y, x).
        y: float32 (y, x).
    """

    x: FloatArray
    y: FloatArray

    def part(self, part: tuple[slice, slice]) -> "Bent":
        """Return the positions of some of the rows and columns."""
        return Bent(self.x[part], self.y[part])


@dataclass(frozen=True)
class Cells:
    """The cells that a set of positions falls into.

    Attributes:
        index: cell of each position, an index into the arrays below; int32 (y, x).
        border: distance of each position to the nearest border of its cell, pixels; exact at the
            border; float32 (y, x).
        identity: a random word per cell; uint32 (cell,).
        centre_x: seed point of each cell, pixels; float32 (cell,).
        centre_y: likewise.
    """

    index: NDArray[np.int32]
    border: FloatArray
    identity: HashArray
    centre_x: FloatArray
    centre_y: FloatArray

    def turned(self, bent: Bent, angle: FloatArray) -> Bent:
        """Return positions from the seed of their cell, in axes turned by an angle per cell.

        Args:
            bent: the positions that were divided.
            angle: radians, (cell,).
        """
        x = bent.x - np.take(self.centre_x, self.index)
        y = bent.y - np.take(self.centre_y, self.index)
        cos = np.take(np.cos(angle).astype(np.float32), self.index)
        sin = np.take(np.sin(angle).astype(np.float32), self.index)
        return Bent(cos * x + sin * y, cos * y - sin * x)


def divide(bent: Bent, spacing: float, seed: int) -> Cells:
    """Return the cells that positions fall into.

    Args:
        bent: the positions.
        spacing: mean distance of the cells' seed points, pixels.
        seed: of the division.
    """
    cell_x, cell_y = (
        np.floor(axis / np.float32(spacing)).astype(np.int32) for axis in (bent.x, bent.y)
    )
    first_x, first_y = int(cell_x.min()) - 1, int(cell_y.min()) - 1
    columns = int(cell_x.max()) - first_x + 2
    lattice_y = (first_y + np.arange(int(cell_y.max()) - first_y + 2))[:, None]
    lattice_x = (first_x + np.arange(columns))[None, :]
    identity = hash_integers(seed, lattice_y, lattice_x)
    centre_x, centre_y = (
        ((lattice + 0.5 + _JITTER * (unit_interval(hash_integers(salt, identity)) - 0.5)) * spacing)
        .astype(np.float32)
        .ravel()
        for salt, lattice in ((1, lattice_x), (2, lattice_y))
    )
    own = (cell_y - first_y) * columns + (cell_x - first_x)
    index, nearest, second = _two_nearest(bent, own, columns, (centre_x, centre_y))
    # Half the difference of the two distances is the distance to the border near the border,
    # which is where it is asked for.
    border = np.sqrt(second, out=second)
    border -= np.sqrt(nearest, out=nearest)
    border *= np.float32(0.5)
    return Cells(index, border, identity.ravel(), centre_x, centre_y)


def _two_nearest(
    bent: Bent, own: NDArray[np.int32], columns: int, centres: tuple[FloatArray, FloatArray]
) -> tuple[NDArray[np.int32], FloatArray, FloatArray]:
    """Return the nearest seed among 3 x 3 cells, squared distances to it and to the second."""
    shape = own.shape
    nearest = np.full(shape, np.inf, np.float32)
    second = np.full(shape, np.inf, np.float32)
    index = own.copy()
    candidate = np.empty_like(own)
    dx, dy = np.empty(shape, np.float32), np.empty(shape, np.float32)
    for step in (row * columns + col for row in (-1, 0, 1) for col in (-1, 0, 1)):
        np.add(own, np.int32(step), out=candidate)
        np.subtract(np.take(centres[0], candidate), bent.x, out=dx)
        np.subtract(np.take(centres[1], candidate), bent.y, out=dy)
        np.multiply(dx, dx, out=dx)
        np.multiply(dy, dy, out=dy)
        np.add(dx, dy, out=dx)
        np.copyto(index, candidate, where=dx < nearest)
        # The second nearest is the smaller of itself and the loser of this comparison.
        np.maximum(dx, nearest, out=dy)
        np.minimum(second, dy, out=second)
        np.minimum(nearest, dx, out=nearest)
    return index, nearest, second
