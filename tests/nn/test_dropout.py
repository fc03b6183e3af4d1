"""Dropout: its masks, where they come from, and what they do to gradients."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, random
from tinygrad_edu.nn import functional as F


def test_what_is_kept_is_scaled_so_that_the_mean_stays():
    x = np.random.default_rng(0).standard_normal((200, 500)).astype(np.float32)
    y = F.dropout(x, 0.2, generator=np.random.default_rng(1))
    kept = y != 0
    assert y.dtype == np.float32
    np.testing.assert_allclose(y[kept], x[kept] * 1.25, rtol=1e-6)
    assert abs(kept.mean() - 0.8) < 5 * np.sqrt(0.2 * 0.8 / x.size)  # five standard deviations
    assert abs(kept.mean(0) - 0.8).max() < 0.15  # in every place alike


def test_in_evaluation_it_is_the_identity():
    layer, x = nn.Dropout(0.5), tg.Tensor([1.0, 2.0])
    assert layer.eval()(x) is x
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_p_1_gives_zeros_and_zero_gradients():
    x = tg.Tensor([1.0, 2.0], requires_grad=True)
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([0, 0], [0, 0])


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_p_is_a_probability(p):
    with pytest.raises(ValueError, match=r"p is a number between 0 and 1, but got"):
        F.dropout(np.ones(3), p)
    with pytest.raises(ValueError, match=r"p is a number between 0 and 1"):
        nn.Dropout(p)


def test_the_gradient_has_the_mask_of_the_output_each_time():
    x = tg.Tensor(np.ones(1000), requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    once = x.grad.numpy().copy()
    assert np.array_equal(once, y.numpy())
    y.sum().backward()  # a second time, through the same record
    assert np.array_equal(x.grad.numpy(), 2 * once)
    again = tg.evaluate(y, {x: np.full(1000, 3.0)})
    assert np.array_equal(again, 3 * once)


def test_masks_come_from_the_generator_that_is_given():
    x = np.ones(100)
    state = random.get_state()
    first = F.dropout(x, generator=np.random.default_rng(3))
    assert np.array_equal(nn.Dropout(0.5, generator=np.random.default_rng(3))(x), first)
    assert random.get_state() == state  # the package's own was not used
    tg.manual_seed(5)
    a = [F.dropout(x) for _ in range(2)]
    tg.manual_seed(5)
    b = [F.dropout(x) for _ in range(2)]
    assert np.array_equal(a, b)
    assert not np.array_equal(a[0], a[1])
    legacy = np.random.get_state()[1].copy()  # noqa: NPY002 (the state that is not to be touched)
    F.dropout(x)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    with pytest.raises(TypeError, match=r"takes a numpy\.random\.Generator"):
        F.dropout(x, generator=3)


def test_single_precision_stays_and_whole_numbers_become_floats():
    x = tg.Tensor(np.ones(10, np.float32), requires_grad=True)
    y = F.dropout(x, 0.3)
    y.sum().backward()
    assert y.dtype == x.grad.dtype == np.float32
    assert F.dropout([1, 2, 3], 0.5).dtype == float
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"


def test_a_checkpoint_draws_the_same_mask_again():
    x = tg.Tensor(np.ones(1000), requires_grad=True)
    y = tg.checkpoint(lambda t: F.dropout(t) * 2, x)
    y.sum().backward()
    assert np.array_equal(x.grad.numpy(), y.numpy())
