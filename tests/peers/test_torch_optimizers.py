"""Optimizers beside PyTorch's: each rule with its settings over fifty steps, in one go and resumed."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim.line_search import Point, strong_wolfe

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.peers

OPTIMIZERS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.4, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": -0.2, "maximize": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.5, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.5, "lr_decay": 0.1, "weight_decay": 0.01, "initial_accumulator_value": 0.3, "eps": 1e-3}),
    ("Adagrad", {"lr_decay": 1.0, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.01}),
    ("RMSprop", {"momentum": 0.5}),
    ("RMSprop", {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.3, "rho": 0.5, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"rho": 0.0, "maximize": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("Adam", {"betas": (0.0, 0.0)}),
    ("Adam", {"lr": 0.05, "betas": (0.5, 0.9), "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"amsgrad": True, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.3}),
    ("AdamW", {"weight_decay": 0.0}),
    ("AdamW", {"lr": 0.05, "betas": (0.5, 0.9), "amsgrad": True, "maximize": True}),
    ("NAdam", {}),
    ("NAdam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1, "momentum_decay": 0.3}),
    ("NAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.05, "betas": (0.5, 0.6), "weight_decay": 0.1}),  # never long enough
    ("RAdam", {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"lr": 0.05, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}),
    ("Adamax", {"betas": (0.9, 0.5), "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.3, "etas": (0.3, 1.5), "step_sizes": (1e-2, 1.0)}),
    ("Rprop", {"maximize": True}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 10, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 0, "maximize": True}),
]


@pytest.fixture
def in_double():
    """PyTorch keeps NAdam's product of momenta in its default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize("resumed", [None, 23], ids=["in one go", "resumed"])
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS, ids=str)
def test_fifty_steps(name, options, resumed):
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(shape) for shape in ((5, 4), (4,), ())]
    ours = [tg.Tensor(x.copy(), requires_grad=True) for x in start]
    theirs = [torch.tensor(x, requires_grad=True) for x in start]
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(50):
        if step == resumed:
            a, state = getattr(optim, name)(ours, lr=7.0), a.state_dict()
            a.load_state_dict(state)
        for i, (p, t) in enumerate(zip(ours, theirs, strict=True)):
            g = rng.standard_normal(p.shape) * 10.0 ** rng.integers(-3, 2) + p.numpy()
            left_out = (step + i) % 7 == 0  # then the steps of parameters differ
            p.grad = None if left_out else np.asarray(g)
            t.grad = None if left_out else torch.tensor(np.asarray(g))
        a.step()
        b.step()
        for p, t in zip(ours, theirs, strict=True):
            assert_close(p.numpy(), t.detach().numpy(), rtol=1e-10, atol=1e-12)
    if name == "ASGD":
        for i, t in enumerate(theirs):
            assert_close(a.state_dict()["state"][i]["average"], b.state[t]["ax"].numpy(), rtol=1e-10)


LBFGS = [
    {"lr": 0.1, "max_iter": 1},
    {"lr": 0.5, "max_iter": 3, "history_size": 2},
    {"lr": 0.3, "max_iter": 4, "max_eval": 3},
    {"line_search_fn": "strong_wolfe", "max_iter": 1, "max_eval": 4},
    {"line_search_fn": "strong_wolfe", "max_iter": 2, "max_eval": 6, "history_size": 3},
    {"line_search_fn": "strong_wolfe", "lr": 20.0, "max_iter": 1, "max_eval": 9, "history_size": 1},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 1e-3, "tolerance_change": 1e-4, "max_iter": 3},
]


def valley(w, v):
    """Rosenbrock's, of a vector and a matrix, in which the smallest difference grows."""
    u = (v * v).sum() + w[:1]
    return ((1 - w[:-1]) ** 2 + 3 * (w[1:] - w[:-1] ** 2) ** 2).sum() + 0.1 * (v**4).sum() + (u - 2).sum() ** 2


def bowl(w, v):
    """Convex, with a minimum that is found sooner or later."""
    return (w**4).sum() / 4 + w.sum() + ((w[1:] - w[:-1]) ** 2).sum() + 3 * ((v - w[:2]) ** 2).sum() + (v**4).sum()


def minimized(package, options, function, steps=50, resumed=None, apart=0.0):
    """The parameters after each step and the first loss in it, and how often the function was evaluated in all."""
    rng = np.random.default_rng(3)
    start = [rng.standard_normal(4) * (1 + apart), rng.standard_normal((3, 2))]
    make = (lambda x: tg.Tensor(x, requires_grad=True)) if package is tg else lambda x: torch.tensor(x).requires_grad_()
    params = [make(x) for x in start]
    optimizer = package.optim.LBFGS(params, **options)
    path, evaluations = [], 0

    def closure():
        nonlocal evaluations
        evaluations += 1
        optimizer.zero_grad()
        loss = function(*params)
        loss.backward()
        return loss

    for step in range(steps):
        if step == resumed:
            optimizer, state = package.optim.LBFGS(params, lr=9.0), optimizer.state_dict()
            optimizer.load_state_dict(state)
        loss = optimizer.step(closure)
        path.append([loss.item(), *[x for p in params for x in p.detach().numpy().ravel()]])
    return np.array(path), evaluations


@pytest.mark.parametrize("function", [valley, bowl])
@pytest.mark.parametrize("options", LBFGS, ids=str)
def test_fifty_steps_of_lbfgs(options, function):
    theirs, evaluations = minimized(torch, options, function)
    nearby, _ = minimized(torch, options, function, apart=3e-16)
    growth = np.maximum.accumulate(np.abs(theirs - nearby).max(1, keepdims=True))  # of the smallest difference there is
    for resumed in (None, 3, 23):
        path, count = minimized(tg, options, function, resumed=resumed)
        assert np.all(np.abs(path - theirs) <= 1e-10 + 1e-10 * np.abs(theirs) + 30 * growth)
        assert function is valley or count == evaluations


def test_the_line_search_tries_the_same_points():
    """On sums of waves, but for the few where rounding decides between two ways."""
    search = sys.modules[torch.optim.LBFGS.__module__]._strong_wolfe
    rng = np.random.default_rng(0)
    found = []
    while len(found) < 300:
        a, b, c, w, v = rng.standard_normal(5) * [1, 2, 1, 2, 3]
        phi = lambda t, a=a, b=b, c=c, w=w, v=v: a * math.sin(w * t + b) + c * math.cos(v * t) + 0.05 * t * t
        slope = lambda t, a=a, b=b, c=c, w=w, v=v: a * w * math.cos(w * t + b) - c * v * math.sin(v * t) + 0.1 * t
        if slope(0.0) > -1e-2:
            continue
        step, most, ours, theirs = 10 ** rng.uniform(-3, 1.5), int(rng.integers(1, 26)), [], []

        def evaluate(t, ours=ours, phi=phi, slope=slope):
            ours.append(t)
            return Point(t, phi(t), slope(t))

        def at(x, t, d, theirs=theirs, phi=phi, slope=slope):
            theirs.append(float(t))
            return phi(float(t)), torch.tensor([slope(float(t))], dtype=torch.float64)

        point = strong_wolfe(evaluate, Point(0.0, phi(0.0), slope(0.0)), step, 1.0, most=most)
        one, start = torch.ones(1, dtype=torch.float64), torch.tensor([slope(0.0)], dtype=torch.float64)
        _, _, t, count = search(at, one, step, one, phi(0.0), start, start[0], max_ls=most)
        close = len(ours) == count == len(theirs) and np.allclose(ours, theirs, rtol=1e-6)
        found.append(close and math.isclose(point.step, float(t), rel_tol=1e-6))
    assert np.mean(found) > 0.99
