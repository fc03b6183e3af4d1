"""How weights begin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init

# -- initial weights ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "std"),
    [
        (init.xavier_uniform, math.sqrt(2 / 500)),
        (init.xavier_normal, math.sqrt(2 / 500)),
        (init.kaiming_uniform, math.sqrt(2 / 400)),
        (init.kaiming_normal, math.sqrt(2 / 400)),
        (lambda shape, **how: init.normal(shape, 0.0, 0.01, **how), 0.01),
        (lambda shape, **how: init.uniform(shape, -1, 1, **how), 1 / math.sqrt(3)),
    ],
)
def test_spread_of_initial_weights(make, std):
    w = make((400, 100), generator=np.random.default_rng(0))
    assert w.dtype == np.float32
    assert abs(w.mean()) < 0.02 * std
    assert abs(w.std() / std - 1) < 0.02
    assert make((2, 2), dtype="float64").dtype == np.float64
    assert np.array_equal(w, make((400, 100), generator=np.random.default_rng(0)))


def test_constant_weights_and_fans():
    assert init.zeros((2,)).tolist() == [0, 0]
    assert init.constant((2,), 0.5).tolist() == [0.5, 0.5]
    assert init.fans((16, 3, 5, 5)) == (75, 400)
    with pytest.raises(ValueError, match="two axes or more"):
        init.xavier_normal((3,))
    with pytest.raises(TypeError, match="Generator"):
        init.normal((3,), generator=3)


@pytest.mark.parametrize(
    ("activation", "std", "low", "high"),
    [
        (lambda x: 1 / (1 + np.exp(-x)), 1.0, 0.35, 0.5),  # saturated at 0 and 1
        (lambda x: 1 / (1 + np.exp(-x)), 0.01, 0.0, 0.02),  # all alike
        (np.tanh, math.sqrt(1 / 100), 0.3, 0.7),  # Xavier: kept
        (F.relu, math.sqrt(2 / 100), 0.5, 1.2),  # He: kept
        (F.relu, 0.01, 0.0, 1e-3),  # died out
    ],
)
def test_hidden_activations_by_initialization(activation, std, low, high):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 100))
    for _ in range(5):
        x = activation(x @ init.normal((100, 100), 0, std, generator=rng, dtype=float))
    assert low <= x.std() <= high
