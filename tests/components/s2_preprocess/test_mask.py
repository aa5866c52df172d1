import numpy as np
import pytest

from components.s2_preprocess.mask import (
    MASKED_CLASSES,
    SceneClass,
    classify_masks,
    known_classes,
    percentage,
    select_masked,
)


def test_the_default_masks_no_data_defects_shadow_cloud_and_cirrus() -> None:
    classes = np.arange(12, dtype=np.uint8)[np.newaxis]
    masked = select_masked(classes, MASKED_CLASSES)[0]
    assert np.flatnonzero(masked).tolist() == [0, 1, 3, 8, 9, 10]


def test_snow_is_masked_on_request() -> None:
    classes = np.array([[4, 11]], np.uint8)
    assert select_masked(classes, [*MASKED_CLASSES, 11]).tolist() == [[False, True]]


def test_dilation_is_a_disk_around_clouds() -> None:
    classes = np.full((21, 21), SceneClass.VEGETATION, np.uint8)
    classes[10, 10] = SceneClass.CLOUD_HIGH_PROBABILITY
    masked = select_masked(classes, MASKED_CLASSES, dilation_px=4)
    y, x = np.mgrid[-10:11, -10:11]
    np.testing.assert_array_equal(masked, np.hypot(y, x) <= 4)


@pytest.mark.parametrize("centre", [SceneClass.NO_DATA, SceneClass.SATURATED_OR_DEFECTIVE])
def test_edges_of_the_swath_and_defects_do_not_grow(centre: SceneClass) -> None:
    classes = np.full((9, 9), SceneClass.VEGETATION, np.uint8)
    classes[4, 4] = centre
    assert select_masked(classes, MASKED_CLASSES, dilation_px=3).sum() == 1


def test_clouds_that_are_kept_do_not_grow() -> None:
    classes = np.full((9, 9), SceneClass.VEGETATION, np.uint8)
    classes[4, 4] = SceneClass.THIN_CIRRUS
    assert not select_masked(classes, [SceneClass.NO_DATA], dilation_px=3).any()


def test_values_that_are_no_class_are_no_data() -> None:
    assert known_classes(np.array([[11, 12, 255]])).tolist() == [[11, 0, 0]]


def test_masks_of_level_1c_become_classes() -> None:
    opaque, cirrus, snow = np.array([[[1, 1, 0, 0, 0]], [[0, 1, 1, 0, 2]], [[0, 0, 1, 1, 0]]])
    assert classify_masks(opaque, cirrus, snow).tolist() == [[9, 9, 10, 11, 10]]


def test_percentages_are_of_what_was_observed() -> None:
    counts = np.zeros(12, np.int64)
    counts[SceneClass.NO_DATA], counts[SceneClass.VEGETATION], counts[SceneClass.THIN_CIRRUS] = (
        900,
        75,
        25,
    )
    assert percentage(counts, [SceneClass.THIN_CIRRUS]) == 25.0
    assert percentage(np.zeros(12, np.int64), [SceneClass.THIN_CIRRUS]) == 0.0
