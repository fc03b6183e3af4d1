"""The comparisons that are counted, and their table: an error that is there is found, and shown."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from agreement import COMPARED, assert_close, differ, pytest_runtest_call, table
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.floats(-1e6, 1e6)


@given(
    st.lists(NUMBERS, min_size=1, max_size=5),
    st.integers(0, 4),
    NUMBERS,
    st.sampled_from([0.0, 1e-9, 0.1]),
    st.sampled_from([1e-12, 0.3]),
)
def test_the_share_says_what_numpy_asserts(numbers, at, other, rtol, atol):
    b = np.array(numbers)
    a = b.copy()
    a[at % len(a)] = other
    error, share = differ(a, b, rtol, atol)
    assert error == pytest.approx(np.max(np.abs(a - b) / np.maximum(1, np.abs(b))))
    assert (share <= 1) == np.allclose(a, b, rtol=rtol, atol=atol) or share == pytest.approx(1)


@pytest.mark.parametrize(("a", "b", "infinite"), [
    (np.nan, np.nan, False), (np.inf, np.inf, False), (np.nan, 1.0, True), (1.0, np.nan, True), (np.inf, -np.inf, True), (0.0, 0.0, False),
])  # fmt: skip
def test_numbers_that_are_not_finite(a, b, infinite):
    assert differ(a, b, 1e-9, 0.0) == ([np.inf, np.inf] if infinite else [0.0, 0.0])


def test_what_differs_fails_and_is_counted():
    assert_close(np.ones(3), np.ones(3) + 1e-9, rtol=1e-8)
    with pytest.raises(AssertionError):
        assert_close(np.ones(3, np.float32), [1, 1, 3], rtol=1e-8)
    with pytest.raises(AssertionError):
        assert_close(np.ones(3), np.ones(4))
    compared = [*COMPARED]
    COMPARED.clear()  # errors made on purpose are no part of the table
    assert [c.precision for c in compared] == ["float64", "float32", "float64"]
    assert [c.error for c in compared] == pytest.approx([1e-9, 2 / 3, np.inf])
    assert [c.share for c in compared] == pytest.approx([0.1, 2 / 3e-8, np.inf])


def reported(page, test, compare):
    """The report of a test that compares so."""
    item = SimpleNamespace(path=SimpleNamespace(stem=page), name=test, user_properties=[])
    call = pytest_runtest_call(item)
    next(call)
    try:
        compare()
    except AssertionError as error:
        with pytest.raises(AssertionError):
            call.throw(error)
    else:
        with pytest.raises(StopIteration):
            call.send(None)
    return item


def test_the_table_has_the_worst_of_every_page():
    reports = [
        reported("test_torch_layers", "near", lambda: assert_close(1.0, 1.0 + 1e-12)),
        reported("test_torch_layers", "far", lambda: assert_close(1.0, 1.0 + 1e-3)),
        reported("test_torch_layers", "single", lambda: assert_close(np.float32(2), np.float32(2))),
        reported("test_of_more", "none", lambda: None),
    ]
    _, single, double = table(reports)
    assert single.split() == ["layers", "float32", "1", "1", "0.0e+00", "0.00%", "single"]
    assert double.split()[:5] == ["layers", "float64", "2", "2", "1.0e-03"]
    assert double.split()[-1] == "far"
    assert float(double.split()[-2].rstrip("%")) > 100
    assert table([]) == []
