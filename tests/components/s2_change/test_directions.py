import numpy as np
import pytest

from components.s2_change.algorithm import Settings, detect
from components.s2_change.clustering import choose_clusters, spherical_kmeans
from components.s2_change.directions import SECTORS, classify, fit_directions

BANDS = ("blue", "green", "red", "nir")

# Reflectance of surfaces in B02, B03, B04, B08.
FOREST_JULY = np.array([0.02, 0.04, 0.02, 0.40])
FOREST_NOVEMBER = np.array([0.025, 0.04, 0.035, 0.12])
CLEARED = np.array([0.07, 0.09, 0.12, 0.22])
FIELD = np.array([0.06, 0.09, 0.09, 0.28])


def cones(*axes: tuple[float, ...], size: int = 500, spread: float = 0.1) -> np.ndarray:
    """Unit vectors (n, band) around each of the axes, one after the other."""
    rng = np.random.default_rng(0)
    vectors = np.concatenate([np.asarray(a) + rng.normal(0, spread, (size, len(a))) for a in axes])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_number_of_clusters_is_found(count: int) -> None:
    axes = [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, -1, 0), (-1, 0, 0, 1)][:count]
    found = choose_clusters(cones(*axes), 5, np.random.default_rng(0))
    assert len(found.centres) == count
    for index in range(count):
        labels = found.labels[index * 500 : (index + 1) * 500]
        assert np.mean(labels == np.bincount(labels).argmax()) > 0.99


def test_directions_without_structure_are_one_class() -> None:
    vectors = np.random.default_rng(1).normal(size=(3000, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert len(choose_clusters(vectors, 5, np.random.default_rng(0)).centres) == 1


def test_more_clusters_than_directions_leaves_none_empty() -> None:
    vectors = np.repeat(np.eye(4)[:2], 10, axis=0)
    found = spherical_kmeans(vectors, 5, np.random.default_rng(0))
    assert np.unique(found.labels).size == len(found.centres) <= 5


@pytest.mark.parametrize(("sector", "name"), list(enumerate(SECTORS)))
def test_names_follow_red_and_near_infrared(sector: int, name: str) -> None:
    angle = np.radians(45.0 * sector)
    change = np.array([0.0, 0.0, np.cos(angle), np.sin(angle)])[:, None] * np.ones(50)
    classes = fit_directions(change, change, BANDS, np.random.default_rng(0))
    assert classes.names == (name,)


def test_classes_that_mean_the_same_keep_distinct_names() -> None:
    change = np.concatenate([cones((1, 0, 1, -1)), cones((-1, 0, 1, -1))]).T
    classes = fit_directions(change, change, BANDS, np.random.default_rng(0), classes=2)
    assert classes.names == ("vegetation loss", "vegetation loss (2)")


def test_bands_without_red_and_near_infrared_are_brighter_or_darker() -> None:
    change = cones((1, 1), (-1, -1)).T
    classes = fit_directions(change, change, ("", ""), np.random.default_rng(0))
    assert sorted(classes.names) == ["brightening", "darkening"]


def test_no_changed_pixel_gives_no_class() -> None:
    classes = fit_directions(np.empty((4, 0)), np.empty((4, 0)), BANDS, np.random.default_rng(0))
    assert classes.count == 0
    assert (classify(classes, np.ones((4, 2, 2))) == 1).all()


def test_classes_do_not_depend_on_how_strong_a_change_is() -> None:
    change = cones((1, 0, 1, -1), (0, 0, 0, -1)).T
    classes = fit_directions(change, change, BANDS, np.random.default_rng(0))
    np.testing.assert_array_equal(classify(classes, change), classify(classes, 20 * change))


def test_the_season_of_a_forest_is_told_from_its_clearing() -> None:
    rng = np.random.default_rng(2)
    side = 200
    ground = np.tile(FIELD[:, None, None], (1, side, side))
    forest = np.zeros((side, side), dtype=bool)
    forest[20:90, 30:120] = True
    cleared = np.zeros_like(forest)
    cleared[40:60, 50:75] = True
    texture = rng.normal(1.0, 0.15, (1, side, side))
    before = np.where(forest, FOREST_JULY[:, None, None], ground) * texture
    after = np.where(forest, FOREST_NOVEMBER[:, None, None], ground)
    after = np.where(cleared, CLEARED[:, None, None], after) * texture
    noise = np.array([0.003, 0.004, 0.003, 0.016])[:, None, None]
    before, after = (date + noise * rng.normal(size=date.shape) for date in (before, after))
    found = detect(before, after, Settings(), BANDS)
    season = found.classes[forest & ~cleared]
    clearing = found.classes[cleared]
    usual = np.bincount(season).argmax()
    other = np.bincount(clearing).argmax()
    assert 0 not in (usual, other)
    assert usual != other
    assert np.mean(season == usual) > 0.95
    assert np.mean(clearing == other) > 0.95
    assert found.model.directions.names[usual - 1] == "near-infrared loss"
    assert found.model.directions.names[other - 1] == "vegetation loss"
