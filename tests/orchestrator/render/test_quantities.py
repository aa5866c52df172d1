from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.render.quantities import byte_quantity, cpu_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("100m", Decimal("0.1")),
        ("2", 2),
        ("1.5Gi", Decimal("1.5") * 1024**3),
        ("2k", 2000),
        ("3E", 3 * 10**18),
        ("1Ei", 1024**6),
        ("12e3", 12_000),
        ("1E2", 100),
    ],
)
def test_a_quantity_is_read_as_kubernetes_reads_it(text: str, value: Decimal):
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "2GB", "Gi", "-1", "1 Gi", "1,5", "0x10", "nan"])
def test_what_is_no_quantity_is_refused(text: str):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@given(st.floats(0.0001, 1024))
def test_cores_are_never_less_than_asked_for(cores: float):
    given_cores = parse_quantity(cpu_quantity(cores))
    assert Decimal(cores) - Decimal("1e-8") <= given_cores <= Decimal(cores) + Decimal("0.001")


@given(st.integers(1, 1 << 50))
def test_bytes_stay_the_same(count: int):
    assert parse_quantity(byte_quantity(count)) == count
