"""The rules: by hand, as pure functions, their state, and how they are written."""

from __future__ import annotations

import inspect
import json
import math
import subprocess
import sys

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim import blocks

EVERY = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (optim.AdaGrad, {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1}),
    (optim.RMSprop, {"lr": 0.1, "centered": True, "momentum": 0.5, "weight_decay": 0.1}),
    (optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.1, "weight_decay": 0.0, "amsgrad": True}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "maximize": True}),
    (optim.Momentum, {"lr": 0.1}),
    (optim.Adadelta, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.NAdam, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.NAdam, {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RAdam, {"lr": 0.1, "betas": (0.9, 0.95), "weight_decay": 0.1}),
    (optim.RAdam, {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.Adamax, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.Lion, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.Rprop, {"lr": 0.1}),
    (optim.ASGD, {"lr": 0.1, "t0": 1, "weight_decay": 0.1}),
]


def leaf(values=(3.0, 4.0), **options):
    return tg.Tensor(list(values), requires_grad=True, **options)


def walk(made, params, steps, seed=0):
    """Steps along random gradients."""
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        for p in params:
            p.grad = np.asarray(rng.standard_normal(p.shape), p.dtype)
        made.step()


# -- the rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (optim.SGD, {"lr": 0.95}, (-0.35039, 0.084782)),
        (optim.SGD, {"lr": 0.1, "momentum": 0.9}, (0.89641, 0.088086)),
        (optim.AdaGrad, {"lr": 1.5}, (-0.12016, 0.0)),
        (optim.Adam, {"lr": 0.3}, (0.13601, 0.31825)),
        (optim.Momentum, {"lr": 0.1}, (0.89641, 0.088086)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_the_ravine_of_the_chapter(kind, options, expected):
    x, y = tg.Tensor(-7.0, requires_grad=True), tg.Tensor(2.0, requires_grad=True)
    made = kind([x, y], **options)
    for _ in range(30):
        made.zero_grad()
        (x**2 / 20 + y**2).backward()
        made.step()
    np.testing.assert_allclose([x.item(), y.item()], expected, rtol=5e-5, atol=1e-6)


def test_adagrad_by_hand():
    w = leaf()
    made = optim.AdaGrad([w], lr=0.5, lr_decay=0.1, weight_decay=0.2, initial_accumulator_value=1.0, eps=0.3)
    x, h = np.array([3.0, 4.0]), np.ones(2)
    for t in range(1, 4):
        w.grad = np.array([1.0, -2.0])
        made.step()
        g = np.array([1.0, -2.0]) + 0.2 * x
        h = h + g * g
        x = x - 0.5 / (1 + (t - 1) * 0.1) * g / (np.sqrt(h) + 0.3)
    np.testing.assert_allclose(w.numpy(), x, rtol=1e-14)


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_rmsprop_by_hand(centered, momentum):
    w = leaf()
    made = optim.RMSprop([w], 0.1, alpha=0.8, eps=0.3, weight_decay=0.2, momentum=momentum, centered=centered)
    x, s, m, v = np.array([3.0, 4.0]), np.zeros(2), np.zeros(2), np.zeros(2)
    for t in range(1, 4):
        w.grad = np.array([t, -2.0])
        made.step()
        g = np.array([t, -2.0]) + 0.2 * x
        s, m = 0.8 * s + 0.2 * g * g, 0.8 * m + 0.2 * g
        v = momentum * v + g / (np.sqrt(s - m * m if centered else s) + 0.3)
        x = x - 0.1 * v
    np.testing.assert_allclose(w.numpy(), x, rtol=1e-13)


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_adam_by_hand(kind):
    w = leaf()
    made = kind([w], lr=0.1, betas=(0.8, 0.9), eps=0.3, weight_decay=0.2)
    x, m, v = np.array([3.0, 4.0]), np.zeros(2), np.zeros(2)
    for t in range(1, 5):
        w.grad = np.array([t, -2.0])
        made.step()
        g = np.array([t, -2.0])
        if kind is optim.Adam:  # L2: part of the gradient
            g = g + 0.2 * x
        else:  # decoupled
            x = x - 0.1 * 0.2 * x
        m, v = 0.8 * m + 0.2 * g, 0.9 * v + 0.1 * g * g
        x = x - 0.1 * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.9**t)) + 0.3)  # ε outside the correction
    np.testing.assert_allclose(w.numpy(), x, rtol=1e-13)


@pytest.mark.parametrize("resumed", [None, 17])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.Momentum, {"lr": 0.01, "momentum": 0.9}),
        (optim.Momentum, {"lr": 0.3, "momentum": 0.0}),
        (optim.Lion, {"lr": 0.01, "betas": (0.9, 0.99), "weight_decay": 0.0}),
        (optim.Lion, {"lr": 0.05, "betas": (0.5, 0.7), "weight_decay": 0.3}),
    ],
)
def test_fifty_steps_by_the_formulas(kind, options, maximize, resumed):
    """Optimizers that PyTorch lacks follow their formulas, while the rate changes."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal((3, 4))
    w = tg.Tensor(start.copy(), requires_grad=True)
    made = kind([w], **options, maximize=maximize)
    x, kept = start, np.zeros_like(start)
    for t in range(50):
        if t == resumed:
            made, state = kind([w], lr=9.0), made.state_dict()
            made.load_state_dict(state)
        lr = options["lr"] / (1 + t % 3)
        made.param_groups[0]["lr"] = lr
        g = rng.standard_normal(start.shape) * 10.0 ** rng.integers(-3, 2) + x
        w.grad = g
        made.step()
        g = -g if maximize else g
        if kind is optim.Momentum:
            kept = options["momentum"] * kept - lr * g
            x = x + kept
        else:
            first, second = options["betas"]
            x = x - lr * (np.sign(first * kept + (1 - first) * g) + options["weight_decay"] * x)
            kept = second * kept + (1 - second) * g
        np.testing.assert_allclose(w.numpy(), x, rtol=1e-10, atol=1e-12)


def test_adam_s_first_step_does_not_depend_on_the_size_of_the_gradient():
    w = leaf((0.0, 0.0, 0.0))
    w.grad = np.array([1e-4, -1.0, 1e4])
    optim.Adam([w], lr=0.5).step()
    np.testing.assert_allclose(w.numpy(), [-0.5, 0.5, -0.5], rtol=1e-3)


def test_a_constant_gradient_has_no_negative_variance():
    w = tg.Tensor(np.ones(1000, np.float32), requires_grad=True)
    made = optim.RMSprop([w], lr=1e-9, alpha=0.5, centered=True)
    g = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    for _ in range(60):
        w.grad = g
        made.step()
    assert np.isfinite(w.numpy()).all()


@pytest.mark.parametrize("kind", [value for value in vars(optim).values() if isinstance(value, type)])
def test_a_setting_is_declared_once_and_a_rule_names_what_it_uses(kind):
    if kind is optim.Optimizer:
        return
    made = kind([leaf()], lr=0.1)
    names = [name for name in kind.declared if name not in ("params", "maximize")]
    assert list(inspect.signature(kind).parameters) == ["params", *names, "maximize"]
    assert list(made.param_groups[0]) == list(made.defaults) == [*names, "maximize"]
    assert made.defaults == {**kind.preset, "lr": 0.1}
    assert not any(hasattr(made, name) for name in names)
    if kind is optim.LBFGS:  # it has no rule for one number
        return
    named = list(inspect.signature(kind.update).parameters.values())[4:]
    assert {p.default for p in named} <= {inspect.Parameter.empty, None}  # the declaration alone has a default
    needed = {p.name for p in named if p.default is p.empty}
    assert needed <= made.given_at(1, made.defaults).keys() <= {p.name for p in named}


# -- how they are written ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), EVERY)
@pytest.mark.parametrize("layout", ["small", "blocks", "transposed", "number"])
def test_blocks_change_nothing_and_single_stays_single(monkeypatch, kind, options, layout):
    rng = np.random.default_rng(0)
    array = {
        "small": rng.random((2, 5), np.float32),
        "blocks": rng.random((7, 5), np.float32),
        "transposed": rng.random((5, 7), np.float32).T,
        "number": np.array(0.5, np.float32),
    }[layout]
    a, b = tg.Tensor(array.copy(), requires_grad=True), tg.Tensor(array, requires_grad=True)
    whole, parts = kind([a], **options), kind([b], **{key: np.float64(value) for key, value in options.items()})
    walk(whole, [a], 3)
    monkeypatch.setattr(blocks, "BYTES_OF_A_PART", 10 * 4)
    walk(parts, [b], 3)
    assert np.array_equal(a.numpy(), b.numpy())
    assert b.data is array
    assert b.dtype == np.float32
    assert all(np.asarray(x).dtype == np.float32 for k, x in parts.state_dict()["state"][0].items() if k != "step")


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_a_rule_is_a_pure_function_that_records(kind, options):
    made = kind([leaf()], **options)
    settings = made.given_at(3, made.param_groups[0])
    w, g = leaf((1.0, 2.0)), leaf((0.5, -0.5))
    state = {key: leaf((0.3, 0.4)) for key in made.start(made.defaults)}
    arrays = {key: value.numpy() for key, value in state.items()}  # read-only
    new, kept = kind.update(w, g, state, **settings)
    expected, expected_state = kind.update(w.numpy(), g.numpy(), arrays, **settings)
    assert np.array_equal(new.numpy(), expected)
    assert kept.keys() == expected_state.keys() == arrays.keys()
    assert all(np.array_equal(kept[key].numpy(), expected_state[key]) for key in kept)
    new.sum().backward()  # a step can be differentiated
    assert np.isfinite(g.grad.numpy()).all()


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_a_step_keeps_no_memory_but_its_state(kind, options):
    w = leaf()
    made = kind([w], **options)
    walk(made, [w], 1)
    member = made.param_groups[0].members[0]
    before = {key: id(array) for key, array in member.state.items()}
    walk(made, [w], 3)
    assert {key: id(array) for key, array in member.state.items()} == before


def test_steps_are_counted_for_each_parameter():
    a, b, alone = leaf(), leaf(), leaf()
    made, other = optim.Adam([a, b], lr=0.1), optim.Adam([alone], lr=0.1)
    walk(made, [a], 3)
    walk(made, [b], 1)  # a has a gradient still
    walk(other, [alone], 1)
    assert [made.state_dict()["state"][i]["step"] for i in (0, 1)] == [4, 1]
    np.testing.assert_allclose(b.numpy(), alone.numpy(), rtol=1e-15)


# -- state -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), EVERY)
def test_resuming_equals_going_on(kind, options):
    w, again = leaf(), leaf()
    one, two = kind([w], **options), kind([again], lr=9.0)
    walk(one, [w], 3)
    state, weights = one.state_dict(), w.tolist()
    walk(one, [w], 4, seed=1)
    two.load_state_dict(state)
    again.data[...] = weights
    walk(two, [again], 4, seed=1)
    assert again.tolist() == w.tolist()


def test_a_state_that_went_through_json_is_the_same():
    w, again = leaf(), leaf()
    one, two = optim.Adam([w], lr=0.1), optim.Adam([again], lr=0.1)
    walk(one, [w], 3)
    state = one.state_dict()
    state["state"] = {i: {key: np.asarray(x).tolist() for key, x in kept.items()} for i, kept in state["state"].items()}
    state = json.loads(json.dumps(state))
    state["state"] = {int(i): kept for i, kept in state["state"].items()}
    two.load_state_dict(state)
    again.data[...] = w.numpy()
    walk(one, [w], 2)
    walk(two, [again], 2)
    assert again.tolist() == w.tolist()
    assert two.param_groups[0]["betas"] == (0.9, 0.999)


def test_what_a_rule_keeps_may_grow():
    w = leaf()
    made = optim.RMSprop([w], lr=0.1)
    walk(made, [w], 2)
    made.param_groups[0]["momentum"] = 0.9
    made.param_groups[0]["centered"] = True
    walk(made, [w], 2)
    assert made.state_dict()["state"][0].keys() == {"step", "square", "mean", "velocity"}


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (optim.AdaGrad, {"lr": -1}, "AdaGrad's lr is not negative"),
        (optim.AdaGrad, {"lr_decay": -1}, "AdaGrad's lr_decay"),
        (optim.RMSprop, {"alpha": 1.5}, "RMSprop's alpha is at most 1"),
        (optim.RMSprop, {"eps": math.nan}, "RMSprop's eps"),
        (optim.Adam, {"betas": (0.9, 1.0)}, "Adam's betas are two numbers from 0 to below 1"),
        (optim.Adam, {"betas": (0.9,)}, "Adam's betas"),
        (
            optim.AdamW,
            {"weight_decay": -0.1},
            r"AdamW's weight_decay .*, but got -0\.1; write weight_decay=0\.01, the def",
        ),
        (optim.Adam, {"lr": -0.1}, r"lr is not negative, but got -0\.1; write lr=0\.1, with maximize=True to climb"),
        (
            optim.NAdam,
            {"betas": (-0.1, 0.9)},
            r"NAdam's betas.*got \(-0\.1, 0\.9\); write betas=\(0\.9, 0\.999\), the default",
        ),
        (optim.RAdam, {"betas": 0.9}, "RAdam's betas are two numbers from 0 to below 1, but got 0.9"),
        (optim.Lion, {"betas": ("0.9", 0.99)}, "Lion's betas are two numbers"),
        (optim.Momentum, {"momentum": -0.9}, "Momentum's momentum is not negative"),
        (optim.Adadelta, {"rho": 1.1}, "Adadelta's rho is at most 1, but got 1.1"),
        (optim.Adamax, {"eps": -1e-8}, "Adamax's eps is not negative"),
        (optim.Rprop, {"etas": (1.2, 0.5)}, "Rprop's etas are two numbers, one between 0 and 1, one above 1"),
        (optim.Rprop, {"step_sizes": (1.0, 0.5)}, "Rprop's step_sizes are two numbers, the smaller first"),
        (optim.ASGD, {"t0": -1}, "ASGD's t0 is not negative"),
        (optim.Adam, {"amsgrad": "yes"}, "Adam's amsgrad is True or False, but got 'yes'; write amsgrad=False"),
        (optim.Adam, {"maximize": 2}, "Adam's maximize is True or False, but got 2"),
        (optim.LBFGS, {"max_iter": 0}, "LBFGS's max_iter is a whole number above 0, but got 0; write max_iter=20"),
        (optim.LBFGS, {"max_eval": 1.5}, "LBFGS's max_eval is a whole number above 0, but got 1.5"),
        (
            optim.LBFGS,
            {"line_search_fn": "wolfe"},
            "LBFGS's line_search_fn is None or \"strong_wolfe\", but got 'wolfe'",
        ),
    ],
)
def test_settings_that_make_no_sense(kind, wrong, message):
    with pytest.raises(ValueError, match=message):
        kind([leaf()], **wrong)
    made = kind([leaf()])
    state = made.state_dict()
    state["param_groups"][0].update(wrong)
    with pytest.raises(ValueError, match=message):
        made.load_state_dict(state)
    assert made.state_dict() == kind([leaf()]).state_dict()


LARGE = """
p = tg.Tensor(np.zeros(2_000_000, np.float32), requires_grad=True)
p.grad = np.ones(2_000_000, np.float32)
optimizer = tg.optim.Adam([p])

def step():
    optimizer.step()
"""

SMALL = """
weights = [tg.Tensor(np.full(shape, 0.01, np.float32), requires_grad=True) for shape in [(784, 50), (50, 10)]]
optimizer = tg.optim.Adam(weights)
x = np.ones((100, 784), np.float32)

def step():
    optimizer.zero_grad()
    (tg.relu(x @ weights[0]) @ weights[1]).sum().backward()
    optimizer.step()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux does")
@pytest.mark.parametrize("program", [LARGE, SMALL], ids=["a large parameter", "a small network"])
def test_steps_are_computed_in_memory_that_is_kept(program):
    """In a program that has not freed large arrays before, the system would hand it out anew, page by page."""
    code = f"""
import resource
import numpy as np
import tinygrad_edu as tg
{program}
for _ in range(8):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 20
