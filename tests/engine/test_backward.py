"""backward(): where it begins, what it leaves in .grad, and what it frees."""

import numpy as np
import pytest

from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import is_grad_enabled, no_grad
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.ops.network.softmax import softmax


@op(symbol="broken", vjp=(lambda g, y, x: 1 / 0,), examples=[example((2,))])
def broken(x):
    """A function whose rule raises."""
    return x + 0


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
        lambda x: softmax(x) * 2.5,
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

    from tinygrad_edu.engine.differentiate import differentiate
    from tinygrad_edu.engine.graph import Way, topological

    totals = {y: np.ones_like(y.numpy())}
    with np.errstate(all="ignore"):
        differentiate(topological([y]), totals, Way(visit))
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
