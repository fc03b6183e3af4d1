"""Replay under odd programs: shared memory, state that Python carries, failures half-way, and programs drawn at random."""

import gc
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.graph import tracing
from tinygrad_edu.program import replay


def numbers(result):
    """The arrays of a result, in its order."""
    if isinstance(result, list | tuple):
        return [array for part in result for array in numbers(part)]
    return [result.numpy() if isinstance(result, tg.Tensor) else np.asarray(result)]


def assert_same(got, expected):
    for a, b in zip(numbers(got), numbers(expected), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def leaf(*data, **options):
    return tg.Tensor(np.array(data), requires_grad=True, **options)


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
            w.__iadd__(x)
            v = u * 1
            u.__iadd__(x)
            return v, w + 0

    run = replay(add)
    for k in range(3):
        expected = [[2 * k + 1, k, k], [k + 1, k + 1, 2 * k + 2]]
        assert_same(run(np.ones(3)), [np.array(e, float) for e in expected])
    with pytest.raises(ValueError, match="shares memory"):
        run(np.frombuffer(store)[4:7])
    run(np.frombuffer(store)[6:9])


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


# -- what the function finds --------------------------------------------------------------------------


def test_what_was_computed_before():
    w = leaf(1.0, 2.0, name="w")
    z = w * 2
    z.name = "z"
    with pytest.raises(RuntimeError, match=r"'z'.*test_replay_programs.py.*detach"):
        replay(lambda x: x * z)(np.ones(2))

    def f(x):
        return x * z.detach() + (z > 1)

    with tg.no_grad():
        in_no_graph = replay(lambda x: [x * z, z, z[:1]])
        for _ in range(2):
            assert_same(in_no_graph(np.ones(2)), [np.array([2.0, 4]), np.array([2.0, 4]), np.array([2.0])])
    run = replay(f)
    for _ in range(2):
        assert run(np.ones(2)).tolist() == [3, 5]
        with tg.no_grad():
            w += 10


def test_what_was_traced_before():
    u = tg.Tensor([1.0, 2.0])
    with tracing():
        z = u * 2
        part = u[:1]

    def f(x):
        with tg.no_grad():
            u.__iadd__(x)
        return x * z, part * 1

    run = replay(f)
    expected = [([2, 4], [2]), ([2, 4], [3])]
    for a, b in expected:
        x, y = run(np.ones(2))
        assert (x.tolist(), y.tolist()) == (a, b)


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
        with pytest.raises(RuntimeError, match=r"multiply|alias.*test_replay_programs.py.*return it.*no_grad"):
            replay(f)(np.ones(2))
        assert w.tolist() == [1, 2]


def test_what_the_function_keeps_inside_a_cycle_is_nobodys():
    calls = []

    def f(x):
        calls.append(1)
        y = x * 2
        holder = [y, tg.Tensor(np.ones(2))]
        holder.append(holder)
        return y * holder[1]

    run = replay(f)
    for _ in range(3):
        assert run(np.ones(2)).tolist() == [2, 2]
        gc.collect()
    assert len(calls) == 1


def test_gradients_of_what_the_function_makes():
    w, calls = leaf(1.0, 2.0, name="w"), []

    def retains(x):
        calls.append(1)
        h = np.tanh(x * w)
        h.retain_grad()
        w.grad = None
        (h**2).sum().backward()
        return h.grad, w.grad

    def penalty(x):
        calls.append(1)
        x = x.detach().requires_grad_()
        y = (np.sin(x) * w).sum()
        slope = tg.grad(y, x, create_graph=True)
        w.grad = None
        (y + (slope**2).sum()).backward()
        return y, w.grad

    def makes(x):
        calls.append(1)
        t = tg.Tensor(np.ones(2), requires_grad=True)
        (t * x * x).sum().backward()
        with tg.no_grad():
            t -= t.grad
        return t * 1

    for f in (retains, penalty, makes):
        run = replay(f)
        expected = [numbers(f(tg.Tensor(np.full(2, k)))) for k in (1.0, 2.0, 3.0)]
        expected = [[a.copy() for a in e] for e in expected]
        calls.clear()
        for k, e in zip((1.0, 2.0, 3.0), expected, strict=True):
            assert_same(run(np.full(2, k)), e)
        assert len(calls) == 1


def test_a_record_keeps_no_graph():
    w = leaf(1.0, 2.0, name="w")
    seen = []

    @replay
    def f(x):
        h = np.tanh(x * w)
        h.retain_grad()
        seen.append(weakref.ref(h))
        h.sum().backward()

    f(np.ones(2))
    assert seen[0]() is None


def test_a_graph_is_read_once_where_it_is_freed():
    w = leaf(1.0, 2.0, name="w")

    def twice(x):
        loss = (w * x).sum()
        loss.backward(retain_graph=False)
        loss.backward()

    def then_grad(x):
        loss = (w * x).sum()
        loss.backward(retain_graph=False)
        return tg.grad(loss, w)

    for f in (twice, then_grad):
        for call in (f, replay(f)):
            w.grad = None
            with pytest.raises(RuntimeError, match="freed by backward"):
                call(tg.Tensor(np.ones(2)))

    @replay
    def once(x):
        (w * x).sum().backward(retain_graph=False)

    w.grad = None
    once(np.ones(2))
    once(np.ones(2))
    assert w.grad.tolist() == [2, 2]


@pytest.mark.parametrize(
    "name", ["program", "copyto", "multiply", "def", "a b", "", "x", "v3", "blocks", "shaped", "None", "ñ"]
)
def test_any_name_will_do(name):
    w, u = (tg.Tensor([1.0, 2.0], name=name) for _ in range(2))

    def f(x):
        with tg.no_grad():
            u.__iadd__(x)
        return np.sin(x * w + u)

    run = replay(f)
    for _ in range(2):
        got = run(np.ones(2))
        assert_same(got, np.sin(np.ones(2) * w.data + u.data))


# -- failures half-way --------------------------------------------------------------------------------


def test_a_power_of_integers_may_raise():
    w = tg.Tensor([1.0, 2.0], name="w")

    @replay
    def f(n):
        with tg.no_grad():
            w.__iadd__(1)
        return np.power(np.array([2, 2]), n)

    f(np.array([1, 1]))
    before = w.tolist()
    with pytest.raises(ValueError, match="negative"):
        f(np.array([1, -1]))
    assert w.tolist() == before


def test_a_run_that_fails_puts_back_all_that_leaves_share():
    flat = tg.Tensor(np.arange(5.0), name="flat")
    part = tg.Tensor(flat.data[1:3], name="part")

    @replay
    def f(i):
        with tg.no_grad():
            part.__iadd__(1)
            flat.__imul__(2)
        return np.take(flat, i)

    f(np.array([0]))
    before = flat.tolist()
    with pytest.raises(IndexError):
        f(np.array([9]))
    assert flat.tolist() == before


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_a_recording_that_fails_puts_everything_back(error):
    model = tg.nn.Sequential(tg.nn.Linear(3, 2), tg.nn.BatchNorm1d(2), tg.nn.Dropout(0.5))
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    w = tg.Tensor(np.arange(6.0), name="w")
    fails = [True]

    @replay
    def step(x):
        loss = model(x).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with tg.no_grad():
            w[::2] *= 3
            w.__iadd__(1)
        model[0].bias.requires_grad_(False)
        model.eval()
        if fails[0]:
            raise error("half-way")
        return loss

    def state():
        return [
            [p.data.copy() for p in model.parameters()], [b.data.copy() for b in model.buffers()], w.data.copy(),
            [p.requires_grad for p in model.parameters()], [m.training for m in model.modules()],
            [p.grad is None for p in model.parameters()],
        ]  # fmt: skip

    generator = tg.manual_seed(0)
    before, drawn = state(), generator.bit_generator.state
    with pytest.raises(error):
        step(np.ones((4, 3), np.float32))
    assert str(state()) == str(before)
    assert generator.bit_generator.state == drawn
    assert not optimizer.state_dict()["state"]
    fails[0] = False
    step(np.ones((4, 3), np.float32))
    assert not model.training
    assert not model[0].bias.requires_grad


def test_a_run_that_is_interrupted_puts_back_what_it_drew():
    w, raises = tg.Tensor([1.0, 2.0], name="w"), [False]

    class Interrupting(np.random.Generator):
        def random(self, *args, **kwargs):
            if raises[0]:
                raise KeyboardInterrupt
            return super().random(*args, **kwargs)

    generator = Interrupting(np.random.PCG64(0))
    first = np.random.default_rng(1)

    @replay
    def f(x):
        with tg.no_grad():
            w.__iadd__(1)
        return x * tg.rand(2, generator=first) * tg.rand(2, generator=generator)

    f(np.ones(2))
    state, raises[0] = first.bit_generator.state, True
    with pytest.raises(KeyboardInterrupt):
        f(np.ones(2))
    assert w.tolist() == [2, 3]
    assert first.bit_generator.state == state
