"""Pooling: beside what is written out, as adjoints, at the borders, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network import pooling
from tinygrad_edu.ops.network.convolution import Windows
from tinygrad_edu.ops.network.pooling import argmax_pool, max_pool, max_pool_gradient, spread_windows, sum_pool


@st.composite
def cases(draw):
    """Windows, with an image of few different numbers, and of slopes."""
    n = draw(st.integers(1, 3))
    each = lambda low, high: tuple(draw(st.lists(st.integers(low, high), min_size=n, max_size=n)))
    kernel, stride, dilation = each(1, 3), each(1, 4), each(1, 2)
    padding = tuple(zip(each(0, 2), each(0, 2), strict=True))
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple([max(r - a - b, 1) + draw(st.integers(0, 5)) for r, (a, b) in zip(reach, padding, strict=True)])
    windows = Windows(size, kernel, stride, padding, dilation)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    lead = draw(st.integers(0, 3)), draw(st.integers(1, 2))
    x = rng.integers(-2, 3, (*lead, *size)).astype(draw(st.sampled_from([float, np.float32, np.int16])))
    how = {name: getattr(windows, name) for name in ("kernel", "stride", "padding", "dilation")}
    return windows, how, x, rng.integers(-9, 10, (*lead, *windows.positions)).astype(float)


def written_out(windows, position):
    """The places inside the image that a window at this position has, in the order of rows."""
    for k in np.ndindex(windows.kernel):
        at = [
            s * p + d * j - a
            for s, p, d, j, (a, _) in zip(windows.stride, position, windows.dilation, k, windows.padding, strict=True)
        ]
        if all(0 <= i < n for i, n in zip(at, windows.size, strict=True)):
            yield tuple(at)


@given(cases(), st.sampled_from([1, 1 << 18]))
def test_each_window_written_out(case, block):
    windows, how, x, g = case
    before, pooling.BYTES_OF_IMAGES = pooling.BYTES_OF_IMAGES, block
    try:
        largest, places, sums = max_pool(x, **how), argmax_pool(x, **how), sum_pool(x, **how)
        slopes = max_pool_gradient(g, x, **how)
        spread = spread_windows(g, size=windows.size, **how)
    finally:
        pooling.BYTES_OF_IMAGES = before
    expected, shares = np.zeros(x.shape), np.zeros(x.shape)
    assert largest.dtype == sums.dtype == x.dtype
    for n, c, *p in np.ndindex(largest.shape):
        inside = list(written_out(windows, p))
        assert sums[(n, c, *p)] == sum([x[(n, c, *at)] for at in inside])
        for at in inside:
            shares[(n, c, *at)] += g[(n, c, *p)]
        if inside:
            first = max(inside, key=lambda at: x[(n, c, *at)])
            assert largest[(n, c, *p)] == x[(n, c, *first)]
            assert places[(n, c, *p)] == np.ravel_multi_index(first, windows.size)
            expected[(n, c, *first)] += g[(n, c, *p)]
    np.testing.assert_array_equal(spread, shares)
    np.testing.assert_array_equal(slopes, expected)


@given(cases())
def test_adjoints(case):
    windows, how, x, g = case
    x = x.astype(float)
    v = np.random.default_rng(0).standard_normal(x.shape)
    np.testing.assert_allclose(np.sum(sum_pool(v, **how) * g), np.sum(v * spread_windows(g, size=windows.size, **how)))
    a, s = tg.Tensor(x, requires_grad=True), tg.Tensor(g, requires_grad=True)
    back = max_pool_gradient(s, a, **how)
    picked = tg.grad(back, s, v).numpy()
    np.testing.assert_allclose(np.sum(picked * g), np.sum(v * back.numpy()))


def test_a_window_that_lies_in_the_padding_has_no_slope():
    """Derivatives of any order are 0: the window meets places −1 and 2, which an image of two places lacks."""
    how = {"kernel": (2,), "stride": (1,), "padding": ((1, 1),), "dilation": (3,)}
    x, g = tg.Tensor([[[3.0, 5.0]]], requires_grad=True), tg.Tensor([[[7.0]]], requires_grad=True)
    assert max_pool(x.numpy(), **how).tolist() == [[[-np.inf]]]
    back = max_pool_gradient(g, x, **how)
    assert back.tolist() == [[[0.0, 0.0]]]
    for v in (np.ones((1, 1, 2)), np.full((1, 1, 2), np.nan)):
        assert tg.grad(back, g, v).tolist() == [[[0.0]]]


def test_infinite_slopes_reach_only_the_largest():
    x = tg.Tensor([[[1.0, 2.0, 3.0, 0.0]]], requires_grad=True)
    F.max_pool1d(x, 2).backward(np.array([[[np.inf, np.nan]]]))
    np.testing.assert_array_equal(x.grad.numpy(), [[[0, np.inf, np.nan, 0]]])


def test_replayed_as_eager():
    rng = np.random.default_rng(0)
    w = tg.Tensor(rng.standard_normal((4, 2, 3, 3)), requires_grad=True)

    def step(x):
        h = F.max_pool2d(F.conv2d(x, w, padding=1), 3, 2, 1)
        y = (F.avg_pool2d(h, 2, ceil_mode=True) ** 2).sum()
        return y, tg.grad(y, w)

    replayed = tg.replay(step)
    for _ in range(3):
        x = rng.standard_normal((3, 2, 11, 9))
        for a, b in zip(replayed(x), step(x), strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


BAD = [
    (lambda: F.max_pool2d(np.ones((2, 3, 4, 4)), 5), r"max_pool2d's windows, 5 places long, do not fit into images of \(4, 4\)"),
    (lambda: F.avg_pool2d(np.ones((2, 3, 4, 4)), 2, padding=2), "padding of at most half of a window, which is 1 of 2 places, but got 2"),
    (lambda: F.max_pool2d(np.ones((4, 4)), 2), r"takes x of shape \(N, C, H, W\) or \(C, H, W\), but got \(4, 4\)"),
    (lambda: F.max_pool1d(np.ones((2, 3, 0)), 1), "do not fit"),
    (lambda: F.max_pool2d(np.ones((2, 3, 4, 4)), (2, 2, 2)), "kernel_size is a number of at least 1, or 2 of them"),
    (lambda: nn.MaxPool2d(0), "MaxPool2d's kernel_size is a number of at least 1"),
    (lambda: nn.AvgPool2d(2, stride=0), "AvgPool2d's stride is a number of at least 1"),
    (lambda: F.lp_pool2d(np.ones((1, 1, 2, 2)), 0, 2), "norm_type must be positive"),
    (lambda: F.lp_pool2d(np.ones((1, 1, 2, 2)), np.inf, 2), "take max_pool"),
    (lambda: F.avg_pool2d(np.ones((1, 1, 2, 2)), 2, divisor_override=0), "which is not 0"),
    (lambda: F.max_unpool1d(np.ones((1, 1, 2)), np.zeros((1, 1, 3), int), 2), "of the shape of x"),
    (lambda: F.max_unpool1d(np.ones((1, 1, 2)), np.zeros((1, 1, 2), int), 2, output_size=(9,)), r"makes images of \(4,\)"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_places_outside_the_image_are_refused():
    with pytest.raises(IndexError, match="places 0 to 3, but got indices up to 4"):
        F.max_unpool1d(np.ones((1, 1, 2)), np.array([[[0, 4]]]), 2)


@pytest.mark.parametrize("images", [0, 1])
@pytest.mark.parametrize("channels", [0, 2])
def test_windows_of_no_image_and_of_no_channel(images, channels):
    x = tg.Tensor(np.ones((images, channels, 4, 6)), requires_grad=True)
    y, places = F.max_pool2d(x, 2, return_indices=True)
    back = F.max_unpool2d(y, places, 2)
    columns = F.unfold(x, 2, stride=2)
    assert (y.shape[2:], back.shape, columns.shape) == ((2, 3), x.shape, (images, 4 * channels, 6))
    if channels:
        assert F.fold(columns, (4, 6), 2, stride=2).shape == x.shape
    (back.sum() + columns.sum()).backward()
    assert x.grad.shape == x.shape


def test_the_layer_is_named():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.MaxPool2d(4)))
    with pytest.raises(
        ValueError, match=r"Sequential\.1\.0: max_pool2d's windows, 4 places long, do not fit into images of \(2, 2\)"
    ):
        net(np.ones((1, 3, 4, 4), np.float32))


def test_no_slope_where_all_are_zero():
    x = tg.Tensor(np.zeros((1, 1, 4)), requires_grad=True)
    F.lp_pool1d(x, 2, 2).sum().backward()
    assert x.grad.tolist() == [[[0.0] * 4]]
