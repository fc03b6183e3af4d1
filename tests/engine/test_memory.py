"""What a graph holds in memory, what frees it, and what a freed one says."""

import contextlib
import tracemalloc
import weakref

import numpy as np
import pytest

from tests.engine.graphs import twice_and_minus_thrice
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.transforms import jvp

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
