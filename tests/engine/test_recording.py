"""What an operation leaves of itself, and whether it is recorded."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.graphs import twice_and_minus_thrice
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.recording import enable_grad, is_grad_enabled, no_grad, quietly, tracing

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
    y = (tg.relu(x) ** 3).sum()
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

    def work(_):
        return [grad((w * w * w).sum(), w).numpy() for _ in range(50)]

    with ThreadPoolExecutor(4) as pool:
        found = [g for each in pool.map(work, range(4)) for g in each]
    assert len(found) == 200
    assert all(np.array_equal(g, expected) for g in found)


def test_without_warnings_what_else_is_set_for_ufuncs_stays():
    """The size of NumPy's buffers decides how sums are grouped."""

    def inside():
        np.setbufsize(1024)
        return quietly(lambda: (np.getbufsize(), set(np.geterr().values())))

    assert copy_context().run(inside) == (1024, {"ignore"})
    with np.errstate(over="raise"):
        assert quietly(np.geterr)["over"] == "ignore"
        assert quietly(np.geterr, divide="ignore") == {**np.geterr(), "divide": "ignore"}
    assert quietly(quietly, np.geterr, divide="ignore")["over"] == "ignore"
