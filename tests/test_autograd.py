"""Readings of the graph: backward, grad, the transformations of functions, checkpoint, evaluate, detect_anomaly."""

import pickle
import threading
import warnings
import weakref
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import detect_anomaly, enable_grad, is_grad_enabled, no_grad, tracing
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.engine.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_edu.ops import neural


def leaf(*values, name=None, dtype=float):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True, name=name)


@op(symbol="broken", vjp=(lambda g, y, x: 1 / 0,), examples=[example((2,))])
def broken(x):
    """A function whose rule raises."""
    return x + 0


@op(symbol="pair", outputs=2, vjp=(lambda g, y, x: g[0] * np.cos(x) - g[1] * np.sin(x),), examples=[example((2,))])
def sin_and_cos(x):
    """y₀ = sin x, y₁ = cos x."""
    return np.sin(x), np.cos(x)


# ---------------------------------------------------------------------------------------------------
# backward


def test_the_chapter_graph_of_apples_and_tax():
    apple, count, tax = (Tensor(v, requires_grad=True) for v in (100.0, 2.0, 1.1))
    price = apple * count * tax
    price.backward()
    np.testing.assert_allclose([t.grad.item() for t in (apple, count, tax)], [2.2, 110.0, 200.0])


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_backward_starts_from_one_number_of_any_shape(shape):
    x = Tensor(np.full(shape, 3.0), requires_grad=True)
    (x * x).backward()
    assert x.grad.shape == shape
    assert x.grad.item() == 6.0


@pytest.mark.parametrize(
    "gradient",
    [np.array([1.0, 10.0]), [1.0, 10.0], (1, 10), Tensor([1.0, 10.0]), np.array([1, 10]), np.float32([1, 10])],
)
def test_backward_takes_the_gradient_of_what_follows(gradient):
    x = leaf(1.0, 2.0)
    (x * x).backward(gradient)
    assert x.grad.tolist() == [2.0, 40.0]
    assert x.grad.dtype == float


def test_a_number_is_the_gradient_of_a_number():
    x = Tensor(3.0, requires_grad=True)
    (x * x).backward(10)
    (x * x).backward(np.float32(1))
    assert x.grad.item() == 66.0


def test_gradients_add_up_until_they_are_forgotten():
    x = leaf(1.0)
    for expected in (2.0, 4.0, 6.0):
        (x * 2).sum().backward()
        assert x.grad.item() == expected
    x.zero_grad()
    assert x.grad is None
    (x * 5).sum().backward()
    assert x.grad.item() == 5.0


def test_a_kept_gradient_is_not_changed_by_later_walks():
    x = leaf(1.0)
    (x * 2).sum().backward()
    first = x.grad
    (x * 2).sum().backward()
    assert (first.item(), x.grad.item()) == (2.0, 4.0)


def test_only_leaves_that_ask_for_it_get_a_gradient():
    x, c, n = leaf(1.0, 2.0), Tensor([3.0, 4.0]), Tensor([1, 2])
    h = x * c * n
    h.sum().backward()
    with pytest.warns(UserWarning, match=r"result of multiply is None.*retain_grad\(\).*with no_grad\(\): w -= lr"):
        assert h.grad is None
    assert c.grad is None
    assert n.grad is None
    assert x.grad.tolist() == [3.0, 8.0]


def test_a_leaf_is_its_own_derivative():
    x = Tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2.0


def test_backward_works_inside_no_grad():
    x = leaf(3.0)
    y = (x * x).sum()
    with no_grad():
        y.backward()
        assert not is_grad_enabled()
    assert x.grad.item() == 6.0
    assert x.grad.is_leaf


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_empty_tensors_have_empty_gradients(shape):
    x, b = Tensor(np.zeros(shape), requires_grad=True), Tensor(np.zeros((1,) * len(shape)), requires_grad=True)
    (np.exp(x) * x + b).sum().backward()
    assert x.grad.shape == shape
    assert b.grad.shape == (1,) * len(shape)
    assert b.grad.item() == 0.0


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a[::-1, ::2], lambda a: a.T, lambda a: a.astype(">f8")])
def test_gradients_do_not_depend_on_the_layout_of_memory(make):
    a = make(np.arange(12.0).reshape(3, 4))
    x = Tensor(a, requires_grad=True)
    (x * x * x).sum().backward()
    assert np.array_equal(x.grad.numpy(), 3 * a * a)
    assert x.grad.dtype == x.dtype == "float64"


@pytest.mark.parametrize("f", [lambda a, b: a * b, lambda a, b: a @ b, lambda a, b: np.where(a > b, a, b) * a])
def test_each_input_gets_its_own_dtype_back(f):
    a, b = leaf(1.0, 2.0, dtype="float32"), leaf(3.0, 1.0, dtype="float64")
    y = f(a, b)
    assert y.dtype == "float64"
    for create_graph in (False, True):
        ga, gb = grad(y.sum(), [a, b], create_graph=create_graph, allow_unused=True)
        assert ga.dtype == "float32"
        assert gb.dtype == "float64"
    y.sum().backward()
    assert a.grad.dtype == "float32"
    assert b.grad.dtype == "float64"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize(
    "f",
    [
        lambda x: x / np.sqrt(3),
        lambda x: np.float64(2) * x,
        lambda x: x**2,
        lambda x: x**-1.5,
        lambda x: np.mean(x * x, axis=0),
        lambda x: np.var(x),
        lambda x: np.std(x, axis=1),
        lambda x: np.linalg.norm(x),
        lambda x: (x * (x > 1)) * np.arange(3, dtype=np.int8),
        lambda x: neural.softmax(x) * 2.5,
        lambda x: np.median(x),
        lambda x: np.cumsum(x, axis=1) * np.prod(x),
        lambda x: np.pad(x, 1) * np.pi,
        lambda x: x[[0, 0, 1]] / np.float64(3),
        lambda x: np.maximum(x, np.float64(1.5)) + np.where(x > 1, x, np.float64(0)),
        lambda x: np.clip(x, np.float64(0), np.float64(2)),
        lambda x: np.linalg.norm(x, axis=0) + np.hypot(x, 1.0),
        lambda x: np.percentile(x, 50),
        lambda x: np.deg2rad(x) + np.logaddexp(x, 1.0) + np.sinc(x),
        lambda x: np.trace(x) + np.einsum("ij->i", x),
    ],
)
def test_precision_is_kept_forward_and_backward_without_a_cast_at_the_end(f, dtype):
    x = Tensor(np.array([[1.0, 2.0, 0.5], [1.5, 0.7, 3.0]], dtype), requires_grad=True)
    y = f(x)
    assert y.dtype == dtype
    dtypes = {part.dtype for part in _parts(y)}
    assert dtypes <= {np.dtype(dtype), np.dtype(bool), np.dtype(int), np.dtype(np.int8)}
    assert_gradients_keep(dtype, f, x)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_what_adds_up_in_float32_gives_float16_back(dtype):
    x = Tensor(np.array([[1.0, 2.0, 0.5], [1.5, 0.7, 3.0]], dtype), requires_grad=True)
    y = np.average(x, axis=0)
    dx = grad(y, x, np.ones(3), create_graph=True)
    assert y.dtype == dx.dtype == dtype
    assert {part.dtype for part in _parts(y)} <= {
        np.dtype(dtype),
        np.dtype(np.float32 if dtype == "float16" else dtype),
    }


def assert_gradients_keep(dtype, f, x):
    y = f(x)
    seen = []

    def visit(node, i, g):
        seen.append(g.dtype)

    from tinygrad_edu.engine.graph import topological, walk

    totals = {y: np.ones_like(y.numpy())}
    with np.errstate(all="ignore"):
        walk(topological([y]), totals, visit)
        dx = grad(y, x, np.ones(y.shape), create_graph=True)
        ddx = grad(dx, x, np.ones(x.shape), allow_unused=True) if dx.requires_grad else None
    assert set(seen) == {np.dtype(dtype)}
    assert dx.dtype == dtype
    assert ddx is None or ddx.dtype == dtype


def _parts(y):
    """The numbers of all nodes of a record."""
    from tinygrad_edu.engine.graph import topological

    for node in topological([y], through_constants=True):
        yield from node.ndarray if isinstance(node.ndarray, tuple) else [node.ndarray]


def test_integer_inputs_are_numbers_to_compute_with():
    x, n = leaf(1.0, 2.0), Tensor([3, 4])
    ((x * n) ** 2).sum().backward()
    assert x.grad.tolist() == [18.0, 64.0]


def test_an_infinite_slope_is_an_answer_without_a_warning():
    x = leaf(0.0, 4.0)
    np.sqrt(x).sum().backward()  # warnings are errors here
    assert x.grad.tolist() == [np.inf, 0.25]
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        np.log(Tensor([0.0]))
    before = np.geterr()
    grad(np.sqrt(x).sum(), x)
    assert np.geterr() == before


# -- gradients share memory with nothing


SHARING = {
    "both inputs of a sum": lambda a, b: a + b,
    "both inputs of a difference": lambda a, b: a - b,
    "a reshaped input": lambda a, b: a.reshape(2, 2).reshape(4) + b,
    "a transposed input": lambda a, b: a.reshape(2, 2).T.reshape(4) + b,
    "concatenated inputs": lambda a, b: np.concatenate([a, b])[:4] + b,
    "a clone": lambda a, b: a.clone() + b.clone(),
    "cast inputs": lambda a, b: a.astype(float) + b,
    "the input itself and another": lambda a, b: a + b * 1,
    "a split input": lambda a, b: np.split(a, 2)[0].sum() + b,
    "moved axes": lambda a, b: np.expand_dims(a, 0)[0] + np.squeeze(b[None]),
    "a broadcast input": lambda a, b: np.broadcast_to(a, (3, 4))[0] + b,
}


@pytest.mark.parametrize("f", SHARING.values(), ids=SHARING.keys())
@pytest.mark.parametrize("how", ["backward", "backward with create_graph", "grad", "grad with create_graph"])
@pytest.mark.parametrize("head", [lambda y: y, np.sin], ids=["passed on", "out of a rule"])
def test_gradients_share_memory_with_nothing(f, how, head):
    a, b = leaf(1.0, 2.0, 3.0, 4.0), leaf(5.0, 6.0, 7.0, 8.0)
    incoming = np.array([1.0, 2.0, 3.0, 4.0])
    y = head(f(a, b))
    if how.startswith("backward"):
        y.backward(incoming, create_graph="create" in how)
        gradients = [a.grad, b.grad]
    else:
        gradients = grad(y, [a, b], incoming, create_graph="create" in how)
    before = [g.tolist() for g in gradients]
    for g in gradients:
        assert not np.shares_memory(g.numpy(), incoming) or not g.is_leaf
        assert not np.shares_memory(*[g.numpy() for g in gradients]) or not any(g.is_leaf for g in gradients)
        assert not any(np.shares_memory(g.numpy(), t.numpy()) for t in (a, b, y))
        if g.is_leaf:  # a recorded one cannot be written
            with no_grad():
                g *= 100.0
    assert incoming.tolist() == [1.0, 2.0, 3.0, 4.0]
    for g, was in zip(gradients, before, strict=True):
        assert g.tolist() == ([100 * v for v in was] if g.is_leaf else was)


@pytest.mark.parametrize("how", ["backward", "grad"])
def test_no_op_makes_two_gradients_of_one_array(how):
    """Over the whole table: what comes out of a rule after another rule is no longer the array that was passed in."""
    pairs = 0
    for function in [*OPS.values(), *COMPOSITES.values()]:
        for ex in function.examples:
            args, settings = ex.draw(np.random.default_rng(0), function.domains)
            xs = []

            def as_leaf(a, xs=xs):
                if isinstance(a, np.ndarray) and a.dtype.kind == "f":
                    xs.append(Tensor(a, requires_grad=True))
                    return xs[-1]
                return type(a)(as_leaf(part) for part in a) if type(a) in (list, tuple) else a

            with np.errstate(all="ignore"):
                results = function(*[as_leaf(a) for a in args], **settings)
            ys = [y for y in (results if isinstance(results, tuple | list) else [results]) if isinstance(y, Tensor)]
            ys = [y for y in ys if y.requires_grad]
            if not ys or not any(y.size for y in ys):
                continue
            with np.errstate(all="ignore"):
                total = sum((y * 2.0).sum() for y in ys)
            if how == "backward":
                total.backward()
                gradients = [x.grad for x in xs]
            else:
                gradients = grad(total, xs, allow_unused=True)
            arrays = [g.data for g in gradients if g is not None]
            others = [t.numpy() for t in (*xs, *ys)]
            for i, p in enumerate(arrays):
                pairs += i
                assert not any(np.may_share_memory(p, q) for q in (*arrays[i + 1 :], *others)), (function.name, ex)
    assert pairs > 50


def test_gradients_of_many_leaves_are_all_apart():
    leaves = [leaf(1.0, 2.0) for _ in range(6)]
    incoming = Tensor([1.0, 1.0])
    total = leaves[0] + leaves[1] + leaves[2] + leaves[3] + leaves[4] + leaves[5]
    total.retain_grad()
    total.backward(incoming)
    arrays = [x.grad.data for x in leaves] + [total.grad.data, incoming.data]
    for i, p in enumerate(arrays):
        assert not any(np.shares_memory(p, q) for q in arrays[i + 1 :])


def test_the_incoming_gradient_is_never_written():
    x = leaf(1.0, 2.0)
    g = np.array([1.0, 1.0])
    y = x + x + x * 2 + x
    y.backward(g)
    y.backward(g)
    assert g.tolist() == [1.0, 1.0]
    assert x.grad.tolist() == [10.0, 10.0]
    read_only = np.broadcast_to(1.0, (2,))
    y.backward(read_only)
    assert x.grad.tolist() == [15.0, 15.0]


def test_gradients_that_arrive_in_several_places_are_not_mixed_up():
    a, b, c = leaf(1.0), leaf(2.0), leaf(3.0)
    s = a + b
    (s * 2 + s * 3 + s + c + a * 7 + a).sum().backward()
    assert [t.grad.item() for t in (a, b, c)] == [14.0, 6.0, 1.0]


# -- an error leaves every gradient as it was


def test_an_error_in_a_rule_leaves_every_gradient_as_it_was():
    a, b = leaf(1.0), leaf(2.0)
    (a * b).sum().backward()
    with pytest.raises(ZeroDivisionError):
        (b * 3 + broken(a)).sum().backward()
    with pytest.raises(ZeroDivisionError):
        (b * 3 + broken(a)).sum().backward(create_graph=True)
    assert (a.grad.item(), b.grad.item()) == (2.0, 1.0)
    (a * b).sum().backward()
    assert (a.grad.item(), b.grad.item()) == (4.0, 2.0)


def test_an_error_in_a_hook_leaves_every_gradient_as_it_was():
    a, b = leaf(1.0), leaf(2.0)
    handle = a.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (a * b).sum().backward()
    assert a.grad is None
    assert b.grad is None
    handle.remove()
    (a * b).sum().backward()
    assert a.grad.item() == 2.0


# -- hooks and kept gradients


def test_a_hook_sees_the_whole_gradient_once():
    x = leaf(3.0)
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * x + x).sum().backward()
    assert seen == [[7.0]]
    assert x.grad.tolist() == [7.0]


def test_what_a_hook_returns_replaces_the_gradient():
    x = leaf(3.0)
    h = x * 2
    h.register_hook(lambda g: g * 10)
    h.register_hook(lambda g: np.clip(g.numpy(), 0, 5))
    x.register_hook(lambda g: -g)
    (h * 4).sum().backward()
    assert x.grad.tolist() == [-10.0]


def test_hooks_run_in_grad_and_with_create_graph():
    x = leaf(3.0)
    h = x * x
    h.register_hook(lambda g: g * 2)
    assert grad(h.sum(), x).item() == 12.0
    dx = grad(h.sum(), x, create_graph=True)
    assert dx.item() == 12.0
    assert grad(dx.sum(), x).item() == 4.0


def test_a_removed_hook_runs_no_more():
    x = leaf(3.0)
    calls = []
    handle = x.register_hook(lambda g: calls.append("a"))
    x.register_hook(lambda g: calls.append("b"))
    (x * 2).sum().backward()
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert calls == ["a", "b", "b"]


def test_a_hook_cannot_write_into_the_gradient_of_others():
    a, b = leaf(1.0, 1.0), leaf(1.0, 1.0)

    def write(g):
        with no_grad():
            g[0] = 100.0

    a.register_hook(write)
    with pytest.raises(ValueError, match="read-only"):
        (a + b).sum().backward()
    assert b.grad is None


def test_a_hook_keeps_the_dtype_and_must_keep_the_shape():
    x = leaf(1.0, 2.0, dtype="float32")
    x.register_hook(lambda g: g.numpy().astype(float) * 2)
    x.sum().backward()
    assert x.grad.dtype == "float32"
    assert x.grad.tolist() == [2.0, 2.0]
    x.register_hook(lambda g: g.numpy().sum())
    with pytest.raises(ValueError, match=r"hook.*shape \(\).*\(2,\)"):
        x.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_computed_tensor_can_retain_its_gradient():
    x = leaf(3.0)
    h = x * x
    assert h.retain_grad() is h
    (h * 5).sum().backward()
    assert h.grad.tolist() == [5.0]
    assert x.grad.tolist() == [30.0]
    assert h.grad.is_leaf
    x.retain_grad()
    with pytest.raises(RuntimeError, match="requires no gradient"):
        h.detach().retain_grad()
    with pytest.raises(RuntimeError, match="requires no gradient"):
        Tensor([1.0]).register_hook(print)


# -- create_graph


def test_a_recorded_backward_gives_gradients_that_can_be_differentiated():
    x = leaf(2.0)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.tolist() == [12.0]
    assert not x.grad.is_leaf
    slope, x.grad = x.grad, None
    slope.sum().backward()
    assert x.grad.tolist() == [12.0]  # 6x


def test_a_recorded_backward_adds_to_what_is_there():
    x = leaf(2.0)
    (x * x).sum().backward()
    (x**3).sum().backward(create_graph=True)
    assert x.grad.tolist() == [16.0]
    (x * x).sum().backward()
    assert x.grad.tolist() == [20.0]
    assert x.grad.is_leaf


def test_a_gradient_penalty_trains():
    w, x = leaf(0.7, -0.3), leaf(1.0, 2.0)
    slope = grad(np.tanh(w * x).sum(), x, create_graph=True)
    (slope * slope).sum().backward()

    def penalty(v):
        return float((((1 - np.tanh(v * x.numpy()) ** 2) * v) ** 2).sum())

    for i in range(2):
        step = np.eye(2)[i] * 1e-6
        expected = (penalty(w.numpy() + step) - penalty(w.numpy() - step)) / 2e-6
        assert w.grad[i].item() == pytest.approx(expected, rel=1e-6)


# ---------------------------------------------------------------------------------------------------
# grad


def test_grad_touches_no_grad():
    x, w = leaf(2.0), leaf(3.0)
    x.grad = np.array([7.0])
    g = grad((x * w).sum(), x)
    assert g.tolist() == [3.0]
    assert g.is_leaf
    assert x.grad.tolist() == [7.0]
    assert w.grad is None


def test_grad_takes_one_several_or_a_generator_of_inputs():
    parameters = [leaf(1.0), leaf(2.0)]
    y = (parameters[0] * parameters[1]).sum()
    assert grad(y, parameters[0]).item() == 2.0
    assert [g.item() for g in grad(y, parameters)] == [2.0, 1.0]
    assert [g.item() for g in grad(y, (p for p in parameters))] == [2.0, 1.0]
    assert isinstance(grad(y, [parameters[0]]), tuple)
    assert grad(y, []) == ()


def test_grad_by_results_in_between():
    x = leaf(2.0)
    h = x * x
    y = (h * h * x).sum()
    by_h, by_x = grad(y, [h, x])
    assert by_h.item() == 2 * 4 * 2
    assert by_x.item() == 5 * 16
    assert grad(y, y).item() == 1.0
    assert grad(h, h, [3.0]).item() == 3.0


def test_grad_of_several_outputs_adds_them_up():
    x = leaf(2.0, 3.0)
    a, b = (x * x).sum(), x * 5
    assert grad([a, b], x, [None, np.array([1.0, 2.0])]).tolist() == [9.0, 16.0]
    assert grad([a, a], x).tolist() == [8.0, 12.0]
    assert grad((a, (x * 1).sum()), x).tolist() == [5.0, 7.0]


@pytest.mark.parametrize(
    "given", [[1.0, 10.0], np.array([1.0, 10.0]), Tensor([1.0, 10.0]), [np.array([1.0, 10.0])], (Tensor([1.0, 10.0]),)]
)
def test_grad_takes_grad_outputs_bare_or_in_a_list(given):
    x = leaf(1.0, 2.0)
    assert grad(x * x, x, given).tolist() == [2.0, 40.0]


def test_a_list_of_one_number_is_the_gradient_of_one_number():
    x = leaf(3.0)
    assert grad(x * x, x, [2.0]).tolist() == [12.0]
    assert grad(x * x, x, [[2.0]]).tolist() == [12.0]


def test_an_unused_input_raises_or_gives_none():
    x, unused = leaf(1.0), leaf(2.0, name="unused")
    y = (x * 2).sum()
    with pytest.raises(RuntimeError, match=r"no path from the outputs to 'unused'.*allow_unused=True"):
        grad(y, [x, unused])
    used, none = grad(y, [x, unused], allow_unused=True)
    assert used.item() == 2.0
    assert none is None
    assert grad(y, unused, allow_unused=True) is None


@pytest.mark.parametrize(("f", "derivatives"), [
    (lambda x: x**4, [32.0, 48.0, 48.0, 24.0, 0.0]),
    (lambda x: x * x * x * x, [32.0, 48.0, 48.0, 24.0, 0.0]),
    (np.exp, [np.e**2] * 5),
    (np.sin, [np.cos(2), -np.sin(2), -np.cos(2), np.sin(2), np.cos(2)]),
    (lambda x: 1 / x, [-1 / 4, 2 / 8, -6 / 16, 24 / 32, -120 / 64]),
    (np.log, [1 / 2, -1 / 4, 2 / 8, -6 / 16, 24 / 32]),
    (lambda x: (x - 2) ** 2, [0.0, 2.0, 0.0, 0.0, 0.0]),
    (np.square, [4.0, 2.0, 0.0, 0.0, 0.0]),
    (lambda x: np.where(x > 1, x**3, x), [12.0, 12.0, 6.0, 0.0, 0.0]),
    (lambda x: neural.relu(x) ** 3, [12.0, 12.0, 6.0, 0.0, 0.0]),
    (lambda x: sin_and_cos(x)[0] * sin_and_cos(x)[1], [np.cos(4), -2 * np.sin(4), -4 * np.cos(4), 8 * np.sin(4), 16 * np.cos(4)]),
    (lambda x: checkpoint(lambda t: np.sin(t) * 1.0, x), [np.cos(2), -np.sin(2), -np.cos(2), np.sin(2), np.cos(2)]),
])  # fmt: skip
def test_derivatives_up_to_the_fifth(f, derivatives):
    x = Tensor(2.0, requires_grad=True)
    y = f(x)
    for expected in derivatives:
        if not y.requires_grad:
            assert expected == 0.0
            break
        y = grad(y, x, create_graph=True, allow_unused=True)
        if y is None:
            assert expected == 0.0
            break
        assert y.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("f", [np.sign, np.floor, lambda x: x - x, lambda x: x * 0])
def test_a_recorded_gradient_is_a_tensor_also_where_it_is_constant(f):
    x = leaf(1.5, -2.5)
    for output in (f(x).sum(), (f(x) * x).sum()):
        g = grad(output, x, create_graph=True)
        assert isinstance(g, Tensor)
        assert g.shape == (2,)
    f(x).sum().backward(create_graph=True)
    assert isinstance(x.grad, Tensor)
    assert x.grad.tolist() == [0.0, 0.0]


# ---------------------------------------------------------------------------------------------------
# Conventions at kinks, ties, zeros and infinities


CONVENTIONS = {
    "relu at 0": (lambda x: neural.relu(x), [-1.0, 0.0, 2.0], [0.0, 0.0, 1.0]),
    "abs at 0": (np.abs, [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    "sign": (np.sign, [-2.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
    "clip passes at its bounds": (lambda x: np.clip(x, -1, 1), [-2.0, -1.0, 0.0, 1.0, 2.0], [0.0, 1.0, 1.0, 1.0, 0.0]),
    "floor": (np.floor, [0.5, 1.0], [0.0, 0.0]),
    "max shares ties": (np.max, [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    "max of axis shares ties": (lambda x: np.max(x, axis=0), [2.0, 2.0, 2.0, 2.0], [0.25] * 4),
    "min shares ties": (np.min, [1.0, 3.0, 1.0], [0.5, 0.0, 0.5]),
    "maximum gives each half": (lambda x: np.maximum(x, np.array([1.0, 2.0])), [1.0, 3.0], [0.5, 1.0]),
    "minimum gives each half": (lambda x: np.minimum(x, np.array([1.0, 2.0])), [1.0, 3.0], [0.5, 0.0]),
    "maximum of itself": (lambda x: np.maximum(x, x), [1.0], [1.0]),
    "sqrt at 0": (np.sqrt, [0.0, 4.0], [np.inf, 0.25]),
    "norm at 0": (np.linalg.norm, [0.0, 0.0], [0.0, 0.0]),
    "norm along an axis at 0": (lambda x: np.linalg.norm(x.reshape(2, 2), axis=1), [0.0, 0.0, 3.0, 4.0], [0.0, 0.0, 0.6, 0.8]),
    "std of a constant": (np.std, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "var of a constant": (np.var, [2.0, 2.0, 2.0], [0.0, 0.0, 0.0]),
    "prod with a zero": (np.prod, [2.0, 0.0, 5.0], [0.0, 10.0, 0.0]),
    "prod with two zeros": (np.prod, [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]),
    "cumprod with a zero": (np.cumprod, [2.0, 0.0, 5.0], [1.0, 2.0 + 10.0, 0.0]),
    "x to the 0 at 0": (lambda x: x**0, [0.0, 2.0], [0.0, 0.0]),
    "x to the 1 at 0": (lambda x: x**1, [0.0], [1.0]),
    "x squared at 0": (lambda x: x**2, [0.0, -3.0], [0.0, -6.0]),
    "an integer power of a negative base": (lambda x: x**3, [-2.0], [12.0]),
    "an array of integer powers": (lambda x: x ** np.array([0, 1, 3]), [0.0, 0.0, -2.0], [0.0, 1.0, 12.0]),
    "0 to a positive exponent": (lambda b: np.zeros(2) ** b, [1.0, 2.0], [0.0, 0.0]),
    "where keeps infinities apart": (lambda x: np.where(x > 0, x, np.inf), [1.0, -1.0], [1.0, 0.0]),
    "a safe argument in the branch not taken": (lambda x: np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), 0.0), [2.0, 0.0, -1.0], [0.5, 0.0, 0.0]),
    "nan_to_num": (np.nan_to_num, [np.nan, 1.0], [0.0, 1.0]),
    "repeated indices add up": (lambda x: x[[0, 0, 2]], [1.0, 2.0, 3.0], [2.0, 0.0, 1.0]),
    "logsumexp far out": (lambda x: tg.ops.reductions.logsumexp(x), [1e4, -1e4], [1.0, 0.0]),
    "hypot at 0": (lambda x: np.hypot(x, 0.0), [3.0], [1.0]),
    "copysign": (lambda x: np.copysign(x, -1.0), [2.0, -3.0], [-1.0, 1.0]),
    "remainder": (lambda x: x % 2.0, [3.5, -0.5], [1.0, 1.0]),
}  # fmt: skip


@pytest.mark.parametrize(("f", "x", "expected"), CONVENTIONS.values(), ids=CONVENTIONS.keys())
def test_the_convention_for(f, x, expected):
    t = leaf(*x)
    f(t).sum().backward()
    np.testing.assert_allclose(t.grad.numpy(), expected, rtol=1e-12, atol=0)
    again = grad(f(t).sum(), t, create_graph=True)
    np.testing.assert_allclose(again.numpy(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "f", [neural.sigmoid, neural.softplus, neural.softmax, neural.log_softmax, np.tanh, neural.silu, neural.gelu]
)
@pytest.mark.parametrize("scale", [1e4, 88.0, 0.0])
def test_activations_are_finite_far_out_in_float32(f, scale):  # fmt: skip
    x = Tensor(np.array([-1.0, 0.0, 1.0], "float32") * np.float32(scale), requires_grad=True)
    y = f(x)
    assert np.isfinite(y.numpy()).all()
    weights = np.array([1.0, -2.0, 0.5], "float32")
    dx = grad((y * weights).sum(), x, create_graph=True)
    assert np.isfinite(dx.numpy()).all()
    assert y.dtype == dx.dtype == "float32"
    if f is neural.softmax:
        assert float(y.sum()) == pytest.approx(1.0, abs=1e-6)


def test_values_of_the_branch_not_taken_never_reach_the_gradient():
    x, other = leaf(1.0, 2.0), leaf(np.nan, np.inf)
    y = np.where(np.array([True, True]), x, other)
    gx, go = grad(y, [x, other], np.array([np.inf, 3.0]))
    assert gx.tolist() == [np.inf, 3.0]
    assert go.tolist() == [0.0, 0.0]


def test_second_derivatives_go_through_masks_as_they_are_now():
    x = leaf(-1.0, 0.5, 2.0)
    f = lambda t: (np.where(t > 1, t**3, neural.relu(t) ** 2) + np.abs(t) ** 3 + np.maximum(t, 0.25) ** 2).sum()
    dx = grad(f(x), x, create_graph=True)
    ddx = grad(dx.sum(), x, create_graph=True)
    for values in ([-1.0, 0.5, 2.0], [2.0, -3.0, 0.5], [0.1, 3.0, -2.0]):
        v = np.array(values)
        expected = np.where(v > 1, 6 * v, np.where(v > 0, 2.0, 0.0)) + 6 * np.abs(v) + np.where(v > 0.25, 2.0, 0.0)
        np.testing.assert_allclose(evaluate(ddx, {x: v}), expected)


# ---------------------------------------------------------------------------------------------------
# Transformations of functions


def quadratic(x, y):
    """A function of two vectors, not symmetric in them."""
    return (x * x).sum() * 3 + (x * y).sum()


def test_value_and_grad():
    f = value_and_grad(quadratic)
    y, g = f(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    assert y.item() == 15.0 + 50.0
    assert g.tolist() == [16.0, 32.0]
    assert y.is_leaf
    assert g.is_leaf
    y, (_gx, gy) = value_and_grad(quadratic, argnums=(0, 1))([1.0, 2.0], Tensor([10.0, 20.0]))
    assert gy.tolist() == [1.0, 2.0]
    for last in (1, -1):
        assert value_and_grad(quadratic, argnums=last)(Tensor([1.0, 2.0]), [10.0, 20.0])[1].tolist() == [1.0, 2.0]
    assert value_and_grad(lambda x, *, k: x * k)(2.0, k=3.0)[1].item() == 3.0


def test_value_and_grad_leaves_its_arguments_alone():
    x = leaf(1.0, 2.0, name="x")
    x.grad = np.array([5.0, 5.0])
    value_and_grad(lambda t: (t * t).sum())(x)
    assert x.grad.tolist() == [5.0, 5.0]
    seen = []
    value_and_grad(lambda t: seen.append(t.name) or (t * t).sum())(x)
    assert seen == ["x"]


@pytest.mark.parametrize("constant", [lambda x: Tensor(3.0), lambda x: x.detach().sum(), lambda x: (x > 0).sum()])
def test_a_function_that_does_not_depend_on_its_argument_has_derivative_zero(constant):
    x = np.array([1.0, 2.0])
    assert value_and_grad(constant)(x)[1].tolist() == [0.0, 0.0]
    assert vjp(constant, x)[1].tolist() == [0.0, 0.0]
    assert jvp(constant, x, x)[1].item() == 0.0
    assert jacobian(constant, x).tolist() == [0.0, 0.0]
    assert hessian(constant, x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(constant, x, x)[1].tolist() == [0.0, 0.0]


def test_a_linear_function_has_second_derivative_zero():
    x = np.array([1.0, 2.0])
    assert hessian(lambda t: (t * 3).sum(), x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(lambda t: (t * 3).sum(), x, x)[1].tolist() == [0.0, 0.0]


FUNCTIONS = {
    "square": lambda x: x * x,
    "product of parts": lambda x: x[:2] * x[1:],
    "matrix product": lambda x: np.array([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]) @ x,
    "softmax": lambda x: neural.softmax(x),
    "relu": lambda x: neural.relu(x) * x,
    "several outputs": lambda x: sin_and_cos(x)[0] * sin_and_cos(x)[1] + x,
    "sum": lambda x: x.sum(),
    "outer": lambda x: x[:, None] * np.exp(x),
    "where": lambda x: np.where(x > 0.5, x**3, x),
    "cumsum": lambda x: np.cumsum(x * x),
    "sort": lambda x: np.sort(x) ** 2,
    "norm": np.linalg.norm,
    "checkpoint": lambda x: checkpoint(lambda t: np.sin(t) * t, x),
    "power": lambda x: x**3,
    "not differentiable in part": lambda x: np.floor(x) * x + np.sign(x),
    "linear": lambda x: 3 * x[::-1],
    "identity": lambda x: x,
    "reshape": lambda x: x.reshape(3, 1),
}


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_jacobian_vjp_and_jvp_agree_with_difference_quotients(f, rng):
    x = np.array([0.3, 1.7, -0.8])
    J = jacobian(f, x)
    y = np.asarray(f(Tensor(x)).numpy())
    assert J.shape == y.shape + x.shape
    for j in range(3):
        step = np.eye(3)[j] * 1e-6
        difference = (f(Tensor(x + step)).numpy() - f(Tensor(x - step)).numpy()) / 2e-6
        np.testing.assert_allclose(J.numpy()[..., j], difference, rtol=1e-6, atol=1e-8)
    u, v = rng.standard_normal(3), np.asarray(rng.standard_normal(y.shape))
    value, pulled = vjp(f, x, v)
    np.testing.assert_allclose(pulled.numpy(), np.tensordot(v, J.numpy(), y.ndim), rtol=1e-12)
    value, pushed = jvp(f, x, u)
    np.testing.assert_allclose(pushed.numpy(), J.numpy() @ u, rtol=1e-12, atol=1e-14)
    assert np.array_equal(value.numpy(), y)
    assert value.is_leaf
    assert pushed.is_leaf
    assert pulled.is_leaf


def test_transformations_of_functions_of_several_arguments():
    a, b = np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0]])
    f = lambda x, m: m @ x * x[0]
    Ja, Jb = jacobian(f, (a, b))
    assert Ja.shape == (2, 2)
    assert Jb.shape == (2, 2, 2)
    _y, (ga, gb) = vjp(f, [a, b], np.array([1.0, 10.0]))
    np.testing.assert_allclose(ga.numpy(), np.array([1.0, 10.0]) @ Ja.numpy())
    np.testing.assert_allclose(gb.numpy(), np.tensordot([1.0, 10.0], Jb.numpy(), 1))
    ua, ub = np.array([0.5, -1.0]), np.ones((2, 2))
    _, tangent = jvp(f, (a, b), (ua, ub))
    np.testing.assert_allclose(tangent.numpy(), Ja.numpy() @ ua + np.tensordot(Jb.numpy(), ub, 2))
    assert vjp(lambda x, m: x.sum(), (a, b))[1][1].tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(("n", "m"), [(0, 2), (2, 0), (0, 0)])
def test_jacobians_of_nothing_are_empty(n, m):
    A = np.ones((m, n))
    assert jacobian(lambda x: A @ x, np.ones(n)).shape == (m, n)
    assert jvp(lambda x: A @ x, np.ones(n), np.ones(n))[1].tolist() == [0.0] * m
    assert vjp(lambda x: A @ x, np.ones(n), np.ones(m))[1].tolist() == [0.0] * n


def test_jacobian_of_numbers_and_in_float32():
    J = jacobian(np.sin, 0.0)
    assert J.shape == ()
    assert J.item() == 1.0
    J = jacobian(lambda x: x * x, np.ones(2, "float32"))
    assert J.dtype == "float32"
    assert jvp(np.exp, np.ones(2, "float32"), np.ones(2))[1].dtype == "float32"
    assert hessian(lambda x: (x**3).sum(), np.ones(2, "float32")).dtype == "float32"


def test_hessian_and_hvp(rng):
    A = rng.standard_normal((3, 3))
    f = lambda x: np.exp(x @ (A @ x) * 0.1) + (x**3).sum()
    x, v = rng.standard_normal(3), rng.standard_normal(3)
    H = hessian(f, x)
    np.testing.assert_allclose(H.numpy(), H.numpy().T, rtol=1e-10)
    slope = lambda t: value_and_grad(f)(t)[1].numpy()
    for j in range(3):
        step = np.eye(3)[j] * 1e-6
        np.testing.assert_allclose(H.numpy()[:, j], (slope(x + step) - slope(x - step)) / 2e-6, rtol=1e-5)
    value, Hv = hvp(f, x, v)
    np.testing.assert_allclose(Hv.numpy(), H.numpy() @ v, rtol=1e-10)
    assert value.item() == pytest.approx(f(x))
    assert hessian(lambda m: (m @ m).sum(), np.eye(2)).shape == (2, 2, 2, 2)
    assert hessian(lambda t: (t**2).sum(), np.array([1.0, 2.0])).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert hessian(lambda t: t**2, 3.0).item() == 2.0


def test_transformations_nest():
    cube = lambda t: t * t * t
    x = np.array([1.0, 2.0])
    slope = lambda t: value_and_grad(lambda s: cube(s).sum())(t)[1]
    expected = np.diag(6 * x).tolist()
    assert jacobian(slope, x).tolist() == expected
    assert jacobian(lambda t: vjp(cube, t, np.ones(2))[1], x).tolist() == expected
    assert jacobian(lambda t: jvp(cube, t, np.ones(2))[1], x).tolist() == expected
    assert jacobian(lambda t: jacobian(cube, t).sum(axis=0), x).tolist() == expected
    assert jacobian(lambda t: hvp(lambda s: cube(s).sum(), t, np.ones(2))[1], x).tolist() == [[6.0, 0.0], [0.0, 6.0]]
    third = jacobian(lambda t: hessian(lambda s: cube(s).sum(), t), x)
    assert third[0, 0, 0].item() == third[1, 1, 1].item() == 6.0
    assert np.count_nonzero(third.numpy()) == 2
    assert jvp(slope, x, np.ones(2))[1].tolist() == (6 * x).tolist()
    second = value_and_grad(lambda t: value_and_grad(cube)(t)[1])
    assert second(2.0)[1].item() == 12.0
    assert value_and_grad(lambda t: second(t)[1])(2.0)[1].item() == 6.0
    assert value_and_grad(lambda t: second(t)[1])(2.0)[1].is_leaf


def test_nested_transformations_keep_outer_variables_apart():
    # d/dx of x · d/dy (x + y) is 1: perturbations must not be confused
    inner = lambda x: value_and_grad(lambda y: x + y)(1.0)[1]
    assert value_and_grad(lambda x: x * inner(x))(1.0)[1].item() == 1.0
    inner = lambda x: value_and_grad(lambda y: x * y)(2.0)[1]
    assert value_and_grad(lambda x: x * inner(x))(3.0)[1].item() == 6.0
    # the same tensor inside and outside
    assert value_and_grad(lambda x: x * value_and_grad(lambda y: x * y)(x)[1])(3.0)[1].item() == 6.0


def test_no_grad_inside_a_transformed_function_cuts_it():
    def f(t):
        with no_grad():
            slope = value_and_grad(lambda s: s**3)(t)[1]
        return t * slope

    assert value_and_grad(f)(2.0)[1].item() == 12.0


def test_create_graph_connects_results_to_the_callers_tensors():
    x = leaf(1.0, 2.0)
    h = x * x
    f = lambda t: t**3
    y, g = vjp(f, h, np.ones(2), create_graph=True)  # 3h² = 3x⁴
    assert grad(g.sum(), x).tolist() == [12.0, 96.0]
    assert grad(y.sum(), x).tolist() == [6.0, 192.0]
    _, t = jvp(f, h, np.ones(2), create_graph=True)
    assert grad(t.sum(), x).tolist() == [12.0, 96.0]
    J = jacobian(f, h, create_graph=True)
    assert grad(J.sum(), x).tolist() == [12.0, 96.0]
    H = hessian(lambda t: f(t).sum(), h, create_graph=True)  # 6h
    assert grad(H.sum(), x).tolist() == [12.0, 24.0]
    _, Hv = hvp(lambda t: f(t).sum(), h, np.ones(2), create_graph=True)
    assert grad(Hv.sum(), x).tolist() == [12.0, 24.0]
    v = leaf(1.0, 1.0)
    _, t = jvp(f, h, v, create_graph=True)
    assert grad(t.sum(), v).tolist() == [3.0, 48.0]
    assert x.grad is None


def test_create_graph_with_the_same_tensor_for_two_arguments():
    x = leaf(3.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, x * 1), None, create_graph=True)
    assert (ga.item(), gb.item()) == (18.0, 9.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, x), None, create_graph=True)
    assert (ga.item(), gb.item()) == (18.0, 9.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, np.array([3.0])), None, create_graph=True)
    assert grad(ga.sum(), x).item() == 6.0


def test_transformations_record_inside_no_grad():
    with no_grad():
        assert value_and_grad(lambda x: x * x)(3.0)[1].item() == 6.0
        assert jacobian(lambda x: x * x, np.ones(2)).tolist() == [[2.0, 0.0], [0.0, 2.0]]
        assert hessian(lambda x: (x**3).sum(), np.ones(2)).tolist() == [[6.0, 0.0], [0.0, 6.0]]
        assert not is_grad_enabled()


def test_transformed_functions_may_use_weights_and_leave_their_gradients_alone():
    w = leaf(2.0, 3.0)
    _y, g = value_and_grad(lambda x: (x * w).sum())(np.ones(2))
    assert g.tolist() == [2.0, 3.0]
    assert w.grad is None


@pytest.mark.parametrize("transform", [
    lambda f: value_and_grad(f)(1.0), lambda f: vjp(f, 1.0), lambda f: jvp(f, 1.0, 1.0),
    lambda f: jacobian(f, 1.0), lambda f: hessian(f, 1.0), lambda f: hvp(f, 1.0, 1.0),
])  # fmt: skip
@pytest.mark.parametrize("result", [3.0, None, np.ones(2), (Tensor(1.0), Tensor(2.0))])
def test_a_function_to_be_differentiated_returns_one_tensor(transform, result):
    with pytest.raises(TypeError, match="returns one tensor, but this one returned"):
        transform(lambda x: result)
    assert is_grad_enabled()


def test_transformations_refuse_what_they_cannot_differentiate():
    with pytest.raises(RuntimeError, match=r"single number.*shape \(2,\)"):
        value_and_grad(lambda x: x * 2)(np.ones(2))
    with pytest.raises(RuntimeError, match=r"single number.*shape \(2,\)"):
        value_and_grad(lambda x: x > 2)(np.ones(2))
    with pytest.raises(RuntimeError, match="single number"):
        vjp(lambda x: x * 2, np.ones(2))
    with pytest.raises(RuntimeError, match="single number"):
        hessian(lambda x: x * 2, np.ones(2))
    with pytest.raises(ValueError, match=r"shape \(3,\).*shape \(2,\)"):
        vjp(lambda x: x * 2, np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"jvp\(\) needs a v of the inputs' shapes \[\(2,\)\], but got \[\(3,\)\]"):
        jvp(lambda x: x * 2, np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"jvp\(\)"):
        jvp(lambda x, y: x * y, (np.ones(2), np.ones(2)), (np.ones(2),))
    with pytest.raises(TypeError, match=r"argnums=2.*got 1"):
        value_and_grad(lambda x: x, argnums=2)(1.0)
    with pytest.raises(TypeError, match=r"write 3\. with a point"):
        value_and_grad(lambda x: x * x)(3)


# ---------------------------------------------------------------------------------------------------
# Transformations compose with what is around them


TRANSFORMATIONS = {
    "value_and_grad": lambda f, x, v: value_and_grad(lambda t: (f(t) * v).sum())(x)[1],
    "its value": lambda f, x, v: value_and_grad(lambda t: (f(t) * v).sum())(x)[0],
    "two arguments": lambda f, x, v: np.stack(value_and_grad(lambda s, t: (f(s) * t * v).sum(), (0, 1))(x, x)[1]),
    "vjp": lambda f, x, v: vjp(f, x, v)[1],
    "jvp": lambda f, x, v: jvp(f, x, v)[1],
    "jacobian": lambda f, x, v: jacobian(f, x) * v,
    "hessian": lambda f, x, v: hessian(lambda t: (f(t) * v).sum(), x),
    "hvp": lambda f, x, v: hvp(lambda t: f(t).sum(), x, v)[1],
    "three deep": lambda f, x, v: value_and_grad(lambda r: jvp(lambda s: vjp(f, s, v)[1], r, v)[1].sum())(x)[1],
}


def uses(w, h, mask):
    """A function of a vector that uses a leaf, what was computed of it, and a mask."""
    return lambda t: np.where(mask, np.sin(t * w), t**3) * h * np.roll(t, 1)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("held", ["leaf", "computed", "plain"])
def test_what_a_transformation_returns_is_recorded_by_what_the_function_used(name, held, rng):
    values = {key: rng.standard_normal(3) for key in "xwvu"}

    def result(x, w, v, u):
        given = {"leaf": x, "computed": x * 2.0, "plain": Tensor(values["x"])}[held]
        return (TRANSFORMATIONS[name](uses(w, w * w, w > 0.0), given, v) * u).sum()

    leaves = {key: Tensor(array.copy(), requires_grad=True) for key, array in values.items()}
    y = result(**leaves)
    keys = "wv" if held == "plain" else "xwv"
    for key, slope in zip(keys, grad(y, [leaves[key] for key in keys]), strict=True):
        for j in range(3):
            step = np.eye(3)[j] * 1e-5
            with no_grad():
                up, down = (result(**{**values, key: values[key] + sign * step}).item() for sign in (1, -1))
            assert slope[j].item() == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-7), (key, j)


def test_derivatives_of_a_derivative_of_any_order():
    w, x = Tensor(0.7, requires_grad=True), 1.3
    y = value_and_grad(lambda t: np.sin(w * t))(x)[1]  # w·cos(wx)
    for expected in (
        np.cos(0.7 * x) - 0.7 * x * np.sin(0.7 * x),
        -2 * x * np.sin(0.7 * x) - 0.7 * x**2 * np.cos(0.7 * x),
        -3 * x**2 * np.cos(0.7 * x) + 0.7 * x**3 * np.sin(0.7 * x),
    ):
        y = grad(y, w, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_the_function_runs_once_and_its_record_is_of_that_run():
    w, calls = leaf(1.0, 2.0), []
    total = Tensor(0.0)
    for i in range(3):  # each slope is of its own i
        _, slope = value_and_grad(lambda t: calls.append(1) or (t * w * w * (i + 1.0)).sum())(np.ones(2))  # noqa: B023
        total = total + slope.sum()
    total.backward()
    assert w.grad.tolist() == [12.0, 24.0]
    tg.manual_seed(3)
    _, slope = value_and_grad(lambda t: calls.append(1) or (tg.nn.functional.dropout(t * w) * w).sum())(np.ones(2))
    assert grad(slope.sum(), w).tolist() == (2 * slope.numpy() / w.numpy()).tolist()
    assert len(calls) == 4


def test_both_kinds_of_loss_train_the_weights():
    """u′ = u and u(0) = 1, by a polynomial: the data alone give 1, the equation alone nothing but 0."""
    w, powers = Tensor(np.zeros(6), requires_grad=True), np.arange(6)
    u = lambda t: (w * t**powers).sum(-1)
    grid = np.linspace(0, 1, 12)[:, None]
    optimizer = tg.optim.Adam([w], lr=0.1)
    for _ in range(400):
        slope = jvp(u, grid, np.ones_like(grid))[1]
        loss = ((slope - u(grid)) ** 2).mean() + (u(np.zeros((1, 1))) - 1.0).sum() ** 2
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
    np.testing.assert_allclose(u(grid).numpy(), np.exp(grid[:, 0]), atol=0.03)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_nothing_is_kept_where_nothing_is_to_be_differentiated(name):
    inside = []

    def f(t):
        h = np.sin(t * w)
        inside.append(weakref.ref(h))
        return h * t

    w, x = Tensor([1.0, 2.0, 3.0]), np.ones(3)
    plain = TRANSFORMATIONS[name](f, x, x)
    assert plain.is_leaf
    assert not plain.requires_grad
    w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with no_grad():
        kept = TRANSFORMATIONS[name](f, x, x)
        assert kept.is_leaf
        assert np.array_equal(kept, plain)
    assert [r() for r in inside] == [None] * len(inside)
    recorded = TRANSFORMATIONS[name](f, x, x)
    assert recorded.requires_grad
    assert np.array_equal(recorded, plain)
    del recorded
    assert [r() for r in inside] == [None] * len(inside)


def test_a_loss_of_value_and_slope_frees_the_record_as_it_goes_back():
    w = leaf(2.0)
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    (value + slope.sum()).backward(retain_graph=False)
    assert w.grad.tolist() == [15.0]
    with pytest.raises(RuntimeError, match="graph of the result of value_and_grad was freed"):
        slope.sum().backward()
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    value.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        slope.sum().backward()


def test_the_derivative_of_a_written_weight_is_stale():
    w = Tensor([2.0], requires_grad=True, name="w")
    _, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    with no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="'w' was written after value_and_grad had used it"):
        slope.sum().backward()


def test_a_derivative_is_evaluated_on_new_values_of_all_that_it_depends_on():
    w, x = Tensor([2.0, -1.0], requires_grad=True), Tensor([3.0, 5.0])
    c = Tensor([10.0, 20.0])  # plain, and used by the function alone or outside too
    mask = w > 0
    f = lambda t: (np.where(mask, w, c) * t**3 * c).sum()
    _, slope = value_and_grad(f)(x)
    third = value_and_grad(lambda t: hvp(f, t, c)[1].sum())(x)[1]
    outside = slope + c
    expected = lambda w, x, c: np.where(w > 0, w, c) * 3 * x**2 * c
    new = {w: np.array([-3.0, 4.0]), x: np.array([0.5, 2.0]), c: np.array([1.0, 7.0])}
    for changed in ([], [w], [x], [w, x], [c], [w, x, c]):
        given = {t: new[t] for t in changed}
        now = [given.get(t, t.numpy()) for t in (w, x, c)]
        np.testing.assert_allclose(evaluate(slope, given), expected(*now))
        np.testing.assert_allclose(evaluate(outside, given), expected(*now) + now[2])
        if c not in given:  # whose products with other plain numbers were not recorded
            np.testing.assert_allclose(evaluate(third, given), np.where(now[0] > 0, now[0], now[2]) * 6 * now[2] ** 2)
    with pytest.raises(ValueError, match="do not depend on"):
        evaluate(slope, {Tensor([1.0, 2.0]): np.ones(2)})


def test_a_derivative_that_cannot_be_computed_again_is_not_evaluated():
    w = Tensor([2.0, -1.0], requires_grad=True)
    _, slope = value_and_grad(lambda t: (np.where(t * w > 0, w, 0.0) * t).sum())(np.ones(2))  # t·w ends with its line
    mask = w > 0
    _, plain = value_and_grad(lambda t: (np.where(mask, t, 0.0)).sum())(np.ones(2))
    assert plain.is_leaf
    for y in (slope, plain * w):
        assert grad(y.sum(), w).tolist() == [1.0, 0.0]
        with pytest.raises(RuntimeError, match="cannot be computed again"):
            evaluate(y, {w: np.array([-1.0, 1.0])})


def test_a_derivative_in_a_graph_is_copied_and_saved_like_any_result():
    w = leaf(2.0)
    _, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    with pytest.raises(RuntimeError, match=r"was computed by value_and_grad; only leaves .* use \.detach\(\)"):
        pickle.dumps(slope)
    assert slope.detach().tolist() == [12.0]
    assert repr(slope) == "Tensor([12.], op=value_and_grad)"


def test_hooks_of_weights_run_once_for_a_derivative():
    w, seen = leaf(2.0), []
    w.register_hook(lambda g: seen.append(g.item()))
    w.register_hook(lambda g: g * 2)
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    assert seen == []
    (slope.sum() + value).backward()
    assert seen == [15.0]
    assert w.grad.tolist() == [30.0]


def test_a_derivative_is_recorded_where_all_is_traced():
    x = Tensor([1.0, 2.0], name="x")
    with tracing():
        slope = value_and_grad(lambda t: (t**3).sum())(x)[1]
    assert slope.inputs == (x,)
    assert not slope.requires_grad
    assert evaluate(slope, {x: np.array([2.0, 3.0])}).tolist() == [12.0, 27.0]


def test_two_derivatives_that_are_the_same():
    w = leaf(2.0)
    _, (one, other) = value_and_grad(lambda a, b: ((a + b) * w).sum(), (0, 1))(np.ones(1), np.ones(1))  # w, w
    assert grad((one * 2 + other * 3).sum(), w).tolist() == [5.0]


def test_the_argument_itself_may_be_used_inside_or_returned():
    x = leaf(2.0, 3.0)
    assert grad(vjp(lambda t: t, x, x)[1].sum(), x).tolist() == [1.0, 1.0]
    _, slope = value_and_grad(lambda t: (t * x * x).sum())(x)  # x²
    assert grad(slope.sum(), x).tolist() == [4.0, 6.0]
    assert value_and_grad(lambda t: (x * x).sum())(1.0)[1].item() == 0.0
    assert grad(value_and_grad(lambda t: (x * x).sum())(1.0)[0], x).tolist() == [4.0, 6.0]


def test_a_long_chain_of_derivatives_is_linear_and_does_not_recurse():
    w, x = Tensor(0.5, requires_grad=True), Tensor(1.0)
    for _ in range(400):
        x = x - 0.001 * value_and_grad(lambda t: w * t * t)(x)[1]
    assert x.item() == pytest.approx(0.999**400)
    assert grad(x, w).item() == pytest.approx(-400 * 0.002 * 0.999**399)
    assert evaluate(x, {w: 0.25}).item() == pytest.approx(0.9995**400)


# ---------------------------------------------------------------------------------------------------
# checkpoint


def block(w, b):
    return lambda t: np.tanh(t @ w + b) * neural.relu(t @ w)


@pytest.fixture
def weights(rng):
    return leaf(*rng.standard_normal((3, 3))), leaf(*rng.standard_normal(3)), leaf(*rng.standard_normal((2, 3)))


def test_checkpoint_gives_the_same_values_and_gradients(weights):
    w, b, x = weights
    f = block(w, b)
    plain, kept = f(f(x)), checkpoint(f, checkpoint(f, x))
    assert np.array_equal(plain.numpy(), kept.numpy())
    assert kept.op.name == "checkpoint"
    for one, other in zip(grad((plain**2).sum(), [w, b, x]), grad((kept**2).sum(), [w, b, x]), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
    (kept**2).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), grad((plain**2).sum(), w).numpy(), rtol=1e-12)


def test_checkpoint_keeps_nothing_of_its_inside():
    inside = []

    def f(t):
        h = np.exp(t)
        inside.append(weakref.ref(h))
        return h * h

    x = leaf(1.0, 2.0)
    y = checkpoint(f, x).sum()
    assert [r() for r in inside] == [None]
    y.backward()
    assert [r() for r in inside] == [None, None]


def test_checkpoint_runs_its_inside_again_once_for_all_inputs(weights):
    w, b, x = weights
    calls = []
    y = checkpoint(lambda t, s: calls.append(1) or block(w, b)(t) * s, x, leaf(2.0)).sum()
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2


def test_checkpoint_counts_a_weight_that_its_argument_depends_on_once():
    w = Tensor(2.0, requires_grad=True)
    y = checkpoint(lambda u: u * w, w * 3)  # 3w²
    for create_graph in (False, True):
        assert grad(y, w, create_graph=create_graph).item() == 12.0
    assert grad(grad(y, w, create_graph=True), w).item() == 6.0
    y = checkpoint(lambda u: u * w, w)  # the argument itself is used inside
    assert grad(y, w, create_graph=True).item() == 4.0
    assert grad(grad(y, w, create_graph=True), w).item() == 2.0


def test_checkpoint_takes_the_same_argument_twice():
    x = leaf(3.0)
    y = checkpoint(lambda a, b: a * a * b, x, x)
    assert grad(y, x, [1.0]).item() == 27.0
    dx = grad(y, x, [1.0], create_graph=True)
    assert dx.item() == 27.0
    assert grad(dx, x).item() == 18.0


def test_checkpoint_differentiates_to_any_order(weights):
    w, b, x = weights

    def second(use):
        f = block(w, b)
        y = use(f, use(f, x))
        dx, dw = grad((y * y).sum(), [x, w], create_graph=True)
        return grad((dx * dx).sum() + (dw**3).sum(), [x, w, b])

    for plain, kept in zip(second(lambda f, t: f(t)), second(checkpoint), strict=True):
        np.testing.assert_allclose(plain.numpy(), kept.numpy(), rtol=1e-9, atol=1e-12)
    x = Tensor(0.7, requires_grad=True)
    y = checkpoint(np.sin, x)
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)):
        y = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_checkpoints_nest(weights):
    w, b, x = weights
    f = block(w, b)
    deep = checkpoint(lambda t: checkpoint(f, checkpoint(f, t)), x)
    plain = f(f(x))
    assert np.array_equal(deep.numpy(), plain.numpy())
    for create_graph in (False, True):
        got = grad(deep.sum(), [w, b, x], create_graph=create_graph)
        for one, other in zip(got, grad(plain.sum(), [w, b, x]), strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)


def test_checkpoint_draws_the_same_random_numbers_again():
    from tinygrad_edu.random import generator

    def dropout(t):
        return t * (generator().random(t.shape) > 0.5) * 2.0

    tg.manual_seed(7)
    x = Tensor(np.ones(50), requires_grad=True)
    y = checkpoint(dropout, x)
    following = generator().random()
    assert set(y.tolist()) == {0.0, 2.0}
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    y.sum().backward()
    assert x.grad.tolist() == (2 * y.numpy()).tolist()
    assert evaluate(y, {x: np.full(50, 3.0)}).tolist() == (3 * y.numpy()).tolist()
    dx = grad(y.sum(), x, create_graph=True)
    assert dx.tolist() == y.tolist()
    tg.manual_seed(7)
    generator().random(50)
    assert generator().random() == following  # one draw of fifty, and none behind the user's back


def test_checkpoint_hands_out_each_gradient_once():
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = checkpoint(lambda t: t * w, x)
    g = np.ones(2)
    y.backward(g)
    first = w.grad.numpy()
    x.zero_grad()
    w.zero_grad()
    g *= 10
    y.backward(g)
    assert first.tolist() == [3.0, 4.0]
    assert w.grad.tolist() == [30.0, 40.0]
    assert x.grad.tolist() == [10.0, 20.0]
    assert not np.shares_memory(first, w.grad.numpy())
    assert grad(y, w, g).tolist() == [30.0, 40.0]
    g *= 10
    assert grad(y, x, g).tolist() == [100.0, 200.0]
    assert grad(y, w, g).tolist() == [300.0, 400.0]


def test_checkpoint_runs_hooks_of_weights_once():
    w, x = leaf(1.0), leaf(3.0)
    seen = []
    w.register_hook(lambda g: seen.append(g.item()))
    w.register_hook(lambda g: g * 2)
    (checkpoint(lambda t: t * w, x) + w * 10).sum().backward()
    assert seen == [13.0]
    assert w.grad.tolist() == [26.0]


def test_checkpoint_sees_what_was_computed_outside():
    x, w = leaf(2.0), leaf(3.0)
    h = w * w
    y = checkpoint(lambda t: t * h, x)
    assert grad(y.sum(), w).item() == 12.0
    assert grad(grad(y.sum(), w, create_graph=True).sum(), [w, x])[0].item() == 4.0


def test_checkpoint_passes_other_arguments_and_plain_tensors():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0])
    y = checkpoint(lambda t, n, k, s: t**n * k if s == "multiply" else t, x, 2, c, "multiply")
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 16.0]
    assert c.grad is None
    assert evaluate(y, {c: np.array([1.0, 10.0])}).tolist() == [1.0, 40.0]


def test_checkpoint_evaluates_plain_arguments_that_its_inside_computes_with():
    x, c = leaf(1.0, 2.0), Tensor([0.0, 1.0])
    y = checkpoint(lambda t, k: t * np.exp(k), x, c)
    np.testing.assert_allclose(evaluate(y, {c: np.zeros(2), x: np.array([5.0, 6.0])}), [5.0, 6.0])


def test_checkpoint_evaluates_on_new_weights(weights):
    w, b, x = weights
    y = checkpoint(block(w, b), x)
    new = np.eye(3)
    expected = np.tanh(x.numpy() @ new + b.numpy()) * np.maximum(x.numpy() @ new, 0)
    np.testing.assert_allclose(evaluate(y, {w: new}), expected)


def test_checkpoint_records_nothing_where_nothing_is_to_be_differentiated():
    x = leaf(1.0)
    with no_grad():
        assert checkpoint(np.exp, x).is_leaf
    assert checkpoint(np.exp, Tensor([0.0])).tolist() == [1.0]
    mask = checkpoint(lambda t: t > 0, x)
    assert evaluate(mask, {x: np.array([-1.0])}).tolist() == [False]
    w = leaf(2.0)
    mask = checkpoint(lambda t: (t > w) & (t > 0), x)
    assert evaluate(mask, {w: np.array([0.5])}).tolist() == [True]
    assert checkpoint(lambda t: t, x) is x
    assert checkpoint(lambda n: n * x, 3).tolist() == [3.0]
    with pytest.raises(TypeError, match="one tensor, but this one returned tuple"):
        checkpoint(lambda t: (t, t), x)


def test_checkpoint_of_a_stale_weight_raises():
    w, x = leaf(2.0, name="w"), leaf(3.0)
    y = checkpoint(lambda t: t * w, x)
    with no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="'w' was written after checkpoint had used it"):
        y.sum().backward()


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_checkpoint_in_a_loop_whose_variable_has_changed_raises(start):
    w, total = Tensor(start, requires_grad=True), Tensor(0.0)
    for i in range(3):
        total = total + checkpoint(lambda t: t * (i + 1.0), w).sum()  # noqa: B023 (what is tested)
    with pytest.raises(RuntimeError, match=r"ran <lambda> again.*variable that it reads has changed.*lambda t, i=i"):
        total.backward()
    assert w.grad is None
    total = Tensor(0.0)
    for i in range(3):
        total = total + checkpoint(lambda t, i=i: t * (i + 1.0), w).sum()
        total = total + checkpoint(partial(lambda t, i: t * (i + 1.0), i=i), w)
        total = total + checkpoint(lambda t, i: t * (i + 1.0), w, i)
    total.backward()
    assert w.grad.item() == 18.0


CHANGED = {
    "a batch": lambda i: lambda t: np.arange(6.0).reshape(2, 3)[:, :2] * (i[0] + 1) @ t,
    "a branch": lambda i: lambda t: np.sin(t) if i[0] else np.tanh(t),
    "a setting": lambda i: lambda t: np.clip(t, -1, i[0] + 1.0),
    "a length": lambda i: lambda t: np.concatenate([t] * (i[0] + 1)),
    "a type": lambda i: lambda t: t.astype([np.float32, float][i[0]]),
    "a precision": lambda i: lambda t: t.astype(np.float32) * np.ones(2, [np.float32, float][i[0]]),
    "a power": lambda i: lambda t: t ** (i[0] + 2),
    "a NaN": lambda i: lambda t: t * [np.nan, 1.0][i[0]],
}


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("create_graph", [False, True])
def test_checkpoint_sees_that_its_second_run_differs(name, create_graph):
    """Also where both give 0."""
    i = [0]
    for t in (leaf(0.0, 0.0), leaf(0.5, -0.25)):
        i[0] = 0
        y = checkpoint(CHANGED[name](i), t)
        grad(y.sum(), t, create_graph=create_graph)
        evaluate(y, {t: np.ones(2)})
        i[0] = 1
        with pytest.raises(RuntimeError, match="computed something else than the first time"):
            grad(y.sum(), t, create_graph=create_graph)
        with pytest.raises(RuntimeError, match="computed something else than the first time"):
            evaluate(y, {t: np.ones(2)})


@pytest.mark.parametrize("begin", [lambda w: w, lambda w: w * 1.0], ids=["leaves", "results"])
def test_checkpoint_sees_that_its_second_run_uses_other_tensors(begin):
    """Also where they hold the same numbers, as the weights of new normalizations do: the first would get no gradient."""
    x, scales = leaf(0.5, -0.25), [begin(leaf(1.0, 1.0)) for _ in range(2)]
    total = Tensor(0.0)
    for s in scales:
        total = total + checkpoint(lambda t: (t * s).sum(), x)  # noqa: B023 (what is tested)
    with pytest.raises(RuntimeError, match="or of other tensors: a variable that it reads has changed"):
        total.backward()
    pair = [scales[0], scales[0]]
    y = checkpoint(lambda t: (t * pair[0] + t * pair[1]).sum(), x)
    pair[1] = scales[1]
    with pytest.raises(RuntimeError, match="or of other tensors"):
        y.backward()
    sum(checkpoint(lambda t, s=s: (t * s).sum(), x) for s in scales).backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_checkpoint_lets_its_function_make_leaves_of_its_own():
    w = leaf(1.5, -1.0)

    def residual(t):
        x = Tensor(np.array([0.25, 0.5]), requires_grad=True)
        return grad(np.sin(t * x).sum(), x, create_graph=True) * x  # w·cos(wx)·x

    y = checkpoint(residual, w)
    expected = residual(w)
    assert np.array_equal(y, expected)
    assert np.array_equal(grad(y.sum(), w), grad(expected.sum(), w))
    assert np.array_equal(evaluate(y, {w: w.numpy()}), expected)


def test_checkpoint_compares_what_is_not_finite():
    x = leaf(-1.0, 0.0, 4.0)
    with np.errstate(all="ignore"):
        y = checkpoint(lambda t: np.log(t) + np.sqrt(t), x)  # NaN, −∞, a number
        (slope,) = grad(y, [x], np.ones(3))
    assert slope[2].item() == 0.5


def test_checkpoint_takes_a_difference_of_rounding_for_the_same():
    x, noise = leaf(1.0, 2.0), [0.0]
    y = checkpoint(lambda t: np.exp(np.multiply(t, 1.0 + noise[0])), x)
    noise[0] = 1e-15
    assert grad(y.sum(), x).tolist() == pytest.approx(np.exp([1.0, 2.0]))
    noise[0] = 1e-6
    with pytest.raises(RuntimeError, match="something else"):
        grad(y.sum(), x)


def test_checkpoint_draws_again_from_the_generator_of_a_block():
    from tinygrad_edu.random import using

    x, own = Tensor(np.ones(20), requires_grad=True), np.random.Generator(np.random.MT19937(0))
    with using(own):
        y = checkpoint(tg.nn.functional.dropout, x)
    following = own.bit_generator.state["state"]["pos"]
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert own.bit_generator.state["state"]["pos"] == following


def test_checkpoint_names_a_generator_of_its_own():
    generator = np.random.default_rng(0)
    x = Tensor(np.ones(20), requires_grad=True)
    y = checkpoint(lambda t: tg.nn.functional.dropout(t, generator=generator), x)
    with pytest.raises(RuntimeError, match="draws from a generator of its own"):
        y.sum().backward()


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("nested", [False, True])
def test_checkpoint_moves_running_statistics_once(momentum, nested, rng):
    plain, kept = (tg.nn.BatchNorm1d(3, momentum=momentum, dtype=float) for _ in range(2))
    f = (lambda t: checkpoint(kept, checkpoint(lambda s: s * 2.0, t))) if nested else lambda t: kept(t * 2.0)
    for _ in range(3):
        x = Tensor(rng.standard_normal((5, 3)), requires_grad=True)
        expected = grad((plain(x * 2.0) ** 3).sum(), x)
        y = checkpoint(f, x)
        again = kept.running_mean * x  # a record of the statistics as they are now
        first, _ = grad((y**3).sum(), x, create_graph=True), evaluate(y, {x: x.numpy() + 1})
        (y**3).sum().backward()
        again.sum().backward()
        np.testing.assert_allclose(first.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)
        for name, state in plain.state_dict().items():
            np.testing.assert_array_equal(kept.state_dict()[name], state)


def test_checkpoint_of_a_derivative(rng):
    """What differentiates inside is run again alike, and is differentiated whether it was nested or not."""
    w, x = Tensor(rng.standard_normal(3), requires_grad=True), Tensor(rng.standard_normal(3), requires_grad=True)
    f = lambda t: value_and_grad(lambda s: (np.sin(s * w) * s).sum())(t)[1] * t
    for nest in (lambda g: g(x), lambda g: vjp(g, x, w)[1]):
        plain, kept = (grad((nest(g) ** 2).sum(), [w, x]) for g in (f, lambda t: checkpoint(f, t)))
        for one, other in zip(plain, kept, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10)


def test_checkpoint_frees_its_inputs_eagerly():
    x, w = leaf(2.0), leaf(3.0)
    y = checkpoint(lambda t: t * w, x).sum()
    y.backward(retain_graph=False)
    assert (x.grad.item(), w.grad.item()) == (3.0, 2.0)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


# ---------------------------------------------------------------------------------------------------
# evaluate


def test_evaluate_answers_what_if():
    apple, count, tax = (
        Tensor(v, requires_grad=True, name=n) for v, n in ((100.0, "apple"), (2.0, "count"), (1.1, "tax"))
    )
    price = apple * count * tax  # fmt: skip
    assert float(evaluate(price, {apple: 120.0})) == pytest.approx(264.0)
    assert float(evaluate(price, {apple: Tensor(120.0), count: 3})) == pytest.approx(396.0)
    assert float(evaluate(price)) == price.item()
    assert price.item() == pytest.approx(220.0)
    assert apple.item() == 100.0


def test_evaluate_of_several_outputs_runs_shared_parts_once():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: g,))
    def counted(x):
        calls.append(1)
        return x + 0

    x = leaf(1.0)
    h = counted(x)
    a, b = h * 2, h * 3
    calls.clear()
    values = evaluate([a, b, x, h], {x: np.array([5.0])})
    assert [v.tolist() for v in values] == [[10.0], [15.0], [5.0], [5.0]]
    assert isinstance(values, tuple)
    assert len(calls) == 1


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_evaluate_equals_computing_again_also_for_recorded_gradients(f):
    x = leaf(0.3, 1.7, -0.8)
    new = np.array([-0.4, 0.9, 2.2])
    y = f(x)
    dx = grad(y, x, np.ones(y.shape), create_graph=True)
    x2 = leaf(*new)
    y2 = f(x2)
    dx2 = grad(y2, x2, np.ones(y2.shape), create_graph=True)
    got, slope = evaluate([y, dx], {x: new})
    np.testing.assert_allclose(got, y2.numpy(), rtol=1e-13)
    np.testing.assert_allclose(slope, dx2.numpy(), rtol=1e-13)
    if dx.requires_grad:
        second = grad(dx, x, np.ones(3), create_graph=True, allow_unused=True)
        if second is not None:
            np.testing.assert_allclose(
                evaluate(second, {x: new}) if not second.is_leaf else second.numpy(),
                grad(dx2, x2, np.ones(3)).numpy(),
                rtol=1e-12,
                atol=1e-14,
            )


def test_evaluate_hands_out_memory_of_its_own():
    x = leaf(1.0, 2.0)
    new = np.array([3.0, 4.0])
    for output, values in ((x, None), (x.reshape(2, 1), None), (x[:1], {x: new}), (x * 1, {x: new})):
        result = evaluate(output, values)
        result += 100.0
        assert x.tolist() == [1.0, 2.0]
        assert new.tolist() == [3.0, 4.0]


def test_evaluate_keeps_constants_and_index_arrays():
    x, i = leaf(1.0, 2.0, 3.0), Tensor([2, 0])
    y = x[i] * 10 + np.array([0.5, 0.25])
    assert evaluate(y, {x: np.array([4.0, 5.0, 6.0])}).tolist() == [60.5, 40.25]
    assert evaluate(y, {i: np.array([1, 1])}).tolist() == [20.5, 20.25]


def test_evaluate_of_operations_with_several_outputs():
    x = leaf(1.0, 2.0)
    a, b = sin_and_cos(x)
    new = np.array([0.5, 0.25])
    np.testing.assert_allclose(evaluate(a * b, {x: new}), np.sin(new) * np.cos(new))


def test_evaluate_records_nothing_and_writes_nothing():
    x = leaf(1.0)
    y = np.exp(x)
    with no_grad():
        assert evaluate(y, {x: np.array([0.0])}).tolist() == [1.0]
    with tracing():
        assert isinstance(evaluate(y, {x: np.array([0.0])}), np.ndarray)
    assert y.tolist() == [np.e]
    assert x.grad is None


def test_evaluate_refuses_what_does_not_fit():
    x, other = leaf(1.0, 2.0, name="x"), leaf(1.0, name="other")
    y = x * 2
    with pytest.raises(ValueError, match=r"float64 of shape \(2,\) for 'x', but got float64 of shape \(3,\)"):
        evaluate(y, {x: np.ones(3)})
    with pytest.raises(ValueError, match="complex128"):
        evaluate(y, {x: np.ones(2) * 1j})
    with pytest.raises(ValueError, match="'other', which the outputs do not depend on"):
        evaluate(y, {other: np.ones(1)})
    with pytest.raises(ValueError, match="for leaves, but the result of multiply was computed"):
        evaluate(y, {y: np.ones(2)})
    with pytest.raises(TypeError, match="'x'"):
        evaluate(y, {"x": np.ones(2)})
    assert evaluate(y, {x: [3, 4]}).dtype == float


# ---------------------------------------------------------------------------------------------------
# detect_anomaly


def test_an_anomaly_names_the_operation_and_the_line_that_made_a_nan():
    x = leaf(1.0, -1.0, name="x")
    with np.errstate(all="ignore"), detect_anomaly(), pytest.raises(FloatingPointError) as caught:
        np.log(x)  # here
    assert "log made NaN out of 'x'" in str(caught.value)
    assert "test_autograd.py" in str(caught.value)
    assert "np.log(x)  # here" in str(caught.value)


def test_an_anomaly_names_the_rule_that_made_a_nan_and_leaves_gradients_alone():
    x = leaf(0.0, 4.0, name="x")
    x.grad = np.array([1.0, 1.0])
    with detect_anomaly():
        y = np.sqrt(x)  # recorded here
        z = (y * 0.0).sum()
        with pytest.raises(FloatingPointError) as caught:
            z.backward()
    message = str(caught.value)
    assert "gradient of sqrt by its input 0 ('x') holds NaN" in message
    assert "y = np.sqrt(x)  # recorded here" in message
    assert x.grad.tolist() == [1.0, 1.0]
    z.backward()  # outside the block nobody looks
    assert np.isnan(x.grad.numpy()[0])


def test_an_anomaly_is_found_in_recorded_backward_passes_and_checkpoints():
    x = leaf(0.0, name="x")
    with detect_anomaly():
        with pytest.raises(FloatingPointError, match=r"divide made NaN out of .*the result of multiply"):
            grad((np.sqrt(x) * 0.0).sum(), x, create_graph=True)
        with pytest.raises(FloatingPointError, match="gradient of sqrt"):
            checkpoint(lambda t: np.sqrt(t) * 0.0, x).sum().backward()


def test_a_nan_that_was_given_is_nobodys_fault_and_infinity_is_none():
    x = leaf(np.nan, 1.0)
    with detect_anomaly():
        y = np.exp(x) * 2
        assert np.isnan(y.numpy()[0])
        with np.errstate(all="ignore"):
            z = 1 / leaf(0.0)
        z.sum()


def test_in_a_branch_not_taken_nothing_is_amiss():
    x = leaf(0.0, 4.0, name="x")
    with detect_anomaly():
        np.where(x > 0, np.sqrt(x), 0.0).sum().backward()
        assert x.grad.tolist() == [0.0, 0.25]
        with pytest.raises(FloatingPointError, match="gradient of sqrt"):
            (np.where(x > 0, np.sqrt(x), 0.0) + np.sqrt(x) * 0.0).sum().backward()


def test_nobody_looks_for_anomalies_by_default_nor_in_other_threads():
    seen = []

    def work():
        with np.errstate(all="ignore"):
            seen.append(np.log(leaf(-1.0)).item())

    with detect_anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    with np.errstate(all="ignore"):
        seen.append(np.log(leaf(-1.0)).item())
    assert len(seen) == 2
    assert np.isnan(seen).all()


# ---------------------------------------------------------------------------------------------------
# Whole programs


@given(st.integers(0, 2**32 - 1))
def test_vjp_and_jvp_are_transposes_of_each_other(seed):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((4, 4))
    steps = [
        lambda t: np.tanh(t @ w), lambda t: t * t[::-1], lambda t: neural.softmax(t) * 4, lambda t: np.cumsum(t) / 3,
        lambda t: np.where(t > 0, t, t * 0.1), lambda t: np.concatenate([t[2:], t[:2]]), lambda t: t - t.mean(),
    ]  # fmt: skip
    chosen = rng.integers(0, len(steps), 4)

    def f(t):
        for k in chosen:
            t = steps[k](t)
        return t

    x, u, v = rng.standard_normal((3, 4))
    forward, backward = jvp(f, x, u)[1].numpy(), vjp(f, x, v)[1].numpy()
    assert np.dot(v, forward) == pytest.approx(np.dot(backward, u), rel=1e-9, abs=1e-12)


def test_training_with_data_and_in_place_updates_alike(rng):
    x, target = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    start = rng.standard_normal((3, 1))
    by_data, in_place = Tensor(start.copy(), requires_grad=True), Tensor(start.copy(), requires_grad=True)
    for w in (by_data, in_place):
        for _ in range(30):
            w.zero_grad()
            ((x @ w - target) ** 2).mean().backward(retain_graph=False)
            if w is by_data:
                w.data -= 0.1 * w.grad
            else:
                with no_grad():
                    w -= 0.1 * w.grad
    best = np.linalg.lstsq(x, target, rcond=None)[0]
    np.testing.assert_allclose(by_data.numpy(), best, atol=0.05)
    assert np.array_equal(by_data.numpy(), in_place.numpy())


def test_no_walk_warns_or_changes_the_error_state():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        x = leaf(0.0, 1.0)
        y = np.sqrt(x).sum()
        y.backward()
        with enable_grad():
            grad(y, x, create_graph=True)
        assert np.geterr()["divide"] == "raise"


def test_a_recording_block_is_used_again_nested_and_refuses_what_it_cannot_surround():
    block = tg.no_grad()
    for _ in range(2):
        with block, block:
            assert not tg.autograd.is_grad_enabled()
        assert tg.autograd.is_grad_enabled()
    with pytest.raises(TypeError, match=r"rows is a generator.*inside it"):

        @tg.no_grad()
        def rows():
            yield 1

    with pytest.raises(TypeError, match="later is a generator or a coroutine"):

        @tg.no_grad()
        async def later():
            return 1
