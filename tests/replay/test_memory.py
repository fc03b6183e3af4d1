"""Replay where memory is shared: arguments, results, what the function keeps."""

import gc
import tracemalloc

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.replay.programs import assert_same, leaf, numbers
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.program import replay, simplify, tape

# -- what the function is given -----------------------------------------------------------------------


def test_an_index_that_is_computed():
    w = tg.Tensor(np.arange(5.0), name="w")
    run = replay(lambda i: w[i + 1])
    assert run(np.array([0, 1])).tolist() == [1, 2]
    assert run(np.array([3, 2])).tolist() == [4, 3]


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_reshape_that_copies_keeps_what_it_copied(order):
    def f(x):
        y = np.sin(x.T)
        flat = y.reshape(-1)  # a copy, for y has its axes in the other order
        z = np.tanh(np.cos(x) * 2) + 1
        return flat + z.reshape(-1), flat * 1.5, y.sum(), y.T.reshape(-1) * 2

    run, rng = replay(f), np.random.default_rng(0)
    for _ in range(3):
        x = np.asarray(rng.standard_normal((30, 40)), order=order)
        assert_same(run(x), f(tg.Tensor(x)))


def test_one_tensor_for_two_arguments():
    def f(a, b):
        return tg.grad((a * b).sum(), a)

    run, x, y = replay(f), leaf(3.0, 4.0), leaf(5.0, 6.0)
    for args in [(x, x), (x, y), (y, y), (y, x)]:
        assert_same(run(*args), f(*args))
    by_name = replay(lambda pair, c: tg.grad((pair["a"] * pair["b"] * c).sum(), c))
    assert by_name({"a": x, "b": y}, c=x).tolist() == (2 * x * y).tolist()
    assert by_name({"a": x, "b": y}, c=y).tolist() == (2 * x * y).tolist()


def test_an_argument_that_the_function_holds_itself():
    w = leaf(3.0, 4.0, name="w")
    run = replay(lambda a: tg.grad((a * w).sum(), w))
    with pytest.raises(ValueError, match=r"'w'.*argument a.*itself"):
        run(w)
    other = leaf(1.0, 2.0)
    assert run(other).tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"'w'.*argument a.*itself"):
        run(w)
    double = replay(lambda a: a + w)
    with tg.no_grad():
        assert double(w.detach()).tolist() == [6, 8]


def test_an_argument_in_memory_that_a_run_writes():
    flat = np.zeros(20)
    w = tg.Tensor(flat[:3], name="w")

    @replay
    def add(x):
        with tg.no_grad():
            w.__iadd__(x)

    with pytest.raises(ValueError, match="shares memory"):
        add(flat[1:4])
    add(np.ones(3))
    add(flat[10:13])
    assert w.tolist() == [1, 1, 1]
    for overlapping in (flat[:3], flat[2:5], flat[4::-2], w, w.detach()):
        with pytest.raises(ValueError, match="shares memory"):
            add(overlapping)
    assert w.tolist() == [1, 1, 1]


def test_memory_that_is_not_numpys():
    store = bytearray(80)
    w = tg.Tensor(np.frombuffer(store)[:3], name="w")
    u = tg.Tensor(np.frombuffer(store)[2:5], name="u")

    def add(x):
        with tg.no_grad():
            before = u * 1
            w.__iadd__(x)
            after = u * 1
            u.__iadd__(x)
            return before, after, w + 0

    run = replay(add)
    for k in range(3):
        expected = [[2 * k, k, k], [2 * k + 1, k, k], [k + 1, k + 1, 2 * k + 2]]
        assert_same(run(np.ones(3)), [np.array(e, float) for e in expected])
    with pytest.raises(ValueError, match="shares memory"):
        run(np.frombuffer(store)[4:7])
    run(np.frombuffer(store)[6:9])

    @replay
    def makes(x):
        t = tg.Tensor(np.frombuffer(store))
        with tg.no_grad():
            t[:2] = x

    with pytest.raises(RuntimeError, match="others hold too"):
        makes(np.ones(2))


def test_wrong_shapes_after_recording_leave_the_record():
    w = leaf(1.0, 2.0, name="w")
    run = replay(lambda x: x @ w)
    run(np.ones((3, 2)))
    record = run._record()
    with pytest.raises(ValueError, match="w"):
        run(np.ones((3, 4)))
    run(np.ones((3, 2)))
    assert run._record() is record


def test_what_is_returned_is_the_callers():
    w = tg.Tensor([1.0, 2.0], name="w")

    @replay
    def f(x):
        with tg.no_grad():
            w.__iadd__(1)
        y = x * 2
        return y, y[::-1], y.T, w, w[:1], x, x[1:]

    kept = f(np.array([3.0, 4.0]))
    before = [a.copy() for a in numbers(kept)]
    f(np.array([5.0, 6.0]))
    assert_same(kept, before)
    for t in kept:
        t.data[...] = 0
    x = np.array([3.0, 4.0])
    assert f(x)[3].tolist() == [4, 5]
    assert x.tolist() == [3, 4]
    assert w.tolist() == [4, 5]
    for alone in (replay(lambda x: x), replay(lambda x: w), replay(lambda x: w[::-1]), replay(lambda x: x * 2)):
        kept = [alone(x) for _ in range(3)]  # the first is of the recording
        expected = kept[0].tolist()
        kept[1].data[...] = 0
        assert [t.tolist() for t in kept] == [expected, [0, 0], expected]
        assert alone(x).tolist() == expected


# -- what the function finds --------------------------------------------------------------------------


def test_what_was_computed_before():
    w = leaf(1.0, 2.0, name="w")
    z = w * 2
    z.name = "z"
    with pytest.raises(RuntimeError, match=r"'z'.*test_memory.py.*detach"):
        replay(lambda x: x * z)(np.ones(2))

    def f(x):
        return x * z.detach() + (z > 1)

    with tg.no_grad():
        in_no_graph = replay(lambda x: [x * z, z, z[:1]])
        for _ in range(2):
            assert_same(in_no_graph(np.ones(2)), [np.array([2.0, 4]), np.array([2.0, 4]), np.array([2.0])])
            w *= 3
    run = replay(f)
    for _ in range(2):
        assert run(np.ones(2)).tolist() == [3, 5]
        with tg.no_grad():
            w += 10


def test_what_was_traced_before():
    u, w = tg.Tensor([1.0, 2.0]), leaf(1.0, 1.0)
    with tracing():
        z = u * 2
        part = u[:1]

    def f(x):
        with tg.no_grad():
            u.__iadd__(x)
        w.grad = z
        return x * z, part * 1

    run = replay(f)
    expected = [([2, 4], [2]), ([2, 4], [3])]
    for a, b in expected:
        x, y = run(np.ones(2))
        assert (x.tolist(), y.tolist(), w.grad.tolist()) == (a, b, a)


def test_what_the_function_keeps():
    class Cell:
        h = tg.Tensor(np.zeros(2))

    w, log, cell = leaf(1.0, 2.0, name="w"), [], Cell()

    def appends(x):
        with tg.no_grad():
            w.__iadd__(1)
        log.append(x * 2)
        return x * 3

    def carries(x):
        cell.h = (cell.h * 0.5 + x).detach()
        return cell.h * 1

    def returns_too(x):
        log.append(x * 2)
        return log[-1]

    for f in (appends, carries, returns_too):
        with pytest.raises(RuntimeError, match=r"multiply|alias.*test_memory.py.*return it.*no_grad"):
            replay(f)(np.ones(2))
        assert w.tolist() == [1, 2]


@pytest.mark.parametrize("with_result", [True, False])
def test_what_the_function_keeps_inside_a_cycle_is_nobodys(with_result):
    calls = []

    def f(x):
        calls.append(1)
        y = x * 2
        holder = [tg.Tensor(np.ones(2)), y if with_result else None]
        holder.append(holder)
        return y * holder[0]

    run = replay(f)
    for _ in range(3):
        assert run(np.ones(2)).tolist() == [2, 2]
        gc.collect()
    assert len(calls) == 1


# -- what recording needs -----------------------------------------------------------------------------


def test_gradients_are_let_go_while_they_are_recorded(monkeypatch):
    """Only gradients that nobody reads any more are freed: not one that goes two ways, nor parts, sums and views."""
    monkeypatch.setattr(tape, "MOST_BYTES_KEPT", 0)
    monkeypatch.setattr(simplify, "MOST_BYTES_KEPT", 0)
    w, v = leaf(3.0, 4.0), leaf(0.5, 0.25)

    def f(x, retains):
        h = w * x
        for _ in range(2):  # the gradient of a sum goes to both of its terms as it is
            h = h + np.tanh(h * v)
        c = h * v
        a, b = np.split(np.concatenate([h, c]), 2)
        y = np.maximum(a, 0.1) + b
        z = np.linalg.eigh(np.outer(y, y) + np.diag([1.0, 2.0]))[0].reshape(1, 2).T + y
        loss = (z * z).sum() + (h + w).sum()
        w.grad = v.grad = None
        if retains:
            c.retain_grad()
        if retains is None:
            return loss, *tg.grad(loss, (w, c, v, h))
        loss.backward()
        return loss, w.grad, v.grad, c.grad * 2 if retains else c

    for retains in (False, True, None):
        run = replay(f)
        for x in (np.array([0.5, -1.5]), np.array([2.0, 0.3])):
            assert_same([np.copy(r) for r in run(x, retains)], f(tg.Tensor(x), retains))


@pytest.mark.parametrize("number", range(len(OPS["rnn_slopes"].examples)))
def test_a_rule_may_give_an_array_where_others_give_tensors(number):
    """The rule of a recurrent layer's slopes gives an array if no gradient comes to the layer's own results."""
    op = OPS["rnn_slopes"]
    given, settings = op.examples[number].draw(np.random.default_rng(0), op.domains)
    leaves = [tg.Tensor(x, requires_grad=np.asarray(x).dtype.kind == "f") for x in given]

    def f(k):
        for x in leaves:
            x.grad = None
        (op(*leaves, **settings)[k] ** 2).sum().backward()
        return [x.grad for x in leaves if x.grad is not None]

    for k in range(2):
        run = replay(lambda k=k: f(k))
        for _ in range(2):
            found = [np.copy(r) for r in run()]
            for a, b in zip(found, f(k), strict=True):
                np.testing.assert_allclose(a, b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("functional", [False, True])
def test_recording_a_step_needs_hardly_more_memory_than_running_it(functional):
    """A chain of maps of half a megabyte: forward 40 of them and 20 masks, and of the gradients a few at a time."""
    w = leaf(0.9)

    def f(x):
        h = x
        for _ in range(20):
            h = tg.relu(h + w)
        w.grad = None
        if functional:
            return tg.grad(h.sum(), w)
        h.sum().backward(retain_graph=False)
        return w.grad

    x = np.ones(1 << 16)
    found = {}
    for name, function in {"recorded": replay(f), "eager": f}.items():
        gc.collect()
        tracemalloc.start()
        function(x)
        found[name] = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.stop()
    assert 20 < found["eager"] < found["recorded"] < 40 + 20 / 8 + 8
