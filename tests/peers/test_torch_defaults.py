"""What training is made of, beside PyTorch's: all defaults, batch normalization and dropout."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers


def defaults(function):
    """The defaults of a function or class, by the names of what has one."""
    found = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.default is not p.empty}
    return {name: 0 if value is False else value for name, value in found.items()}  # weight_decay=0, centered=False


ALIKE = [
    *[
        (getattr(ours, name), getattr(theirs, name))
        for ours, theirs in ((optim, torch.optim), (lr_scheduler, torch.optim.lr_scheduler))
        for name in ours.__all__
        if isinstance(getattr(theirs, name, None), type)
    ],
    *[
        (getattr(nn, name), getattr(torch.nn, name))
        for name in nn.__all__
        if isinstance(getattr(nn, name), type)
        and hasattr(torch.nn, name)
        and name not in ("Module", "Parameter", "Buffer")
    ],
    *[
        (getattr(F, name), getattr(torch.nn.functional, name))
        for name in F.__all__
        if hasattr(torch.nn.functional, name)
        and (name.endswith(("_loss", "entropy", "logits")) or name in ("dropout", "batch_norm"))
    ],
]


@pytest.mark.parametrize(("ours", "theirs"), ALIKE, ids=lambda f: f.__name__)
def test_defaults_are_pytorch_s(ours, theirs):
    mine, other = defaults(ours), defaults(theirs)
    both = mine.keys() & other.keys() - ({"threshold"} if ours is nn.Softplus else set())  # ours is exact without one
    named = lambda value: value.__name__ if callable(value) else value  # a function of ours has its namesake there
    assert {name: named(mine[name]) for name in both} == {name: named(other[name]) for name in both}
    needed = {p.name for p in inspect.signature(ours).parameters.values() if p.default is p.empty}
    assert not needed & other.keys() - {"lr"}  # SGD's rate is to be given here


@pytest.mark.parametrize(
    ("ours", "theirs"), [pair for pair in ALIKE if isinstance(pair[0], type)], ids=lambda f: f.__name__
)
def test_no_argument_of_pytorch_s_is_taken_for_another_of_pytorch_s(ours, theirs):
    """Asked for one that is not here, nobody is asked whether another was meant that PyTorch has beside it."""
    base = torch.nn.RNNBase if issubclass(theirs, torch.nn.RNNBase) else theirs  # RNN, GRU and LSTM name none
    known, mine = inspect.signature(base).parameters, inspect.signature(ours).parameters
    for name in known.keys() - mine.keys() - {"args", "kwargs", "min_value", "max_value"}:  # old names of Hardtanh's
        with pytest.raises(TypeError) as caught:
            ours(**{name: 1})
        meant = re.findall(r"(\w+)=", str(caught.value).partition("did you mean")[2])
        assert not known.keys() & set(meant), caught.value


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.5, "eps": 0.1},
        {"momentum": None},
        {"affine": False},
        {"track_running_stats": False},
    ],
    ids=str,
)
def test_batch_norm(shape, options):
    rng = np.random.default_rng(0)
    ours, theirs = nn.BatchNorm1d(3, dtype=float, **options), torch.nn.BatchNorm1d(3, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for mode in (True, True, False, True, False):
        ours.train(mode)
        theirs.train(mode)
        array, v = rng.standard_normal(shape) * 3 + 5, rng.standard_normal(shape)
        x, t = tg.Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
        y, z = ours(x), theirs(t)
        assert_close(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-11)
        ours.zero_grad()
        theirs.zero_grad()
        y.backward(v)
        z.backward(torch.tensor(v))
        assert_close(x.grad.numpy(), t.grad.numpy(), rtol=1e-9, atol=1e-11)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert_close(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-11)
        for name, array in theirs.state_dict().items():
            assert_close(ours.state_dict()[name], array.numpy(), rtol=1e-12)


def test_batch_norm_twice_differentiated():
    rng = np.random.default_rng(0)
    array, v, u = (rng.standard_normal((6, 3)) for _ in range(3))
    w, b = rng.standard_normal(3), rng.standard_normal(3)
    x, t = tg.Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y = F.batch_norm(x, None, None, w, b, training=True)
    z = torch.nn.functional.batch_norm(t, None, None, torch.tensor(w), torch.tensor(b), training=True)
    first = tg.grad(y, x, v, create_graph=True)
    (theirs,) = torch.autograd.grad(z, t, torch.tensor(v), create_graph=True)
    assert_close(first.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    second = tg.grad(first, x, u)
    (theirs,) = torch.autograd.grad(theirs, t, torch.tensor(u))
    assert_close(second.numpy(), theirs.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_keeps_and_scales_as_pytorch_s(p, training):
    x = np.ones(100_000, np.float32)
    y = F.dropout(x, p, training, generator=np.random.default_rng(0))
    torch.manual_seed(0)
    z = torch.nn.functional.dropout(torch.tensor(x), p, training).numpy()
    assert np.array_equal(np.unique(y), np.unique(z))
    np.testing.assert_allclose((y > 0).mean(), (z > 0).mean(), atol=0.01)
