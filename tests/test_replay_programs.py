"""Replay under odd programs: shared memory, state that Python carries, failures half-way, and programs drawn at random."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.engine.recording import recording, tracing
from tinygrad_edu.ops.elementwise import gate
from tinygrad_edu.program import replay
from tinygrad_edu.program.emit import compiled, emit
from tinygrad_edu.program.plan import plan
from tinygrad_edu.program.record import Tape
from tinygrad_edu.program.simplify import Compute, happened, simplified


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
    with pytest.raises(RuntimeError, match=r"'z'.*test_replay_programs.py.*detach"):
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
        with pytest.raises(RuntimeError, match=r"multiply|alias.*test_replay_programs.py.*return it.*no_grad"):
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


DERIVATIVES = {
    "value_and_grad": lambda f, x, v: tg.value_and_grad(lambda t: (f(t) * v).sum())(x),
    "vjp": lambda f, x, v: tg.vjp(f, x, v),
    "jvp": lambda f, x, v: tg.jvp(f, x, v),
    "jacobian": lambda f, x, v: (tg.jacobian(f, x),),
    "hessian": lambda f, x, v: (tg.hessian(lambda t: (f(t) * v).sum(), x),),
    "hvp": lambda f, x, v: tg.hvp(lambda t: f(t).sum(), x, v),
    "three deep": lambda f, x, v: tg.value_and_grad(lambda t: tg.hvp(lambda s: tg.vjp(f, s, v)[1].sum(), t, v)[1].sum())(x),
}  # fmt: skip


@pytest.mark.parametrize("name", DERIVATIVES)
@pytest.mark.parametrize("of", ["an argument", "a weight"])
def test_derivatives_in_a_loss_train_the_weights_as_eagerly(name, of, rng):
    batches, v = rng.standard_normal((4, 3)), rng.standard_normal(3)

    def training(replayed):
        w, c = leaf(*np.linspace(0.5, 1.5, 3)), leaf(*np.ones(3))
        optimizer = tg.optim.SGD([w, c], lr=1e-4)

        def step(x):
            found = DERIVATIVES[name](lambda t: np.sin(t * w) * c, x if of == "an argument" else c, v * w)
            flags = [part.requires_grad for part in found]
            plain = DERIVATIVES[name](lambda t: np.sin(t * 2.0), x, v)
            assert flags == [True] * len(found)
            assert not any(part.requires_grad for part in plain)
            with tg.no_grad():
                assert not any(part.requires_grad for part in DERIVATIVES[name](lambda t: np.sin(t * w), x, v))
            loss = sum(np.square(part).sum() for part in (*found, *plain)) + np.square(w - 1.0).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss, plain[-1]

        step = tg.replay(step) if replayed else step
        return [part.numpy() for x in batches for part in step(x)] + [w.numpy().copy(), c.numpy().copy()]

    for one, other in zip(training(True), training(False), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


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


# -- programs drawn at random -------------------------------------------------------------------------


class Program:
    """A function of one array over a few leaves, made of drawn steps; twice the same program of the same numbers."""

    def __init__(self, steps, shape, dtype, ending, optimizer):
        rng = np.random.default_rng(0)
        self.steps, self.ending = steps, ending
        self.leaves = [
            tg.Tensor(rng.standard_normal(shape).astype(dtype), requires_grad=i < 2, name=f"l{i}") for i in range(3)
        ]
        self.row = tg.Tensor(rng.standard_normal(shape[1]).astype(dtype), requires_grad=True, name="row")
        self.leaves.append(tg.Tensor(self.leaves[2].data[::-1], name="turned"))  # in the memory of another
        self.leaves.append(tg.Tensor(self.leaves[2].data[:1], name="first"))
        self.array = rng.standard_normal(shape).astype(dtype)
        makes = {
            "none": lambda p: None,
            "momentum": lambda p: optim.SGD(p, lr=0.01, momentum=0.9),
            "adam": lambda p: optim.Adam(p, lr=0.01),
        }
        self.optimizer = makes[optimizer]([*self.leaves[:2], self.row])

    def __call__(self, x):
        values, outputs = [x, *self.leaves[:4]], []
        for kind, i, j in self.steps:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(STEPS[kind](self, a, b))
            if j % 3 == 0:
                outputs.append(values[-1])
        loss = sum(np.mean(np.tanh(v)) for v in values[-3:]) + np.mean(self.leaves[0] * self.row) * 0.1
        outputs += [loss, values[-1], values[-1][::-1], self.leaves[2]]
        try:
            ENDINGS[self.ending](self, loss, outputs)
        except RuntimeError as error:  # a leaf of the graph was written: then nothing more is done
            if "was written after" not in str(error):
                raise
            outputs.append(0)
        if self.optimizer is not None:
            self.optimizer.step()
        return outputs

    def state(self):
        tensors = [*self.leaves, self.row]
        return [*tensors, *[t.grad for t in tensors if t.grad is not None]]


def without_gradient(program, a, b):
    with tg.no_grad():
        return np.tanh(a) * 1


def writes(change):
    """A step that writes into one of the leaves, and goes on with it."""

    def step(program, a, b):
        target = program.leaves[b.ndim % 2 + (2 if a.requires_grad else 1)]
        with tg.no_grad():
            change(target, a, b)
        return program.leaves[2] * 1

    return step


def scale(t, a, b):
    t *= 0.5


def add(t, a, b):
    t += np.tanh(a) * 0.1


def row_of(t, a, b):
    t[0] = a[-1] * 0.5


def column_of(t, a, b):
    t[:, :1] = b[:, :1]


def through_a_view(t, a, b):
    u = t[::2]
    u -= 0.1 * np.tanh(a)[::2]


STEPS = {
    "add": lambda p, a, b: a + b,
    "multiply": lambda p, a, b: a * b,
    "constants": lambda p, a, b: (a * 2 - 1) * 0.5 + 1,
    "an array": lambda p, a, b: a * p.array,
    "row": lambda p, a, b: a + p.row,
    "sin": lambda p, a, b: np.sin(a),
    "maximum": lambda p, a, b: np.maximum(a, b),
    "where": lambda p, a, b: np.where(a > b, a, b * 0.5),
    "divide": lambda p, a, b: a / (1 + np.abs(b)),
    "centre": lambda p, a, b: a - a.mean(0),
    "softmax": lambda p, a, b: np.exp(np.tanh(a)) / np.exp(np.tanh(a)).sum(1, keepdims=True),
    "matmul": lambda p, a, b: (a @ b.T @ b) / (10.0 * a.size),
    "there and back": lambda p, a, b: a.T.reshape(a.shape[::-1]).T,
    "flat": lambda p, a, b: np.sin(a.T).reshape(-1).reshape(a.shape),
    "reversed": lambda p, a, b: a[::-1],
    "roll": lambda p, a, b: np.roll(a, 1, axis=0),
    "broadcast": lambda p, a, b: np.broadcast_to(a[0], a.shape),
    "stack": lambda p, a, b: np.stack([a, b])[1],
    "halves": lambda p, a, b: np.concatenate([a, b])[a.shape[0] // 2 :][: a.shape[0]],
    "gather": lambda p, a, b: a[np.argmax(b, axis=0) * 0] if a.shape[0] == a.shape[1] else a[::-1],
    "powers": lambda p, a, b: np.clip(a, -1, 1) ** 2 + (a - a),
    "detach": lambda p, a, b: a.detach(),
    "no_grad": without_gradient,
    "scale in place": writes(scale),
    "add in place": writes(add),
    "write a row": writes(row_of),
    "write a column": writes(column_of),
    "write through a view": writes(through_a_view),
}


def second_order(program, loss, outputs):
    w = program.leaves[0]
    slope = tg.grad(loss, w, create_graph=True)
    outputs += [slope, tg.grad((slope**2).sum() + (w**2).sum() * 0, w)]


def penalised(program, loss, outputs):
    for t in (*program.leaves[:2], program.row):
        t.grad = None
    slope = tg.grad(loss, program.row, create_graph=True)
    (loss + (slope**2).sum()).backward()


def fresh_gradients(program, loss, outputs):
    for t in (*program.leaves[:2], program.row):
        t.grad = None
    loss.backward()
    outputs.append(program.row.grad)


ENDINGS = {
    "backward": fresh_gradients,
    "accumulated": lambda program, loss, outputs: loss.backward(),
    "second order": second_order,
    "penalty": penalised,
}

kinds = st.lists(
    st.tuples(st.sampled_from(list(STEPS)), st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=14
)
options = {"ending": st.sampled_from(list(ENDINGS)), "optimizer": st.sampled_from(["none", "momentum", "adam"])}


def compare(shape, calls, dtype, **program):
    """Eager and replayed calls give the same numbers and leave the same state, to the last bit."""
    eager, replayed = (Program(shape=shape, dtype=dtype, **program) for _ in range(2))
    run, rng = replay(replayed), np.random.default_rng(1)
    for _ in range(calls):
        x = rng.standard_normal(shape).astype(dtype)
        expected = eager(tg.Tensor(x))
        assert_same(run(x), expected)
        assert_same(replayed.state(), eager.state())
    return run


@given(
    kinds,
    st.sampled_from([(3, 3), (4, 2), (1, 5)]),
    st.sampled_from(["float32", "float64"]),
    st.fixed_dictionaries(options),
)
def test_random_programs(steps, shape, dtype, drawn):
    compare(shape, 3, dtype, steps=steps, **drawn)


@settings(max_examples=6)
@given(kinds, st.sampled_from(["float32", "float64"]), st.fixed_dictionaries(options))
def test_random_programs_of_long_arrays(steps, dtype, drawn):
    run = compare((400, 400), 2, dtype, steps=[*steps, ("constants", 0, 1)], **drawn)
    assert "for " in run.source  # in blocks


# -- each step alone ----------------------------------------------------------------------------------


def recorded(f, *arrays):
    """The tape of a run of `f`, and its result."""
    tape = Tape()
    given = [tg.Tensor(a, name=f"x{i}") for i, a in enumerate(arrays)]
    tape.placeholders = dict.fromkeys(given)
    with recording(everything=True, tape=tape):
        return tape, f(*given)


def names(events):
    return [e.node.op.name if isinstance(e, Compute) else "write" for e in events]


def test_recording_alone():
    w = leaf(1.0, 2.0, name="w")

    def f(x):
        y = x * w
        with tg.no_grad():
            w.__isub__(0.5)
        return y + w

    tape, y = recorded(f, np.array([3.0, 4.0]))
    assert [(write.target, write.value.op.name) for write in tape.writes] == [(w, "subtract")]
    assert y.inputs[0].inputs == (*tape.placeholders, w)
    assert y.tolist() == [3.5, 9.5]
    assert y.inputs[0].made_at < tape.writes[0].time < y.made_at
    for action in reversed(tape.undo):
        action()
    assert w.tolist() == [1, 2]


def test_simplifying_alone():
    u = tg.Tensor([1.0, 2.0], name="u")

    def f(x):
        unused = x - 1  # nothing reads it
        y = x * (np.sqrt(4.0) * u * 1)
        z = np.sin(y) + np.sin(y)  # one sine
        with tg.no_grad():
            u.__iadd__(1)
        return z, x * (2 * u), unused

    tape, (z, after, _) = recorded(f, np.ones(2))
    order = sorted({*ancestors(z), *ancestors(after), *ancestors(tape.writes[0].value)}, key=lambda t: t.made_at)
    events = happened(order, tape)
    assert names(events) == [
        "multiply",
        "multiply",
        "multiply",
        "sin",
        "sin",
        "add",
        "add",
        "write",
        "multiply",
        "multiply",
    ]
    left, results = simplified(events, [z, after], set(tape.numbers.values()))
    assert names(left) == ["multiply", "multiply", "sin", "add", "add", "write", "multiply", "multiply"]
    assert results == [z, after]  # what was written in between is computed again


def ancestors(t):
    return {t} | {a for x in t.inputs for a in ancestors(x)}


def test_planning_alone():
    tape, y = recorded(lambda x: np.tanh(np.exp(x).T.reshape(-1)) * 2 + 1, np.ones((3, 4)))
    made = plan(list(tape.placeholders), [y], tape)
    assert [(i.op.name, i.how) for i in made.instructions] == [
        ("exp", "out"), ("reshape", "fresh"), ("tanh", "out"), ("multiply", "out"), ("add", "out"),
    ]  # fmt: skip
    assert [v.note.split()[0] for v in made.views] == ["transpose"]
    tanh, multiply, add = [i.value for i in made.instructions[2:]]
    assert tanh.array.ctypes.data == multiply.array.ctypes.data == add.array.ctypes.data
    assert made.nbytes <= 2 * 96
    assert not made.early


def test_emitting_alone():
    w = tg.Tensor([[1.0, 2.0]], name="w")
    tape, y = recorded(lambda x: np.tanh(x @ w), np.ones((3, 1)))
    source, known = emit(plan(list(tape.placeholders), [y], tape))
    lines = source.splitlines()
    assert lines[0] == "def program(x0):"
    assert [line.split("#")[0].strip() for line in lines[-3:]] == ["matmul(x0, w, v2)", "tanh(v2, v3)", "return (v3,)"]
    assert known["w"] is w.ndarray
    (got,) = compiled(source, known)(np.full((3, 1), 2.0))
    assert_same(got, np.tanh(np.full((3, 1), 2.0) @ w.data))


def test_a_recording_lets_go_of_what_it_does_not_read_again():
    parameters = [leaf(*np.ones(20_000)) for _ in range(12)]
    optimizer = optim.Adam(parameters, lr=0.1)

    @replay
    def step(x):
        loss = sum((p * x).sum() for p in parameters)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    optimizer.zero_grad()
    tracemalloc.start()
    try:
        step(np.ones(20_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * sum(p.nbytes for p in parameters)


def test_a_plan_is_made_when_the_numbers_are_gone():
    w, n = leaf(*np.ones(20_000)), 30

    @replay
    def step(x):
        y = x
        for _ in range(n):
            y = np.tanh(y * w)
        w.grad = None
        y.sum().backward()

    tracemalloc.start()
    try:
        step(np.ones(20_000))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert step.plan.nbytes > 1.0 * w.nbytes * n  # and these are not on top:
    assert peak < 8.5 * w.nbytes * n


# -- numbers that a shortcut would change --------------------------------------------------------------


@pytest.mark.parametrize("view", [lambda y: y[:], lambda y: y.T.T, lambda y: y.reshape(300, 301), lambda y: y * y[:]])
def test_a_view_of_all_of_a_block_moves_with_it(view):
    w = tg.Tensor(np.random.default_rng(0).standard_normal((300, 301)))

    def step(x):
        return (np.sin(view(w * 2.0)) * 3.0 + 1.0) * x

    replayed = replay(step)
    for x in (1.0, 2.0):
        assert_same(replayed(np.array(x)), step(tg.Tensor(x)))
    assert "blocks" in replayed.source


def test_a_buffer_of_a_stretch_has_one_type_in_it():
    rng = np.random.default_rng(0)
    w, v = (tg.Tensor(rng.standard_normal(1 << 19)) for _ in range(2))
    single = tg.Tensor(rng.standard_normal(1 << 19).astype(np.float32))

    def kept(x):
        positive, large = (w * 2.0) > 0, v > 0.5
        return np.logical_and(positive, large).sum() * x + large.sum()

    def rounded(x):
        positive = (w * 2.0) > 0
        return np.exp(np.sin(single * 3)) * positive * x

    for step in (kept, rounded):
        replayed = replay(step)
        for x in (1, 2):
            assert_same(replayed(np.array(x)), step(tg.Tensor(x)))
        assert "blocks" in replayed.source


def test_one_times_a_complex_number_is_computed():
    z = np.array([complex(np.inf, 1), complex(-0.0, -1), complex(1, 2)])
    replayed = replay(lambda x: x * 1)
    with np.errstate(invalid="ignore"):
        expected = z * np.complex128(1)
        for _ in range(2):
            assert replayed(z).numpy().tobytes() == expected.tobytes()


def test_a_mean_of_float16_is_added_up_in_float32():
    x = np.full((300, 300), 3, np.float16)
    for f in (np.mean, np.var):
        replayed = replay(lambda x, f=f: f(x) * 2)
        for _ in range(2):
            assert_same(replayed(x), f(tg.Tensor(x)) * 2)


@pytest.mark.parametrize("f", [lambda x: np.round(x, -1), lambda x: gate(x > 3, x > 5), lambda x: gate(x, x > 5)])
def test_what_numpy_computes_of_whole_numbers_on_the_way_fits_its_place(f):
    x = np.arange(200)
    replayed = replay(f)
    for _ in range(2):
        assert_same(replayed(x), f(tg.Tensor(x)))


CHOICES = [
    lambda x: np.where(True, x, 0 * x),
    lambda x: np.where(False, x, 2 * x),
    lambda x: np.where(np.bool_(True), x, 0 * x),
    lambda x: np.where(1, x, 0 * x),
    lambda x: np.where(0.0, x, 3.0),
    lambda x: np.select([True, x > 1], [x, 2 * x], 0),
    lambda x: x * True + np.power(x, True),
    lambda x: np.logaddexp(x, False) + np.maximum(True, x),
    lambda x: np.logical_and(x > 1, True) * x,
    lambda x: np.take(x * 2, 1) + np.choose(1, [x, 2 * x]),
    lambda x: np.clip(x, True, 2) + np.heaviside(x, True),
]


@pytest.mark.parametrize("f", CHOICES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_truth_values_that_a_function_says_stay_truth_values(f, dtype):
    x = tg.Tensor(np.arange(4).astype(dtype), requires_grad=dtype != "int64")
    expected = f(x)
    replayed = replay(f)
    for _ in range(3):
        assert_same(replayed(x), expected)
    with tracing():
        assert np.array_equal(tg.evaluate(f(x)), expected.numpy())
    if x.requires_grad and expected.requires_grad:
        slope = replay(lambda x: tg.grad(f(x).sum(), x))
        for _ in range(2):
            assert_same(slope(x), tg.grad(expected.sum(), x))


LAYOUTS = {
    "C": lambda a: a,
    "Fortran": np.asfortranarray,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "swapped": lambda a: np.ascontiguousarray(np.swapaxes(a, -1, -2)).swapaxes(-1, -2),
    "every second": lambda a: np.repeat(a, 2, -1)[..., ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1])[::-1],
}
SUMS = {
    "var": np.var, "std": np.std, "sum": np.sum, "mean": np.mean, "prod": np.prod, "logsumexp": tg.logsumexp,
    "softmax": tg.softmax, "norm": np.linalg.vector_norm, "cumsum": np.cumsum,
    "of a difference": lambda x, axis=None: np.sum(np.square(x - np.mean(x, axis=axis, keepdims=True)), axis=axis),
    "of a product": lambda x, axis=None: np.sum(x * np.exp(x), axis=axis),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_are_taken_in_the_order_in_which_an_argument_lies_in_memory(name, dtype):
    """One replayed function, given the same numbers in other orders, rounds as eagerly for each."""
    f, rng = SUMS[name], np.random.default_rng(0)
    for shape in ((7, 5), (3, 4, 5), (40, 130)):
        numbers = rng.standard_normal(shape).astype(dtype)
        for axis in (None, 0, 1, -1):
            replayed = replay(lambda x, axis=axis: f(x, axis=axis))
            slope = replay(lambda x, axis=axis: tg.grad(f(x, axis=axis).sum(), x))
            for lay in [*LAYOUTS.values()] * 2:
                x = tg.Tensor(lay(numbers), requires_grad=True)
                y = f(x, axis=axis)
                assert_same(replayed(x.numpy()), y)
                assert_same(replayed(x), y)
                assert_same(slope(x), tg.grad(y.sum(), x))


# -- gradients that are there before ---------------------------------------------------------------------


def test_a_gradient_that_was_there_is_not_taken_for_none():
    w = leaf(1.0)

    @replay
    def step(x):
        (w * x).sum().backward()

    w.grad = tg.Tensor([100.0])
    step(np.ones(1))
    assert w.grad.tolist() == [101.0]
    for expected in (1.0, 2.0):
        if expected == 1.0:
            w.grad = None
        step(np.ones(1))
        assert w.grad.tolist() == [expected]


def test_two_leaves_that_shared_a_gradient_get_their_own():
    a, b = leaf(1.0), leaf(1.0)

    @replay
    def step(x):
        a.grad = b.grad = None
        ((a * x).sum() + (b * x * 10).sum()).backward()

    step(np.ones(1))
    b.grad = a.grad
    for x in (np.ones((1, 1)), np.ones((1, 1))):
        step(x)
        assert (a.grad.tolist(), b.grad.tolist()) == ([1.0], [10.0])


def test_what_is_asked_of_an_argument_is_refused():
    def learns(x, y):
        x.requires_grad_()
        return tg.grad((x * y).sum(), x)

    def hooked(x):
        x.register_hook(lambda g: g * 10)
        return tg.grad((x * x).sum(), x)

    x = tg.Tensor([3.0])
    with pytest.raises(RuntimeError, match=r"requires_grad_\(\) of 'x'.*detach"):
        replay(learns)(x, x)
    assert not x.requires_grad
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="a hook on 'x', an argument"):
        replay(hooked)(x)
    squared = replay(lambda x: tg.grad((x * x).sum(), x))
    assert squared(x).tolist() == [6.0]
    handle = x.register_hook(lambda g: g * 10)
    with pytest.raises(RuntimeError, match="an argument with a hook"):
        squared(x)
    handle.remove()
    assert squared(x).tolist() == [6.0]


def test_a_hook_of_a_recording_that_fails_is_taken_off():
    w = leaf(1.0)

    def step(x):
        w.register_hook(lambda g: g * 10)
        (w * x).sum().backward()
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        replay(step)(np.ones(1))
    assert tg.grad((w * 1.0).sum(), w).tolist() == [1.0]


def test_sums_over_repeated_numbers_are_grouped_as_eagerly():
    w = tg.Tensor(np.random.default_rng(0).random((2, 330)).astype(np.float32))

    def total():
        return np.sum(np.broadcast_to(w[0], (400, 330))) * 1

    run = tg.replay(total)
    run()
    assert run().item() == total().item()
