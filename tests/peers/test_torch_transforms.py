"""Beside torch.func: transformations of functions, nested, of functions that use tensors which require a gradient."""

import numpy as np
import pytest
import torch
from agreement import assert_close
from torch import func

import tinygrad_edu as tg
from tinygrad_edu import nn

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")  # in torch.func


class Ours:
    """The transformations under the names of this package."""

    sin, tanh, exp = np.sin, np.tanh, np.exp
    grads = staticmethod(tg.grad)
    checkpoint = staticmethod(tg.checkpoint)
    jacobian, hessian = staticmethod(tg.jacobian), staticmethod(tg.hessian)

    @staticmethod
    def leaf(array):
        return tg.Tensor(array.copy(), requires_grad=True)

    @staticmethod
    def plain(array):
        return tg.Tensor(array.copy())

    @staticmethod
    def value_and_grad(f, x):
        return tg.value_and_grad(f)(x)

    @staticmethod
    def vjp(f, x, v):
        return tg.vjp(f, x, v)[1]

    @staticmethod
    def jvp(f, x, v):
        return tg.jvp(f, x, v)[1]

    @staticmethod
    def hvp(f, x, v):
        return tg.hvp(f, x, v)[1]


class Theirs:
    """The same by torch.func."""

    sin, tanh, exp = torch.sin, torch.tanh, torch.exp
    grads = staticmethod(torch.autograd.grad)

    @staticmethod
    def checkpoint(f, x):
        return f(x)

    @staticmethod
    def leaf(array):
        return torch.tensor(array, requires_grad=True)

    @staticmethod
    def plain(array):
        return torch.tensor(array)

    @staticmethod
    def value_and_grad(f, x):
        slope, value = func.grad_and_value(f)(x)
        return value, slope

    @staticmethod
    def vjp(f, x, v):
        return func.vjp(f, x)[1](v)[0]

    @staticmethod
    def jvp(f, x, v):
        return func.jvp(f, (x,), (v,))[1]

    @staticmethod
    def jacobian(f, x):
        return func.jacrev(f)(x)

    @staticmethod
    def hessian(f, x):
        return func.hessian(f)(x)

    @staticmethod
    def hvp(f, x, v):
        return func.jvp(func.grad(f), (x,), (v,))[1]


def function(lib, rng, W, w):
    """A random smooth function of a vector to a number, which uses a matrix and a vector."""
    layers = [
        lambda h: lib.sin(h * w),
        lambda h: lib.tanh(W @ h + w),
        lambda h: h * h * 0.3 + w,
        lambda h: lib.exp(-h * h * 0.5) * (W @ w),
        lambda h: h * (h * w).sum() * 0.3,
    ]
    chosen = [layers[i] for i in rng.integers(len(layers), size=3)]

    def f(x):
        h = x
        for layer in chosen:
            h = layer(h)
        return (h * w + W @ h).sum()

    return f


def wrapped(lib, name, f, c, C, w):
    """A function like `f`, which reads a derivative of it."""
    vector = lambda x: f(x * c) * lib.sin(x)
    return {
        "value_and_grad": lambda x: (lambda value, slope: value * (slope * c).sum())(*lib.value_and_grad(f, x)),
        "vjp": lambda x: (lib.vjp(vector, x, c * w) * c).sum(),
        "jvp": lambda x: (lib.jvp(vector, x, c * w) * c).sum(),
        "jacobian": lambda x: (lib.jacobian(vector, x) * C).sum(),
        "hessian": lambda x: (lib.hessian(f, x) * C).sum(),
        "hvp": lambda x: (lib.hvp(f, x, c * w) * c).sum(),
        "checkpoint": lambda x: lib.checkpoint(f, x) * 2.0,
    }[name]


NAMES = ["value_and_grad", "vjp", "jvp", "jacobian", "hessian", "hvp", "checkpoint"]


def differentiated(lib, seed, names, in_graph):
    """The value of a random function wrapped in these transformations, and its gradients by all that it depends on."""
    rng = np.random.default_rng(seed)
    x, w, c = rng.standard_normal((3, 2)) * 0.7
    W, C = rng.standard_normal((2, 2, 2)) * 0.7
    x, w, W, c, C = lib.leaf(x), lib.leaf(w), lib.leaf(W), lib.plain(c), lib.plain(C)
    inner = w * 0.5 + lib.sin(w)  # computed outside
    f = function(lib, rng, W, inner)
    for name in names:
        f = wrapped(lib, name, f, c, C, w)
    y = f(x * x if in_graph else x)
    first = lib.grads(y, [x, w, W], create_graph=True)
    second = lib.grads(sum((g * g).sum() for g in first), [x, w, W])
    return [np.array(t.tolist()) for t in (y, *first, *second)]


@pytest.mark.parametrize("seed", range(24))
def test_random_functions_three_deep(seed):
    rng = np.random.default_rng(1000 + seed)
    names = [NAMES[i] for i in rng.integers(len(NAMES), size=3)]
    ours, theirs = (differentiated(lib, seed, names, seed % 2) for lib in (Ours, Theirs))
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other, rtol=1e-8, atol=1e-8 * (1 + np.abs(other).max()), err_msg=str(names))


@pytest.mark.parametrize("name", NAMES)
def test_each_alone(name):
    ours, theirs = (differentiated(lib, 3, [name], False) for lib in (Ours, Theirs))
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one, other, rtol=1e-9, atol=1e-10)


def networks(rng):
    """The same network here and there."""
    here = nn.Sequential(nn.Linear(1, 12, dtype=float), nn.Tanh(), nn.Linear(12, 1, dtype=float))
    there = torch.nn.Sequential(torch.nn.Linear(1, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1)).double()
    for ours, theirs in zip(here.parameters(), there.parameters(), strict=True):
        values = rng.standard_normal(ours.shape) * 0.7
        ours.data = values
        theirs.data = torch.tensor(values.T.copy())
    return here, there


@pytest.mark.parametrize("replayed", [False, True])
def test_a_physics_informed_network_learns_from_data_and_equation_alike(replayed):
    """u″ = −u with u(0) = 0 and u′(0) = 1, and two measured points of sin."""
    here, there = networks(np.random.default_rng(5))
    grid, points = np.linspace(0, 3, 15)[:, None], np.array([[0.5], [2.5]])
    optimizer = tg.optim.Adam(here.parameters(), lr=0.01)
    theirs = torch.optim.Adam(there.parameters(), lr=0.01)

    def ours_step():
        slope = lambda t: tg.value_and_grad(lambda s: here(s).sum())(t)[1]
        curvature = tg.vjp(lambda t: slope(t).sum(), grid)[1]
        data = ((here(points) - np.sin(points)) ** 2).sum()
        start = (here(np.zeros((1, 1))) ** 2).sum() + ((slope(np.zeros((1, 1))) - 1.0) ** 2).sum()
        loss = ((curvature + here(grid)) ** 2).mean() + data + start
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def their_step():
        slope = func.grad(lambda s: there(s).sum())
        x, p, o = torch.tensor(grid), torch.tensor(points), torch.zeros((1, 1)).double()
        curvature = func.grad(lambda t: slope(t).sum())(x)
        data = ((there(p) - torch.sin(p)) ** 2).sum()
        start = (there(o) ** 2).sum() + ((slope(o) - 1.0) ** 2).sum()
        loss = ((curvature + there(x)) ** 2).mean() + data + start
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        return loss

    step = tg.replay(ours_step) if replayed else ours_step
    for _ in range(60):
        loss, other = step(), their_step()
        assert_close(loss.item(), other.item(), rtol=1e-7)
    for ours, theirs_too in zip(here.parameters(), there.parameters(), strict=True):
        assert_close(ours.numpy(), theirs_too.detach().numpy().T, rtol=1e-6, atol=1e-8)


def test_functional_call_with_weights_that_one_step_of_learning_made():
    """The loss after a step of learning, by the weights before it."""
    here, there = networks(np.random.default_rng(6))
    x, t = np.linspace(-1, 1, 8)[:, None], np.linspace(-1, 1, 8)[:, None] ** 2
    names, weights = zip(*there.named_parameters(), strict=True)

    def inner(values):
        return ((func.functional_call(there, dict(zip(names, values, strict=True)), torch.tensor(x)) - torch.tensor(t)) ** 2).mean()  # fmt: skip

    slopes = func.grad(inner)(weights)
    theirs = torch.autograd.grad(inner([w - 0.1 * g for w, g in zip(weights, slopes, strict=True)]), weights)

    def ours_inner(w1, b1, w2, b2):
        return ((np.tanh(x @ w1 + b1) @ w2 + b2 - t) ** 2).mean()

    parameters = list(here.parameters())
    slopes = tg.value_and_grad(ours_inner, argnums=(0, 1, 2, 3))(*parameters)[1]
    moved = [w - 0.1 * g for w, g in zip(parameters, slopes, strict=True)]
    for ours, other in zip(tg.grad(ours_inner(*moved), parameters), theirs, strict=True):
        assert_close(ours.numpy(), other.numpy().T, rtol=1e-9, atol=1e-12)
