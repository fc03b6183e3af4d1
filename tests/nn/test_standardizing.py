"""Layer, group and RMS normalization: each example by itself."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F


def test_each_example_is_brought_to_mean_0_and_variance_1_alone(rng):
    x = rng.standard_normal((4, 6, 5)) * 7 + 100
    for layer, axes in (
        (nn.LayerNorm(5, dtype=float), -1),
        (nn.LayerNorm((6, 5), dtype=float), (1, 2)),
        (nn.GroupNorm(1, 6, dtype=float), (1, 2)),
        (nn.GroupNorm(6, 6, dtype=float), 2),
    ):
        y = layer(x).numpy()
        np.testing.assert_allclose(y.mean(axes), 0, atol=1e-12)
        np.testing.assert_allclose(y.var(axes), 1, rtol=1e-5)
        np.testing.assert_array_equal(layer.eval()(x).numpy(), y)
        np.testing.assert_allclose(layer(x[2:3]).numpy(), y[2:3], rtol=1e-12)
    halves = nn.GroupNorm(2, 6, dtype=float)(x).numpy().reshape(4, 2, 15)
    np.testing.assert_allclose(halves.var(2), 1, rtol=1e-5)
    y = nn.RMSNorm(5, dtype=float)(x).numpy()
    np.testing.assert_allclose(np.square(y).mean(-1), 1, rtol=1e-12)
    assert (y > 0).all()  # the mean stays


def test_scale_and_shift_are_learnt():
    layer = nn.LayerNorm(3, dtype=float)
    assert [(name, p.tolist()) for name, p in layer.named_parameters()] == [("weight", [1] * 3), ("bias", [0] * 3)]
    layer.weight.data[...], layer.bias.data[...] = [1, 2, 3], [10, 20, 30]
    x = np.array([[-1.0, 0.0, 1.0]])
    np.testing.assert_allclose(layer(x).numpy(), [[10 - 1.2247, 20, 30 + 3 * 1.2247]], rtol=1e-4)
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]
    for bare in (nn.LayerNorm(3, elementwise_affine=False), nn.GroupNorm(1, 3, affine=False)):
        assert not bare.state_dict()
    assert repr(nn.GroupNorm(2, 4)) == "GroupNorm(2, 4, eps=1e-05, affine=True)"
    assert repr(layer) == "LayerNorm((3,), eps=1e-05, elementwise_affine=True)"


def test_the_type_stays_and_a_constant_row_is_finite():
    for layer in (nn.LayerNorm(4), nn.RMSNorm(4), nn.GroupNorm(2, 4)):
        x = tg.Tensor(np.full((3, 4), 0.0, np.float32), requires_grad=True)
        y = layer(x)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == np.float32
        assert np.isfinite(x.grad.numpy()).all()
        with pytest.warns(UserWarning, match="float64 data meets float32 weights"):
            layer(np.ones((3, 4)))
    half = F.layer_norm(np.tile(np.array([0.5, 1.5], np.float16), (2, 2048)), 4096)
    assert half.dtype == np.float16
    np.testing.assert_allclose(np.abs(half), 1, rtol=1e-2)
    large = F.layer_norm((np.arange(6.0) + 1e4).astype(np.float32), 6)
    np.testing.assert_allclose(large, F.layer_norm(np.arange(6.0), 6), rtol=1e-4)
