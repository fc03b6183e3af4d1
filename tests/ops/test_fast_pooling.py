"""Max pooling by numba beside that without it: the same numbers, ties, borders and NaNs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_edu.ops.network import pooling
from tinygrad_edu.ops.network.convolution import Windows, routes

pytestmark = pytest.mark.skipif(not routes.fast(), reason="numba is not installed")


@st.composite
def cases(draw):
    """Settings of a window, images with many ties and perhaps NaNs, and slopes."""
    pair = lambda low, high: (draw(st.integers(low, high)), draw(st.integers(low, high)))
    how = {"kernel": pair(1, 3), "stride": pair(1, 3), "dilation": pair(1, 2), "padding": ((0, 0), (0, 0))}
    if draw(st.booleans()):  # as most networks pool
        how.update(kernel=(2, 2), stride=(2, 2), dilation=(1, 1))
    else:
        before = [draw(st.integers(0, k // 2)) for k in how["kernel"]]
        how["padding"] = tuple((a, draw(st.integers(0, a))) for a in before)
    reach = [d * (k - 1) + 1 for k, d in zip(how["kernel"], how["dilation"], strict=True)]
    size = tuple([r + draw(st.integers(0, 11)) for r in reach])
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-3, 3, (2, 3, *size)).astype(draw(st.sampled_from([np.float32, np.float64])))
    x[rng.random(x.shape) < draw(st.sampled_from([0, 0, 0.1, 1]))] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    positions = Windows(size, how["kernel"], how["stride"], how["padding"], how["dilation"]).positions
    return how, x, rng.integers(1, 9, (2, 3, *positions)).astype(x.dtype)


@given(cases())
def test_it_agrees_with_the_one_without(case):
    how, x, s = case
    y, slopes = pooling.max_pool(x, **how), pooling.max_pool_gradient(s, x, **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "fast", lambda: False)
        np.testing.assert_array_equal(y, pooling.max_pool(x, **how))
        np.testing.assert_array_equal(slopes, pooling.max_pool_gradient(s, x, **how))


@pytest.mark.parametrize(
    ("x", "size"),
    [
        (np.ones((1, 1, 6, 6), int), 9),
        (np.asfortranarray(np.ones((2, 3, 6, 6))), 54),
        (np.ones((0, 1, 6, 6)), 0),
        (np.ones((1, 1, 6, 6), np.float16), 9),
    ],
)
def test_what_it_does_not_take_goes_the_other_way(x, size):
    how = {"kernel": (2, 2), "stride": (2, 2), "dilation": (1, 1), "padding": ((0, 0), (0, 0))}
    y = pooling.max_pool(x, **how)
    assert y.dtype == x.dtype
    assert y.sum() == y.size == size


def test_a_replayed_step_has_no_masks_for_what_was_pooled():
    """Max pooling follows every layer of some networks: presence is looked at as it is for rectifiers."""
    import tinygrad_edu as tg
    from tinygrad_edu import nn

    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2))

    @tg.replay
    def step(x):
        for p in model.parameters():
            p.grad = None
        model(x).sum().backward()

    step(tg.Tensor(np.ones((2, 1, 6, 6), np.float32)))
    ops = [line.op.name for line in step.plan.lines() if line.op is not None]
    assert ops.count("max_pool_gradient") == ops.count("gate") == 1
    assert "any" not in ops
