"""Batch normalization: what it computes, differentiates, and keeps."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.network.normalization import batch_norm
from tinygrad_edu.ops.reductions import channel_sum
from tinygrad_edu.testing import gradcheck, gradgradcheck


def layer(features=3, **options):
    rng = np.random.default_rng(7)
    made = nn.BatchNorm1d(features, dtype=float, **options)
    if made.weight is not None:
        made.weight.data[...] = rng.uniform(0.5, 2, features)
        made.bias.data[...] = rng.standard_normal(features)
    return made


def naive(x, weight, bias, eps):
    """Normalize a batch in single operations, as the figure of the chapter does."""
    shape = (-1, *[1] * (x.ndim - 2))
    axes = (0, *range(2, x.ndim))
    d = x - np.mean(x, axis=axes, keepdims=True)
    std = np.sqrt(np.mean(np.square(d), axis=axes, keepdims=True) + eps)
    return np.reshape(weight, shape) * (d / std) + np.reshape(bias, shape)


@pytest.mark.parametrize("shape", [(6, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_the_op_is_the_composition_with_its_gradients(shape, rng):
    arrays = [rng.standard_normal(shape), rng.uniform(0.5, 2, 3), rng.standard_normal(3)]
    v, u = rng.standard_normal(shape), rng.standard_normal(shape)
    found = []
    for function in (lambda *xs: batch_norm(*xs, eps=0.01).y, lambda *xs: naive(*xs, 0.01)):
        x, w, b = (tg.Tensor(a, requires_grad=True) for a in arrays)
        y = function(x, w, b)
        first = tg.grad(y, [x, w, b], v, create_graph=True)
        second = tg.grad(first[0], [x, w], u)
        found.append([y, *first, *second])
    for ours, expected in zip(*found, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-9, atol=1e-11)


def test_the_statistics_are_differentiable_too(rng):
    def of_statistics(x, w, b):
        y, mean, var = batch_norm(x, w, b)
        return np.sum(y * mean + np.sin(var))

    xs = [rng.standard_normal((5, 3)), rng.uniform(0.5, 2, 3), rng.standard_normal(3)]
    assert gradcheck(of_statistics, xs)
    assert gradgradcheck(of_statistics, xs)


@pytest.mark.parametrize("shape", [(8, 3), (4, 3, 5)])
def test_a_batch_is_brought_to_mean_0_and_variance_1(shape, rng):
    y = nn.BatchNorm1d(3, dtype=float)(tg.Tensor(rng.standard_normal(shape) * 7 + 100)).numpy()
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axes), 1, rtol=1e-5)  # by n: the biased variance


def test_running_statistics_track_the_unbiased_variance(rng):
    made, x = layer(momentum=0.25), rng.standard_normal((5, 3))
    made(x)
    np.testing.assert_allclose(made.running_mean.numpy(), 0.25 * x.mean(0), rtol=1e-12)
    np.testing.assert_allclose(made.running_var.numpy(), 0.75 + 0.25 * x.var(0, ddof=1), rtol=1e-12)
    assert made.num_batches_tracked.item() == 1


def test_without_momentum_they_are_the_means_over_all_batches(rng):
    made = layer(momentum=None)
    batches = rng.standard_normal((4, 6, 3))
    for x in batches:
        made(x)
    np.testing.assert_allclose(made.running_mean.numpy(), batches.mean((0, 1)), rtol=1e-12)
    np.testing.assert_allclose(made.running_var.numpy(), batches.var(1, ddof=1).mean(0), rtol=1e-12)


def test_evaluation_uses_the_running_statistics_and_writes_nothing(rng):
    made = layer()
    for _ in range(3):
        made(rng.standard_normal((5, 3)))
    before = made.state_dict()
    x = rng.standard_normal((1, 3))  # one example is enough
    y = made.eval()(x)
    state = made.state_dict()
    expected = (x - state["running_mean"]) / np.sqrt(state["running_var"] + 1e-5) * state["weight"] + state["bias"]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
    assert all(np.array_equal(state[key], before[key]) for key in before)
    assert gradcheck(lambda x: made(x).sum() + np.square(made(x)).sum(), [rng.standard_normal((4, 3))])


def test_no_grad_still_tracks(rng):
    made = layer()
    with tg.no_grad():
        y = made(rng.standard_normal((5, 3)))
    assert not y.requires_grad
    assert made.num_batches_tracked.item() == 1
    assert made.running_mean.numpy().any()


def test_without_running_statistics_the_batch_s_serve_always(rng):
    made = layer(track_running_stats=False)
    x = rng.standard_normal((5, 3))
    assert np.array_equal(made(x).numpy(), made.eval()(x).numpy())
    assert list(made.state_dict()) == ["weight", "bias"]


def test_without_weight_and_bias(rng):
    made = layer(affine=False)
    x = rng.standard_normal((5, 3))
    np.testing.assert_allclose(made(x), naive(x, np.ones(3), np.zeros(3), 1e-5), rtol=1e-12)
    assert list(made.parameters()) == []


def test_a_constant_channel_has_no_variance_and_stays_finite():
    x = tg.Tensor(np.full((100, 1), 0.1, np.float32), requires_grad=True)
    y = nn.BatchNorm1d(1)(x)
    np.testing.assert_allclose(y.numpy(), 0, atol=1e-4)
    y.backward(np.ones((100, 1), np.float32))
    np.testing.assert_allclose(x.grad.numpy(), 0, atol=1e-2)


def test_a_large_mean_does_not_swallow_the_variance(rng):
    x = rng.standard_normal((1000, 2)).astype(np.float32) * 0.5 + 1000
    y = nn.BatchNorm1d(2)(x).numpy()
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-3)
    assert y.dtype == np.float32


def test_what_it_refuses(rng):
    made = layer()
    for shape in ((3,), (2, 4), (2, 3, 4, 5)):
        with pytest.raises(ValueError, match=r"takes x of shape \(N, 3\) or \(N, 3, L\), but got"):
            made(rng.standard_normal(shape))
    for shape in ((1, 3), (0, 3), (1, 3, 1)):
        with pytest.raises(ValueError, match=r"more than one value a channel.*drop_last"):
            made(rng.standard_normal(shape))
    assert made.num_batches_tracked.item() == 0
    assert not made.running_mean.numpy().any()
    with pytest.raises(ValueError, match="at least one feature"):
        nn.BatchNorm1d(0)
    with pytest.raises(ValueError, match=r"batch_norm.*weight and bias \(C,\)"):
        batch_norm(tg.Tensor(np.ones((4, 3))), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(N, C\)"):
        F.batch_norm(np.ones(3), None, None, training=True)


def test_how_it_looks_and_is_copied(rng):
    made = layer()
    assert repr(made) == "BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)"
    names = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    assert list(made.state_dict()) == names
    assert [name for name, _ in made.named_parameters()] == names[:2]
    twin = copy.deepcopy(made)
    made(rng.standard_normal((5, 3)))
    assert twin.num_batches_tracked.item() == 0
    twin.load_state_dict(made.state_dict())
    assert np.array_equal(twin.running_var.numpy(), made.running_var.numpy())


def test_channel_sum_adds_over_all_but_the_channels(rng):
    for shape in ((4, 3), (4, 3, 2), (0, 3)):
        x = rng.standard_normal(shape)
        np.testing.assert_allclose(channel_sum(x), x.sum((0, *range(2, x.ndim))), rtol=1e-12)


def test_it_learns_where_the_weights_are_badly_scaled(rng):
    """Five layers whose weights begin far too small: with normalization they learn, without they do not."""
    x = rng.standard_normal((64, 4)).astype(np.float32)
    t = (x[:, 0] > x[:, 1]).astype(int)
    losses = []
    for normalized in (True, False):
        layers = []
        for k in range(4):
            linear = nn.Linear(4 if k == 0 else 16, 16, generator=np.random.default_rng(k))
            linear.weight.data[...] *= 0.01
            layers += [linear, *([nn.BatchNorm1d(16)] if normalized else []), nn.ReLU()]
        model = nn.Sequential(*layers, nn.Linear(16, 2, generator=np.random.default_rng(9)))
        sgd = optim.SGD(model.parameters(), lr=0.1)
        for _ in range(60):
            sgd.zero_grad()
            loss = F.cross_entropy(model(x), t)
            loss.backward()
            sgd.step()
        losses.append(loss.item())
    assert losses[0] < 0.2 < 0.6 < losses[1]


def test_running_averages_have_moved_where_a_later_layer_raises():
    """As in PyTorch; a replayed step puts them back."""
    x = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)
    for wrapped in (lambda f: f, tg.replay):
        norm = nn.BatchNorm1d(2)
        with pytest.raises(ValueError, match="3"):
            wrapped(nn.Sequential(norm, nn.Linear(3, 1)))(x)
        moved = wrapped is not tg.replay
        np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * x.mean(axis=0) if moved else [0, 0], rtol=1e-5)
        assert norm.num_batches_tracked.item() == moved
