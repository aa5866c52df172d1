import numpy as np
import pytest

from components.kit.errors import InputError
from components.s2_preprocess.mask import SceneClass
from components.s2_preprocess.offset import (
    DeclaredOffset,
    PixelEvidence,
    baseline_offset,
    decide_offset,
    examine_pixels,
    parse_baseline,
)

APPLIED = DeclaredOffset({"B04": 0.0}, {"B04": 10000.0}, "the flag")
TO_APPLY = DeclaredOffset({"B04": -1000.0}, {"B04": 10000.0}, "baseline 05.09")
OLD = DeclaredOffset({"B04": 0.0}, {"B04": 10000.0}, "baseline 02.14", certain=True)
ORIGINAL = DeclaredOffset({"B04": -1000.0}, {"B04": 10000.0}, "MTD_MSIL2A.xml", certain=True)
SEEN_APPLIED = PixelEvidence(True, "pixels are dark")
SEEN_ADDED = PixelEvidence(False, "pixels are bright")
SEEN_NOTHING = PixelEvidence(None, "pixels are few")


@pytest.mark.parametrize(
    ("text", "baseline"),
    [
        ("05.09", (5, 9)),
        ("02.14", (2, 14)),
        ("S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE", (4, 0)),
        ("S2B_MSIL1C_20180413T150759_N0500_R025_T33XWJ_20220414T082126", (5, 0)),
        ("S2A_33TWL_20230815_0_L2A", None),
        ("", None),
        ("5.9", None),
    ],
)
def test_baselines_are_read_from_numbers_and_names(
    text: str, baseline: tuple[int, int] | None
) -> None:
    assert parse_baseline(text) == baseline


@pytest.mark.parametrize(
    ("baseline", "offset"),
    [
        ((2, 14), 0),
        ((3, 1), 0),
        ((4, 0), -1000),
        ((5, 0), -1000),
        ((5, 9), -1000),
        ((5, 11), -1000),
    ],
)
def test_the_offset_follows_the_baseline(baseline: tuple[int, int], offset: float) -> None:
    assert baseline_offset(baseline) == offset


def land(reflectances: tuple[float, float], added: int, size: int = 400) -> np.ndarray:
    values = np.linspace(*reflectances, size * size).reshape(size, size)
    return np.rint(values * 10000 + added).astype(np.uint16)


@pytest.mark.parametrize(("added", "applied"), [(0, True), (1000, False)])
def test_dark_vegetation_shows_whether_1000_was_added(added: int, applied: bool) -> None:
    dn = land((0.02, 0.09), added)
    classes = np.full(dn.shape, SceneClass.VEGETATION, np.uint8)
    assert examine_pixels(dn, classes).applied is applied


@pytest.mark.parametrize("added", [0, 1000])
def test_a_desert_shows_nothing(added: int) -> None:
    dn = land((0.11, 0.35), added)
    classes = np.full(dn.shape, SceneClass.NOT_VEGETATED, np.uint8)
    assert examine_pixels(dn, classes).applied is None
    assert examine_pixels(dn, None).applied is None


def test_water_under_sun_glint_shows_nothing() -> None:
    dn = land((0.12, 0.3), 0)
    assert examine_pixels(dn, np.full(dn.shape, SceneClass.WATER, np.uint8)).applied is None


def test_without_classes_impossible_values_show_that_it_was_applied() -> None:
    evidence = examine_pixels(land((0.02, 0.4), 0), None)
    assert evidence.applied is True
    assert "7.9% of the pixels have digital numbers below 500" in evidence.reason


def test_cloud_and_no_data_do_not_count() -> None:
    dn = land((0.02, 0.06), 1000)
    classes = np.full(dn.shape, SceneClass.VEGETATION, np.uint8)
    dn[:100], classes[:100] = 0, SceneClass.NO_DATA
    dn[100:150], classes[100:150] = 1, SceneClass.VEGETATION
    dn[150:300], classes[150:300] = 9000, SceneClass.CLOUD_HIGH_PROBABILITY
    assert examine_pixels(dn, classes).applied is False


def test_nothing_measured_shows_nothing() -> None:
    assert examine_pixels(np.zeros((10, 10), np.uint16), None).applied is None


@pytest.mark.parametrize(
    ("mode", "declared", "evidence", "offset", "by", "warns"),
    [
        ("auto", APPLIED, SEEN_APPLIED, 0, "metadata", False),
        ("auto", TO_APPLY, SEEN_ADDED, -1000, "metadata", False),
        ("auto", TO_APPLY, SEEN_NOTHING, -1000, "metadata", False),
        ("auto", APPLIED, None, 0, "metadata", False),
        # A catalogue that is wrong, in both directions.
        ("auto", APPLIED, SEEN_ADDED, -1000, "pixels", True),
        ("auto", TO_APPLY, SEEN_APPLIED, 0, "pixels", True),
        # ESA's own files, and baselines that add nothing, are believed.
        ("auto", ORIGINAL, SEEN_APPLIED, -1000, "metadata", True),
        ("auto", OLD, SEEN_ADDED, 0, "metadata", True),
        ("metadata", APPLIED, SEEN_ADDED, 0, "metadata", True),
        ("metadata", TO_APPLY, SEEN_APPLIED, -1000, "metadata", True),
        ("applied", TO_APPLY, None, 0, "parameter", False),
        ("not-applied", APPLIED, None, -1000, "parameter", False),
        ("not-applied", None, None, -1000, "parameter", False),
        # No metadata at all: the pixels decide, and that is said.
        ("auto", None, SEEN_APPLIED, 0, "pixels", True),
        ("auto", None, SEEN_ADDED, -1000, "pixels", True),
    ],
)
def test_who_decides(mode, declared, evidence, offset, by, warns) -> None:
    decided = decide_offset(mode, declared, evidence, scene="S", bands=("B04",))
    assert decided.offsets == {"B04": offset}
    assert decided.decided_by == by
    assert bool(decided.warning) is warns


def test_a_contradiction_names_scene_source_and_evidence() -> None:
    warning = decide_offset("auto", APPLIED, SEEN_ADDED, scene="S2A_X", bands=("B04",)).warning
    for part in ("scene S2A_X", "the flag", "pixels are bright", "the pixels are followed"):
        assert part in warning


@pytest.mark.parametrize("mode", ["auto", "metadata"])
def test_where_nothing_tells_the_user_must(mode: str) -> None:
    with pytest.raises(InputError, match="set `offset` to applied or not-applied"):
        decide_offset(mode, None, SEEN_NOTHING, scene="S", bands=("B04",))


def test_not_applied_keeps_the_offsets_of_the_product() -> None:
    declared = DeclaredOffset({"B04": -1005.0}, {"B04": 10000.0}, "MTD", certain=True)
    decided = decide_offset("not-applied", declared, None, scene="S", bands=("B04",))
    assert decided.offsets == {"B04": -1005.0}
