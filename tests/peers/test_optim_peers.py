"""Optimizers, schedules, batch normalization and dropout, beside PyTorch's."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler

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
            np.testing.assert_allclose(p.numpy(), t.detach().numpy(), rtol=1e-10, atol=1e-12)
    if name == "ASGD":
        for i, t in enumerate(theirs):
            np.testing.assert_allclose(a.state_dict()["state"][i]["average"], b.state[t]["ax"].numpy(), rtol=1e-10)


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


SCHEDULES = {
    "stairs": lambda s, o: s.StepLR(o, 3, 0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [2, 7, 7], 0.3),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 10, 0.01),
    "warm-up": lambda s, o: s.LinearLR(o, 0.1, 1.0, 4),
    "warm-up as it is": lambda s, o: s.LinearLR(o),
    "any": lambda s, o: s.LambdaLR(o, lambda t: 1 / (t + 1)),
    "any, by group": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (t + 1), lambda t: 0.5**t]),
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.2, total_iters=5), s.CosineAnnealingLR(o, 12)], [5]
    ),
    "three": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.5, total_iters=2), s.ExponentialLR(o, 0.8), s.StepLR(o, 2)], [3, 9]
    ),
}


@pytest.mark.filterwarnings("ignore:.*(epoch parameter|lr_scheduler.step)")
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    ours, theirs = [
        [{"params": [make()], "lr": 0.5}, {"params": [make()]}]
        for make in (lambda: tg.Tensor([1.0], requires_grad=True), lambda: torch.ones(1, requires_grad=True))
    ]
    a, b = optim.SGD(ours, lr=0.1), torch.optim.SGD(theirs, lr=0.1)
    p, q = SCHEDULES[name](lr_scheduler, a), SCHEDULES[name](torch.optim.lr_scheduler, b)
    for _ in range(50):
        rates = [group["lr"] for group in b.param_groups]
        np.testing.assert_allclose([group["lr"] for group in a.param_groups], rates, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(p.get_last_lr(), q.get_last_lr(), rtol=1e-12, atol=1e-15)
        b.step()
        p.step()
        q.step()


def defaults(function):
    """The defaults of a function or class, by the names of what has one."""
    found = {p.name: p.default for p in inspect.signature(function).parameters.values() if p.default is not p.empty}
    return {name: 0 if value is False else value for name, value in found.items()}  # weight_decay=0, centered=False


ALIKE = [
    *[(getattr(optim, name), getattr(torch.optim, name)) for name in dict.fromkeys(name for name, _ in OPTIMIZERS)],
    *[
        (getattr(lr_scheduler, name), getattr(torch.optim.lr_scheduler, name))
        for name in ("StepLR", "MultiStepLR", "ExponentialLR", "LinearLR", "CosineAnnealingLR")
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
        if name.endswith(("_loss", "entropy", "logits")) or name in ("dropout", "batch_norm")
    ],
]


@pytest.mark.parametrize(("ours", "theirs"), ALIKE, ids=lambda f: f.__name__)
def test_defaults_are_pytorch_s(ours, theirs):
    mine, other = defaults(ours), defaults(theirs)
    both = mine.keys() & other.keys()
    assert {name: mine[name] for name in both} == {name: other[name] for name in both}
    needed = {p.name for p in inspect.signature(ours).parameters.values() if p.default is p.empty}
    assert not needed & other.keys() - {"lr"}  # SGD's rate is to be given here


FACTOR = st.floats(0.2, 1.0)
SIMPLE = st.one_of(
    st.tuples(st.just("StepLR"), st.tuples(st.integers(1, 5), FACTOR)),
    st.tuples(st.just("MultiStepLR"), st.tuples(st.lists(st.integers(0, 12), max_size=4), FACTOR)),
    st.tuples(st.just("ExponentialLR"), st.tuples(FACTOR)),
    st.tuples(st.just("LinearLR"), st.tuples(FACTOR, FACTOR, st.integers(1, 6))),
    st.tuples(st.just("CosineAnnealingLR"), st.tuples(st.integers(1, 7), st.floats(0, 0.1))),
    st.tuples(st.just("LambdaLR"), st.tuples(st.just(lambda t: 1 / (t + 1)))),
)
SCHEDULE = st.one_of(
    SIMPLE,
    st.lists(SIMPLE, min_size=1, max_size=3).flatmap(
        lambda parts: st.tuples(
            st.just("SequentialLR"),
            st.tuples(
                st.just(parts),
                st.lists(st.integers(1, 12), min_size=len(parts) - 1, max_size=len(parts) - 1, unique=True).map(sorted),
            ),
        )
    ),
)


def scheduled(schedules, optimizer, chain):
    """The schedules of a chain, in the order of their making."""

    def make(name, arguments):
        if name == "SequentialLR":
            parts, milestones = arguments
            return schedules.SequentialLR(optimizer, [make(*part) for part in parts], list(milestones))
        return getattr(schedules, name)(optimizer, *arguments)

    return [make(*schedule) for schedule in chain]


@pytest.mark.filterwarnings("ignore:.*(epoch parameter|lr_scheduler.step)")
@settings(max_examples=150, deadline=None)
@given(
    chain=st.lists(SCHEDULE, min_size=1, max_size=3),
    by_hand=st.dictionaries(st.integers(0, 14), FACTOR, max_size=3),
    resumed=st.integers(0, 15),
)
def test_chains_of_schedules(chain, by_hand, resumed):
    def begin():
        a = optim.SGD([{"params": [tg.Tensor([1.0])], "lr": 0.5}, {"params": [tg.Tensor([1.0])]}], lr=0.1)
        ones = [torch.ones(1, requires_grad=True) for _ in range(2)]
        b = torch.optim.SGD([{"params": ones[:1], "lr": 0.5}, {"params": ones[1:]}], lr=0.1)
        return a, b, scheduled(lr_scheduler, a, chain), scheduled(torch.optim.lr_scheduler, b, chain)

    a, b, ours, theirs = begin()
    for step in range(16):
        rates = [group["lr"] for group in b.param_groups]
        if step == resumed and min(rates) >= 0:  # below η_min a cosine goes on below, to where no rate is
            kept = [[x.state_dict() for x in things] for things in ([a, *ours], [b, *theirs])]
            a, b, ours, theirs = begin()
            for things, states in zip(([a, *ours], [b, *theirs]), kept, strict=True):
                for x, state in zip(things, states, strict=True):
                    x.load_state_dict(state)
        np.testing.assert_allclose([group["lr"] for group in a.param_groups], rates, rtol=1e-9, atol=1e-12)
        for p, q in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(p.get_last_lr(), q.get_last_lr(), rtol=1e-9, atol=1e-12)
        if step in by_hand:
            for made in (a, b):
                made.param_groups[0]["lr"] = by_hand[step]
        for p, q in zip(ours, theirs, strict=True):
            p.step()
            q.step()


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
        np.testing.assert_allclose(y.numpy(), z.detach().numpy(), rtol=1e-10, atol=1e-11)
        ours.zero_grad()
        theirs.zero_grad()
        y.backward(v)
        z.backward(torch.tensor(v))
        np.testing.assert_allclose(x.grad.numpy(), t.grad.numpy(), rtol=1e-9, atol=1e-11)
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-11)
        for name, array in theirs.state_dict().items():
            np.testing.assert_allclose(ours.state_dict()[name], array.numpy(), rtol=1e-12)


def test_batch_norm_twice_differentiated():
    rng = np.random.default_rng(0)
    array, v, u = (rng.standard_normal((6, 3)) for _ in range(3))
    w, b = rng.standard_normal(3), rng.standard_normal(3)
    x, t = tg.Tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    y = F.batch_norm(x, None, None, w, b, training=True)
    z = torch.nn.functional.batch_norm(t, None, None, torch.tensor(w), torch.tensor(b), training=True)
    first = tg.grad(y, x, v, create_graph=True)
    (theirs,) = torch.autograd.grad(z, t, torch.tensor(v), create_graph=True)
    np.testing.assert_allclose(first.numpy(), theirs.detach().numpy(), rtol=1e-10, atol=1e-12)
    second = tg.grad(first, x, u)
    (theirs,) = torch.autograd.grad(theirs, t, torch.tensor(u))
    np.testing.assert_allclose(second.numpy(), theirs.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_dropout_keeps_and_scales_as_pytorch_s(p, training):
    x = np.ones(100_000, np.float32)
    y = F.dropout(x, p, training, generator=np.random.default_rng(0))
    torch.manual_seed(0)
    z = torch.nn.functional.dropout(torch.tensor(x), p, training).numpy()
    assert np.array_equal(np.unique(y), np.unique(z))
    np.testing.assert_allclose((y > 0).mean(), (z > 0).mean(), atol=0.01)
