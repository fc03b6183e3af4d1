"""Pooling beside PyTorch's: values, gradients and second derivatives, where the largest are, ties and NaNs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from agreement import assert_close
from beside import agree
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

SIZE = (8, 7, 6)
LARGEST = [
    {"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 3, "stride": 1},
    {"kernel_size": 2, "dilation": 2, "stride": 1, "padding": 1}, {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3}, {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
]  # fmt: skip
MEANS = [
    {"kernel_size": 2}, {"kernel_size": 3, "stride": 2, "padding": 1}, {"kernel_size": 3, "stride": 1},
    {"kernel_size": 3, "padding": 1, "count_include_pad": False}, {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3}, {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True, "count_include_pad": False},
    {"kernel_size": 2, "divisor_override": 3},
]  # fmt: skip


def image(dimensions):
    return np.random.default_rng(0).standard_normal((2, 3, *SIZE[:dimensions]))


@pytest.mark.parametrize(("dimensions", "settings"), [*itertools.product([1, 2, 3], LARGEST)], ids=str)
def test_the_largest(dimensions, settings):
    x, name = image(dimensions), f"MaxPool{dimensions}d"
    ours, theirs = getattr(nn, name)(**settings), getattr(torch.nn, name)(**settings)
    agree(lambda x: ours(x) ** 2, lambda x: theirs(x) ** 2, x)
    agree(lambda x: ours(x) ** 2, lambda x: theirs(x) ** 2, x[0])


@pytest.mark.parametrize(("dimensions", "settings"), [*itertools.product([1, 2, 3], MEANS)], ids=str)
def test_means(dimensions, settings):
    if dimensions == 1 and "divisor_override" in settings:
        pytest.skip("PyTorch has none in one dimension")
    x, name = image(dimensions), f"AvgPool{dimensions}d"
    ours, theirs = getattr(nn, name)(**settings), getattr(torch.nn, name)(**settings)
    agree(lambda x: ours(x) ** 2, lambda x: theirs(x) ** 2, x)
    agree(lambda x: ours(x) ** 2, lambda x: theirs(x) ** 2, x[0])


NORMS = [(2, {}), (1, {"stride": 1}), (3, {"ceil_mode": True}), (2.5, {}), (2, {"stride": 3, "ceil_mode": True}), (4, {"stride": 1})]  # fmt: skip


@pytest.mark.parametrize(("dimensions", "norm"), [*itertools.product([1, 2, 3], NORMS)], ids=str)
def test_norms(dimensions, norm):
    (p, settings), name = norm, f"LPPool{dimensions}d"
    agree(
        getattr(nn, name)(p, 2, **settings), getattr(torch.nn, name)(p, 2, **settings), np.abs(image(dimensions)) + 0.1
    )


@st.composite
def cases(draw):
    """An image of few different numbers, with ties, NaNs and infinities, and windows over it."""
    n = draw(st.integers(1, 3))
    kernel, stride, dilation = [draw(st.tuples(*[st.integers(1, k)] * n)) for k in (3, 3, 2)]
    padding = tuple([draw(st.integers(0, k // 2)) for k in kernel])
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = [max(r - 2 * p, d) + draw(st.integers(0, 4)) for r, p, d in zip(reach, padding, dilation, strict=True)]
    values = draw(st.lists(st.sampled_from([-1.0, 0.0, 1.0, np.nan, np.inf, -np.inf]), min_size=1, max_size=4))
    x = np.random.default_rng(draw(st.integers(0, 99))).choice(values, (draw(st.integers(0, 2)), 2, *size))
    return x, {
        "kernel_size": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "ceil_mode": draw(st.booleans()),
    }


@given(cases())
def test_ties_and_nans(case):
    x, settings = case
    name = f"max_pool{x.ndim - 2}d"
    a, t = tg.Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    y, at = getattr(F, name)(a, **settings, return_indices=True)
    z, there = getattr(torch.nn.functional, name)(t, **settings, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), z.detach().numpy())
    np.testing.assert_array_equal(at.numpy(), there.numpy())
    g = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(g)
    z.backward(torch.tensor(g))
    assert_close(a.grad.numpy(), t.grad.numpy(), rtol=0, atol=1e-14)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    ("settings", "other"),
    [
        ({}, False), ({"stride": 3}, True), ({"stride": 3, "padding": 1}, False), ({"stride": 2}, True), ({"padding": 1}, False),
        ({"stride": 1}, False),
    ],
)  # fmt: skip
def test_put_back(dimensions, settings, other):
    x = image(dimensions)[:, :, :6][(..., *[slice(6 - k) for k in (0, 2)][: dimensions - 1])]
    y, at = getattr(F, f"max_pool{dimensions}d")(x, 2, **settings, return_indices=True)
    size = x.shape[2:] if other else None
    name = f"MaxUnpool{dimensions}d"
    ours, theirs = getattr(nn, name)(2, **settings), getattr(torch.nn, name)(2, **settings)
    if not other and settings:
        at = np.sort(np.arange(at[0, 0].size))[::-1].reshape(at.shape[2:]) * np.ones(at.shape, int)
    agree(lambda y: ours(y, at, size), lambda y: theirs(y, torch.tensor(at), size), y)


@pytest.mark.parametrize(
    ("dimensions", "size"),
    [*itertools.product([1, 2, 3], [1, 2, 3, 5, 9]), (2, (2, 7)), (2, (None, 3)), (3, (1, 2, None))],
)
def test_as_many_windows_as_are_asked_for(dimensions, size):
    x = image(dimensions)
    for name in (f"AdaptiveAvgPool{dimensions}d", f"AdaptiveMaxPool{dimensions}d"):
        ours, theirs = getattr(nn, name)(size), getattr(torch.nn, name)(size)
        agree(lambda x, f=ours: f(x) ** 2, lambda x, f=theirs: f(x) ** 2, x)
        agree(lambda x, f=ours: f(x) ** 2, lambda x, f=theirs: f(x) ** 2, x[0])
    name = f"adaptive_max_pool{dimensions}d"
    at, there = getattr(F, name)(x, size, True)[1], getattr(torch.nn.functional, name)(torch.tensor(x), size, True)[1]
    np.testing.assert_array_equal(at, there.numpy())
