"""Initial weights, clipping, normalized weights and hooks beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.nn import init
from tinygrad_edu.nn.init.fans import GAINS

pytestmark = pytest.mark.peers

X = np.random.default_rng(0).standard_normal((5, 6))


def twins(make=lambda library: library.Sequential(library.Linear(6, 4), library.Tanh(), library.Linear(4, 3))):
    """A net here and PyTorch's with the same weights, in double precision."""
    ours, theirs = make(nn).double(), make(torch.nn).double()
    own = ours.state_dict()
    turned = {name: a.T if a.ndim == 2 else a for name, a in own.items()}
    theirs.load_state_dict({name: torch.tensor(a.copy()) for name, a in turned.items()})
    return ours, theirs


def close(ours, theirs):
    theirs = theirs.numpy(force=True)
    assert_close(ours.numpy(), theirs if ours.shape == theirs.shape else theirs.T, rtol=1e-10, atol=1e-12)


# -- initial weights -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*GAINS, "leaky_relu"])
def test_gains(name):
    assert init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    if name == "leaky_relu":
        assert init.calculate_gain(name, 0.3) == pytest.approx(torch.nn.init.calculate_gain(name, 0.3))


FILLS = [
    ("uniform_", {"a": -2.0, "b": 1.0}), ("normal_", {"mean": 1.0, "std": 0.5}), ("trunc_normal_", {"std": 2.0}),
    ("constant_", {"val": 0.3}), ("zeros_", {}), ("ones_", {}), ("xavier_uniform_", {"gain": 2.0}), ("xavier_normal_", {}),
    ("kaiming_uniform_", {}), ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("kaiming_uniform_", {"a": 0.5, "mode": "fan_out"}), ("orthogonal_", {"gain": 1.5}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), FILLS, ids=str)
@pytest.mark.parametrize("shape", [(300, 200), (60, 8, 5, 5)], ids=str)
def test_the_spread_of_initial_weights(name, options, shape):
    """A matrix is (in, out) here and (out, in) there; a kernel the same."""
    ours, theirs = tg.zeros(*shape), torch.zeros(shape[::-1] if len(shape) == 2 else shape)
    getattr(init, name)(ours, **options, generator=np.random.default_rng(0)) if "generator" in _takes(
        name
    ) else getattr(init, name)(ours, **options)
    torch.manual_seed(0)
    getattr(torch.nn.init, name)(theirs, **options)
    for measure in (np.mean, np.std, np.min, np.max):
        a, b = measure(ours.numpy()), measure(theirs.numpy())
        assert a == pytest.approx(b, rel=0.25 if measure in (np.min, np.max) else 0.03, abs=0.02)


def _takes(name):
    import inspect

    return inspect.signature(getattr(init, name)).parameters


def test_structures():
    for name, shape, args in (
        ("eye_", (3, 5), ()), ("dirac_", (4, 3, 3), ()), ("dirac_", (4, 2, 3, 4), (2,)), ("dirac_", (2, 3, 1, 2, 3), ()),
    ):  # fmt: skip
        ours = getattr(init, name)(tg.zeros(*shape), *args)
        assert np.array_equal(ours.numpy(), getattr(torch.nn.init, name)(torch.zeros(shape), *args).numpy())
    ours, theirs = init.sparse_(tg.zeros(11, 7), 0.3), torch.nn.init.sparse_(torch.zeros(11, 7), 0.3)
    assert ((ours.numpy() == 0).sum(0) == (theirs.numpy() == 0).sum(0)).all()


# -- gradients -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_norm", "options"), [(0.5, {}), (1e3, {}), (0.1, {"norm_type": 1.0}), (0.2, {"norm_type": np.inf}), (0.3, {"norm_type": 3.0})]
)  # fmt: skip
def test_clipping(max_norm, options):
    ours, theirs = twins()
    (ours(X) ** 2).sum().backward()
    (theirs(torch.tensor(X)) ** 2).sum().backward()
    total = nn.utils.clip_grad_norm_(ours.parameters(), max_norm, **options)
    their_total = torch.nn.utils.clip_grad_norm_(theirs.parameters(), max_norm, **options)
    close(total, their_total)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)
    nn.utils.clip_grad_value_(ours.parameters(), 0.01)
    torch.nn.utils.clip_grad_value_(theirs.parameters(), 0.01)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)


def test_hooks_see_the_same():
    ours, theirs = twins()
    seen, theirs_seen = [], []
    for model, met in ((ours, seen), (theirs, theirs_seen)):
        model[1].register_full_backward_hook(lambda module, a, b, met=met: met.append((a, b)))
        model[0].register_full_backward_hook(lambda module, a, b, met=met: met.append((a, b)))
        model[2].register_full_backward_hook(lambda module, a, b: (a[0] * 2,))
        model[1].register_forward_hook(lambda module, args, y: y * 3)
        model[0].register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    x, u = tg.Tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    y, z = ours(x), theirs(u)
    close(y, z)
    y.backward(np.ones((5, 3)))
    z.backward(torch.ones(5, 3))
    close(x.grad, u.grad)
    assert len(seen) == len(theirs_seen) == 2
    for (a, b), (c, d) in zip(seen, theirs_seen, strict=True):
        close(a[0], c[0])
        close(b[0], d[0])
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        close(p.grad, q.grad)


# -- weights that are computed ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("kind", ["Linear", "Bilinear"])
def test_weight_norm(kind):
    arguments, inputs = ((6, 4), [X]) if kind == "Linear" else ((6, 3, 4), [X, X[:, :3]])
    ours, theirs = (
        twins(lambda library: getattr(library, kind)(*arguments)) if kind == "Linear" else _bilinear(arguments)
    )
    nn.utils.weight_norm(ours)
    torch.nn.utils.weight_norm(theirs)
    assert [name for name, _ in ours.named_parameters()] == [name for name, _ in theirs.named_parameters()]
    _compare(ours, theirs, inputs)
    nn.utils.remove_weight_norm(ours)
    torch.nn.utils.remove_weight_norm(theirs)
    close(ours(*inputs), theirs(*map(torch.tensor, inputs)))


def _bilinear(arguments):
    ours, theirs = nn.Bilinear(*arguments, dtype=float), torch.nn.Bilinear(*arguments).double()
    theirs.load_state_dict({name: torch.tensor(a) for name, a in ours.state_dict().items()})
    return ours, theirs


@pytest.mark.filterwarnings("ignore:.*spectral_norm.* is deprecated")
@pytest.mark.parametrize("kind", ["Linear", "Bilinear"])
@pytest.mark.parametrize("iterations", [1, 3])
def test_spectral_norm(kind, iterations):
    arguments, inputs = ((6, 4), [X]) if kind == "Linear" else ((6, 3, 4), [X, X[:, :3]])
    ours, theirs = (
        twins(lambda library: getattr(library, kind)(*arguments)) if kind == "Linear" else _bilinear(arguments)
    )
    nn.utils.spectral_norm(ours, n_power_iterations=iterations)
    torch.nn.utils.spectral_norm(theirs, n_power_iterations=iterations)
    for name in ("weight_u", "weight_v"):
        getattr(theirs, name).copy_(torch.tensor(getattr(ours, name).data))
    for _ in range(3):
        _compare(ours, theirs, inputs)
    ours.eval()
    theirs.eval()
    _compare(ours, theirs, inputs)
    nn.utils.remove_spectral_norm(ours)
    torch.nn.utils.remove_spectral_norm(theirs)
    close(ours(*inputs), theirs(*map(torch.tensor, inputs)))


def _compare(ours, theirs, inputs):
    xs = [tg.Tensor(x, requires_grad=True) for x in inputs]
    us = [torch.tensor(x, requires_grad=True) for x in inputs]
    ours.zero_grad()
    theirs.zero_grad()
    y, z = ours(*xs), theirs(*us)
    close(y, z)
    v = np.random.default_rng(1).standard_normal(y.shape)
    y.backward(v)
    z.backward(torch.tensor(v))
    named = dict(theirs.named_parameters())
    for name, p in ours.named_parameters():
        close(p.grad, named[name].grad)
    for x, u in zip(xs, us, strict=True):
        close(x.grad, u.grad)
