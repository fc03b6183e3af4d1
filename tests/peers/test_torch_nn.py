"""Layers, losses and SGD, beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

RNG = np.random.default_rng(0)
X = RNG.standard_normal((6, 4))
LABELS = np.array([0, 3, -100, 2, 1, 1])
SOFT = F.softmax(RNG.standard_normal((6, 4)))
WEIGHT = RNG.uniform(0.5, 2, 4)
IMAGES = RNG.standard_normal((2, 4, 3, 5))
PLACES = RNG.integers(4, size=(2, 3, 5))


def agree(ours, theirs, *inputs, rtol=1e-10):
    """Both functions on the same numbers: the values, and the gradients of a random combination of them."""
    a = [tg.Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    b = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
    y, z = ours(*a), theirs(*b)
    assert_close(y.numpy(), z.detach().numpy(), rtol=rtol, atol=1e-12)
    assert str(y.dtype) == str(z.dtype).removeprefix("torch.")
    v = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(np.asarray(v))
    z.backward(torch.tensor(np.asarray(v)))
    for x, t in zip(a, b, strict=True):
        if x.requires_grad:
            assert_close(x.grad.numpy(), t.grad.numpy(), rtol=rtol, atol=1e-12)


ACTIVATIONS = [
    (nn.ReLU(), "ReLU", {}), (nn.LeakyReLU(0.2), "LeakyReLU", {"negative_slope": 0.2}), (nn.ELU(0.7), "ELU", {"alpha": 0.7}),
    (nn.GELU(), "GELU", {}), (nn.GELU("tanh"), "GELU", {"approximate": "tanh"}), (nn.SiLU(), "SiLU", {}),
    (nn.Softplus(), "Softplus", {"threshold": 1e9}), (nn.Sigmoid(), "Sigmoid", {}), (nn.LogSigmoid(), "LogSigmoid", {}),
    (nn.Tanh(), "Tanh", {}), (nn.Softmax(1), "Softmax", {"dim": 1}), (nn.LogSoftmax(1), "LogSoftmax", {"dim": 1}),
    (nn.Flatten(), "Flatten", {}), (nn.Identity(), "Identity", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "options"), ACTIVATIONS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_activations(module, name, options):
    agree(lambda x: module(x) * 1, lambda x: getattr(torch.nn, name)(**options)(x) * 1, X * 3)


def test_linear_begins_as_pytorch_s_does():
    theirs = torch.nn.Linear(500, 400)
    ours = nn.Linear(500, 400, generator=np.random.default_rng(0))
    for a, b in ((ours.weight, theirs.weight), (ours.bias, theirs.bias)):
        np.testing.assert_allclose(np.abs(a.numpy()).max(), b.detach().abs().max().item(), rtol=1e-2)
        np.testing.assert_allclose(a.numpy().std(), b.detach().std().item(), rtol=0.1)


@pytest.mark.parametrize(
    "options",
    [
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.01},
        {"lr": 0.05, "momentum": 0.9},
        {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    ],
    ids=str,
)
def test_fifty_steps_of_sgd(options):
    model = nn.Sequential(nn.Linear(4, 8, dtype=float), nn.Tanh(), nn.Linear(8, 4, dtype=float))
    peer = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4)).double()
    assert list(model.state_dict()) == list(peer.state_dict())  # the same names; a weight is transposed
    peer.load_state_dict({name: torch.tensor(array.T.copy()) for name, array in model.state_dict().items()})
    ours, theirs = optim.SGD(model.parameters(), **options), torch.optim.SGD(peer.parameters(), **options)
    t = LABELS % 4
    for _ in range(50):
        for optimizer, loss in (
            (ours, lambda: F.cross_entropy(model(X), t)),
            (theirs, lambda: torch.nn.functional.cross_entropy(peer(torch.tensor(X)), torch.tensor(t))),
        ):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    for name, tensor in peer.state_dict().items():
        assert_close(model.state_dict()[name], tensor.numpy().T, rtol=1e-10, atol=1e-12)
