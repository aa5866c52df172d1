from pathlib import Path

import numpy as np
import pytest
import rasterio

from components.sample_scenes.bands import BAND_NAMES
from components.sample_scenes.phenology import CALENDARS, fractions, mown
from components.sample_scenes.spectra import FARMLAND, LEVELS, WATER, Cover, reflectance_table

ALL_DAYS = range(1, 367, 5)


def _spectra(cover: Cover, day: int) -> np.ndarray:
    """Spectra of a cover, (band, level)."""
    table = reflectance_table(day, BAND_NAMES).base
    return table.reshape(len(BAND_NAMES), len(Cover), LEVELS)[:, cover]


def _ndvi(cover: Cover, day: int) -> float:
    spectrum = np.median(_spectra(cover, day), axis=1)
    red, infrared = spectrum[BAND_NAMES.index("B04")], spectrum[BAND_NAMES.index("B08")]
    return float((infrared - red) / (infrared + red))


def test_reflectances_are_possible_on_every_day() -> None:
    for day in ALL_DAYS:
        base = reflectance_table(day, BAND_NAMES).base
        assert base.min() > 0
        assert base.max() < 0.65


def test_bands_are_delivered_in_the_order_asked_for() -> None:
    whole = reflectance_table(200, BAND_NAMES).base
    some = reflectance_table(200, ("B11", "B02")).base
    np.testing.assert_array_equal(some, whole[[BAND_NAMES.index("B11"), 0]])


def test_fractions_never_exceed_the_ground() -> None:
    days = np.arange(1, 367, dtype=float)
    for calendar in CALENDARS.values():
        green, straw, bloom = fractions(calendar, days)
        assert (green + straw <= 1 + 1e-9).all()
        assert min(green.min(), straw.min(), bloom.min()) >= 0


def test_mowing_takes_a_part_that_grows_again() -> None:
    share = mown(200, np.linspace(0, 1, 100))
    assert 0.7 < share.min() < 0.75
    assert share.max() == 1
    assert (mown(60, np.linspace(0, 1, 9)) == 1).all()


# Greenness that remote sensing textbooks and crop calendars of central Europe lead to expect.
@pytest.mark.parametrize(
    ("cover", "day", "low", "high"),
    [
        (Cover.WINTER_WHEAT, 130, 0.75, 0.95),  # before heading
        (Cover.WINTER_WHEAT, 225, 0.15, 0.40),  # stubble
        (Cover.MAIZE, 130, 0.10, 0.40),  # just sown
        (Cover.MAIZE, 225, 0.78, 0.95),
        (Cover.RAPESEED, 95, 0.75, 0.95),
        (Cover.RAPESEED, 123, 0.45, 0.75),  # in flower
        (Cover.SUGAR_BEET, 225, 0.78, 0.95),
        (Cover.MEADOW, 140, 0.65, 0.95),
        (Cover.BROADLEAF, 200, 0.80, 0.95),
        (Cover.BROADLEAF, 20, 0.20, 0.60),  # bare
        (Cover.CONIFER, 200, 0.80, 0.95),
        (Cover.CONIFER, 20, 0.75, 0.95),
        (Cover.ROAD, 200, 0.0, 0.20),
        (Cover.CENTRE, 200, 0.05, 0.35),
        (Cover.BURNED, 200, 0.0, 0.35),
        (Cover.LAKE, 200, -0.6, -0.1),
    ],
)
def test_greenness_follows_the_season(cover: Cover, day: int, low: float, high: float) -> None:
    assert low < _ndvi(cover, day) < high


def test_flowering_rapeseed_is_yellow() -> None:
    b02, b03, b04 = np.median(_spectra(Cover.RAPESEED, 123), axis=1)[:3]
    assert b03 > 2 * b02
    assert b04 > 1.8 * b02


def test_burned_ground_reflects_more_in_the_shortwave_infrared_than_in_the_near() -> None:
    # The normalised burn ratio (B08 - B12) / (B08 + B12) of fresh burns is negative.
    spectra = _spectra(Cover.BURNED, 240)
    assert (spectra[BAND_NAMES.index("B12")] > spectra[BAND_NAMES.index("B08")]).all()


def test_water_is_dark_beyond_the_red() -> None:
    for cover in WATER:
        assert _spectra(cover, 200)[BAND_NAMES.index("B11")].max() < 0.02


def test_only_what_grows_gets_thinner() -> None:
    table = reflectance_table(200, ("B08",)).thinner.reshape(len(Cover), LEVELS)
    assert not table[[Cover.ROAD, Cover.LAKE, Cover.HALL]].any()
    assert all((table[cover] != 0).all() for cover in (*FARMLAND, Cover.BROADLEAF))


@pytest.mark.data
def test_broadleaf_forest_is_that_of_real_summer_scenes(eoloom_data: Path) -> None:
    # An oak forest in seven monthly syntheses; the first three are of spring and summer. The order
    # of the bands is that of the Theia Level-3A product.
    order = ("B02", "B03", "B04", "B08", "B05", "B06", "B07", "B8A", "B11", "B12")
    with rasterio.open(eoloom_data / "s2_composite/2018_3A_Theia_Bouconne.tif") as dataset:
        real = np.median(dataset.read(range(11, 21)).reshape(10, -1), axis=1) / 1e4
    ours = np.median(_spectra(Cover.BROADLEAF, 175), axis=1)
    for band, value in zip(order, real, strict=True):
        assert ours[BAND_NAMES.index(band)] == pytest.approx(value, rel=0.35, abs=0.012), band
