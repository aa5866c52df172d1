"""Which pixels of a scene are meant: the argument of everything that a position decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Metres per side; rows, columns, distances and radii are in these pixels everywhere.
PIXEL_M = 10.0


@dataclass(frozen=True)
class Pixels:
    """The pixels where some rows and some columns of a scene meet.

    Both increase. They may lie outside the scene, and their steps need not be 1.

    Attributes:
        rows: int64 (y,).
        cols: int64 (x,).
    """

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]

    @classmethod
    def block(cls, row: int, col: int, height: int, width: int) -> Pixels:
        """Return consecutive pixels from a first one on."""
        return cls(np.arange(row, row + height), np.arange(col, col + width))

    @classmethod
    def at(cls, row: float, col: float) -> Pixels:
        """Return the one pixel nearest to a point."""
        return cls.block(round(row), round(col), 1, 1)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return self.rows.size, self.cols.size

    def around(self, margin: int) -> Pixels:
        """Return consecutive pixels with `margin` more of them on each side."""
        row, col = int(self.rows[0]) - margin, int(self.cols[0]) - margin
        height, width = self.shape
        return self.block(row, col, height + 2 * margin, width + 2 * margin)

    def shifted(self, rows: int, cols: int) -> Pixels:
        """Return the pixels so many rows and columns further on."""
        return Pixels(self.rows + rows, self.cols + cols)

    def within(self, row: float, col: float, reach: float) -> tuple[slice, slice]:
        """Return which rows and columns lie in the square around a point; maybe none."""
        return (
            slice(*np.searchsorted(self.rows, (row - reach, row + reach))),
            slice(*np.searchsorted(self.cols, (col - reach, col + reach))),
        )

    def part(self, part: tuple[slice, slice]) -> Pixels:
        """Return the pixels of some of the rows and columns."""
        return Pixels(self.rows[part[0]], self.cols[part[1]])

    def distance(self, row: float, col: float) -> NDArray[np.float32]:
        """Return the distance of each pixel from a point, float32 (y, x)."""
        y = (self.rows - row).astype(np.float32)
        x = (self.cols - col).astype(np.float32)
        distance: NDArray[np.float32] = np.hypot(y[:, None], x[None, :])
        return distance
