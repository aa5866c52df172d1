import pytest
from hypothesis import given
from hypothesis import strategies as st

from composer.names import as_dns_label, dns_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Sudoku-GUI1", "sudoku-gui1"),
        ("news_trainer v2", "news-trainer-v2"),
        ("/data/shared", "data-shared"),
        ("3d-model", "n-3d-model"),
        ("é", "node"),
        ("", "node"),
        ("a" * 80, "a" * 63),
    ],
)
def test_any_text_becomes_a_label_that_reads_like_it(text: str, label: str) -> None:
    assert as_dns_label(text) == label


@given(st.text())
def test_it_is_always_a_label(text: str) -> None:
    label = as_dns_label(text)
    assert dns_label(label) == label
    assert as_dns_label(label) == label
