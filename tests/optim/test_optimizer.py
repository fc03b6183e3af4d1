"""Optimizers: what they share, and SGD."""

from __future__ import annotations

import collections
import copy
import gc
import inspect
import itertools
import multiprocessing
import operator
import pickle
import weakref
from dataclasses import KW_ONLY, InitVar
from typing import Annotated

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.measuring import peak_bytes
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import SGD, blocks
from tinygrad_edu.optim.settings import Bound, NotNegative, Switch, pair


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
    monkeypatch.setattr(blocks, "BYTES_OF_A_PART", 10 * 4)  # ten numbers of float32
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
        "SGD(1 parameters, lr=0.9, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False; "
        "1 parameters, lr=0.5, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False)"
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
    with pytest.raises(KeyError, match=r"has lr, momentum, .*nesterov, maximize, but no 'Lr'"):
        sgd.param_groups[0]["Lr"] = 0.5
    with pytest.raises(KeyError, match="but no 'betas'"):
        sgd.param_groups[0]["betas"]
    assert leaf_.tolist() == [3, 4]


def test_what_an_optimizer_refuses():
    w = leaf(name="w")
    with pytest.raises(AttributeError, match="SGD has no zero_grads; did you mean zero_grad"):
        SGD([w], lr=0.1).zero_grads()
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
    with pytest.raises(TypeError, match="leaves of floating numbers"):
        SGD([tg.Tensor([1j])], lr=0.1)
    with pytest.raises(TypeError, match="but a group says betas"):
        SGD([{"params": [w], "betas": 1}], lr=0.1)
    for wrong in ({"lr": -1}, {"lr": float("nan")}, {"momentum": -0.1}, {"weight_decay": -1}):
        with pytest.raises(ValueError, match=f"SGD's {next(iter(wrong))} is not negative"):
            SGD([w], **{"lr": 0.1, **wrong})
    with pytest.raises(ValueError, match="Nesterov's momentum needs a momentum"):
        SGD([w], lr=0.1, nesterov=True)


@pytest.mark.parametrize(
    ("wrong", "cure"),
    [
        (lambda m, w: m, r"was given a Sequential: write SGD\(model\.parameters\(\), …\)"),
        (lambda m, w: nn.Linear, r"was given the class Linear: write SGD\(Linear\(\)\.parameters\(\), …\)"),
        (lambda m, w: m.parameters, r"a method that was not called: write model\.parameters\(\)"),
        (lambda m, w: m.named_parameters(), r"was given tuple; write model\.parameters\(\)"),
        (lambda m, w: [m[0], m[1]], r"was given Linear; write \[\*a\.parameters\(\), \*b\.parameters\(\)\]"),
        (lambda m, w: [m[0].parameters()], r"was given generator; write \[\*a\.parameters"),
        (lambda m, w: [m.parameters], r"was given method; call it: model\.parameters\(\)"),
        (lambda m, w: {"w": w}, r"was given a dict: write params\.values\(\)"),
        (lambda m, w: {"params": [w]}, r"was given a dict: write \[group\]"),
        (lambda m, w: m.state_dict().values(), r"was given ndarray; make a leaf of it: w = tg\.Tensor\("),
        (lambda m, w: [{"params": [w]}, w], r"was given dict; make all of them groups"),
        (lambda m, w: ["w"], r"was given str; write model\.parameters\(\)"),
        (lambda m, w: [{"lr": 0.1}], r'groups with "params", their parameters, but one has lr'),
        (lambda m, w: 3, r"a list of parameters, such as model\.parameters\(\), but got int 3"),
        (lambda m, w: {w}, r"given a set, which has no order .* write a list, \[w, b\]"),
        (lambda m, w: frozenset([w]), "given a frozenset, which has no order"),
        (lambda m, w: weakref.WeakSet([w]), "given a WeakSet, which has no order"),
        (lambda m, w: [{"params": {w}}], "given a set, which has no order"),
    ],
)
def test_what_holds_no_parameters_in_an_order_is_answered_with_what_to_write(wrong, cure):
    with pytest.raises(TypeError, match=cure):
        SGD(wrong(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), leaf()), lr=0.1)


def test_parameters_may_come_in_anything_that_has_an_order():
    w, b = leaf(), leaf()
    by_name = {"w": w, "b": b}
    for params in (
        by_name.values(),
        (p for p in (w, b)),
        (w, b),
        collections.deque([w, b]),
        dict.fromkeys([w, b]).keys(),
    ):
        assert SGD(params, lr=0.1).param_groups[0]["params"] == [w, b]


@pytest.mark.parametrize("kind", [SGD, optim.AdaGrad, optim.RMSprop, optim.Adam, optim.AdamW])
def test_a_setting_that_is_no_number_is_answered(kind):
    with pytest.raises(TypeError, match=rf"{kind.__name__}'s lr is a number, but got str '0.1'; write lr=0\.1"):
        kind([leaf()], lr="0.1")
    with pytest.raises(TypeError, match=r"lr is a number, but got str 'fast'$"):
        kind([leaf()], lr="fast")
    made = kind([leaf()], lr=0.5)
    for wrong in ("0.1", None, [0.1], np.ones(2)):
        with pytest.raises(TypeError, match="lr is a number, but got"):
            made.param_groups[0]["lr"] = wrong
    made.param_groups[0]["lr"] = tg.Tensor(0.25)
    assert made.param_groups[0]["lr"] == 0.25


def test_gradients_are_forgotten_and_not_set_to_zero():
    model = nn.Linear(2, 2)
    for made in (model, SGD(model.parameters(), lr=0.1)):
        slope(model.weight, np.ones((2, 2)))
        made.zero_grad(set_to_none=True)
        assert model.weight.grad is None
        with pytest.raises(ValueError, match="leave set_to_none=False out"):
            made.zero_grad(set_to_none=False)


# -- what the optimizer holds ------------------------------------------------------------------------


def test_an_optimizer_holds_its_parameters():
    sgd = SGD([nn.Parameter([3.0, 4.0])], lr=0.5)
    gc.collect()
    for _ in range(3):
        sgd.zero_grad()
        sgd.step()  # no gradient yet, and none missed
    for expected in ([2.5, 3.5], [2.0, 3.0]):
        sgd.zero_grad()
        sgd.zero_grad()
        (w,) = sgd.param_groups[0]["params"]
        w.sum().backward()
        del w
        sgd.step()
        assert sgd.param_groups[0]["params"][0].tolist() == expected


def test_a_parameter_with_a_gradient_is_stepped_though_nothing_else_holds_it():
    def made():
        w = leaf()
        sgd = SGD([w], lr=0.5)
        sgd.zero_grad()
        w.sum().backward()
        return sgd

    sgd = made()
    sgd.step()
    assert sgd.param_groups[0]["params"][0].tolist() == [2.5, 3.5]


def through_read_only_memory(x):
    """Pickled with the arrays apart, and back with arrays that cannot be written: so joblib hands over what is large."""
    buffers = []
    kept = pickle.dumps(x, protocol=5, buffer_callback=buffers.append)
    return pickle.loads(kept, buffers=[bytes(buffer) for buffer in buffers])


def duplicates():
    return [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), through_read_only_memory]


class Own(optim.Optimizer):
    """An optimizer with attributes of its own."""

    def __init__(self, params, lr):
        self.note = "before"
        super().__init__(params, lr=lr)
        self.steps_taken = 0

    def start(self, settings):
        return {"velocity": 0.0}

    @staticmethod
    def update(param, grad, state, out=None, *, lr):
        velocity = 0.5 * state["velocity"] + grad  # new arrays, and nothing written to `out`
        return param - lr * velocity, {"velocity": velocity}


Pair = Annotated[tuple[float, float], Bound(pair(lambda a, b: a < b), "are two growing numbers", number=False)]


class Declaring(optim.Optimizer):
    """An optimizer of one's own that declares its settings."""

    lr: InitVar[NotNegative]
    flavour: InitVar[Pair] = (0.0, 1.0)
    _: KW_ONLY
    sharp: InitVar[Switch] = False

    @staticmethod
    def update(param, grad, state, out=None, *, lr, flavour):
        return param - lr * flavour[1] * grad, state


KINDS = [
    lambda p: SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.AdaGrad(p),
    lambda p: optim.RMSprop(p, centered=True, momentum=0.9),
    lambda p: optim.Adam(p),
    lambda p: optim.AdamW(p),
    lambda p: Own(p, 0.1),
    lambda p: Declaring(p, 0.1, flavour=(1.0, 2.0)),
    lambda p: optim.NAdam(p),
    lambda p: optim.Rprop(p),
]


@pytest.mark.parametrize("duplicate", duplicates())
@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("order", ["model first", "optimizer first"])
def test_a_copy_of_model_optimizer_and_schedule_trains_the_copy(duplicate, make, order):
    def train(model, made, schedule):
        for _ in range(2):
            made.zero_grad()
            np.square(model(np.ones((3, 2), np.float32))).sum().backward()
            made.step()
            schedule.step()

    model = nn.Sequential(nn.Linear(2, 2), F.softplus, nn.Linear(2, 1))
    made = make(model.parameters())
    schedule = optim.lr_scheduler.StepLR(made, 1, 0.5)
    train(model, made, schedule)
    before = model.state_dict()
    if order == "model first":
        twin, other, again = duplicate((model, made, schedule))
    else:
        again, other, twin = duplicate((schedule, made, model))
    assert again.optimizer is other
    assert all(p is q for p, q in zip(twin.parameters(), other.param_groups[0]["params"], strict=True))
    train(twin, other, again)
    assert all(np.array_equal(array, before[key]) for key, array in model.state_dict().items())
    assert not np.array_equal(twin.state_dict()["0.weight"], before["0.weight"])
    train(model, made, schedule)
    assert all(np.array_equal(array, model.state_dict()[key]) for key, array in twin.state_dict().items())
    assert vars(other) == vars(made) if isinstance(made, Own) else type(other) is type(made)


def test_what_cannot_be_written_is_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"SGD writes.*'w' has a read-only array.*np\.array\(x\)"):
        SGD([tg.Tensor(np.broadcast_to(1.0, (2,)), requires_grad=True, name="w")], lr=0.1)


def test_a_copy_of_an_optimizer_alone_has_parameters_of_its_own():
    w = leaf(name="w")
    sgd = SGD([w], lr=1.0, momentum=0.5)
    slope(w, [1.0, 1.0])
    sgd.step()
    for duplicate in duplicates():
        other = duplicate(sgd)
        gc.collect()
        other.step()
        other.zero_grad()
        other.step()
        (copied,) = other.param_groups[0]["params"]
        assert copied.tolist() == [0.5, 1.5]
        assert w.tolist() == [2.0, 3.0]


def test_models_with_ops_and_optimizers_pass_to_spawned_processes():
    model = nn.Sequential(nn.Linear(2, 2), F.relu, tg.exp)
    made = optim.Adam(model.parameters())
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(F.relu, (np.array([-1.0, 2.0]),)).tolist() == [0, 2]
        twin, other = pool.apply(operator.itemgetter(slice(2)), ((model, made, None),))
    assert twin[1] is F.relu
    assert twin[2] is tg.exp
    assert other.param_groups[0]["params"] == list(twin.parameters())


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
    for act in (sgd.step, sgd.zero_grad):
        with pytest.raises(
            RuntimeError, match=r"given 'w', which no longer exists outside it.* write `w -= \.\.\.` under no_grad"
        ):
            act()
    assert w.shape == (2,)


@pytest.mark.parametrize("make", [list, tuple, lambda held: held.values() if isinstance(held, dict) else iter(held)])
def test_a_tensor_that_others_held_once_is_missed(make):
    held = {0: leaf(name="a"), 1: leaf(name="b")}
    sgd = SGD(make(held.values()), lr=0.1)
    sgd.zero_grad()  # by now it has been seen in the dict
    held[1] = leaf(name="b")
    sum(x.sum() for x in held.values()).backward()
    with pytest.raises(RuntimeError, match="given 'b', which no longer exists"):
        sgd.step()


def test_a_model_that_was_made_anew_is_noticed_in_the_first_pass():
    model = nn.Sequential(nn.Linear(2, 2))
    sgd = SGD(model.parameters(), lr=0.1)
    for again in range(2):
        if again:
            loss = None  # which held the old weights
            model = nn.Sequential(nn.Linear(2, 2))
        sgd.zero_grad() if not again else None
        loss = model(np.ones((1, 2), np.float32)).sum()
        loss.backward()
        sgd.step() if not again else None
    sgd.zero_grad()  # of what the old model had
    with pytest.raises(RuntimeError, match=r"given '0\.weight', which no longer exists outside it"):
        sgd.step()


def test_parameters_taken_from_the_optimizer_are_nobody_s_to_miss():
    w = leaf()
    sgd = SGD([w], lr=0.5)
    sgd.zero_grad()
    assert sgd.param_groups[0]["params"] == [w]
    del w
    sgd.zero_grad()
    sgd.step()
    sgd.param_groups[0]["params"][0].sum().backward()
    sgd.step()
    assert sgd.param_groups[0]["params"][0].tolist() == [2.5, 3.5]


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
    assert state["param_groups"] == [{**sgd.defaults, "lr": 0.1, "momentum": 0.9, "params": [0]}]
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
    for state in ({}, {"state": {}}, "a.npz", [1]):
        with pytest.raises(
            ValueError, match=r"takes what optimizer.state_dict\(\) gives, with 'state' and 'param_groups'"
        ):
            sgd.load_state_dict(state)
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


@pytest.mark.parametrize("block", [8, 24, 1 << 17])
@pytest.mark.parametrize("replayed", [False, True])
def test_a_rule_may_return_new_arrays_and_write_nothing(monkeypatch, block, replayed):
    monkeypatch.setattr(blocks, "BYTES_OF_A_PART", block)
    w = leaf((1.0, 2.0, 3.0, 4.0, 5.0))
    array = w.data
    own = Own([w], 0.1)

    def step():
        own.zero_grad()
        (w * w).sum().backward()
        own.step()

    act = tg.replay(step) if replayed else step
    x, v = array.copy(), np.zeros(5)
    for _ in range(4):
        act()
        v = 0.5 * v + 2 * x
        x = x - 0.1 * v
    np.testing.assert_allclose(w.numpy(), x, rtol=1e-14)
    np.testing.assert_allclose(own.state_dict()["state"][0]["velocity"], v, rtol=1e-14)
    assert w.data is array


def rule(update, start=None, **methods):
    """An optimizer with this rule."""
    members = {"update": staticmethod(update), "__init__": lambda self, p: optim.Optimizer.__init__(self, p, lr=0.1)}
    return type("Mine", (optim.Optimizer,), {**members, **({"start": start} if start else {}), **methods})


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize(
    ("update", "start", "error", "message"),
    [
        (
            lambda p, g, s, out=None, *, lr: (p - g, {"velocity": g}),
            None,
            KeyError,
            r"returned the state velocity, but its start\(\) says nothing; write def start\(self, settings\): return {'velocity': 0\.0}",
        ),
        (
            lambda p, g, s, out=None, *, lr: (p - g, {}),
            lambda self, settings: {"velocity": 0.0},
            KeyError,
            r"returned the state of nothing, but its start\(\) says velocity",
        ),
        (
            lambda p, g, s, out=None, *, lr: (np.sum(p), s),
            None,
            ValueError,
            r"returned a param of shape \(\) for a parameter of shape \(2,\); it computes element by element",
        ),
        (
            lambda p, g, s, out=None, *, lr: (p - g, {"velocity": np.sum(g)}),
            lambda self, settings: {"velocity": 0.0},
            ValueError,
            r"returned a velocity of shape \(\)",
        ),
    ],
)
def test_a_rule_that_returns_what_is_no_state_is_noticed(update, start, error, message, replayed):
    w = leaf()
    own = rule(update, start)([w])

    def step():
        own.zero_grad()
        w.sum().backward()
        own.step()

    with pytest.raises(error, match=message):
        (tg.replay(step) if replayed else step)()
    assert w.tolist() == [3, 4]


def test_an_optimizer_of_one_s_own_declares_its_settings():
    w = leaf()
    made = Declaring([w], 0.5, sharp=np.True_)
    assert made.defaults == {"lr": 0.5, "flavour": (0.0, 1.0), "sharp": True, "maximize": False}
    assert str(inspect.signature(Declaring)).startswith("(params")
    assert list(inspect.signature(Declaring).parameters) == ["params", "lr", "flavour", "maximize", "sharp"]
    slope(w, [1.0, -2.0])
    made.param_groups[0]["flavour"] = [0.0, 2.0]
    made.step()
    assert w.tolist() == [2.0, 6.0]

    class Other(Declaring):
        """The same with another default."""

        lr: InitVar[NotNegative] = 0.25

    assert Other([w]).param_groups[0]["lr"] == 0.25
    assert Other([w], flavour=np.array([1, 2])).param_groups[0]["flavour"] == (1, 2)
    for wrong, error, message in (
        ({}, TypeError, "lr"),
        (
            {"lr": -1.0},
            ValueError,
            r"Declaring's lr is not negative, but got -1\.0; write lr=1\.0, with maximize=True to climb",
        ),
        (
            {"lr": 1.0, "flavour": (2, 1)},
            ValueError,
            r"are two growing numbers, but got \(2, 1\); write flavour=\(0\.0, 1\.0\)",
        ),
        ({"lr": 1.0, "sharp": "no"}, ValueError, "sharp is True or False, but got 'no'; write sharp=False"),
        ({"lr": 1.0, "sharpe": True}, TypeError, r"Declaring\(\) takes no sharpe=: did you mean sharp=\?"),
    ):
        with pytest.raises(error, match=message):
            Declaring([w], **wrong)
    with pytest.raises(
        AttributeError, match=r"Other has no lr; a setting is in its group: optimizer\.param_groups\[0\]\['lr'\]"
    ):
        Other([w]).lr  # noqa: B018
    with pytest.raises(AttributeError, match=r"write optimizer\.param_groups\[0\]\['flavour'\] = 3"):
        Other([w]).flavour = 3


def test_a_rule_is_given_what_it_names():
    """Also settings that come with `**others`, and by position; a name that is no setting has to be given by at_step."""
    given = []

    class Curious(Declaring):
        def at_step(self, step, settings):
            return {"lr": settings["lr"], "time": step}

        @staticmethod
        def update(param, grad, state, out, lr, **others):
            given.append({"lr": lr, **others})
            return param, state

    class Lacking(Declaring):
        @staticmethod
        def update(param, grad, state, out, *, unknown):
            return param, state

    w = leaf()
    slope(w, [1.0, 1.0])
    Curious([w], 0.5).step()
    assert given == [{"lr": 0.5, "flavour": (0.0, 1.0), "sharp": False, "maximize": False, "time": 1}]
    with pytest.raises(TypeError, match="unknown"):
        Lacking([w], 0.5).step()


def test_a_closure_is_run_before_the_step_and_what_it_returns_is_returned():
    w = leaf()
    sgd = SGD([w], lr=0.5)

    def closure():
        sgd.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with tg.no_grad():
        loss = sgd.step(closure)
    assert loss.item() == 25
    assert w.tolist() == [0, 0]
    assert sgd.step() is None
    with pytest.raises(TypeError, match=r"takes a function that computes the loss.*write loss\.backward\(\), and then"):
        sgd.step(loss)


def test_a_group_may_be_added():
    a, b, c = leaf((1.0,)), leaf((1.0,), name="b"), leaf((1.0,))
    sgd = SGD([a], lr=0.5, momentum=0.9)
    for w in (a, b, c):
        slope(w, [1.0])
    sgd.step()
    sgd.add_param_group({"params": [b], "lr": 0.25})
    sgd.add_param_group({"params": c})
    sgd.step()
    np.testing.assert_allclose([a.item(), b.item(), c.item()], [1 - 0.5 - 0.95, 0.75, 0.5])
    assert [group["momentum"] for group in sgd.param_groups] == [0.9, 0.9, 0.9]
    assert [group["params"] for group in sgd.state_dict()["param_groups"]] == [[0], [1], [2]]
    for wrong, error, message in (
        ({"params": [b]}, ValueError, "given 'b' twice"),
        ({"params": []}, ValueError, "no parameters"),
        ({"params": [leaf()], "lr": -1}, ValueError, "lr is not negative"),
        ({"params": [leaf()], "beta": 1}, TypeError, "but a group says beta"),
        ({"lr": 1}, TypeError, 'groups with "params"'),
        ([leaf()], TypeError, r'takes a group, but got list: write add_param_group\({"params": \[w\]}\)'),
    ):
        with pytest.raises(error, match=message):
            sgd.add_param_group(wrong)
    assert len(sgd.param_groups) == 3


BIG = [kind for kind in map(optim.__dict__.get, optim.__all__) if isinstance(kind, type) and hasattr(kind, "update")]


@pytest.mark.parametrize("order", ["C", "F", "mixed", "spread"])
@pytest.mark.parametrize("kind", BIG)
def test_a_step_makes_no_array_larger_than_a_few_blocks(kind, order):
    shape = (1000, 700)  # 2.8 MB
    array = np.ones((2 * shape[0], shape[1]), np.float32)[::2] if order == "spread" else np.ones(shape, np.float32)
    w = tg.Tensor(np.asfortranarray(array) if order == "F" else array, requires_grad=True)
    grad = np.full(shape, 0.5, np.float32)
    w.grad = np.asfortranarray(grad) if order in ("F", "mixed") else grad
    made = kind([w], lr=0.1, maximize=True)
    made.step()
    assert peak_bytes(made.step) < 9 * blocks.BYTES_OF_A_PART
    assert np.unique(w.numpy()).size == 1


def test_an_optimizer_needs_a_rule():
    none = type("None_", (optim.Optimizer,), {})
    with pytest.raises(
        TypeError,
        match=r"None_ has no rule: write\n    @staticmethod\n    def update\(param, grad, state, out=\{\}, \*, lr",
    ):
        none([leaf()], lr=0.1)
    method = type("Method", (optim.Optimizer,), {"update": lambda self, param, grad, state, out, *, lr: (param, state)})
    with pytest.raises(TypeError, match="Method has an update that is a method"):
        method([leaf()], lr=0.1)
    whole = type("Whole", (optim.Optimizer,), {"step": lambda self: "own"})
    assert whole([leaf()], lr=0.1).step() == "own"


def test_an_attribute_may_be_set_before_the_optimizer_is_made():
    own = Own([leaf()], 0.1)
    assert (own.note, own.steps_taken) == ("before", 0)

    class Wrong(Own):
        def __init__(self, params, lr):
            self.lr = lr
            super().__init__(params, lr)

    with pytest.raises(AttributeError, match="lr is a setting of each group"):
        Wrong([leaf()], 0.1)


def test_a_warm_up_turned_round_ends_at_zero_and_never_below():
    """At 0, or a rounding error below it, which no state could be loaded with."""
    for start, total in itertools.product([0.1, 0.3, 1 / 3, 0.7, 1.0], range(1, 40)):
        sgd = SGD([nn.Parameter([1.0])], lr=0.3)
        schedule = optim.lr_scheduler.LinearLR(sgd, start, end_factor=0.0, total_iters=total)
        for t in range(total):
            assert np.isclose(sgd.param_groups[0]["lr"], 0.3 * start * (1 - t / total), rtol=1e-12)
            schedule.step()
        assert sgd.param_groups[0]["lr"] == 0.0
        sgd.load_state_dict(sgd.state_dict())
