"""What a selection dropped sends back nothing, even where its own derivative is ∞ or NaN; what is present counts."""

import copy
import math
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.measuring import peak_bytes
from tinygrad_edu import Tensor, autograd
from tinygrad_edu.engine.differentiate import differentiate
from tinygrad_edu.engine.graph import Way, topological
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.testing import CheckError, check_op

INF, NAN = math.inf, math.nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(all="ignore"):
        yield


def numbers(x):
    return x.numpy() if isinstance(x, Tensor) else x


def close(got, expected, rtol=1e-12, atol=1e-14):
    np.testing.assert_allclose(numbers(got), numbers(expected), rtol=rtol, atol=atol)


def leaf(values, **options):
    return Tensor(np.asarray(values, float), requires_grad=True, **options)


# ---------------------------------------------------------------------------------------------------
# Numbers: f, x, Σ f's first derivatives, and its second ones


def issue(x):
    return np.where(x > 0, 2 * x, np.sqrt(-1 - x))


CASES = {
    "root of negative": (issue, [4.0, -2.0], [2.0, -0.5], [0.0, -0.25]),
    "overflow": (lambda x: np.where(x < 10, np.exp(x), x), [1000.0, 1.0], [1.0, math.e], [0.0, math.e]),
    "softplus by hand": (
        lambda x: np.where(x > 20, x, np.log(1 + np.exp(x))), [1000.0, 0.0], [1.0, 0.5], [0.0, 0.25],
    ),
    "safe norm": (lambda x: np.where((x * x).sum() > 0, np.sqrt((x * x).sum()), 0), [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]),
    "sin x / x": (
        lambda x: np.where(x == 0, 1, np.sin(x) / x), [0.0, math.pi], [0.0, -1 / math.pi], [0.0, 2 / math.pi**2],
    ),
    "the logarithm times x": (lambda x: np.where(x > 0, x * np.log(x), 0), [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
    "relu of a logarithm": (lambda x: tg.relu(np.log(x)), [0.0, 2.0], [0.0, 0.5], [0.0, -0.25]),
    "relu of a root, at its boundary": (lambda x: tg.relu(np.sqrt(x)), [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "relu of NaN": (lambda x: tg.relu(np.sqrt(x)), [-1.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "leaky relu without a slope": (
        lambda x: tg.leaky_relu(np.log(x), 0.0), [0.0, 2.0], [0.0, 0.5], [0.0, -0.25],
    ),
    "maximum": (lambda x: np.maximum(x, np.log(x)), [0.0, 2.0], [1.0, 1.0], [0.0, 0.0]),
    "minimum": (lambda x: np.minimum(x, 1 / x), [0.0, 2.0], [1.0, -0.25], [0.0, 0.25]),
    "fmax": (lambda x: np.fmax(x - 1, np.sqrt(x)), [-1.0, 1.0], [1.0, 0.5], [0.0, -0.25]),
    "clip": (lambda x: np.clip(1 / x, 0, 10), [0.0, 1.0], [0.0, -1.0], [0.0, 2.0]),
    "slice": (lambda x: np.sqrt(x)[1:], [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "index array": (lambda x: np.sqrt(x)[[1, 1]], [0.0, 4.0], [0.0, 0.5], [0.0, -1 / 16]),
    "mask": (lambda x: np.sqrt(x)[x > 0], [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "take": (lambda x: np.take(np.sqrt(x), [1]), [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "take along": (lambda x: np.take_along_axis(np.sqrt(x), np.array([1]), 0), [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "largest": (lambda x: np.max(np.sqrt(x)), [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "median": (lambda x: np.median(np.sqrt(x)), [0.0, 4.0, 9.0], [0.0, 0.25, 0.0], [0.0, -1 / 32, 0.0]),
    "sorted": (lambda x: np.sort(np.sqrt(x))[1:], [4.0, 0.0], [0.25, 0.0], [-1 / 32, 0.0]),
    "unstacked": (lambda x: np.unstack(np.sqrt(x))[1], [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "split": (lambda x: np.split(np.sqrt(x), 2)[1], [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "diagonal": (
        lambda x: np.diagonal(np.reshape(np.sqrt(x), (2, 2))), [4.0, 0.0, 0.0, 1.0],
        [0.25, 0.0, 0.0, 0.5], [-1 / 32, 0.0, 0.0, -0.25],
    ),
    "einsum's diagonal": (
        lambda x: np.einsum("ii", np.reshape(np.sqrt(x), (2, 2))), [4.0, 0.0, 0.0, 1.0],
        [0.25, 0.0, 0.0, 0.5], [-1 / 32, 0.0, 0.0, -0.25],
    ),
    "triangle": (
        lambda x: np.tril(np.reshape(np.sqrt(x), (2, 2))), [4.0, 0.0, 4.0, 1.0],
        [0.25, 0.0, 0.25, 0.5], [-1 / 32, 0.0, -1 / 32, -0.25],
    ),
    "step": (lambda x: np.floor(np.sqrt(x)) + x, [0.0, 4.5], [1.0, 1.0], [0.0, 0.0]),
    "nan_to_num": (lambda x: np.nan_to_num(x * np.log(x)), [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
    "nansum": (lambda x: np.nansum(np.log(x)), [-1.0, 2.0], [0.0, 0.5], [0.0, -0.25]),
    "overwritten": (lambda x: tg.index_update(np.sqrt(x), 0, 5.0), [0.0, 4.0], [0.0, 0.25], [0.0, -1 / 32]),
    "select": (lambda x: np.select([x > 0, x <= 0], [np.sqrt(x), x]), [0.0, 4.0], [1.0, 0.25], [0.0, -1 / 32]),
    "choose": (lambda x: np.choose([0, 1], [x, np.sqrt(x)]), [0.0, 4.0], [1.0, 0.25], [0.0, -1 / 32]),
    "a whole number": (lambda x: np.where(False, np.log(x).sum(), (x * x).sum()), [0.0, 4.0], [0.0, 8.0], [2.0, 2.0]),
    "a whole softmax": (
        lambda x: np.where(False, tg.softmax(x / 0)[0], (x * x).sum()), [0.0, 4.0], [0.0, 8.0], [2.0, 2.0],
    ),
    "by way of moves": (
        lambda x: np.where([[False], [True]], np.stack([np.sqrt(x[::-1]), x * x]).T.T, 0).sum(0), [0.0, 4.0],
        [0.0, 8.0], [2.0, 2.0],
    ),
    "present as well": (lambda x: np.where(x > 0, np.sqrt(x), 0) + np.sqrt(x), [0.0, 4.0], [INF, 0.5], [-INF, -1 / 16]),
    "a zero slope is present": (lambda x: np.sqrt(x * x), [0.0, 4.0], [NAN, 1.0], [NAN, 0.0]),
    "a zero factor is present": (lambda x: 0 * np.sqrt(x), [0.0, 4.0], [NAN, 0.0], [NAN, 0.0]),
    "a zero slope beside a selection": (
        lambda x: np.where(x >= 0, np.sqrt(x * x), 1.0), [0.0, 4.0], [NAN, 1.0], [NAN, 0.0],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_first_and_second_order_freed_recorded_and_replayed(name):
    f, at, first, second = CASES[name]
    x = leaf(at)
    close(tg.grad(f(x).sum(), x), first)
    x = leaf(at)
    f(x).sum().backward(retain_graph=False)
    close(x.grad, first)
    x = leaf(at)
    g = tg.grad(f(x).sum(), x, create_graph=True)
    close(g, first)
    if g.requires_grad:
        close(tg.grad(g.sum(), x), second)
    else:
        assert not np.any(second)

    if name not in ("mask", "sorted"):  # how many there are depends on the numbers; an order is one of those now
        slope = tg.replay(lambda t: tg.grad(f(t).sum(), t))
        slope(leaf(np.linspace(0.5, 0.7, len(at))))
        close(slope(leaf(at)), first)


def test_a_recorded_gradient_follows_its_values():
    x = leaf([4.0, -2.0])
    g = tg.grad(issue(x).sum(), x, create_graph=True)
    gg = tg.grad(g.sum(), x, create_graph=True)
    for values in ([4.0, -2.0], [-2.0, 4.0], [1.0, 3.0]):
        v = np.array(values)
        close(tg.evaluate(g, {x: v}), np.where(v > 0, 2, -0.5 / np.sqrt(-1 - np.minimum(v, -1.5))))
        close(tg.evaluate(gg, {x: v}), np.where(v > 0, 0, -0.25))


def test_the_rows_of_a_jacobian_are_selections():
    at = np.array([0.0, 4.0])
    assert tg.jacobian(np.sqrt, at).tolist() == [[INF, 0.0], [0.0, 0.25]]
    np.testing.assert_array_equal(tg.hessian(lambda v: np.sqrt(v).sum(), at), [[-INF, 0.0], [0.0, -1 / 32]])
    np.testing.assert_array_equal(tg.jacobian(lambda x: np.outer(np.sqrt(x), [1.0, 1.0]), at)[1, 0], [0.0, 0.25])
    third = tg.jacobian(lambda x: tg.hessian(lambda v: np.sqrt(v).sum(), x), at)
    close(third[1, 1], [0.0, 3 / 256])
    assert np.count_nonzero(third) == 2


# ---------------------------------------------------------------------------------------------------
# Products: rows without a target may hold anything


ROWS = np.array([True, False, False, True])
DATA = np.where(ROWS[:, None], np.random.default_rng(0).standard_normal((4, 3)), [[0], [NAN], [INF], [0]])


def masked_loss(x, w, v, keep, act):
    return np.where(keep[:, None], act(x @ w) @ v, 0.0).__pow__(2).sum()


PRODUCTS = {
    "tanh": lambda x, w, v, keep: masked_loss(x, w, v, keep, np.tanh),
    "relu": lambda x, w, v, keep: masked_loss(x, w, v, keep, tg.relu),
    "softmax": lambda x, w, v, keep: masked_loss(x, w, v, keep, tg.softmax),
    "einsum": lambda x, w, v, keep: (np.where(keep[:, None], np.einsum("ij,jk,kl->il", x, w, v), 0.0) ** 2).sum(),
    "tensordot": lambda x, w, v, keep: (np.tensordot(np.tensordot(x, w, 1), v, 1)[keep] ** 2).sum(),
    "a product with each row": lambda x, w, v, keep: (np.where(keep, (x @ w * v[0]).sum(1), 0.0) ** 2).sum(),
    "vecdot": lambda x, w, v, keep: (np.where(keep, np.vecdot(x @ w, v[0]), 0.0) ** 2).sum(),
    "norms": lambda x, w, v, keep: np.where(keep, np.linalg.norm(x @ w @ v, axis=1), 0.0).sum(),
    "cross-entropy": lambda x, w, v, keep: (
        np.where(keep, F.cross_entropy(x @ w @ v, np.zeros(len(keep), int), reduction="none"), 0.0).sum()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRODUCTS)
def test_rows_that_are_left_out_of_a_loss_may_hold_nan(name):
    f, rng = PRODUCTS[name], np.random.default_rng(1)
    w, v = leaf(rng.standard_normal((3, 2))), leaf(rng.standard_normal((2, 2)))
    all_kept = np.ones(2, bool)
    expected = tg.grad(f(DATA[ROWS], w, v, all_kept), [w, v], create_graph=True)
    loss = lambda w, v: f(Tensor(DATA), w, v, ROWS)
    plain, recorded = tg.grad(loss(w, v), [w, v]), tg.grad(loss(w, v), [w, v], create_graph=True)
    replay = tg.replay(lambda w, v: tg.grad(loss(w, v), [w, v]))
    for got in (plain, recorded, replay(w, v), replay(w, v)):
        for a, b in zip(got, expected, strict=True):
            close(a, b, rtol=1e-9)
    seconds = [tg.grad((a * a).sum() + (b * b).sum(), [w, v]) for a, b in (recorded, expected)]
    for a, b in zip(*seconds, strict=True):
        close(a, b, rtol=1e-9)


def test_in_a_product_what_meets_something_present_stays_nan():
    x = np.array([[1.0, NAN], [NAN, 2.0]])
    w = leaf([[1.0], [1.0]])
    y = x @ w
    assert np.isnan(tg.grad(y.sum(), w)).all()
    (np.where([[True], [False]], y, 0.0)).sum().backward()
    np.testing.assert_array_equal(w.grad, [[1.0], [NAN]])  # of the first row alone
    w.grad = None
    b = np.array([[1.0, INF], [1.0, 3.0]])
    a = leaf([[2.0, 1.0]])
    np.where([[True, False]], a @ b, 0.0).sum().backward()
    np.testing.assert_array_equal(a.grad, [[1.0, 1.0]])


# ---------------------------------------------------------------------------------------------------
# The walk


def test_hooks_are_called_once_and_see_no_nan():
    seen = []
    x = leaf([0.0, 4.0])
    root = np.sqrt(x)
    root.register_hook(lambda g: seen.append(("root", g.tolist())))
    x.register_hook(lambda g: seen.append(("x", g.tolist())))
    y = np.where(x > 0, root, 0.0)
    y.register_hook(lambda g: seen.append(("y", g.tolist())))
    y.sum().backward()
    assert seen == [("y", [1.0, 1.0]), ("root", [0.0, 1.0]), ("x", [0.0, 0.25])]
    assert x.grad.tolist() == [0.0, 0.25]


def test_what_is_retained_kept_and_shown_is_the_same():
    x = leaf([0.0, 4.0])
    inner = x * 1
    root = np.sqrt(inner)
    y = np.where(x > 0, root, 0.0).sum()
    inner.retain_grad()
    y.backward()
    assert inner.grad.tolist() == [0.0, 0.25]
    assert tg.grad(y, [inner, root])[0].tolist() == [0.0, 0.25]
    shown = []
    differentiate(topological([y]), {y: np.array(1.0)}, Way(lambda node, i, g: shown.append(g)))
    assert not any(np.isnan(g).any() for g in shown)


def test_a_second_walk_does_not_count_twice():
    x, w = leaf([0.0, 4.0]), leaf([1.0, 1.0])
    before = (w * 3).sum()  # its total is there when the selection is met
    y = np.where(x > 0, np.sqrt(x), 0.0)
    parts = np.unstack(w * w)
    (before + y.sum() + parts[0] + parts[1] + (w * y).sum()).backward()
    assert w.grad.tolist() == [5.0, 7.0]
    assert x.grad.tolist() == [0.0, 0.5]
    x.grad = w.grad = None
    c = np.ones(2)
    (np.where(x > 0, np.sqrt(x), 0.0) + w + w + w).backward(c)
    assert w.grad.tolist() == [3.0, 3.0]
    assert c.tolist() == [1.0, 1.0]


def test_going_again_begins_from_totals_as_they_were():
    x, w = leaf([0.0, 4.0]), leaf([1.0, 1.0])
    c = np.ones(2)
    twice = w + w + w
    (twice + np.where(x > 0, np.sqrt(x), 0.0)).backward(c)
    assert w.grad.tolist() == [3.0, 3.0]
    assert c.tolist() == [1.0, 1.0]  # no total was added to in place that is not the walk's own

    x, w = leaf([0.0, 4.0]), leaf([1.0, 1.0])
    early = w * 3
    first, second = np.unstack(w * w)
    part = second * 2
    y = np.where(x > 0, np.sqrt(x), 0.0)
    late = w * 5 + w * 7  # what is walked before the selection is met: two totals of w, and one of two results
    (late.sum() + first * 4 + y.sum() + early.sum() + part).backward()
    assert w.grad.tolist() == [5 + 7 + 3 + 8, 5 + 7 + 3 + 4]
    assert x.grad.tolist() == [0.0, 0.25]


def test_a_record_with_a_selection_is_freed():
    x = leaf([1.0, 4.0])
    root = np.sqrt(x)
    y = np.where(x > 0, root, 0.0)
    y.sum().backward(retain_graph=False)
    for node in (root, y):
        with pytest.raises(RuntimeError, match="freed"):
            node.sum().backward()


def test_what_a_rectifier_and_another_selection_dropped_is_looked_at():
    """In a recorded walk rectifiers alone make no product look for NaN; a mask beside them does."""
    w = leaf(np.random.default_rng(1).standard_normal((3, 2)))

    def loss(x, keep):
        h = x @ w
        return tg.relu(h).sum() + np.where(keep[:, None], h * h, 0.0).sum()

    (expected,) = tg.grad(loss(DATA[ROWS], np.ones(2, bool)), [w])
    for order in (True, False):
        (got,) = tg.grad(loss(np.where(ROWS[:, None], DATA, NAN), ROWS), [w], create_graph=order)
        close(got, expected, rtol=1e-9)


def test_a_replayed_net_is_not_looked_at_in_each_layer():
    model = tg.nn.Sequential(tg.nn.Linear(4, 3), tg.nn.BatchNorm1d(3), tg.nn.ReLU(), tg.nn.Linear(3, 2))

    @tg.replay
    def step(x):
        for p in model.parameters():
            p.grad = None
        model(x).sum().backward()

    step(Tensor(np.ones((5, 4), np.float32)))
    ops = [line.op.name for line in step.plan.lines() if line.op is not None]
    assert "of_present" not in ops
    assert "any" not in ops
    assert ops.count("gate") == 1


def peak_of_the_walk(act, retain_graph):
    """The most bytes that a walk through seven layers holds beside its record, in arrays of 500 × 100 float64."""
    rng = np.random.default_rng(0)
    weights = [leaf(rng.normal(size=(100, 100)) / 10) for _ in range(7)]
    loss = leaf(rng.normal(size=(500, 100)))
    for w in weights:
        loss = act(loss @ w)
    loss = loss.sum()
    return peak_bytes(lambda: loss.backward(retain_graph=retain_graph)) / (500 * 100 * 8)


@pytest.mark.parametrize("retain_graph", [True, False])
def test_a_selection_costs_a_walk_no_memory(retain_graph):
    """Neither is a gradient held on the way, to go again from, nor the record that was read, where no NaN can come."""
    drops = copy.copy(OPS["relu"])
    drops.presence, drops.drops = "elementwise", False  # the same numbers, but no selection
    peaks = []
    for act in (drops, tg.relu):
        peak_of_the_walk(act, retain_graph)
        peaks.append(peak_of_the_walk(act, retain_graph))
    assert peaks[1] < peaks[0] + 0.1


def test_a_record_that_is_freed_lets_go_of_its_arrays_as_it_is_read():
    w, x = leaf(np.eye(400)), leaf(np.ones((400, 400)))  # a record that is worth freeing on the way
    h = tg.relu(np.sqrt(x) @ w)
    first, alive = weakref.ref(h.inputs[0]), []
    x.register_hook(lambda g: alive.append(first() is not None))
    y = tg.relu(tg.relu(h) @ w).sum()
    del h
    y.backward(retain_graph=False)
    assert alive == [False]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=7), st.integers(0, 1 << 16))
def test_a_walk_that_frees_gives_the_numbers_of_one_that_does_not(names, seed):
    """Whatever stands before a selection or after it, and whichever node has a hook."""
    rng = np.random.default_rng(seed)
    start, hooked = np.round(rng.normal(size=(3, 3)), 0), rng.integers(0, 8)
    steps = [
        np.sqrt, np.log, tg.relu, np.tanh, lambda x: x @ x.T, lambda x: 1 / x, lambda x: np.where(x > 0, x, 1.0),
        lambda x: x - x.mean(0), lambda x: x[::-1] * 2, lambda x: np.stack(np.unstack(x)[::-1]),
    ]  # fmt: skip
    found = []
    for retain_graph in (True, False):
        x, seen = leaf(start), []
        y = x
        for i, name in enumerate(names):
            y = steps[name](y)
            if i == hooked:
                y.register_hook(lambda g, seen=seen: seen.append(numbers(g).copy()))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tinygrad_edu.engine.differentiate.WORTH_FREEING", 0)
            y.sum().backward(retain_graph=retain_graph)
        found.append((x.grad, *seen))
        assert len(seen) == (hooked < len(names))
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(numbers(a), numbers(b))


@pytest.mark.parametrize("count", [1, 20])
def test_a_record_of_finite_products_is_walked_once(monkeypatch, count):
    """Where no slope can be ∞, what was dropped sends back 0 without being followed, and without a look at the gradients."""
    looked = []
    monkeypatch.setattr("tinygrad_edu.engine.differentiate.any_nan", lambda arrays: looked.append(arrays))
    for factor, walks_once in ((2.0, count == 1), (np.inf, False)):
        x = leaf([1.0, -1.0])
        y = x
        for _ in range(count):
            y = y * 2.0
        looked.clear()
        tg.relu(y * factor).sum().backward()
        assert (not looked) is walks_once


def test_the_record_is_freed_though_it_is_walked_twice():
    x = leaf([0.0, 4.0])
    root = np.sqrt(x)
    y = np.where(x > 0, root, 0.0)
    y.sum().backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        root.sum().backward()
    with pytest.raises(RuntimeError, match="freed"):
        y.sum().backward()


def test_checkpoint_keeps_out_what_was_dropped():
    x = leaf([0.0, 4.0])
    np.where(False, autograd.checkpoint(lambda t: np.log(t).sum(), x), (x * x).sum()).backward()
    assert x.grad.tolist() == [0.0, 8.0]
    x = leaf([0.0, 4.0])
    autograd.checkpoint(lambda t: np.where(t > 0, np.sqrt(t), 0.0), x).sum().backward()
    assert x.grad.tolist() == [0.0, 0.25]


def test_an_op_without_a_declaration_ends_the_rule():
    @op(symbol="root", vjp=(lambda g, y, x: g / (2 * y),))
    def root(x):
        """√x."""
        return np.sqrt(x)

    x = leaf([0.0, 4.0])
    np.where(x > 0, root(x), 0.0).sum().backward()
    assert np.isnan(x.grad[0].item())  # something of it is present, so all may be
    x.grad = None
    np.where(False, root(x), 0.0).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


@given(st.integers(0, 2**32 - 1))
def test_a_random_program_of_which_parts_are_dropped(seed):
    """Dropped elements, made NaN at the start, change nothing of the gradient by the others."""
    rng = np.random.default_rng(seed)
    keep = rng.random((4, 3)) < 0.5
    kept_rows = rng.random((4, 1)) < 0.6
    square = rng.standard_normal((3, 3))
    steps = [
        lambda t: t * t, lambda t: np.sqrt(np.abs(t) + 0.1), np.exp, lambda t: t - 1, lambda t: t[::-1][::-1],
        lambda t: np.stack([t, t * 2]).sum(0), lambda t: np.where(t > 0, t, t / 3), lambda t: np.concatenate([t[2:], t[:2]])[[2, 3, 0, 1]],
        lambda t: np.maximum(t, -t), lambda t: tg.relu(t) + t,
    ]  # fmt: skip
    row_steps = [*steps, lambda t: t @ square, tg.softmax, lambda t: t / np.linalg.norm(t, axis=1, keepdims=True)]
    for mask, known in ((keep, steps), (kept_rows, row_steps)):
        chosen = rng.integers(0, len(known), 4)

        def f(t, mask=mask, known=known, chosen=chosen):
            for k in chosen:
                t = known[k](t)
            return np.where(mask, t, 0.0).sum()

        values = rng.standard_normal((4, 3))
        x, spoiled = leaf(values), leaf(np.where(mask, values, NAN))
        expected = tg.grad(f(x), x, create_graph=True)
        for g, r in ((tg.grad(f(spoiled), spoiled), None), (tg.grad(f(spoiled), spoiled, create_graph=True), expected)):
            close(g, expected, rtol=1e-9, atol=1e-12)
            if r is not None and r.requires_grad:
                close(tg.grad(np.sin(g).sum(), spoiled), tg.grad(np.sin(r).sum(), x), rtol=1e-7, atol=1e-10)


# ---------------------------------------------------------------------------------------------------
# Declarations


WRONG = [
    ("multiply", "linear"), ("multiply", "moves"), ("multiply", "selects"), ("exp", "linear"), ("sqrt", "tame"), ("power", "tame"), ("arcsin", "tame"), ("relu", "elementwise"), ("where", "moves"),
    ("getitem", "moves"), ("sum", "elementwise"), ("reshape", "elementwise"), ("matmul", "elementwise"),
    ("matmul", "moves"), ("softmax", "elementwise"), ("cumsum", "elementwise"), ("floor", "elementwise"),
    ("maximum", "elementwise"), ("clip", "linear"), ("max", "moves"), ("copysign", "elementwise"), ("diagonal", "moves"), ("tril", "moves"),
    ("logsumexp", "moves"), ("euclidean_norm", "elementwise"), ("transpose", "linear"), ("median", "moves"), ("inv", "elementwise"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "presence"), WRONG)
def test_a_wrong_declaration_is_caught(name, presence):
    wrong = copy.copy(OPS[name])
    wrong.presence, wrong.drops, wrong.special = presence, presence == "selects", ()
    with pytest.raises(Exception) as caught:  # noqa: PT011 (a mask may also fail to fit)
        check_op(wrong, order=1)
    assert isinstance(caught.value, CheckError) or "check" in "".join(getattr(caught.value, "__notes__", ()))


def test_all_but_a_few_ops_say_how_presence_passes_them():
    ends = {name for name, declared in OPS.items() if declared.vjp is not None and declared.presence == "ends"}
    assert ends <= {
        "alias", "cross", "det", "cofactor", "slogdet", "inv", "pinv", "solve", "cholesky", "eigh", "reduced_svd",
        "cut_off", "full_svd", "reduced_qr", "complete_qr", "batch_norm", "recurrence",
        "attention", "attention_slopes",  # every number hangs on every key
        "rnn", "rnn_slopes", "lstm", "lstm_slopes", "gru", "gru_slopes",
        "projected_lstm", "projected_lstm_slopes",  # each step hangs on all before
        "conv", "conv_transpose", "conv_weight",  # a mask for each window would cost as much as the gradient itself
    }  # fmt: skip
