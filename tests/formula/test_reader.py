"""The reader of printed formulas reads what it should."""

import pytest

from tests.formula.reader import read


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x²", 18),
        ("−x·(1−x)", 6),
        ("x/(2y)/y", 3 / 8),
        ("√(x+1)^y", 4),
        ("[x > y ∧ ¬(y > x)]·x", 3),
        ("|−x|⁻¹", 1 / 3),
        ("Σ x·y + 1", 7),
    ],
)
def test_the_reader_reads(text, value):
    assert read(text, x=3.0, y=2.0) == pytest.approx(value)
