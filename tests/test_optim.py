"""Optimizers: what they share, and SGD."""

from __future__ import annotations

import gc

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import SGD, optimizer


def leaf(values=(3.0, 4.0), **options):
    return tg.Tensor(list(values), requires_grad=True, **options)


def slope(w, g):
    w.grad = np.asarray(g, w.dtype)


# -- SGD ---------------------------------------------------------------------------------------------


def test_one_step_by_hand():
    w = leaf()
    slope(w, [1.0, -2.0])
    SGD([w], lr=0.5).step()
    assert w.tolist() == [2.5, 5.0]


def test_momentum_nesterov_and_decay_by_hand():
    g = np.array([1.0, -2.0])
    for nesterov in (False, True):
        w = leaf()
        sgd = SGD([w], lr=0.1, momentum=0.9, weight_decay=0.5, nesterov=nesterov)
        x, v = np.array([3.0, 4.0]), np.zeros(2)
        for _ in range(5):
            slope(w, g)
            sgd.step()
            d = g + 0.5 * x
            v = 0.9 * v + d  # so the first velocity is the gradient itself
            x = x - 0.1 * (d + 0.9 * v if nesterov else v)
        np.testing.assert_allclose(w.numpy(), x, rtol=1e-14)


@pytest.mark.parametrize(("steps", "expected"), [(20, (-0.03458765, 0.04611686)), (100, (-6.1111e-10, 8.1481e-10))])
def test_descent_on_a_bowl_as_in_the_chapter(steps, expected):
    w = leaf((-3.0, 4.0))
    sgd = SGD([w], lr=0.1)
    for _ in range(steps):
        sgd.zero_grad()
        (w * w).sum().backward()
        sgd.step()
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "expected"), [({"lr": 0.95}, (-0.35039, 0.084782)), ({"lr": 0.1, "momentum": 0.9}, (0.89641, 0.088086))]
)
def test_the_chapter_s_ravine(options, expected):
    x, y = tg.Tensor(-7.0, requires_grad=True), tg.Tensor(2.0, requires_grad=True)
    sgd = SGD([x, y], **options)
    for _ in range(30):
        sgd.zero_grad()
        (x**2 / 20 + y**2).backward()
        sgd.step()
    np.testing.assert_allclose([x.item(), y.item()], expected, rtol=1e-4)


def test_a_network_learns():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2)).astype(np.float32)
    t = (x[:, 0] * x[:, 1] > 0).astype(int)
    model = nn.Sequential(nn.Linear(2, 16, generator=rng), nn.Tanh(), nn.Linear(16, 2, generator=rng))
    sgd = SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(150):
        sgd.zero_grad()
        F.cross_entropy(model(x), t).backward()
        sgd.step()
    assert (model(x).numpy().argmax(1) == t).mean() > 0.97
    assert all(p.dtype == np.float32 for p in model.parameters())


# -- writing in place --------------------------------------------------------------------------------


def test_a_step_writes_in_place_and_graphs_notice():
    w = leaf()
    array, view = w.data, w.detach()
    loss = (w * w).sum()
    slope(w, [1.0, 1.0])
    SGD([w], lr=1.0).step()
    assert w.data is array
    assert view.tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("layout", ["small", "blocks", "transposed", "strided", "number"])
def test_blocks_change_nothing(monkeypatch, momentum, layout):
    monkeypatch.setattr(optimizer, "BLOCK", 10 * 4)  # ten numbers of float32
    rng = np.random.default_rng(0)
    array = {
        "small": rng.random((2, 5), np.float32),
        "blocks": rng.random((7, 5), np.float32),  # three and a half blocks
        "transposed": rng.random((5, 7), np.float32).T,
        "strided": rng.random((14, 5), np.float32)[::2],
        "number": np.array(0.5, np.float32),
    }[layout]
    expected, v = array.copy(), np.zeros_like(array)
    w = tg.Tensor(array, requires_grad=True)
    sgd = SGD([w], lr=0.1, momentum=momentum, weight_decay=0.01)
    for _ in range(3):
        g = np.asarray(rng.random(array.shape, np.float32))
        slope(w, g)
        sgd.step()
        v = np.float32(momentum) * v + (g + np.float32(0.01) * expected)
        expected = expected - np.float32(0.1) * v
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-6)
    assert w.data is array
    assert w.dtype == np.float32


def test_numpy_numbers_as_settings_do_not_widen():
    w = tg.Tensor(np.ones(3, np.float32), requires_grad=True)
    sgd = SGD([w], lr=np.float64(0.1), momentum=np.float64(0.9))
    sgd.param_groups[0]["lr"] = np.float64(0.01)
    slope(w, np.ones(3))
    sgd.step()
    assert sgd.state_dict()["state"][0]["velocity"].dtype == np.float32


def test_parameters_without_a_gradient_stay():
    w, frozen = leaf(), tg.Tensor([1.0])
    sgd = SGD([w, frozen], lr=1.0, weight_decay=1.0)
    sgd.step()
    assert (w.tolist(), frozen.tolist()) == ([3, 4], [1])
    slope(w, [1.0, 1.0])
    sgd.zero_grad()
    assert w.grad is None


def test_the_rule_is_a_pure_function_that_records():
    w, g, v = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(3))
    for options in ({}, {"nesterov": True}):
        settings = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.5, "nesterov": False, **options}
        new, state = SGD.update(w, g, {"velocity": v}, **settings)
        arrays, kept = SGD.update(w.numpy(), g.numpy(), {"velocity": v.numpy()}, **settings)
        assert new.op is not None
        assert np.array_equal(new.numpy(), arrays)
        assert np.array_equal(state["velocity"].numpy(), kept["velocity"])
        assert w.tolist() == [1, 2]


# -- groups ------------------------------------------------------------------------------------------


def test_groups_have_settings_of_their_own():
    a, b = leaf((1.0,)), leaf((1.0,))
    sgd = SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    slope(a, [1.0])
    slope(b, [1.0])
    sgd.step()
    np.testing.assert_allclose([a.item(), b.item()], [0.9, 0.5])
    sgd.param_groups[0]["lr"] = 0.9
    sgd.step()
    np.testing.assert_allclose([a.item(), b.item()], [0, 0], atol=1e-12)
    assert sgd.param_groups[1]["params"] == [b]
    assert repr(sgd) == (
        "SGD(1 parameters, lr=0.9, momentum=0.0, weight_decay=0.0, nesterov=False; "
        "1 parameters, lr=0.5, momentum=0.0, weight_decay=0.0, nesterov=False)"
    )


def test_momentum_may_be_set_later():
    w = leaf((0.0,))
    sgd = SGD([w], lr=1.0)
    for _ in range(2):
        slope(w, [1.0])
        sgd.step()
    sgd.param_groups[0]["momentum"] = 0.5
    for _ in range(2):
        slope(w, [1.0])
        sgd.step()
    assert w.item() == -2 - 1 - 1.5


def test_settings_are_where_they_are():
    sgd = SGD([leaf_ := leaf()], lr=0.1)
    with pytest.raises(
        AttributeError, match=r"lr is a setting of each group: write optimizer\.param_groups\[0\]\['lr'\] = 0.5"
    ):
        sgd.lr = 0.5
    with pytest.raises(AttributeError):
        sgd.learning_rate = 0.5
    with pytest.raises(KeyError, match="has lr, momentum, weight_decay, nesterov, but no 'Lr'"):
        sgd.param_groups[0]["Lr"] = 0.5
    with pytest.raises(KeyError, match="but no 'betas'"):
        sgd.param_groups[0]["betas"]
    assert leaf_.tolist() == [3, 4]


def test_what_an_optimizer_refuses():
    w = leaf(name="w")
    with pytest.raises(ValueError, match="no parameters; are they attributes of the module"):
        SGD([], lr=0.1)
    with pytest.raises(ValueError, match="no parameters"):
        SGD([{"params": []}], lr=0.1)
    with pytest.raises(ValueError, match="was given 'w' twice"):
        SGD([w, w], lr=0.1)
    with pytest.raises(ValueError, match="was given 'w' twice"):
        SGD([{"params": [w]}, {"params": [w]}], lr=0.1)
    with pytest.raises(TypeError, match=r"takes a list of parameters: write \[w\]"):
        SGD(w, lr=0.1)
    with pytest.raises(TypeError, match="updates tensors, but was given ndarray"):
        SGD([np.ones(2)], lr=0.1)
    with pytest.raises(TypeError, match="leaves of floating numbers, which the result of multiply is not"):
        SGD([w * 2], lr=0.1)
    with pytest.raises(TypeError, match="leaves of floating numbers"):
        SGD([tg.arange(3)], lr=0.1)
    with pytest.raises(TypeError, match="but a group says betas"):
        SGD([{"params": [w], "betas": 1}], lr=0.1)
    for wrong in ({"lr": -1}, {"lr": float("nan")}, {"momentum": -0.1}, {"weight_decay": -1}):
        with pytest.raises(ValueError, match=f"SGD's {next(iter(wrong))} is not negative"):
            SGD([w], **{"lr": 0.1, **wrong})
    with pytest.raises(ValueError, match="Nesterov's momentum needs a momentum"):
        SGD([w], lr=0.1, nesterov=True)


def test_a_parameter_that_was_replaced_is_noticed():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    sgd = SGD(model.parameters(), lr=0.1)
    model[1].weight = nn.Parameter(np.zeros((2, 2)))
    gc.collect()
    for act in (sgd.step, sgd.zero_grad):
        with pytest.raises(RuntimeError, match=r"was given '1\.weight', which no longer exists"):
            act()


def test_a_name_bound_to_a_new_tensor_is_noticed():
    w = leaf(name="w")
    sgd = SGD([w], lr=0.1)
    w = w.detach() - 0.1
    with pytest.raises(RuntimeError, match=r"write `w -= \.\.\.` under no_grad"):
        sgd.step()
    assert w.shape == (2,)


# -- state -------------------------------------------------------------------------------------------


def trained(steps, sgd, w):
    for i in range(steps):
        slope(w, [1.0, float(i)])
        sgd.step()


def test_resuming_equals_going_on():
    w, again = leaf(), leaf()
    one, two = SGD([w], lr=0.1, momentum=0.9), SGD([again], lr=0.5, momentum=0.1)
    trained(3, one, w)
    state, weights = one.state_dict(), w.tolist()
    trained(2, one, w)
    two.load_state_dict(state)
    again.data[...] = weights
    trained(2, two, again)
    assert again.tolist() == w.tolist()
    assert two.param_groups[0]["lr"] == 0.1


def test_state_is_copied_both_ways():
    w = leaf()
    sgd = SGD([w], lr=0.1, momentum=0.9)
    trained(2, sgd, w)
    state = sgd.state_dict()
    assert state["param_groups"] == [
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False, "params": [0]}
    ]
    velocity = state["state"][0]["velocity"].copy()
    trained(1, sgd, w)
    assert np.array_equal(state["state"][0]["velocity"], velocity)
    sgd.load_state_dict(state)
    state["state"][0]["velocity"][:] = 7
    assert np.array_equal(sgd.state_dict()["state"][0]["velocity"], velocity)


def test_a_state_that_does_not_fit_changes_nothing():
    w = leaf()
    sgd = SGD([w], lr=0.1, momentum=0.9)
    trained(1, sgd, w)
    other = SGD([leaf(), leaf((1.0, 2.0, 3.0))], lr=0.3, momentum=0.9)
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, but this SGD has \[2\]"):
        other.load_state_dict(sgd.state_dict())
    state = sgd.state_dict()
    state["param_groups"][0]["betas"] = 1
    with pytest.raises(ValueError, match="settings"):
        sgd.load_state_dict(state)
    state = sgd.state_dict()
    state["state"][0]["velocity"] = np.zeros(5)
    state["param_groups"][0]["lr"] = 9.0
    with pytest.raises(ValueError, match=r"velocity of .* has shape \(5,\), but the parameter \(2,\)"):
        sgd.load_state_dict(state)
    assert sgd.param_groups[0]["lr"] == 0.1


def test_an_optimizer_of_one_s_own():
    class SignDescent(optim.Optimizer):
        """w ← w − η·sign g."""

        def __init__(self, params, lr):
            super().__init__(params, lr=lr)

        @staticmethod
        def update(param, grad, state, out=None, *, lr):
            return param - lr * np.sign(grad), state

    w = leaf()
    slope(w, [5.0, -5.0])
    SignDescent([w], lr=0.5).step()
    assert w.tolist() == [2.5, 4.5]
