"""L-BFGS and its line search."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim.line_search import LEAST_DECREASE, MOST_SLOPE_LEFT, Point, strong_wolfe


def leaf(values, **options):
    return tg.Tensor(values, requires_grad=True, **options)


def closing(optimizer, function):
    """The closure of a function of the parameters; `closure.calls` counts."""

    def closure():
        closure.calls += 1
        optimizer.zero_grad()
        loss = function()
        loss.backward()
        return loss

    closure.calls = 0
    return closure


# -- the line search ---------------------------------------------------------------------------------

NUMBER = st.floats(-2, 2)


@settings(max_examples=300, deadline=None)
@given(
    waves=st.lists(st.tuples(NUMBER, st.floats(0.2, 4), NUMBER), min_size=1, max_size=3), log_step=st.floats(-3, 1.5)
)
def test_what_is_found_fulfils_the_strong_wolfe_conditions(waves, log_step):
    def phi(t):
        value = 0.05 * t * t + sum(a * math.sin(w * t + b) for a, w, b in waves)
        return Point(t, value, 0.1 * t + sum(a * w * math.cos(w * t + b) for a, w, b in waves))

    tried = []

    def evaluate(t):
        tried.append(t)
        return phi(t)

    start = phi(0.0)
    assume(start.slope < -1e-2)
    found = strong_wolfe(evaluate, start, 10**log_step, length=1.0, tolerance=1e-12, most=60)
    assert found == phi(found.step)
    assert found.value <= start.value + LEAST_DECREASE * found.step * start.slope
    assert abs(found.slope) <= -MOST_SLOPE_LEFT * start.slope
    assert found.step in tried
    assert len(tried) <= 61


def test_a_wall_is_not_climbed():
    """Where the function has no finite value, it is too high."""

    def phi(t):
        return Point(t, math.nan if t > 1 else (t - 0.9) ** 2, math.nan if t > 1 else 2 * (t - 0.9))

    assert 0.01 < strong_wolfe(phi, phi(0.0), 50.0, 1.0).step < 1


def test_the_search_keeps_to_its_number_of_points():
    calls = []

    def phi(t):
        calls.append(t)
        return Point(t, -t, -1.0)  # falls for ever

    for most in (0, 1, 5):
        calls.clear()
        assert strong_wolfe(phi, Point(0.0, 0.0, -1.0), 1.0, 1.0, most=most).step == max(calls)
        assert len(calls) == most + 1
    up = strong_wolfe(lambda t: Point(t, t, 1.0), Point(0.0, 0.0, -1.0), 1.0, 1.0, most=3)
    assert up.step == 0.0  # nowhere lower


# -- the optimizer -----------------------------------------------------------------------------------


def test_a_quadratic_of_n_variables_takes_about_n_updates():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((6, 6))
    a, b = a @ a.T + np.eye(6), rng.standard_normal(6)
    w = leaf(np.zeros(6))
    made = optim.LBFGS([w], line_search_fn="strong_wolfe", max_iter=25, tolerance_change=0.0)
    closure = closing(made, lambda: 0.5 * w @ a @ w - w @ b)
    first = made.step(closure)
    assert first.item() == 0
    np.testing.assert_allclose(w.numpy(), np.linalg.solve(a, b), atol=1e-6)
    assert closure.calls < 30
    calls = closure.calls
    made.step(closure)
    assert closure.calls == calls + 1  # it is done


def test_several_parameters_are_one_vector_and_types_stay():
    a, b = leaf(np.float32([[1.0, -2.0], [3.0, 0.5]])), leaf([0.3, 0.7])
    arrays = a.data, b.data
    made = optim.LBFGS([a, b], line_search_fn="strong_wolfe")
    for _ in range(3):
        made.step(closing(made, lambda: np.square(a - 1).sum() + np.square(b - a[0]).sum()))
    np.testing.assert_allclose(a.numpy(), 1, atol=1e-4)
    np.testing.assert_allclose(b.numpy(), 1, atol=1e-4)
    assert (a.dtype, b.dtype) == (np.float32, np.float64)
    assert (a.data is arrays[0], b.data is arrays[1]) == (True, True)


def test_a_parameter_without_a_gradient_stays():
    a, b = leaf([1.0]), leaf([5.0])
    made = optim.LBFGS([a, b], line_search_fn="strong_wolfe")
    made.step(closing(made, lambda: np.square(a).sum()))
    np.testing.assert_allclose([a.item(), b.item()], [0, 5], atol=1e-8)


def test_it_climbs():
    w = leaf([0.3])
    made = optim.LBFGS([w], line_search_fn="strong_wolfe", maximize=True)
    made.step(closing(made, lambda: np.sin(w).sum()))
    np.testing.assert_allclose(w.item(), math.pi / 2, atol=1e-4)


def test_an_error_on_the_way_leaves_the_weights_where_they_were():
    w = leaf([3.0, 4.0])
    made = optim.LBFGS([w], line_search_fn="strong_wolfe")
    calls = []

    def closure():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        made.zero_grad()
        loss = np.square(w).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyboardInterrupt):
        made.step(closure)
    assert w.tolist() == [3, 4]
    made.step(closure)
    np.testing.assert_allclose(w.numpy(), 0, atol=1e-6)


def valley(w):
    return ((1 - w[:-1]) ** 2 + 10 * (w[1:] - w[:-1] ** 2) ** 2).sum()


@pytest.mark.parametrize("how", ["state", "JSON", "deepcopy", "pickle"])
@pytest.mark.parametrize("options", [{"line_search_fn": "strong_wolfe", "max_iter": 2}, {"lr": 0.1, "max_iter": 3}])
def test_resuming_equals_going_on(how, options):
    w = leaf(np.linspace(-1, 1, 5))
    made = optim.LBFGS([w], **options)
    for _ in range(4):
        made.step(closing(made, lambda: valley(w)))
    if how in ("state", "JSON"):
        again = leaf(w.numpy().copy())
        other, state = optim.LBFGS([again], lr=7.0), made.state_dict()
        if how == "JSON":
            state = json.loads(json.dumps(state, default=lambda array: array.tolist()))
            state["state"] = {int(i): kept for i, kept in state["state"].items()}
        other.load_state_dict(state)
    else:
        other, again = (copy.deepcopy if how == "deepcopy" else lambda x: pickle.loads(pickle.dumps(x)))((made, w))
    for _ in range(6):
        losses = made.step(closing(made, lambda: valley(w))), other.step(closing(other, lambda: valley(again)))
        assert losses[0].item() == losses[1].item()
    assert w.tolist() == again.tolist()
    made.state_dict()["state"][0]["moves"][...] = 0
    assert made.state_dict()["state"][0]["moves"].any()


def test_what_lbfgs_refuses():
    w, b = leaf([1.0, 2.0]), leaf([1.0])
    with pytest.raises(ValueError, match=r"LBFGS takes one group.* but got 2: write LBFGS\(\[w, b\]\)"):
        optim.LBFGS([{"params": [w]}, {"params": [b]}])
    made = optim.LBFGS([w])
    with pytest.raises(ValueError, match="has one group, since its curvature is that of all parameters together"):
        made.add_param_group({"params": [b]})
    with pytest.raises(TypeError, match=r"again and again: write def closure\(\): optimizer\.zero_grad\(\)"):
        made.step()
    with pytest.raises(TypeError, match="step\\(\\) takes a function that computes the loss"):
        made.step(np.square(w).sum())
    with pytest.raises(TypeError, match="returned None: end it with return loss"):
        made.step(lambda: None)
    with pytest.raises(ValueError, match=r"left no gradient: write loss\.backward\(\) in it"):
        made.step(lambda: np.square(w).sum())
    assert w.tolist() == [1, 2]
    other = optim.LBFGS([b])
    other.step(closing(other, lambda: np.square(b).sum()))
    with pytest.raises(ValueError, match="the state is of 1 weights, but the parameters of this LBFGS have 2"):
        made.load_state_dict(other.state_dict())
    for state in ({}, [1]):
        with pytest.raises(ValueError, match=r"takes what optimizer\.state_dict\(\) gives"):
            made.load_state_dict(state)
    assert made.state_dict()["state"] == {}
