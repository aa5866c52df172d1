import json
import math
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from components.sample_scenes.pixels import Pixels
from components.sample_scenes.sky import Sky, Sun, sensing_time, sun_position, veil


def test_sun_position_of_the_published_example() -> None:
    # Reda and Andreas 2004 (10.1016/j.solener.2003.12.003), appendix A.5: topocentric zenith
    # 50.11162 degrees with refraction (0.0139 degrees), azimuth 194.34024 degrees.
    time = datetime(2003, 10, 17, 19, 30, 30, tzinfo=UTC)
    sun = sun_position(time, -105.1786, 39.742476)
    assert sun.azimuth == pytest.approx(194.34024, abs=0.02)
    assert sun.elevation == pytest.approx(90 - 50.11162 - 0.0139, abs=0.02)


@pytest.mark.data
def test_sun_position_of_real_scenes(eoloom_data: Path) -> None:
    paths = sorted((eoloom_data / "s2_preprocess/mapchete_l2a_120m").glob("*/S2*.json"))
    assert paths
    for path in paths:
        properties = json.loads(path.read_text())["properties"]
        time = datetime.fromisoformat(properties["datetime"])
        # The metadata give the mean over the tile 33TWL, whose middle this is.
        sun = sun_position(time, 15.70, 45.56)
        assert sun.azimuth == pytest.approx(properties["view:sun_azimuth"], abs=0.5)
        assert sun.elevation == pytest.approx(properties["view:sun_elevation"], abs=0.3)
        # And the satellite comes when we say, to a quarter of an hour.
        passing = sensing_time(time.date(), 15.70)
        assert abs((passing - time).total_seconds()) < 900


def _sky(**kwargs: object) -> Sky:
    return Sky(**({"seed": 5, "size": 600, "sun": Sun(155.0, 45.0), "cloud_share": 0.1,
                   "hazy": False} | kwargs))  # type: ignore[arg-type]  # fmt: skip


def test_shadows_fall_away_from_the_sun() -> None:
    sky = _sky()
    rows, cols = sky.shadow_shift
    # Rows grow southwards: the direction from the cloud to its shadow, clockwise from north.
    direction = math.degrees(math.atan2(cols, -rows)) % 360
    assert direction == pytest.approx(155.0 + 180.0, abs=1.0)
    height_m = math.hypot(rows, cols) * 10 * math.tan(math.radians(45.0))
    assert 850 < height_m < 1850
    pixels = Pixels.block(200, 200, 100, 100)
    clouds, _ = sky.clouds(pixels)
    _, shadows = sky.clouds(pixels.shifted(rows, cols))
    np.testing.assert_array_equal(clouds, shadows)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_clouds_cover_their_share(share: float) -> None:
    clouds, _ = _sky(cloud_share=share).clouds(Pixels.block(0, 0, 600, 600))
    assert (clouds > 0.1).mean() == pytest.approx(share, rel=0.3)


def test_a_clear_sky_has_no_clouds() -> None:
    clouds, shadows = _sky(cloud_share=0.0).clouds(Pixels.block(0, 0, 50, 50))
    assert not clouds.any()
    assert not shadows.any()


def test_hazy_dates_are_brighter_most_of_all_in_the_blue() -> None:
    pixels = Pixels.block(0, 0, 100, 100)
    added = {}
    for band in ("B02", "B08"):
        light = np.full(pixels.shape, 0.1, np.float32)
        none = np.zeros(pixels.shape, np.float32)
        veil(light, band, _sky(hazy=True).haze(pixels), none, none)
        added[band] = float(light.mean()) - 0.1
    # The bias between two clear dates was found to be 0.008 to 0.020.
    assert 0.008 < added["B08"] < added["B02"] < 0.0205


def test_clouds_hide_the_ground_and_shadows_darken_it() -> None:
    ground = np.array([[0.02, 0.4]], np.float32)
    none, full = np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32)
    clouded, shaded = ground.copy(), ground.copy()
    veil(clouded, "B08", none, full, none)
    veil(shaded, "B08", none, none, full)
    assert np.ptp(clouded) < 1e-6
    assert clouded.min() > 0.5
    np.testing.assert_allclose(shaded / ground, 0.4, rtol=1e-5)


def test_sensing_time_is_late_morning() -> None:
    assert sensing_time(date(2024, 7, 31), 0.0).hour == 11
    assert sensing_time(date(2024, 7, 31), 13.0).hour == 10
