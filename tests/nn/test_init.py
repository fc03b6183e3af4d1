"""How weights begin."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn
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
        (lambda shape, **how: init.kaiming_normal(shape, mode="fan_out", **how), math.sqrt(2 / 100)),
        (lambda shape, **how: init.kaiming_uniform(shape, 1.0, **how), math.sqrt(1 / 400)),
        (lambda shape, **how: init.kaiming_normal(shape, nonlinearity="tanh", **how), 5 / 3 / math.sqrt(400)),
        (init.lecun_uniform, math.sqrt(1 / 400)),
        (init.lecun_normal, math.sqrt(1 / 400)),
        (lambda shape, **how: init.trunc_normal(shape, **how), 0.8796),
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


# -- structures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 5), (8, 3), (3, 8), (6, 2, 3), (4, 3, 2, 2)])
def test_orthogonal_matrices_keep_lengths(shape, rng):
    w = init.orthogonal(shape, 2.0, generator=rng, dtype=float).reshape(shape[0], -1)
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


def test_orthogonal_matrices_are_uniform(rng):
    """The mean of each element is 0: QR alone would leave a sign on the diagonal."""
    mean = np.mean([init.orthogonal((3, 3), generator=rng, dtype=float) for _ in range(4000)], axis=0)
    assert np.abs(mean).max() < 5 / math.sqrt(3 * 4000)


def test_truncated_normal_numbers_stay_inside(rng):
    w = init.trunc_normal((20_000,), 1.0, 2.0, 0.0, 5.0, generator=rng, dtype=float)
    assert 0 <= w.min() < 0.01
    assert 4.99 < w.max() <= 5
    inside = rng.normal(1.0, 2.0, 200_000)
    inside = inside[(inside >= 0) & (inside <= 5)]
    assert abs(w.mean() - inside.mean()) < 0.05
    with pytest.raises(
        ValueError, match=r"of normal numbers of mean 0\.0 and deviation 1\.0, 0\.00% are between 8 and 9"
    ):
        init.trunc_normal((3,), a=8, b=9)
    with pytest.raises(ValueError, match="take wider bounds"):
        init.trunc_normal((3,), std=0.0)


def test_sparse_dirac_eye_and_ones(rng):
    w = init.sparse((10, 50), 0.25, std=2.0, generator=rng, dtype=float)
    assert ((w == 0).sum(0) == 3).all()  # a quarter of ten, rounded up, in each column
    assert len({tuple(column) for column in (w == 0).T}) > 10  # not the same rows
    assert abs(w[w != 0].std() - 2) < 0.3
    x = rng.standard_normal((7, 4))
    assert np.array_equal(x @ init.eye((4, 4), dtype=float), x)
    assert init.eye((2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    kernel = init.dirac((4, 2, 3, 3), groups=2)
    assert [tuple(place) for place in np.argwhere(kernel)] == [(0, 0, 1, 1), (1, 1, 1, 1), (2, 0, 1, 1), (3, 1, 1, 1)]
    assert init.ones((2,)).tolist() == [1, 1]
    for make, words in (
        (lambda: init.sparse((3,), 0.5), "makes a matrix, but got the shape"),
        (lambda: init.sparse((3, 3), 1.5), "sparsity is a share between 0 and 1"),
        (lambda: init.eye((3,)), "makes a matrix"),
        (lambda: init.dirac((3, 3)), "three to five axes"),
        (lambda: init.dirac((3, 3, 3), 2), "make 2 equal groups"),
        (lambda: init.kaiming_normal((3, 3), mode="fan"), "mode is 'fan_in' or 'fan_out', but got 'fan'"),
        (lambda: init.kaiming_normal((3, 3), nonlinearity="gelu"), "calculate_gain.. knows linear, conv1d"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
    with pytest.raises(TypeError, match="the slope of a leaky ReLU is a number, but got str 'x'"):
        init.calculate_gain("leaky_relu", "x")


# -- in place ------------------------------------------------------------------------------------------

FILLS = {
    name: getattr(init, name)
    for name in ("zeros_", "ones_", "uniform_", "normal_", "trunc_normal_", "xavier_uniform_", "xavier_normal_",
                 "kaiming_uniform_", "kaiming_normal_", "lecun_uniform_", "lecun_normal_", "orthogonal_", "eye_")
}  # fmt: skip


@pytest.mark.parametrize("name", FILLS)
def test_a_function_with_an_underscore_fills_a_tensor(name):
    fill, make = FILLS[name], getattr(init, name[:-1])
    layer = nn.Linear(6, 4)
    w, memory = layer.weight, layer.weight.data
    w.data[...] = 7
    how = {"generator": np.random.default_rng(3)} if "generator" in inspect.signature(make).parameters else {}
    used = (w * 1).sum()
    assert fill(w, **how) is w
    assert w.data is memory
    how = {"generator": np.random.default_rng(3)} if how else {}
    assert np.array_equal(w.numpy(), make((6, 4), **how))
    with pytest.raises(RuntimeError, match="was written after"):  # graphs that used it know
        used.backward()
    array = np.full((6, 4), 7.0)
    assert fill(array) is array
    assert not (array == 7).all()
    assert next(iter(inspect.signature(fill).parameters)) == "tensor"
    assert "in place" in fill.__doc__


def test_what_cannot_be_filled():
    assert init.constant_(tg.zeros(2), 0.5).tolist() == [0.5, 0.5]
    assert init.dirac_(tg.zeros(1, 1, 3)).tolist() == [[[0, 1, 0]]]
    assert (init.sparse_(tg.zeros(4, 2), 0.5).numpy() == 0).sum() == 4
    with pytest.raises(TypeError, match=r"init\.zeros_\(\) fills a tensor, but got list"):
        init.zeros_([1.0])
    with pytest.raises(TypeError, match="fills floating numbers, but got int64"):
        init.normal_(tg.Tensor([1, 2]))
    with pytest.raises(RuntimeError, match="would change a recorded value"):
        init.zeros_(nn.Linear(2, 2).weight * 2)


def test_a_model_is_initialized_as_a_tutorial_does():
    def begin(module):
        if isinstance(module, nn.Linear):
            init.kaiming_normal_(module.weight, nonlinearity="relu")
            init.zeros_(module.bias)

    model = nn.Sequential(nn.Linear(300, 200), nn.ReLU(), nn.Linear(200, 10)).apply(begin)
    assert abs(model[0].weight.numpy().std() / math.sqrt(2 / 300) - 1) < 0.02
    assert not model[2].bias.numpy().any()
