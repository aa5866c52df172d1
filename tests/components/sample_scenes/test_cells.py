import numpy as np
from scipy.spatial import cKDTree

from components.sample_scenes.cells import Bent, divide
from components.sample_scenes.pixels import Pixels


def _plane(row: int, col: int, size: int) -> Bent:
    pixels = Pixels.block(row, col, size, size)
    y, x = np.meshgrid(pixels.rows, pixels.cols, indexing="ij")
    return Bent(x.astype(np.float32), y.astype(np.float32))


def test_cells_are_those_of_the_nearest_seeds() -> None:
    bent = _plane(-40, 900, 200)
    cells = divide(bent, 25.0, seed=3)
    seeds = np.column_stack([cells.centre_x, cells.centre_y])
    points = np.column_stack([bent.x.ravel(), bent.y.ravel()])
    distance, nearest = cKDTree(seeds).query(points, k=2)
    # The search looks at 3 x 3 lattice cells, which misses a nearest seed very rarely.
    assert (nearest[:, 0] == cells.index.ravel()).mean() > 0.999
    border = (distance[:, 1] - distance[:, 0]) / 2
    np.testing.assert_allclose(np.median(border - cells.border.ravel()), 0, atol=1e-4)


def test_cells_do_not_depend_on_the_block() -> None:
    whole, part = divide(_plane(0, 0, 120), 30.0, 5), divide(_plane(40, 60, 50), 30.0, 5)
    np.testing.assert_array_equal(
        whole.identity[whole.index][40:90, 60:110], part.identity[part.index]
    )
    np.testing.assert_array_equal(whole.border[40:90, 60:110], part.border)


def test_turning_by_nothing_measures_from_the_seed() -> None:
    bent = _plane(0, 0, 30)
    cells = divide(bent, 10.0, 1)
    along = cells.turned(bent, np.zeros(cells.identity.size, np.float32))
    np.testing.assert_allclose(along.x, bent.x - cells.centre_x[cells.index], atol=1e-5)
    np.testing.assert_allclose(along.y, bent.y - cells.centre_y[cells.index], atol=1e-5)
