"""The record that operations leave: what is in it, its order, its walk, its memory, and when it is stale or freed."""

import asyncio
import contextlib
import copy
import gc
import pickle
import sys
import threading
import time
import tracemalloc
import weakref

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
from tinygrad_edu.engine.graph import topological, unbroadcast, walk
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import enable_grad, is_grad_enabled, no_grad, tracing
from tinygrad_edu.engine.registry import COMPOSITES, OPS
from tinygrad_edu.engine.transforms import jvp


@op(symbol="±", outputs=2, vjp=(lambda g, y, x: g[0] * 2 - g[1] * 3,), examples=[example((3,))])
def twice_and_minus_thrice(x):
    """y₀ = 2x, y₁ = −3x."""
    return 2 * x, -3 * x


@op(symbol="halves", outputs=2, view=True, vjp=(lambda g, y, x: np.concatenate([g[0], g[1]]),))
def halves(x):
    """The two halves of a vector, as views."""
    n = x.shape[0] // 2
    return x[:n], x[n:]


@pytest.fixture
def no_collector():
    """The cyclic garbage collector switched off, so that only reference counting frees."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def leaf(*values, name=None):
    return Tensor(np.array(values, dtype=float), requires_grad=True, name=name)


# ---------------------------------------------------------------------------------------------------
# What is recorded


def test_an_operation_leaves_its_op_inputs_and_settings():
    x = leaf(1.0, 2.0)
    y = np.sum(x, axis=0, keepdims=True)
    assert y.op.name == "sum"
    assert len(y.inputs) == 1
    assert y.inputs[0] is x
    assert y.settings["axis"] == 0
    assert y.settings["keepdims"] is True
    assert y.requires_grad
    assert not y.is_leaf
    assert x.is_leaf
    assert x.op is None
    assert x.inputs == ()
    assert dict(x.settings) == {}


def test_plain_numbers_leave_no_record():
    y = np.exp(Tensor([1.0]) * 2.0 + 1)
    assert y.is_leaf
    assert y.op is None
    assert y.inputs == ()
    assert not y.requires_grad


@pytest.mark.parametrize("f", [lambda x: x * x, lambda x: x + x, lambda x: x - x, lambda x: x / x, np.square])
def test_inputs_keep_order_and_multiplicity(f):
    x = leaf(3.0)
    y = f(x)
    assert len(y.inputs) == (1 if f is np.square else 2)
    assert all(i is x for i in y.inputs)
    a, b = leaf(1.0), leaf(2.0)
    assert [i is a for i in (a - b).inputs] == [True, False]
    assert [i is a for i in (b - a).inputs] == [False, True]


def test_one_tensor_used_twice_counts_as_two_uses():
    x = leaf(3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0]
    x = leaf(3.0)
    (x + x).sum().backward()
    assert x.grad.tolist() == [2.0]
    x = leaf(2.0, 3.0)
    np.concatenate([x, x]).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("number", [2.5, 2, np.float64(2.5), np.int64(2), np.float32(2.5)])
def test_a_number_is_recorded_in_the_dtype_that_the_op_computed_in(dtype, number):
    x = Tensor(np.ones(3, dtype), requires_grad=True)
    for y in (x + number, number + x, np.maximum(x, number)):
        assert y.dtype == dtype
        assert {i.dtype for i in y.inputs} == {np.dtype(dtype)}
    y.sum().backward()
    assert x.grad.dtype == dtype


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int64"])
@pytest.mark.parametrize("truth", [True, False, np.True_])
def test_a_truth_value_is_recorded_as_one_and_counts_as_a_number_of_the_type(dtype, truth):
    x = Tensor(np.ones(3, dtype))
    with tracing():
        for y in (x + truth, truth * x, np.maximum(x, truth), np.where(truth, x, 2)):
            assert y.dtype == dtype
            assert np.dtype(bool) in {i.dtype for i in y.inputs}
            assert np.array_equal(evaluate(y), y.numpy())


def test_arrays_are_inputs_too_and_share_their_memory():
    x, a = leaf(1.0, 2.0), np.array([3.0, 4.0])
    y = x * a
    assert y.inputs[1].data is a
    assert not y.inputs[1].requires_grad


def test_an_index_array_is_an_input_and_a_slice_a_setting():
    x, i = leaf(1.0, 2.0, 3.0), Tensor([0, 0, 2])
    assert any(part is i for part in x[i].inputs)
    assert len(x[1:].inputs) == 1


@pytest.mark.parametrize("f", [lambda x: x > 2, lambda x: x == 2, np.argmax, np.argsort, np.isnan, np.sign])
def test_comparisons_and_orders_are_leaves_that_are_followed(f):
    x = leaf(1.0, 3.0, 2.0)
    y = f(x)
    assert y.is_leaf is not y.requires_grad  # sign has the derivative 0
    assert node_of(y).inputs[0] is x
    new = np.array([5.0, -1.0, 0.0])
    assert np.array_equal(evaluate(y, {x: new}), f(new))
    if y.dtype.kind != "f":
        assert not y.requires_grad


def test_a_mask_is_computed_again_when_its_record_is_run_again():
    x = leaf(1.0, 3.0)
    y = (x * (x > 2)).sum() + np.where(x < 2, x * 10, 0.0).sum()
    assert float(evaluate(y, {x: np.array([4.0, 1.0])})) == 4.0 + 10.0


def test_a_mask_in_a_recorded_gradient_is_computed_again_too():
    x = leaf(1.0, -3.0, 2.0)
    y = (tg.ops.neural.relu(x) ** 3).sum()
    dx = grad(y, x, create_graph=True)
    new = np.array([-1.0, 4.0, 3.0])
    assert evaluate(dx, {x: new}).tolist() == [0.0, 48.0, 27.0]
    ddx = grad(dx.sum(), x, create_graph=True)
    assert evaluate(ddx, {x: new}).tolist() == [0.0, 24.0, 18.0]


def test_tracing_records_plain_numbers_without_asking_for_gradients():
    a, b = Tensor(2.0), Tensor(3.0)
    with tracing():
        y = a * b
    assert y.op.name == "multiply"
    assert not y.requires_grad
    assert float(evaluate(y, {a: 5.0})) == 15.0
    assert (a * b).is_leaf


def test_several_outputs_are_items_of_one_node():
    x = leaf(1.0, 2.0, 3.0)
    a, b = twice_and_minus_thrice(x)
    assert a.inputs[0] is b.inputs[0]
    assert a.inputs[0].op is twice_and_minus_thrice
    (a * 5 + b * 7).sum().backward()
    assert x.grad.tolist() == [10.0 - 21.0] * 3


@pytest.mark.parametrize(("kept", "expected"), [(0, 2.0), (1, -3.0)])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_dropped_output_counts_as_zero(kept, expected, create_graph):
    x = leaf(1.0, 2.0)
    y = twice_and_minus_thrice(x)[kept]
    g = grad(y.sum(), x, create_graph=create_graph)
    assert g.tolist() == [expected, expected]


def test_an_output_used_twice_adds_up():
    x = leaf(1.0)
    a, b = twice_and_minus_thrice(x)
    (a + a + b + a).sum().backward()
    assert x.grad.tolist() == [3.0]


def test_second_derivatives_through_several_outputs():
    x = leaf(2.0)
    a, b = twice_and_minus_thrice(x * x)
    dx = grad((a * b).sum(), x, create_graph=True)  # −6x⁴
    assert dx.tolist() == [-24.0 * 8]
    assert grad(dx.sum(), x).tolist() == [-72.0 * 4]


@op(symbol="e, x", outputs=2, vjp=(lambda g, y, x: g[0] * y[0] + g[1],))
def exponential_and_itself(x):
    """y₀ = eˣ, y₁ = x."""
    return np.exp(x), x + 0


def test_an_output_that_its_own_rule_reads_gets_the_gradients_of_both_uses():
    x = leaf(0.5)
    a, b = exponential_and_itself(x)
    dx = grad((a * a * b).sum(), x, create_graph=True)  # (2x + 1) e²ˣ
    assert dx.item() == pytest.approx(2 * np.e)
    assert grad(dx.sum(), x).item() == pytest.approx(6 * np.e)  # (4x + 4) e²ˣ


# ---------------------------------------------------------------------------------------------------
# Whether to record


def test_no_grad_records_nothing():
    x = leaf(1.0)
    with no_grad():
        assert not is_grad_enabled()
        y = x * 2
    assert y.is_leaf
    assert not y.requires_grad
    assert is_grad_enabled()


def test_no_grad_is_left_after_an_exception():
    with pytest.raises(ZeroDivisionError), no_grad():
        _ = 1 / 0
    assert is_grad_enabled()


def test_blocks_nest_and_restore_what_was():
    x = leaf(1.0)
    with no_grad():
        with enable_grad():
            assert (x * 2).requires_grad
            with no_grad():
                assert (x * 2).is_leaf
            assert is_grad_enabled()
        assert not is_grad_enabled()
    with tracing(), no_grad():
        assert (Tensor(1.0) * 2).is_leaf
    with no_grad(), tracing():
        assert not (Tensor(1.0) * 2).is_leaf
    assert is_grad_enabled()


def test_the_same_block_object_cannot_leak_between_uses():
    for _ in range(3):
        with no_grad():
            pass
    assert is_grad_enabled()


def test_no_grad_decorates_functions_and_methods():
    @no_grad()
    def double(t):
        """Twice t."""
        return t * 2

    class Model:
        @no_grad()
        def predict(self, t):
            return t * 3

    x = leaf(1.0)
    for _ in range(2):
        assert double(x).is_leaf
        assert Model().predict(x).is_leaf
    assert double.__doc__ == "Twice t."
    assert is_grad_enabled()

    @no_grad()
    def fails():
        raise KeyError("k")

    with pytest.raises(KeyError):
        fails()
    assert is_grad_enabled()

    @no_grad()
    def countdown(n):
        return 0 if n == 0 else countdown(n - 1)

    assert countdown(5) == 0
    assert is_grad_enabled()


def test_a_generator_that_yields_outside_its_block_leaves_its_consumer_recording():
    def prepared(x):
        for k in range(2):
            with no_grad():
                plain = x * k
            yield plain

    x = leaf(1.0)
    for plain in prepared(x):
        assert plain.is_leaf
        assert (x * 2).requires_grad
    assert is_grad_enabled()


def test_set_grad_enabled_is_a_function_a_block_and_a_decorator():
    w = leaf(1.0)
    tg.set_grad_enabled(False)
    try:
        assert (w * 2).is_leaf
        with tg.set_grad_enabled(True):
            assert (w * 2).requires_grad
            with tg.set_grad_enabled(False):
                assert not is_grad_enabled()
            assert is_grad_enabled()
        assert not is_grad_enabled()
        recorded = tg.set_grad_enabled(True)(lambda: (is_grad_enabled(), w * 2))
        assert not is_grad_enabled()
        assert recorded()[1].requires_grad
        assert not is_grad_enabled()
    finally:
        tg.set_grad_enabled(True)
    assert is_grad_enabled()
    block = tg.set_grad_enabled(False)
    with block:
        with block:
            assert not is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()
    with block:
        assert not is_grad_enabled()
    assert is_grad_enabled()
    for mode in (1, None, "off"):
        with pytest.raises(TypeError, match="takes True or False"):
            tg.set_grad_enabled(mode)


def test_set_grad_enabled_inside_a_module_ends_with_its_forward():
    class Quiet(tg.nn.Module):
        def forward(self, x):
            tg.set_grad_enabled(False)
            return x * 2

    assert Quiet()(leaf(1.0)).is_leaf
    assert is_grad_enabled()


def test_no_grad_holds_in_its_own_thread_alone():
    x = leaf(1.0)
    inside, outside, seen = threading.Event(), threading.Event(), {}

    def other():
        inside.wait(10)
        seen["while the first is in no_grad"] = is_grad_enabled() and (x * 2).requires_grad
        with no_grad():
            seen["own"] = is_grad_enabled()
            outside.set()

    thread = threading.Thread(target=other)
    thread.start()
    with no_grad():
        inside.set()
        outside.wait(10)
    seen["after"] = is_grad_enabled()
    thread.join()
    assert seen == {"while the first is in no_grad": True, "own": False, "after": True}


def test_no_grad_holds_in_its_own_task_alone():
    async def plain(event):
        with no_grad():
            event.set()
            await asyncio.sleep(0)
            return is_grad_enabled()

    async def recorded(event):
        await event.wait()
        return is_grad_enabled()

    async def both():
        event = asyncio.Event()
        return await asyncio.gather(plain(event), recorded(event))

    assert asyncio.run(both()) == [False, True]


def test_threads_differentiate_at_the_same_time():
    w = leaf(*range(1, 50))
    expected = 3 * w.numpy() ** 2
    wrong = []

    def work():
        for _ in range(50):
            g = grad((w * w * w).sum(), w)
            if not np.array_equal(g.numpy(), expected):
                wrong.append(g)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []


# ---------------------------------------------------------------------------------------------------
# Order


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=30))
def test_every_node_comes_after_its_inputs_and_once(edges):
    nodes = [leaf(1.0), leaf(2.0)]
    for i, j in edges:
        nodes.append(nodes[i % len(nodes)] + nodes[j % len(nodes)])
    order = topological([nodes[-1]])
    place = {id(node): k for k, node in enumerate(order)}
    assert len(place) == len(order)
    for node in order:
        assert all(place[id(x)] < place[id(node)] for x in node.inputs)


def test_constants_are_in_the_order_only_when_asked_for():
    x, c = leaf(1.0), Tensor([2.0])
    y = x * c
    assert [n is c for n in topological([y])] == [False, False]
    assert any(n is c for n in topological([y], through_constants=True))
    assert [n is y for n in topological([y], leaves=False)] == [True]


def test_leaves_of_equal_value_are_different_leaves():
    a, b = leaf(1.0), leaf(1.0)
    (a * 2 + b * 3).sum().backward()
    assert (a.grad.item(), b.grad.item()) == (2.0, 3.0)
    assert grad((a * b).sum() * 2 + a.sum(), [a, b])[0].item() == 3.0


@given(st.lists(st.sampled_from([0, 1]), min_size=1, max_size=4), st.data())
def test_unbroadcasting_is_the_transpose_of_broadcasting(kinds, data):
    shape = tuple(data.draw(st.integers(0, 3)) if k else 1 for k in kinds)
    full = tuple(data.draw(st.integers(0, 3)) if n == 1 else n for n in shape)
    full = tuple(data.draw(st.lists(st.integers(0, 3), max_size=2))) + full
    rng = np.random.default_rng(0)
    x, g = rng.integers(-5, 5, shape).astype(float), rng.integers(-5, 5, full).astype(float)
    back = unbroadcast(g, shape)
    assert back.shape == shape
    assert np.vdot(back, x) == np.vdot(g, np.broadcast_to(x, full))


# ---------------------------------------------------------------------------------------------------
# The walk


def test_each_use_is_visited_once_with_its_contribution():
    a, b = Tensor(3.0, requires_grad=True, name="a"), Tensor(5.0, requires_grad=True, name="b")
    y = a * b + a
    seen = []
    totals = {y: np.array(1.0)}
    walk(topological([y]), totals, lambda node, i, g: seen.append((node.op.name, node.inputs[i].name, float(g))))
    assert seen == [("add", None, 1.0), ("add", "a", 1.0), ("multiply", "a", 5.0), ("multiply", "b", 3.0)]
    assert {x.name: float(g) for x, g in totals.items()} == {"a": 6.0, "b": 3.0}


def test_a_square_written_as_a_product_is_visited_twice():
    x = Tensor(3.0, requires_grad=True)
    seen = []
    y = x * x
    walk(topological([y]), {y: np.array(1.0)}, lambda node, i, g: seen.append((i, float(g))))
    assert seen == [(0, 3.0), (1, 3.0)]


def test_a_contribution_has_the_shape_of_its_input():
    w, b = Tensor(np.ones((2, 3)), requires_grad=True), leaf(1.0, 2.0, 3.0)
    y = w * 2 + b
    shapes = []
    walk(topological([y]), {y: np.ones((2, 3))}, lambda node, i, g: shapes.append((node.op.name, i, g.shape)))
    assert shapes == [("add", 0, (2, 3)), ("add", 1, (3,)), ("multiply", 0, (2, 3))]


def test_inputs_that_need_no_gradient_cost_no_rule():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, a, b: calls.append(0) or g * b, lambda g, y, a, b: calls.append(1) or g * a))
    def product(a, b):
        return a * b

    x = leaf(1.0)
    product(x, Tensor([2.0])).sum().backward()
    product(np.ones(1), x).sum().backward()
    assert calls == [0, 1]
    grad(product(x, x * 2).sum(), x)
    assert calls == [0, 1, 0, 1]


def test_a_gradient_asked_for_runs_only_the_rules_on_its_path():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: calls.append(1) or g,))
    def costly(x):
        return x + 0

    a, b = leaf(1.0), leaf(2.0)
    y = costly(a) * b
    assert grad(y.sum(), b).item() == 1.0
    assert calls == []
    assert grad(y.sum(), a).item() == 2.0
    assert calls == [1]


def test_a_shared_result_runs_its_rule_once():
    calls = []

    @op(symbol="f", vjp=(lambda g, y, x: calls.append(1) or g,))
    def shared(x):
        return x + 0

    x = leaf(1.0)
    h = shared(x)
    (h + h * 2 + np.exp(h) + h).sum().backward()
    assert calls == [1]


# ---------------------------------------------------------------------------------------------------
# Long and wide graphs


def chain(x, n):
    for _ in range(n):
        x = x + 1.0
    return x


def test_a_chain_of_two_hundred_thousand_operations():
    x = Tensor(0.0, requires_grad=True)
    y = chain(x, 200_000)
    assert y.item() == 200_000
    y.backward()
    assert x.grad.item() == 1.0
    assert len(repr(y)) < 100
    assert float(evaluate(y, {x: 5.0})) == 200_005.0
    y.backward(retain_graph=False)
    assert x.grad.item() == 2.0


def test_a_long_chain_is_freed_without_the_collector(no_collector):
    x = Tensor(0.0, requires_grad=True)
    y = chain(x, 100_000)
    first = weakref.ref(y.inputs[0])
    del y
    assert first() is None


def test_no_walk_recurses():
    x = Tensor(0.5, requires_grad=True)
    y = x
    for _ in range(400):
        y = np.sin(y) * 1.5
    depth = 0
    frame = sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 70)
    try:
        dx = grad(y, x, create_graph=True)
        ddx = grad(dx, x)
        evaluate(dx, {x: 0.1})
        y.backward()
        dx.backward()
        repr(y)
        y.detach()
        z = y.clone()
        del y, dx, ddx
        z.backward(retain_graph=False)
        del z
    finally:
        sys.setrecursionlimit(limit)


def test_time_grows_as_the_length_of_a_chain():
    def seconds(n):
        x = Tensor(0.0, requires_grad=True)
        start = time.perf_counter()
        chain(x, n).backward()
        return time.perf_counter() - start

    short = min(seconds(2_000) for _ in range(5))
    assert seconds(40_000) < 20 * 5 * short  # 20 times the length; quadratic would be 400


def diamonds(x, n):
    for _ in range(n):
        x = x + x
    return x


def test_sixty_stacked_diamonds_finish_at_once():
    x = Tensor(1.0, requires_grad=True)
    y = diamonds(x, 60)
    y.backward()
    assert x.grad.item() == 2.0**60
    assert grad(y, x, create_graph=True).item() == 2.0**60
    assert float(evaluate(y, {x: 3.0})) == 3.0 * 2**60
    assert len(topological([y])) == 61
    assert jvp(lambda t: diamonds(t, 60), 1.0, 1.0)[1].item() == 2.0**60


def test_second_derivative_of_stacked_diamonds():
    x = Tensor(1.0, requires_grad=True)
    y = x
    for _ in range(5):
        y = y * y * 1.0 + y * 0.0
    dx = grad(y, x, create_graph=True)  # y = x³²
    assert dx.item() == 32.0
    assert grad(dx, x).item() == 32.0 * 31.0


def test_diamonds_of_operations_with_several_outputs():
    x = leaf(1.0)
    y = x
    for _ in range(40):
        a, b = twice_and_minus_thrice(y)
        y = a + b * 0.5
    y.sum().backward()
    assert x.grad.tolist() == [0.5**40]


# ---------------------------------------------------------------------------------------------------
# Memory


def dies(no_collector, make):
    """Whether what `make()` returns is freed as soon as it is dropped."""
    kept, watched = make()
    refs = [weakref.ref(w) for w in watched]
    del kept, watched
    return [r() for r in refs]


def _forward():
    x = leaf(1.0, 2.0)
    h = np.exp(x) * x
    return h.sum(), [h, h.inputs[0]]


def _after_backward():
    y, watched = _forward()
    y.backward()
    return y, watched


def _after_second_order():
    x = leaf(1.0, 2.0)
    h = np.exp(x) * x
    dx = grad(h.sum(), x, create_graph=True)
    ddx = grad((dx * dx).sum(), x)
    return ddx, [h, dx, dx.inputs[0]]


def _after_jvp():
    refs = []

    def f(t):
        h = t * t
        refs.append(h)
        return np.exp(h)

    result = jvp(f, np.ones(3), np.ones(3))
    return result, [refs.pop()]


def _several_outputs():
    x = leaf(1.0, 2.0)
    a, b = twice_and_minus_thrice(x)
    node = a.inputs[0]
    (a * b).sum().backward()
    return (a, b), [node]


def _checkpointed():
    w = leaf(1.0, 2.0)
    inner = []

    def f(t):
        h = np.exp(t) * w
        inner[:] = [h]
        return h * h

    y = checkpoint(f, leaf(3.0, 4.0))
    y.sum().backward()
    watched = [y, inner.pop()]
    return y, watched


def _checkpointed_twice_differentiated():
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = checkpoint(lambda t: np.exp(t) * w, x)
    dx = grad((y * y).sum(), x, create_graph=True)
    g = grad(dx.sum(), [x, w])
    return g, [y, dx]


def _after_an_error():
    x = leaf(1.0, 2.0)
    h = np.exp(x)
    with contextlib.suppress(RuntimeError):
        h.backward()
    with contextlib.suppress(ValueError):
        h + np.ones(7)
    return h, [h]


def _hooked_and_retained():
    x = leaf(1.0, 2.0)
    h = np.exp(x)
    h.retain_grad()
    h.register_hook(lambda g: g * 2)
    h.sum().backward()
    return h, [h]


def _iterated():
    x = leaf(1.0, 2.0)
    rows = list(x)
    total = sum(rows)
    total.backward()
    return rows, [total, *rows]


@pytest.mark.parametrize(
    "make",
    [
        _forward,
        _after_backward,
        _after_second_order,
        _after_jvp,
        _several_outputs,
        _checkpointed,
        _checkpointed_twice_differentiated,
        _after_an_error,
        _hooked_and_retained,
        _iterated,
    ],
    ids=lambda make: make.__name__.strip("_"),
)
def test_dropping_the_output_frees_the_graph_without_the_collector(no_collector, make):
    assert all(w is None for w in dies(no_collector, make))


def test_memory_is_flat_over_five_hundred_iterations_without_the_collector(no_collector):
    rng = np.random.default_rng(0)
    w1, w2 = (Tensor(rng.standard_normal((20, 20)), requires_grad=True) for _ in range(2))
    data = rng.standard_normal((8, 20))

    def step():
        loss = np.mean((np.tanh(data @ w1) @ w2) ** 2)
        loss.backward()
        with no_grad():
            for w in (w1, w2):
                w -= 0.01 * w.grad
                w.zero_grad()
        penalty = grad(np.sum(np.exp(w1 * 0.1)), w1, create_graph=True)
        grad((penalty * penalty).sum(), w1)
        a, b = np.split(w1, 2)
        grad(checkpoint(lambda t: np.sin(t) @ w2, a).sum() + b.sum(), [w1, w2])

    for _ in range(20):
        step()
    tracemalloc.start()
    try:
        step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            step()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 20_000  # one graph of this size is 100 kB


def test_freeing_lets_go_of_each_result_while_the_walk_goes_on():
    alive = []
    x = Tensor(np.ones(10), requires_grad=True)
    refs = []
    y = x
    for _ in range(5):
        y = np.exp(y * 0.1)
        refs.append(weakref.ref(y))
    x.register_hook(lambda g: alive.extend(r() for r in refs[:-1]))
    y.sum().backward(retain_graph=False)
    assert alive == [None] * 4


def test_a_kept_graph_can_be_read_after_backward():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward()
    assert y.inputs[0].inputs[0] is x
    assert float(evaluate(y, {x: np.array([3.0])})) == 9.0


def test_detached_numbers_keep_no_graph(no_collector):
    x = leaf(1.0, 2.0)
    y = np.exp(x).sum()
    node = weakref.ref(y.inputs[0])
    total, kept = y.item(), y.detach()
    del y
    assert node() is None
    assert total == kept.item()


# ---------------------------------------------------------------------------------------------------
# Freed graphs


def test_backward_twice_gives_exactly_twice():
    x = leaf(1.5, -2.0)
    y = (np.exp(x) * x).sum()
    y.backward()
    once = x.grad.numpy().copy()
    y.backward()
    assert np.array_equal(x.grad.numpy(), 2 * once)
    with pytest.warns(UserWarning, match="leaves gradients on leaves alone"):
        assert y.inputs[0].grad is None


def test_a_freed_graph_raises_with_the_cure():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=False)
    before = x.grad.numpy().copy()
    for again in (y.backward, lambda: grad(y, x), lambda: evaluate(y), (y * 2).backward):
        with pytest.raises(RuntimeError, match=r"graph of the result of \w+ was freed.*retain_graph=False"):
            again()
    assert np.array_equal(x.grad.numpy(), before)


def test_a_graph_freed_in_part_raises_before_any_gradient_is_written():
    x, w = leaf(2.0), leaf(3.0)
    h = x * x
    first, second = (h * 2).sum(), (h * w).sum()
    first.backward(retain_graph=False)
    assert x.grad.tolist() == [8.0]
    with pytest.raises(RuntimeError, match="freed"):
        second.backward()
    assert w.grad is None
    assert x.grad.tolist() == [8.0]


def test_what_hangs_on_a_freed_graph_can_be_used_as_numbers():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=False)
    assert y.item() == 4.0
    assert y.detach().item() == 4.0
    assert "4.0" in repr(y)
    z = y.detach() * x
    z.sum().backward()
    assert x.grad.tolist() == [8.0]


def test_a_leaf_is_never_freed():
    x = leaf(2.0)
    x.backward(retain_graph=False)
    x.backward()
    assert x.grad.tolist() == [2.0]


def test_freeing_a_recorded_backward_pass():
    x = leaf(3.0)
    y = (x * x).sum()
    y.backward(retain_graph=False, create_graph=True)
    assert x.grad.tolist() == [6.0]
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()


# ---------------------------------------------------------------------------------------------------
# Stale graphs


def _add_in_place(w):
    with no_grad():
        w += 1.0


def _in_place_of_a_view(w):
    v = w.detach()[1:]
    v[0] = 5.0


def _in_place_of_a_view_in_no_grad(w):
    with no_grad():
        v = w.reshape(1, 3)
        v *= 2.0


def _assign_item(w):
    with no_grad():
        w[0] = 7.0


def _assign_masked(w):
    with no_grad():
        w[w > 0] = 7.0


def _assign_data(w):
    w.data = np.array([7.0, 8.0, 9.0])


def _subtract_from_data(w):
    w.data -= 0.1


def _detached(w):
    d = w.detach()
    d[0] = 9.0


def _detached_in_place(w):
    with no_grad():
        d = w.detach().detach()
        d /= 2.0


def _tensor_of_tensor(w):
    with no_grad():
        d = Tensor(w.detach())
        d -= 1.0


def _row(w):
    with no_grad():
        for part in w.reshape(3, 1):
            part *= 2


def _split_part(w):
    with no_grad():
        a, _ = np.split(w.reshape(3, 1).repeat(1), [1])
        w -= a


def _transposed(w):
    with no_grad():
        t = w.reshape(3, 1).T
        t += 1


WRITES = [
    _add_in_place,
    _in_place_of_a_view,
    _in_place_of_a_view_in_no_grad,
    _assign_item,
    _assign_masked,
    _assign_data,
    _subtract_from_data,
    _detached,
    _detached_in_place,
    _tensor_of_tensor,
    _row,
    _split_part,
    _transposed,
]


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__.strip("_"))
def test_a_value_written_after_it_was_used_raises_naming_it(write):
    w, x = leaf(1.0, 2.0, 3.0, name="weight"), leaf(1.0, 1.0, 1.0, name="input")
    y = (w * x).sum()
    write(w)
    for again in (y.backward, lambda: grad(y, x)):
        with pytest.raises(RuntimeError, match=r"'weight' was written after multiply had used it.*compute .* again"):
            again()
    assert w.grad is None
    assert x.grad is None
    y = (w * x).sum()
    y.backward()
    assert np.array_equal(x.grad.numpy(), w.numpy())


@pytest.mark.parametrize("write", WRITES, ids=lambda f: f.__name__.strip("_"))
def test_a_write_before_the_recording_is_seen_by_it(write):
    w, x = leaf(1.0, 2.0, 3.0), leaf(1.0, 1.0, 1.0)
    write(w)
    (w * x).sum().backward()
    assert np.array_equal(x.grad.numpy(), w.numpy())


def test_a_result_written_through_its_detached_view_raises():
    x = leaf(1.0, 2.0)
    h = np.exp(x)
    y = h.sum()
    h.detach()[0] = 0.0
    with pytest.raises(RuntimeError, match="the result of exp was written after"):
        y.backward()
    assert x.grad is None


def test_an_output_written_through_its_detached_view_raises():
    x = leaf(1.0, 2.0)
    y = np.exp(x)  # its rule reads y
    y.detach()[0] = 0.0
    with pytest.raises(RuntimeError, match="the result of exp was written after exp had made it"):
        y.backward(np.ones(2))
    assert x.grad is None


def test_a_constant_written_after_it_was_used_raises():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0], name="batch")
    y = (x * c).sum()
    c[0] = 9.0
    with pytest.raises(RuntimeError, match="'batch' was written"):
        y.backward()


def test_a_view_of_a_leaf_is_stale_when_the_leaf_is_written():
    w = leaf(1.0, 2.0, 3.0, name="w")
    y = (w[1:] ** 3).sum()
    _add_in_place(w)
    with pytest.raises(RuntimeError, match="'w' was written"):
        y.backward()


def test_a_write_to_one_tensor_leaves_the_graphs_of_others_alone():
    w, other, copy = leaf(1.0, 2.0), leaf(1.0, 2.0), leaf(1.0, 2.0).clone()
    y = (w * copy).sum()
    with no_grad():
        other += 1.0
        clone = w.clone()
        clone += 5.0
    y.backward()
    assert w.grad.tolist() == [1.0, 2.0]


def test_new_memory_for_a_leaf_leaves_its_old_memory_alone():
    w, v = leaf(1.0, 2.0), leaf(5.0, 6.0)
    old = w.detach()
    y = (v * old).sum()
    w.data = np.array([8.0, 9.0])
    y.backward()
    assert v.grad.tolist() == [1.0, 2.0]
    w.data -= 1.0
    y.backward()
    assert v.grad.tolist() == [2.0, 4.0]


def test_tensors_given_the_same_memory_see_each_others_writes():
    w, v, x = leaf(1.0, 2.0), leaf(3.0, 4.0, name="v"), leaf(1.0, 1.0)
    w.data = v.detach()
    y = (v * x).sum()
    with no_grad():
        w += 1.0
    assert v.tolist() == [4.0, 5.0]
    with pytest.raises(RuntimeError, match="'v' was written"):
        y.backward()


def test_a_stale_graph_can_be_evaluated_on_the_values_of_now():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    _add_in_place(w)
    assert float(evaluate(y)) == 4.0 + 9.0


def test_a_write_that_failed_makes_nothing_stale():
    w = leaf(1.0, 2.0)
    y = (w * w).sum()
    with no_grad():
        with pytest.raises(ValueError, match="broadcast"):
            w += np.ones(3)
        with pytest.raises(IndexError):
            w[5] = 1.0
    y.backward()
    assert w.grad.tolist() == [2.0, 4.0]


def test_a_second_backward_after_a_step_raises_instead_of_mixing_values():
    w = leaf(1.0)
    loss = (w**3).sum()
    loss.backward()
    with no_grad():
        w -= 0.1 * w.grad
    with pytest.raises(RuntimeError, match="was written after"):
        loss.backward()


def test_views_from_an_operation_with_several_outputs_share_writes():
    for block in (no_grad, enable_grad):
        w, x = leaf(1.0, 2.0, 3.0, 4.0, name="w"), leaf(1.0, 1.0, 1.0, 1.0)
        with block():
            a, _ = halves(w)
        y = (w * x).sum()
        a.detach()[0] = 9.0
        assert w.tolist() == [9.0, 2.0, 3.0, 4.0]
        with pytest.raises(RuntimeError, match="'w' was written"):
            y.backward()


def _table():
    for function in [*OPS.values(), *COMPOSITES.values()]:
        for k, ex in enumerate(function.examples):
            yield pytest.param(function, ex, id=f"{function.name}-{k}")


ALIASES = [
    lambda t: t.detach(),
    lambda t: t.detach()[1:],
    lambda t: t.detach().reshape(-1, 1).T,
    lambda t: Tensor(t.detach()),
    lambda t: t.detach().ravel()[::-1],
    lambda t: np.split(t.detach().ravel(), [1])[1],
    lambda t: np.broadcast_to(t.detach(), (2, *t.shape))[0],
    lambda t: next(iter(t.detach()[None])),
]


@given(
    st.lists(
        st.tuples(st.sampled_from(["alias", "write", "set", "replace", "record"]), st.integers(0, 99)), max_size=14
    )
)
def test_whatever_is_written_through_any_alias_a_gradient_is_right_or_refused(steps):
    w, x = leaf(1.0, 2.0, 3.0), leaf(4.0, 5.0, 6.0)
    pool, records, writes = [w, x], [], 0
    for what, k in steps:
        target = pool[k % len(pool)]
        if what == "alias" and target.size:
            pool.append(ALIASES[k % len(ALIASES)](target))
        elif what == "write" and target.data.flags.writeable:
            with no_grad():
                target += 0.5
            writes += 1
        elif what == "set" and target.size and target.data.flags.writeable:
            with no_grad():
                target[..., 0] = -float(k)
            writes += 1
        elif what == "replace":
            (w, x)[k % 2].data = np.full(3, float(k))
            writes += 1
        elif what == "record":
            view = [np.exp(w * 0.1)[1:] * x[:2], (w * x).reshape(3, 1).T ** 2, w[[0, 0, 2]] / (x * x + 1)][k % 3]
            y = (view * view).sum() + sum(p.sum() for p in pool[2:])
            records.append((y, [g.tolist() for g in grad(y, [w, x])], writes))
    for y, expected, before in records:
        if writes == before:
            assert [g.tolist() for g in grad(y, [w, x])] == expected
            continue
        with contextlib.suppress(RuntimeError):
            assert [g.tolist() for g in grad(y, [w, x])] == expected


def _flat(value):
    return [part for v in value for part in _flat(v)] if isinstance(value, tuple | list) else [value]


@pytest.mark.parametrize("recorded", [True, False], ids=["recorded", "in no_grad"])
def test_every_result_that_shares_memory_shares_its_writes(recorded):
    """Over the whole table of ops: a write through a result is seen by graphs of the input, and the other way round."""
    shared = 0
    for function in [*OPS.values(), *COMPOSITES.values()]:
        for ex in function.examples:
            args, settings = ex.draw(np.random.default_rng(0), function.domains)

            def as_leaf(a):
                if isinstance(a, np.ndarray) and a.dtype.kind == "f":
                    return Tensor(a.copy(), requires_grad=True)
                return type(a)(as_leaf(part) for part in a) if type(a) in (list, tuple) else a

            args = [as_leaf(a) for a in args]
            inputs = [a for a in _flat(args) if isinstance(a, Tensor)]
            with enable_grad() if recorded else no_grad(), np.errstate(all="ignore"):
                results = [r for r in _flat(function(*args, **settings)) if isinstance(r, Tensor)]
            for r in results:
                for x in inputs:
                    if np.may_share_memory(r.numpy(), x.numpy()):
                        shared += 1
                        assert r.detach().shared_cell() is x.shared_cell(), (function.name, ex)
    assert shared > 20


# ---------------------------------------------------------------------------------------------------
# Results without a derivative


QUESTIONS = {
    "argmax": lambda h: np.argmax(h, axis=1),
    "argsort": lambda h: np.argsort(h, axis=None),
    "a comparison": lambda h: h > 0.1,
    "a mask of masks": lambda h: ~(h > 0) | np.isnan(h) & (h < 1),
    "a cast": lambda h: h.astype(int),
    "the mean of a mask": lambda h: np.mean(h > 0.1),
    "an accuracy": lambda h: np.mean(np.argmax(h, axis=1) == np.arange(8) % 5),
    "a count in float32": lambda h: np.sum((h > 0).astype("float32") * 2, axis=0) / 3,
    "places": lambda h: np.nonzero(h)[1],
    "rows of an order": lambda h: np.argsort(h, axis=1)[2:, :3].T.reshape(-1),
    "quotient and remainder": lambda h: np.divmod(np.argmax(h, axis=1), 2)[1],
    "parts": lambda h: np.split(np.argsort(h, axis=1), 2)[1],
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
@pytest.mark.parametrize("named", [True, False], ids=["of a named result", "of a temporary"])
def test_what_has_no_derivative_keeps_nothing_alive(ask, named):
    gc.collect()
    gc.disable()
    try:
        x, w = leaf(*np.arange(8.0)), leaf(*np.linspace(-1, 1, 5))
        source = np.outer(x, w)
        seen = weakref.ref(source)
        if named:
            y = ask(source)
            expected = ask(source.numpy())
            del source
        else:
            expected = ask(source.numpy())
            del source
            y = ask(np.outer(x, w))
        assert seen() is None
        assert y.is_leaf
        assert not y.requires_grad
        assert y.op is None
        assert y.inputs == ()
        assert "op=" not in repr(y)
        assert np.array_equal(np.array(y), expected)
        before = sys.getrefcount(x), sys.getrefcount(w)
        with pytest.raises(RuntimeError, match=r"gone.*name that lives on.*tracing\(\)"):
            evaluate(y)
        del y
        assert (sys.getrefcount(x), sys.getrefcount(w)) == before
    finally:
        gc.enable()


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS.keys())
def test_what_has_no_derivative_is_followed_while_its_source_lives(ask):
    h = Tensor(np.linspace(-2, 3, 40).reshape(8, 5)[:, ::-1], requires_grad=True)
    y = ask(h)
    new = np.random.default_rng(0).standard_normal((8, 5))
    assert np.array_equal(evaluate(y, {h: new}), ask(new))
    z = (np.sum(y) * h).sum()
    assert float(evaluate(z, {h: new})) == pytest.approx(np.sum(ask(new)) * new.sum())


def test_twenty_kept_accuracies_hold_their_numbers_alone():
    x, target = np.ones((2000, 64)), np.arange(2000) % 10
    w = Tensor(np.ones((64, 10)), requires_grad=True)
    for named in (True, False):
        tracemalloc.start()
        kept, count = [], 0
        for _ in range(20):
            if named:
                logits = np.tanh(x @ w)
                hits = np.argmax(logits, axis=1) == target.copy()
            else:
                hits = np.argmax(np.tanh(x @ w), axis=1) == target.copy()
            kept.append(np.mean(hits))
            count = count + hits.sum()
        logits = hits = None
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert held < 50_000
        assert (count.item(), kept[0].item()) == (4000, 0.1)


def test_a_long_chain_of_counts_is_followed_and_ends_without_recursion():
    h = leaf(1.0, -1.0) * 2
    count = (h > 0).sum()
    first = weakref.ref(count)
    for _ in range(100_000):
        count = count + 1
    assert evaluate(count) == 100_001
    assert first() is not None
    del h
    assert first() is None
    assert count.item() == 100_001


def test_what_uses_a_mask_holds_what_it_was_computed_from():
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 1.0)
    h = x * w
    mask = h > 0
    y, z = np.where(mask, x, 10.0), x * mask
    seen = weakref.ref(h)
    del h
    assert seen() is not None
    new = {x: np.array([-1.0, 2.0, -3.0])}
    assert evaluate([y, z, mask], new)[0].tolist() == [10.0, 2.0, 10.0]
    assert evaluate(z, new).tolist() == [0.0, 2.0, 0.0]
    assert evaluate(mask, new).tolist() == [False, True, False]
    assert y.inputs[0] is z.inputs[1]  # one node for both
    with pytest.raises(ValueError, match="new values for leaves, but the result of greater was computed by greater"):
        evaluate(y, {mask: np.ones(3, bool)})
    del y, z
    assert seen() is None
    with pytest.raises(RuntimeError, match=r"the result of greater, of shape \(3,\), cannot be computed again"):
        evaluate(mask, new)


GONE = {
    "a product in a condition": lambda x, w: np.where(x * w > 0, x * w, 0.0),
    "a mean in a condition": lambda x, w: np.where(x > x.mean(), x, 0.0),
    "an order of something": lambda x, w: np.take_along_axis(x, np.argsort(-x), 0),
    "a mask times a number": lambda x, w: x * ((x * w > 0) * 2.0),
    "made of a mask that is gone": lambda x, w: x * (~(x * w > 0)).astype(float).sum(),
}


@pytest.mark.parametrize("f", GONE.values(), ids=GONE.keys())
def test_a_mask_of_what_is_gone_is_never_computed_with(f):
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 2.0)
    new = np.array([-1.0, 2.0, 5.0])
    y = f(x, w)
    assert y.requires_grad
    y.sum().backward()  # the numbers at hand are right
    for values in ({x: new}, {w: new}, {}):
        with pytest.raises(RuntimeError, match="cannot be computed again"):
            evaluate(y, values)
    with tracing():
        y = f(x, w)
    assert np.array_equal(evaluate(y, {x: new}), f(new, w.numpy()))


@pytest.mark.parametrize(
    "write",
    [
        lambda m: m.__setitem__(0, False),
        lambda m: m.__iand__(np.array([False, True, True])),
        lambda m: m[:2].__setitem__(0, False),
        lambda m: setattr(m, "data", np.array([False, True, True])),
    ],
)
def test_a_mask_can_be_written_and_is_then_no_longer_followed(write):
    x = leaf(1.0, -2.0, 3.0)
    mask = x > -5
    before = (x * mask).sum()
    write(mask)
    assert mask.tolist() == [False, True, True]
    y = x * mask
    with pytest.raises(RuntimeError, match="it was written since"):
        evaluate(y, {x: np.zeros(3)})
    with contextlib.suppress(RuntimeError):  # "was written after"; where .data was set, the record has the old array
        before.backward()
        assert x.grad.tolist() == [1.0, 1.0, 1.0]
    x.zero_grad()
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("named", [True, False])
def test_what_a_mask_was_written_into_is_not_computed_with_either(named):
    x = leaf(1.0, -2.0, 3.0)
    count, kept, picked, copied = Tensor(0), Tensor(np.zeros(3)), Tensor(np.zeros(3)), Tensor(np.zeros(3))
    mask = x > 0 if named else x * 1 > 0
    count += mask.sum()
    kept[...] = mask
    picked[mask] = 1.0
    copied.data = mask
    for t in (count, kept, picked, copied):
        assert t.is_leaf
        for y in (x * t, x * (t + 1)):
            with pytest.raises(RuntimeError, match="cannot be computed again"):
                evaluate(y, {x: np.zeros(3)})
    assert evaluate(x * count, {x: np.ones(3), count: 7}).tolist() == [7.0, 7.0, 7.0]


def test_such_a_result_becomes_a_variable_when_told():
    x = leaf(1.0, -2.0)
    share = np.mean(x > 0).requires_grad_()
    y = share * share
    y.backward()
    assert share.grad.item() == 1.0
    assert float(evaluate(y, {share: 3.0})) == 9.0


def test_such_results_convert_copy_and_index_as_leaves_do():
    logits = leaf(0.1, 3.0, -1.0).reshape(3, 1) * np.ones((1, 4))
    guess = np.argmax(logits, axis=0)
    confusion = np.zeros((3, 3), int)
    confusion[guess, np.zeros(4, int)] += 1
    out = np.ones((3, 4))
    out[logits > 0] = 0
    assert out.sum() == 4
    assert confusion[1, 0] == 1
    assert np.array(logits > 0).sum() == np.asarray(logits > 0).sum() == 8
    assert [10, 20, 30][guess[0]] == 20
    assert (float(guess[0]), int(guess[0]), bool(logits[0, 0] > 0)) == (1.0, 1, True)
    assert set(np.array(guess)) == {1}
    for again in (pickle.loads(pickle.dumps(guess)), copy.copy(guess), copy.deepcopy(guess)):
        assert type(again) is Tensor
        assert again.tolist() == [1, 1, 1, 1]
        assert not np.shares_memory(again.data, guess.data)
    assert guess.detach().data is guess.data


def test_in_a_recorded_gradient_masks_are_held():
    x, w = leaf(1.0, -2.0, 3.0), leaf(1.0, 1.0, 2.0)
    for f in (np.max, np.ptp, np.median, lambda t: np.linalg.norm(t, np.inf), lambda t: np.sort(t)[1]):
        (dx,) = grad(f(x * w) ** 2, [x], create_graph=True)
        new = {x: np.array([4.0, 1.0, -3.0])}
        again = grad(f(Tensor(new[x], requires_grad=True) * w) ** 2, [w], create_graph=True, allow_unused=True)
        assert again is not None
        y = leaf(*new[x])
        (expected,) = grad(f(y * w) ** 2, [y])
        assert evaluate(dx, new).tolist() == expected.tolist()


def test_threads_end_sources_of_one_anothers_masks():
    x = leaf(*np.linspace(-1, 1, 50))
    masks, errors = [], []

    def work():
        try:
            for _ in range(200):
                h = x * 2
                masks.append((h > 0) & (x > 0))
                y = np.where(masks[-1], h, 0.0)
                assert evaluate(y).tolist() == y.tolist()
                with contextlib.suppress(RuntimeError):
                    evaluate(masks[len(masks) // 2])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(masks) == 800
