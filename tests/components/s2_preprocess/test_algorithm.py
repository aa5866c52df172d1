import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from components.s2_preprocess.algorithm import (
    STORED_OFFSET,
    STORED_SCALE,
    decode,
    encode_dn,
    reflectance,
    to_float,
)

DN = arrays(np.uint16, (4, 5), elements=st.integers(0, 65535))


def test_reflectance_is_the_formula_of_the_product_specification() -> None:
    dn = np.array([[0, 1, 1000], [1500, 11000, 65535]], np.uint16)
    expected = [[np.nan, -0.0999, 0.0], [0.05, 1.0, np.nan]]
    np.testing.assert_allclose(reflectance(dn, -1000, 10000), expected, rtol=1e-12)


@given(DN, st.sampled_from([0.0, -1000.0, -1005.0]))
def test_stored_values_are_the_formula_rounded(dn: np.ndarray, offset: float) -> None:
    values = reflectance(dn, offset, 10000)
    formula = np.clip(np.rint(values * 10000) + 1000, 1, 65535)
    expected = np.where(np.isnan(values), 0, formula)
    np.testing.assert_array_equal(encode_dn(dn, offset, 10000), expected)


@given(DN)
def test_what_esa_encodes_since_04_00_is_kept_bit_by_bit(dn: np.ndarray) -> None:
    measured = (dn != 0) & (dn != 65535)
    np.testing.assert_array_equal(encode_dn(dn, -1000, 10000), np.where(measured, dn, 0))


@given(DN, st.sampled_from([0.0, -1000.0]), st.sampled_from([10000.0, 1000.0, 3333.0]))
def test_resampled_and_delivered_values_are_encoded_alike(
    dn: np.ndarray, offset: float, quantification: float
) -> None:
    delivered = encode_dn(dn, offset, quantification).astype(int)
    resampled = encode_dn(to_float(dn), offset, quantification).astype(int)
    # float32 may round a half the other way.
    assert np.abs(delivered - resampled).max() <= 1
    np.testing.assert_array_equal(delivered == 0, resampled == 0)


@given(DN)
def test_decoding_follows_the_scale_and_offset_that_the_file_states(stored: np.ndarray) -> None:
    expected = np.where(stored == 0, np.nan, stored * STORED_SCALE + STORED_OFFSET)
    np.testing.assert_allclose(decode(stored), expected, atol=1e-6)


@pytest.mark.parametrize("dn", [0, 65535])
def test_special_values_have_no_reflectance(dn: int) -> None:
    values = np.full((2, 2), dn, np.uint16)
    assert np.isnan(to_float(values)).all()
    assert not encode_dn(values, 0, 10000).any()


def test_values_beyond_the_encoding_are_clipped_and_stay_data() -> None:
    # Reflectance -0.2 and 7: outside of 1 to 65535, but measured.
    values = np.array([[-1000.0, 70000.0]], np.float32)
    np.testing.assert_array_equal(encode_dn(values, -1000, 10000), [[1, 65535]])
