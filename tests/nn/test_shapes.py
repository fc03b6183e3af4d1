"""What layers take: batches of another shape name the layer and its path; widths that are learnt; further layers."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim

# -- what does not fit ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: nn.LayerNorm(4), (2, 3), r"LayerNorm\(\(4,\), .*\) takes x of shape \(…, 4\), but got \(2, 3\)"),
        (lambda: nn.LayerNorm((3, 4)), (4,), r"takes x of shape \(…, 3, 4\), but got \(4,\)"),
        (lambda: nn.RMSNorm(4), (4, 2), r"RMSNorm\(\(4,\), .*\) takes x of shape \(…, 4\), but got \(4, 2\)"),
        (lambda: nn.GroupNorm(2, 4), (4,), r"GroupNorm\(2, 4, .*takes x of shape \(N, 4, …\), but got \(4,\)"),
        (lambda: nn.GroupNorm(2, 4), (3, 6, 2), r"takes x of shape \(N, 4, …\), but got \(3, 6, 2\)"),
        (lambda: nn.Linear(64, 3), (32, 10), r"Linear\(64, 3\) takes x of shape \(…, 64\), but got \(32, 10\)"),
        (lambda: nn.PReLU(3), (2, 4), r"prelu takes one weight, or one for each channel .* \(2, 4\) and weights of shape \(3,\)"),
        (lambda: nn.GLU(), (2, 3), r"glu takes the halves of x along axis -1, of length 3; it must be even"),
        (lambda: nn.Unflatten(1, (2, 2)), (2, 3), r"cannot make axis 1 of shape \(2, 3\) into axes of lengths \(2, 2\)"),
        (lambda: nn.Unflatten(1, (2, -1)), (2, 3), "into axes of lengths"),
        (lambda: nn.LazyLinear(3), (2, 0), r"LazyLinear\(0, 3\) takes x of shape \(…, n\)"),
    ],
)  # fmt: skip
def test_a_batch_of_another_shape_names_the_layer_and_its_path(make, shape, words):
    class Net(nn.Module):
        def __init__(self):
            self.encoder = nn.Sequential(nn.Identity(), nn.ReLU(), make())

        def forward(self, x):
            return self.encoder(x)

    with pytest.raises(ValueError, match=rf"^Net\.encoder\.2: .*{words}"):
        Net()(np.ones(shape, np.float32))


def test_sizes_that_are_none():
    for make, words in (
        (lambda: nn.GroupNorm(3, 4), "GroupNorm cannot make 3 equal groups of 4 channels"),
        (lambda: nn.GroupNorm(0, 4), "cannot make 0 equal groups"),
        (lambda: nn.Embedding(0, 3), "at least one word and one dimension, but got 0 and 3"),
        (lambda: nn.Embedding(3, 3, 3), r"padding_idx is one of the 3 words, 0 to 2, but got 3"),
        (lambda: nn.Embedding(3, 3, -4), r"padding_idx is one of the 3 words"),
        (lambda: nn.Embedding(3, 3, max_norm=-1.0), "Embedding's max_norm must be positive"),
        (lambda: nn.Bilinear(3, 0, 2), r"Bilinear needs at least one of both inputs .* \(3, 0\) and 2"),
        (lambda: nn.PReLU(0), "PReLU needs at least one slope"),
        (lambda: nn.LazyLinear(0), "at least one input and one output"),
        (lambda: nn.Hardtanh(1.0, -1.0)(np.ones(2)), r"hardtanh\(\) goes from min_val up to max_val, but got 1.0 and -1.0"),
        (lambda: nn.Softplus(0.0)(np.ones(2)), "softplus's beta must be positive"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            make()
    for make in (lambda: nn.LayerNorm(2.5), lambda: nn.Embedding("3", 2), lambda: nn.PReLU(1.5)):
        with pytest.raises(TypeError):
            make()


# -- a width that is learnt at the first call -----------------------------------------------------------


def test_a_lazy_layer_takes_its_width_from_the_first_batch():
    model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2, bias=False))
    assert repr(model[0]) == "LazyLinear(0, 4)"
    assert [p.shape for p in model.parameters()] == [(0, 4), (4,), (0, 2)]
    optimizer = optim.Adam(model.parameters(), lr=0.1)  # may be made before
    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    before = None
    for _ in range(3):
        loss = np.square(model(x)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        before = before or loss.item()
    assert loss.item() < before
    assert [type(layer) for layer in model] == [nn.Linear, nn.ReLU, nn.Linear]
    assert [(name, p.shape) for name, p in model.named_parameters()] == [
        ("0.weight", (3, 4)), ("0.bias", (4,)), ("2.weight", (4, 2)),
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"Linear\(3, 4\) takes x of shape \(…, 3\), but got \(8, 5\)"):
        model(np.ones((8, 5), np.float32))


def test_a_lazy_layer_draws_as_a_linear_one_and_is_copied_before_and_after():
    layer = nn.LazyLinear(4, generator=np.random.default_rng(3), dtype=float)
    twin = pickle.loads(pickle.dumps(copy.deepcopy(layer)))
    for lazy in (layer, twin):
        lazy(np.ones((2, 5)))
        expected = nn.Linear(5, 4, generator=np.random.default_rng(3), dtype=float).state_dict()
        assert all(np.array_equal(array, expected[name]) for name, array in lazy.state_dict().items())
    assert copy.deepcopy(layer)(np.ones((1, 5))).shape == (1, 4)


def test_a_lazy_layer_is_called_before_it_is_replayed():
    model = nn.LazyLinear(2)
    run = tg.replay(model)
    with pytest.raises(RuntimeError, match=r"the first call of LazyLinear\(0, 2\).*; call the model once before"):
        run(np.ones((2, 3), np.float32))
    y = model(np.ones((2, 3), np.float32))
    assert np.array_equal(run(np.ones((2, 3), np.float32)).numpy(), y.numpy())


# -- other layers --------------------------------------------------------------------------------------


def test_bilinear_is_a_product_of_every_pair(rng):
    layer = nn.Bilinear(3, 4, 2, dtype=float)
    a, b = rng.standard_normal((5, 3)), rng.standard_normal((5, 4))
    expected = np.stack([(a @ w * b).sum(1) for w in layer.weight.numpy()], 1) + layer.bias.numpy()
    np.testing.assert_allclose(layer(a, b).numpy(), expected, rtol=1e-12)
    assert repr(layer) == "Bilinear(3, 4, 2)"
    with pytest.raises(
        ValueError, match=r"Bilinear\(3, 4, 2\) takes x1 of shape \(…, 3\) and x2 of shape \(…, 4\), but got \(5, 4\)"
    ):
        layer(b, a)  # fmt: skip


def test_a_step_has_no_slope():
    x = tg.Tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = nn.Step(0.5)(x)
    assert y.tolist() == [0, 0.5, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 0]


def test_softsign_has_its_limits_at_infinity():
    x = tg.Tensor([-np.inf, np.inf, 1e30], requires_grad=True)
    y = nn.Softsign()(x)
    assert y.tolist() == [-1, 1, 1]
    assert tg.grad(y.sum(), x).tolist() == [0, 0, pytest.approx(0)]
