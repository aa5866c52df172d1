import pytest

from components.s2_preprocess.bands import BANDS, BY_NAME, BY_NUMBER, parse_band


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("B04", "B04"),
        ("b4", "B04"),
        ("4", "B04"),
        ("B8A", "B8A"),
        ("B08A", "B8A"),
        ("8a", "B8A"),
        ("red", "B04"),
        ("RED", "B04"),
        ("nir", "B08"),
        ("nir08", "B8A"),
        ("rededge1", "B05"),
        ("rededge071", "B05"),
        ("swir22", "B12"),
        ("coastal", "B01"),
    ],
)
def test_every_dialect_names_the_same_band(text: str, name: str) -> None:
    assert parse_band(text) == name


@pytest.mark.parametrize("text", ["B13", "B00", "B9A", "scl", "visual", "", "rededge", "B4_10m"])
def test_what_is_no_band_is_none(text: str) -> None:
    assert parse_band(text) is None


def test_band_numbers_are_those_of_the_product_metadata() -> None:
    # PHYSICAL_BAND of MTD_MSIL1C.xml: bandId 7 is B8, 8 is B8A, 12 is B12.
    assert [BY_NUMBER[n].name for n in (0, 7, 8, 9, 12)] == ["B01", "B08", "B8A", "B09", "B12"]
    assert len(BANDS) == len(BY_NAME) == 13
