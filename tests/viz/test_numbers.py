"""How numbers are written: as on a blackboard, and never so that one looks like another that it is not."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from viz import draw
from viz.wording.numbers import data_text, number_text, rounded_text

WRITTEN = {
    0.1 + 0.2: "0.3", 650 * 1.1: "715", 100 * 2 * 1.1: "220", 99999.99999999999: "100,000", 1 - 2**-53: "1",
    1 / 3: "0.3333", 2 / 3: "0.6667", -0.0: "0", 1e-17: "1e−17", 2.5e-8: "2.5e−8", 6.02e23: "6.02e23", 1e15: "1e15",
    999.96: "999.96", 9999.6: "9,999.6", 4000.5: "4,000.5", 12345.678: "12,345.7", 1234567.891: "1,234,568",
    12345678.0: "12,345,678", 100000.25: "100,000.2", 1.00004: "1.00004", 1.0000001: "1", 0.00012345: "0.0001234",
    0.000099999: "0.0001", math.inf: "∞", -math.inf: "−∞", 2**70: "1,180,591,620,717,411,303,424",
    1e-17 + 2j: "0+2i", 3 - 1e-17j: "3+0i", 1e-9 - 1j: "1e−9−1i", complex(1, math.inf): "1+∞i",
}  # fmt: skip


@pytest.mark.parametrize("number", WRITTEN)
def test_as_on_a_blackboard(number):
    assert number_text(number) == WRITTEN[number]
    assert data_text(((number,),)) == f"[[{WRITTEN[number]}]]"


def test_single_precision_is_rounding_too():
    assert number_text(float(np.float32(0.1) * np.float32(3))) == "0.3"
    assert number_text(float(np.float32(650) * np.float32(1.1))) == "715"


def read(text):
    return float(text.replace(",", "").replace("−", "-"))


@given(st.floats(-1e12, 1e12))
def test_what_is_written_is_near_the_number_and_no_integer_but_for_rounding(x):
    text = number_text(x)
    assert read(text) == pytest.approx(x, rel=5.1e-4, abs=0)
    assert abs(read(text) - x) <= 0.5 or abs(x) < 1000
    if re.fullmatch(r"−?[\d,]+", text):
        assert read(text) == pytest.approx(x, rel=1.001e-6, abs=0), "it looks like an integer"
    assert len(text) <= 20


@given(st.integers(-(10**12), 10**12))
def test_integers_are_written_out(n):
    assert read(number_text(float(n))) == read(number_text(n)) == n


def test_numbers_in_symbols_and_settings_are_rounded():
    x = tg.Tensor(0.5, requires_grad=True, name="x")
    figure = draw(x ** (0.1 + 0.2))
    assert figure.graph.ops[0].symbol == "^0.30000000000000004", "the data stays what it is"
    for written in (figure.svg(), figure.mermaid(), figure.tikz(), draw(x ** (0.1 + 0.2), style="record").svg()):
        assert "0.3000" not in written
    assert '["exponent","0.3"]' in figure.html()
    assert rounded_text("(0.1, 0.25) v1.123456.2 x1.1234567") == "(0.1, 0.25) v1.123456.2 x1.1234567"
    assert rounded_text("1.5000000001e-9") == "1.5e−9"
