from pathlib import Path

import numpy as np
import pytest
import rasterio
from scipy.ndimage import fourier_shift, gaussian_filter

from components.s2_preprocess.coregistration import Shift, chip_shift, combine_shifts

FIGURE_PX = 0.05


def landscape(size: int, seed: int = 0) -> np.ndarray:
    """A field with the spectrum of land: power falls with the third power of frequency."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    frequency[0, 0] = 1
    field = np.fft.ifft2(np.fft.fft2(rng.normal(size=(size, size))) * frequency**-1.5).real
    return (0.25 + 0.08 * field / field.std()).astype(np.float32)


def moved(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """Move the content by a phase ramp: exact for a periodic image, and not what is tested."""
    return np.fft.ifft2(fourier_shift(np.fft.fft2(image), (y, x))).real.astype(np.float32)


def found(reference: np.ndarray, moving: np.ndarray, side: int = 128) -> Shift | None:
    shifts = []
    for row in range(0, reference.shape[0] - side + 1, side // 2):
        for column in range(0, reference.shape[1] - side + 1, side // 2):
            roi = np.s_[row : row + side, column : column + side]
            shift = chip_shift(reference[roi], moving[roi], max_shift=10)
            if shift is not None:
                shifts.append(shift)
    return combine_shifts(shifts)


def error(shift: Shift | None, y: float, x: float) -> float:
    assert shift is not None
    return max(abs(shift.y - y), abs(shift.x - x))


SHIFTS = [(0.0, 0.0), (0.3, -0.7), (-0.49, 1.51), (-3.62, 0.08)]


@pytest.mark.parametrize(("y", "x"), SHIFTS)
def test_known_shifts_are_found_despite_noise_and_illumination(y: float, x: float) -> None:
    reference = landscape(384)
    noise = np.random.default_rng(1).normal(0, 0.005, reference.shape)
    moving = (0.8 * moved(reference, -y, -x) + 0.02 + noise).astype(np.float32)
    assert error(found(reference, moving), y, x) <= FIGURE_PX


@pytest.mark.parametrize(("y", "x"), SHIFTS)
def test_clouds_and_changes_do_not_lead_astray(y: float, x: float) -> None:
    reference = landscape(384, seed=7)
    moving = moved(reference, -y, -x)
    rng = np.random.default_rng(2)
    clouds = gaussian_filter(rng.normal(size=reference.shape), 20)
    moving[clouds > np.quantile(clouds, 0.8)] = np.nan
    moving[100:180, 60:200] = 0.6  # a field harvested in between
    assert error(found(reference, moving), y, x) <= FIGURE_PX


@pytest.mark.parametrize("factor", [3, 4])
def test_sensors_that_alias_do_not_pull_to_whole_pixels(factor: int) -> None:
    # Two samplings of one finer landscape, each pixel a mean: the shift is known exactly.
    fine = landscape(288 * factor, seed=5)

    def sampled(offset: int) -> np.ndarray:
        side = (fine.shape[0] // factor - 1) * factor
        part = fine[offset : offset + side, 0:side]
        blocks = part.reshape(side // factor, factor, side // factor, factor)
        return blocks.mean(axis=(1, 3)).astype(np.float32)

    for offset in range(1, factor):
        shift = found(sampled(0), sampled(offset))
        assert error(shift, offset / factor, 0.0) <= FIGURE_PX


def test_chips_that_say_too_little_say_nothing() -> None:
    chip = landscape(64)
    assert chip_shift(chip, np.full_like(chip, np.nan), 5) is None
    assert chip_shift(chip, np.full_like(chip, 0.2), 5) is None
    mostly = chip.copy()
    mostly[:40] = np.nan
    assert chip_shift(chip, mostly, 5) is None


def test_a_shift_beyond_the_limit_is_not_believed() -> None:
    chip = landscape(128)
    assert chip_shift(chip, moved(chip, 8, 0), max_shift=5) is None
    assert chip_shift(chip, moved(chip, 8, 0), max_shift=9) is not None


def test_chips_that_disagree_give_no_shift() -> None:
    assert combine_shifts([(0, 0), (3, 3)]) is None
    assert combine_shifts([(float(i), 2.0 * i) for i in range(9)]) is None


def test_the_median_of_the_agreeing_chips_is_the_shift() -> None:
    chips = [(0.10, 0.2), (0.12, 0.2), (0.14, 0.2), (0.13, 0.2), (4.0, -4.0)]
    shift = combine_shifts(chips)
    assert shift is not None
    assert (shift.y, shift.x) == pytest.approx((0.125, 0.2))
    assert (shift.chips, shift.clear_chips) == (4, 5)


REAL = "s2_preprocess/mapchete_l2a_120m"


@pytest.fixture(scope="module")
def pair(eoloom_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """The near infrared of 13 and 15 August, reflectance without what is masked."""
    images = []
    for scene in ("S2A_33TWL_20230815_0_L2A", "S2B_33TWL_20230813_0_L2A"):
        with rasterio.open(eoloom_data / REAL / scene / "B08.tif") as dataset:
            dn = dataset.read(1)
        with rasterio.open(eoloom_data / REAL / scene / "SCL.tif") as dataset:
            classes = dataset.read(1)
        masked = (dn == 0) | np.isin(classes, [0, 1, 3, 8, 9, 10])
        images.append(np.where(masked, np.nan, dn / 10000).astype(np.float32))
    return images[0], images[1]


@pytest.mark.data
@pytest.mark.parametrize(("y", "x"), SHIFTS[1:4])
def test_known_shifts_between_two_real_dates(
    pair: tuple[np.ndarray, np.ndarray], y: float, x: float
) -> None:
    reference, other = pair
    # The part without swath edges; few clouds are filled so that the phase ramp can be applied.
    area = np.s_[300:684, 100:484]
    filled = np.where(np.isnan(other), np.nanmean(other), other)[area]
    own = found(reference[area], filled)
    assert own is not None
    shift = found(reference[area], moved(filled, -y, -x))
    assert shift is not None
    assert max(abs(shift.y - own.y - y), abs(shift.x - own.x - x)) <= FIGURE_PX
