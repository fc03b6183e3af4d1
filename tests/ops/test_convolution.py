"""Convolution: each route against the sum written out, and the three operations as partials of one form."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.ops.network.convolution import Windows, conv, conv_transpose, conv_weight, forced, route
from tinygrad_edu.ops.network.convolution.routes import Route, fast, fits

ROUTES = [name for name in get_args(Route) if fast() or not name.startswith("fast")]


@st.composite
def cases(draw, dimensions=(1, 2, 3)):
    """Windows, with arrays x, w and g of them."""
    n = draw(st.sampled_from(dimensions))
    each = lambda low, high: tuple(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    channels, outputs = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    if draw(st.booleans()):  # depthwise
        channels = outputs = groups
    kernel, stride, dilation = each(1, 3), each(1, 3), each(1, 2)
    if draw(st.booleans()):  # as Winograd takes
        kernel, stride = (3,) * n, (1,) * n
    padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple([max(r - a - b, 1) + draw(st.integers(0, 5)) for r, (a, b) in zip(reach, padding, strict=True)])
    windows = Windows(size, kernel, stride, padding, dilation, groups)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = draw(st.integers(0, 3))
    x = rng.standard_normal((images, channels, *size))
    w = rng.standard_normal((outputs, channels // groups, *kernel))
    return windows, x, w, rng.standard_normal((images, outputs, *windows.positions))


def written_out(windows, x, w):
    """Σ over channels and window, place by place."""
    padded = np.pad(x, [(0, 0), (0, 0), *windows.padding])
    y = np.zeros((len(x), len(w), *windows.positions))
    per_group, each = len(w) // windows.groups, w.shape[1]
    for o, p in itertools.product(range(len(w)), np.ndindex(windows.positions)):
        start = o // per_group * each
        for k in np.ndindex(windows.kernel):
            at = [s * i + d * j for s, i, d, j in zip(windows.stride, p, windows.dilation, k, strict=True)]
            y[(slice(None), o, *p)] += padded[(slice(None), slice(start, start + each), *at)] @ w[(o, slice(None), *k)]
    return y


def settings(windows):
    return {
        "stride": windows.stride,
        "padding": windows.padding,
        "dilation": windows.dilation,
        "groups": windows.groups,
    }


@given(cases())
def test_every_route_is_the_sum_written_out(case):
    windows, x, w, _ = case
    expected = written_out(windows, x, w)
    for name in ROUTES:
        with forced(name):
            np.testing.assert_allclose(conv(x, w, **settings(windows)), expected, atol=1e-11)


@given(cases())
def test_the_three_are_the_partials_of_one_form(case):
    windows, x, w, g = case
    how = settings(windows)
    form = np.sum(conv(x, w, **how) * g)
    for name in ROUTES:
        with forced(name):
            by_input = conv_transpose(g, w, size=windows.size, **how)
            by_kernel = conv_weight(x, g, kernel=windows.kernel, **how)
        assert by_input.shape == x.shape
        assert by_kernel.shape == w.shape
        np.testing.assert_allclose([np.sum(by_input * x), np.sum(by_kernel * w)], [form, form], atol=1e-9)


@given(cases((2,)))
def test_float32_is_computed_in_float32_and_near(case):
    windows, x, w, _ = case
    exact = conv(x, w, **settings(windows))
    for name in ROUTES:
        with forced(name):
            y = conv(x.astype(np.float32), w.astype(np.float32), **settings(windows))
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, exact, atol=2e-5 * (1 + np.abs(exact).max(initial=0)))


def test_integers_are_summed_as_integers():
    x, w = np.arange(20).reshape(1, 1, 4, 5), np.ones((1, 1, 2, 2), int)
    windows = Windows((4, 5), (2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
    y = conv(x, w, **settings(windows))
    assert y.dtype == x.dtype
    assert y[0, 0, 0].tolist() == [12, 16, 20, 24]


@pytest.mark.parametrize(
    ("channels", "outputs", "kernel", "expected"),
    [
        (64, 64, (3, 3), "winograd"),
        (3, 64, (3, 3), "patches"),
        (64, 64, (5, 5), "patches"),
        (64, 256, (1, 1), "patches"),
    ],
)
def test_the_route_of_a_shape(channels, outputs, kernel, expected):
    windows = Windows((16, 16), kernel, (1, 1), ((1, 1), (1, 1)), (1, 1))
    kind = np.dtype("g")  # which numba has no part in
    assert route("forward", channels, outputs, kind, windows) == expected
    assert route("by_input", channels, outputs, kind, windows) != "turned" or channels > 3


def test_what_does_not_fit_a_route_goes_by_patches():
    windows = Windows((8, 8), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1))
    assert not fits("winograd", "forward", 32, 32, np.dtype("f"), windows)
    with forced("winograd"):
        assert route("forward", 32, 32, np.dtype("f"), windows) == "patches"
    with pytest.raises(ValueError, match="not by 'fft'"), forced("fft"):
        pass


@pytest.mark.parametrize(
    ("x", "w", "message"),
    [
        ((1, 2, 5), (3, 1, 2), "the channels do not fit"),
        ((1, 2, 2), (3, 2, 3), "does not fit into"),
        ((5,), (3,), "takes arrays"),
    ],
)
def test_misfits_are_refused(x, w, message):
    with pytest.raises(ValueError, match=message):
        conv(np.ones(x), np.ones(w), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1)
