import numpy as np
import pytest

from components.sample_scenes.changes import (
    CHANGE_KINDS,
    CODES,
    Change,
    ChangeKind,
    apply_changes,
    truth,
)
from components.sample_scenes.covers import CoverMap
from components.sample_scenes.landscape import Landscape
from components.sample_scenes.pixels import Pixels
from components.sample_scenes.placing import place_changes
from components.sample_scenes.spectra import FARMLAND, FOREST, Cover

LANDSCAPE = Landscape(1, 1000)


@pytest.fixture(scope="module")
def placed() -> list[Change]:
    changes, missing = place_changes(LANDSCAPE, dict.fromkeys(CHANGE_KINDS, 2), 3)
    assert not missing
    return changes


def test_each_kind_happens_as_often_as_asked(placed: list[Change]) -> None:
    kinds = [change.kind for change in placed]
    assert {kind: kinds.count(kind) for kind in CHANGE_KINDS} == dict.fromkeys(CHANGE_KINDS, 2)
    assert {change.since for change in placed} == {1, 2}


@pytest.mark.parametrize(
    ("kind", "before"),
    [
        ("clear-cut", FOREST),
        ("fire", FOREST),
        ("flood", FARMLAND),
        ("construction", FARMLAND),
        ("quarry", (*FARMLAND, *FOREST)),
    ],
)
def test_only_ground_that_can_change_does(
    placed: list[Change], kind: ChangeKind, before: tuple[Cover, ...]
) -> None:
    for change in placed:
        if change.kind == kind:
            pixels = Pixels.block(change.row, change.col, *change.mask.shape)
            cover = LANDSCAPE.covers(pixels).kind[change.mask]
            assert np.isin(cover, before).all()
            assert change.pixels >= 12


def test_changes_keep_within_the_scene_and_apart(placed: list[Change]) -> None:
    hits = np.zeros((1000, 1000), int)
    for change in placed:
        height, width = change.mask.shape
        part = hits[change.row : change.row + height, change.col : change.col + width]
        assert part.shape == change.mask.shape
        part += change.mask
    assert hits.max() == 1


def test_places_follow_from_the_seed(placed: list[Change]) -> None:
    again, _ = place_changes(Landscape(1, 1000), dict.fromkeys(CHANGE_KINDS, 2), 3)
    for one, other in zip(placed, again, strict=True):
        assert (one.kind, one.row, one.col, one.since) == (
            other.kind, other.row, other.col, other.since,
        )  # fmt: skip
        np.testing.assert_array_equal(one.mask, other.mask)


def test_what_finds_no_place_is_said() -> None:
    changes, missing = place_changes(Landscape(1, 64), {"fire": 1, "clear-cut": 30}, 2)
    found = [change.kind for change in changes]
    for kind, number in (("fire", 1), ("clear-cut", 30)):
        assert found.count(kind) + missing.get(kind, 0) == number
    assert missing["clear-cut"] > 0


def _empty(pixels: Pixels) -> CoverMap:
    return CoverMap(np.zeros(pixels.shape, np.uint8), np.zeros(pixels.shape, np.uint8))


def test_the_truth_is_what_changed_between_two_dates() -> None:
    mask = np.array([[True, False], [True, True]])
    change = Change("flood", 10, 20, mask, since=2, seed=1)
    pixels = Pixels.block(9, 19, 4, 4)
    assert not truth(pixels, [change], 1).any()
    expected = np.zeros((4, 4), np.uint8)
    expected[1:3, 1:3] = CODES["flood"] * mask
    np.testing.assert_array_equal(truth(pixels, [change], 2), expected)
    # Once happened it is no change any more, but the ground stays changed.
    assert not truth(pixels, [change], 3).any()
    for date, flooded in ((1, 0), (2, 3), (3, 3)):
        covers = _empty(pixels)
        apply_changes(covers, pixels, [change], date)
        assert (covers.kind == Cover.FLOODED).sum() == flooded


def test_a_change_on_a_border_is_the_same_from_both_sides() -> None:
    change = Change("construction", 5, 5, np.ones((20, 20), np.bool_), since=1, seed=3)
    whole = _empty(Pixels.block(0, 0, 30, 30))
    apply_changes(whole, Pixels.block(0, 0, 30, 30), [change], 1)
    for col in (0, 15):
        pixels = Pixels.block(0, col, 30, 15)
        part = _empty(pixels)
        apply_changes(part, pixels, [change], 1)
        np.testing.assert_array_equal(part.kind, whole.kind[:, col : col + 15])
        np.testing.assert_array_equal(part.level, whole.level[:, col : col + 15])
