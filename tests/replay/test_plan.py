"""Recording, simplifying, planning and emitting, each alone, and what they must keep."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.measuring import peak_bytes
from tests.replay.programs import assert_same, leaf
from tinygrad_edu import optim
from tinygrad_edu.engine.recording import tracing
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.program import record, replay
from tinygrad_edu.program.emit import compiled, emit
from tinygrad_edu.program.planning import plan
from tinygrad_edu.program.program import PLACE, Compute, Write
from tinygrad_edu.program.simplify import simplified
from tinygrad_edu.program.tape import Tape

# -- each step alone ----------------------------------------------------------------------------------


def recorded(f, *arrays):
    """The tape of a run of `f`, and its program."""
    tape = Tape()
    return tape, record.recorded(tape, f, arrays, {})[0]


def names(events):
    return [e.node.op.name if isinstance(e, Compute) else "write" for e in events]


def test_recording_alone():
    w = leaf(1.0, 2.0, name="w")

    def f(x):
        y = x * w
        with tg.no_grad():
            w.__isub__(0.5)
        return y + w

    tape, program = recorded(f, np.array([3.0, 4.0]))
    (y,), (x,) = program.outputs, program.arguments
    assert names(program.events) == ["multiply", "subtract", "write", "add"]
    assert [(e.target, e.value.op.name) for e in program.events if isinstance(e, Write)] == [(w, "subtract")]
    assert y.inputs[0].inputs == (x, w)
    assert x.name == "x"
    assert y.tolist() == [3.5, 9.5]
    assert program.result is PLACE
    assert program.state == program.written == [w]
    assert [leaf.item() for leaf in program.numbers] == [0.5]
    assert program.guards.holds()
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
        del unused
        return z, x * (2 * u)

    _, program = recorded(f, np.ones(2))
    assert names(program.events) == [
        "multiply", "multiply", "multiply", "sin", "sin", "add", "add", "write", "multiply", "multiply",
    ]  # fmt: skip
    left, results = simplified(program)
    assert names(left) == ["multiply", "multiply", "sin", "add", "add", "write", "multiply", "multiply"]
    assert results == program.outputs  # what was written in between is computed again


def test_planning_alone():
    made = plan(recorded(lambda x: np.tanh(np.exp(x).T.reshape(-1)) * 2 + 1, np.ones((3, 4)))[1])
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
    source, known = emit(plan(recorded(lambda x0: np.tanh(x0 @ w), np.ones((3, 1)))[1]))
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
    peak = peak_bytes(lambda: step(np.ones(20_000)))
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

    peak = peak_bytes(lambda: step(np.ones(20_000)))
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


# -- leaves that are written ---------------------------------------------------------------------------


def test_what_an_optimizer_keeps_is_scaled_where_it_is():
    """β·m is computed over m, which gets its new numbers right after: no array is needed for it."""
    w = tg.Tensor(np.ones((50, 40)), requires_grad=True, name="w")
    optimizer = optim.Adam([w])

    @replay
    def step(x):
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()

    step(np.ones((50, 40)))
    over = [line.value.array for line in step.plan.lines() if line.value.name.startswith("v")]
    for kept in optimizer.param_groups[0].members[0].state.values():
        assert any(array is kept for array in over)
    assert step.plan.nbytes < 2.5 * w.nbytes


@pytest.mark.parametrize(
    "rule",
    [
        lambda w, g: (w * 2) * g,
        lambda w, g: (w * 2) @ g,
        lambda w, g: g @ (w * 2),
        lambda w, g: np.cumsum(w * 2, axis=0),
        lambda w, g: F.softmax(w * 2),
        lambda w, g: (w * 2)[::-1] * g,
        lambda w, g: (w * 2) + (w * 2).T,
        lambda w, g: (w * 2) * g + w,
        lambda w, g: (w * 2) * (w * 3) * g,
        lambda w, g: np.sin(w * 2) - w.T,
        lambda w, g: np.where(w * 2 > g, w, g),
        lambda w, g: (w + g) / np.abs(w + g).max(),
    ],
)
@pytest.mark.parametrize("seen", [lambda w: w * 1, lambda w: w.T, lambda w: w[::-1] + 1])
def test_a_leaf_is_written_over_only_when_nobody_reads_it_any_more(rule, seen):
    class Ruled(optim.Optimizer):
        @staticmethod
        def update(param, grad, state, out=None, *, lr):
            return rule(param, grad), state

    def made():
        w = tg.Tensor(np.random.default_rng(0).standard_normal((4, 4)), requires_grad=True)
        optimizer = Ruled([w], lr=1.0)

        def step(x):
            before = seen(w)
            loss = (w * x).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return before, loss, w * 3

        return w, step

    (w, eager), (u, f) = made(), made()
    replayed = replay(f)
    for i in range(3):
        x = np.random.default_rng(i).standard_normal((4, 4))
        assert_same(replayed(x), eager(tg.Tensor(x)))
        assert_same([u], [w])


def test_a_run_that_fails_puts_back_what_was_written_over():
    """The numbers of `w` are doubled in their place when the loss finds a class that does not exist."""
    w = tg.Tensor(np.arange(4.0), requires_grad=True)

    class Ruled(optim.Optimizer):
        @staticmethod
        def update(param, grad, state, out=None, *, lr):
            twice = param * 2
            return twice + F.cross_entropy(tg.zeros((2, 3)), given[-1]), state

    given, optimizer = [], Ruled([w], lr=1.0)

    @replay
    def step(x, classes):
        given.append(classes)
        optimizer.zero_grad()
        (w * x).sum().backward()
        optimizer.step()
        given.clear()

    step(np.ones(4), np.array([0, 1]))
    before = w.numpy().copy()
    with pytest.raises(IndexError):
        step(np.full(4, 2.0), np.array([0, 3]))
    assert_same([w], [before])


def test_a_line_looks_for_float16_only_where_an_input_may_be_in_it():
    f = replay(lambda x: F.softmax(x))
    for dtype, looks in (("float32", False), ("float16", True)):
        x = np.linspace(-4, 4, 12).reshape(3, 4).astype(dtype)
        assert_same(f(x), F.softmax(tg.Tensor(x)))
        called = emit(f.plan)[1]["softmax"]
        assert (called is OPS["softmax"].forward) is looks
