"""Machine code for what a program computes element by element: the same numbers as its lines, to the last bit."""

import itertools
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.optim.test_rules import EVERY
from tests.replay.programs import compiled
from tinygrad_edu import nn, optim
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.nn import functional as F
from tinygrad_edu.program import kernels, llvm, run
from tinygrad_edu.program.kernels import LEAST_OF_A_ROW, MOST_LINES, MOST_ROWS
from viz.memory.steps import read_plan

pytestmark = pytest.mark.skipif(not llvm.is_installed(), reason="needs llvmlite")

SPECIAL = [np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-40, -1e-310, 3e38]


@pytest.fixture
def at_once():
    """Programs are compiled before their first replay."""
    with compiled():
        yield


def assert_same_bits(found, expected):
    """NaN may be any NaN: which one an operation gives is left open by the standard."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    bits = np.dtype(f"u{found.itemsize}")
    same = np.ascontiguousarray(found).view(bits) == np.ascontiguousarray(expected).view(bits)
    assert np.all(same | (np.isnan(found) & np.isnan(expected)))


def kernels_of(step):
    return [i for i in step.plan.instructions if i.how == "kernel"]


# -- chains of all that there are words for -----------------------------------------------------------

UNARY = {"square": np.square, "negative": np.negative, "absolute": np.absolute, "sqrt": np.sqrt, "relu": tg.relu}
BINARY = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "divide": np.divide}
COMPARED = {"greater": np.greater, "greater_equal": np.greater_equal, "less": np.less, "less_equal": np.less_equal}
CHOSEN = {"gate": lambda mask, x, y: OPS["gate"](x, mask), "where": np.where}


def test_every_op_that_has_words_is_in_the_chains():
    assert {*UNARY, *BINARY, *COMPARED, *CHOSEN} == llvm.WORDS.keys()
    assert {*COMPARED, *CHOSEN} == kernels.MASKS.keys()


def chain(steps, values):
    """Each step is an op of values before it; the result is the sum of the last ones."""
    for name, i, j, k in steps:
        a, b = values[i % len(values)], values[j % len(values)]
        if name in UNARY:
            values.append(UNARY[name](a))
        elif name in BINARY:
            values.append(BINARY[name](a, b))
        else:
            mask = list(COMPARED.values())[k % 4](a, b)
            values.append(CHOSEN[name](mask, values[k % len(values)], a))
    return values[-1] + values[-2], values[-1] * 2


@given(
    st.lists(
        st.tuples(st.sampled_from([*UNARY, *BINARY, *CHOSEN]), *[st.integers(0, 20)] * 3), min_size=2, max_size=12
    ),
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([(2,), (17,), (64, 40), (3, 700), (200, 16), (400, 401), (2, 3, 5)]),
    st.integers(0, 99),
)
def test_chains_give_the_bits_of_numpy(steps, dtype, shape, seed):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape) for _ in range(3)] + [rng.standard_normal(shape[-1:]), rng.standard_normal(())]
    for array in arrays:
        array.reshape(-1)[: len(SPECIAL)] = rng.permutation(SPECIAL)[: array.size]
    with np.errstate(all="ignore"):
        leaves = [tg.Tensor(array.astype(dtype)) for array in arrays]

        def f(x):
            full = [x * 1, *leaves[:3]]  # first an array of the program's own, for arguments lie anywhere
            return chain(steps, [*full, full[0] + leaves[3], full[1] * leaves[4]])

        step, x = tg.replay(f), rng.standard_normal(shape).astype(dtype)
        expected = [y.numpy() for y in f(tg.Tensor(x))]
        with compiled():
            found = [[y.numpy() for y in step(x)] for _ in range(3)]
    for each in found:
        for a, b in zip(each, expected, strict=True):
            assert_same_bits(a, b)


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "where", "exp", "sum"]), *[st.integers(0, 20)] * 4), min_size=4, max_size=20
    ),
    st.integers(0, 99),
)
def test_numbers_of_two_types_and_masks_that_lie_in_one_buffer_after_another(steps, seed):
    """A buffer that is free again may be of another type: its place alone does not say what is read from it."""
    rng = np.random.default_rng(seed)
    leaves = [tg.Tensor(rng.standard_normal(40).astype(dtype)) for dtype in (np.float64, np.float32) for _ in range(2)]

    def f(x):
        wide, single, masks, results = [leaf * x for leaf in leaves[:2]], leaves[2:], [leaves[0] > 0], []
        for name, i, j, k, of in steps:
            values = [wide, single][of % 2]
            a, b = values[-1 - i % min(3, len(values))], values[j % len(values)]
            masks.append(a > b)
            if name == "sum":
                results += [a.sum(), masks[k % len(masks)].sum()]
            else:
                values.append({"add": a + b, "exp": np.exp(a), "where": np.where(masks[-1 - k % 2], a, b)}[name])
        return [*results, wide[-1], wide[-2], single[-1], single[-2]]

    with np.errstate(all="ignore"):
        step, x = tg.replay(f), np.asarray(0.5)
        expected = [y.numpy() for y in f(tg.Tensor(x))]
        with compiled():
            found = [[y.numpy() for y in step(x)] for _ in range(2)][1]
    for a, b in zip(found, expected, strict=True):
        assert_same_bits(a, b)


def test_a_buffer_of_both_types_in_one_stretch():
    def f():
        rng = np.random.default_rng(0)
        x, y = [tg.Tensor(rng.standard_normal(50)) for _ in range(2)]
        p, q = [tg.Tensor(rng.standard_normal(50).astype(np.float32)) for _ in range(2)]

        def step(t):
            a, b = np.exp(x + t), np.exp(y + t)
            doubled, mask, thrice = p * 2, a > b, q * 3  # the last lies where `a` did, and the next where `b` did
            return np.concatenate([thrice, np.where(mask, thrice, doubled), doubled])

        return step

    stepped(f, *[np.asarray(float(k)) for k in range(3)])


# -- optimizers ---------------------------------------------------------------------------------------


def network(dtype=np.float32):
    tg.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(30, 70), nn.BatchNorm1d(70), nn.ReLU(), nn.Linear(70, 400), nn.ReLU(), nn.Linear(400, 5)
    )
    return model.to(dtype)


def step_of(model, made):
    """A step of training that is replayed, with the optimizer that was made for the model."""

    @tg.replay
    def step(x, y):
        loss = F.cross_entropy(model(x), y)
        made.zero_grad()
        loss.backward()
        made.step()
        return loss

    return step


def trained(kind, options, by_machine_code, dtype=np.float32):
    model = network(dtype)
    made, rng = kind(model.parameters(), **options), np.random.default_rng(0)
    step = step_of(model, made)
    with compiled(by_machine_code):
        losses = [step(rng.standard_normal((64, 30)).astype(dtype), rng.integers(0, 5, 64)).numpy() for _ in range(5)]
    state = [
        array for _, kept in sorted(made.state_dict()["state"].items()) for key, array in kept.items() if key != "step"
    ]
    return step, [*losses, *[p.numpy() for p in model.parameters()], *[b.numpy() for b in model.buffers()], *state]


@pytest.mark.parametrize(("kind", "options"), EVERY, ids=lambda x: getattr(x, "__name__", str(x)))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_updates_give_the_bits_of_numpy(kind, options, dtype):
    (step, found), (_, expected) = trained(kind, options, True, dtype), trained(kind, options, False, dtype)
    assert kernels_of(step)
    for a, b in zip(found, expected, strict=True):
        assert_same_bits(a, b)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Momentum, optim.Adam, optim.AdamW])
def test_the_update_of_all_parameters_is_one_call(kind):
    step, _ = trained(kind, {"lr": 0.1}, True)
    (update,) = [i for i in kernels_of(step) if "p0_weight" in [v.name for v in i.left]]
    assert sum(row[-1] for row in update.rows) == sum(p.size for p in network().parameters())
    assert step.source.count(", p0_weight)") == 1


def test_forward_and_gate_of_a_layer_are_compiled_too():
    step, _ = trained(optim.SGD, {"lr": 0.1}, True)
    lines = [[line.op.name for line in i.body] for i in kernels_of(step)]
    assert ["add", "relu"] in lines
    assert ["greater", "gate"] in lines


# -- when ---------------------------------------------------------------------------------------------


def scaled(n):
    w = tg.Tensor(np.ones(n), requires_grad=True, name="w")

    @tg.replay
    def step(x):
        with tg.no_grad():
            w.__isub__((x * 2) * 0.5 - (w - 0.25) * 3)

    return step, w


def test_it_is_compiled_once_the_lines_have_taken_as_long_as_that_would(monkeypatch):
    monkeypatch.setattr(kernels, "SECONDS_OF_COMPILING", 20 * 5 * kernels.SECONDS_OF_A_LINE)
    step, _ = scaled(2)
    calls = 0
    while calls == 0 or not kernels_of(step):
        step(np.ones(2))
        calls += 1
    assert 15 < calls < 40


@pytest.mark.parametrize("n", [10, 100_000])
def test_longer_arrays_are_compiled_sooner(n):
    step, _ = scaled(n)
    step(np.ones(n))
    runs = kernels.runs_until_kernels(step.plan)
    assert (runs > 10_000) if n == 10 else (50 < runs < 2000)


def test_nothing_is_compiled_where_there_is_no_compiler(monkeypatch):
    monkeypatch.setattr(kernels, "is_installed", lambda: False)
    with compiled():
        step, _ = scaled(5)
        for _ in range(3):
            step(np.ones(5))
    assert not kernels_of(step)
    assert "formula" not in step.source


def test_a_module_in_the_place_of_llvmlite_is_no_compiler(monkeypatch):
    monkeypatch.setitem(sys.modules, "llvmlite", ModuleType("llvmlite"))
    assert not llvm.is_installed.__wrapped__()
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    assert not llvm.is_installed.__wrapped__()


@pytest.mark.parametrize("error", [RuntimeError, ImportError, OSError, AttributeError, DeprecationWarning])
def test_where_the_compiler_does_not_work_all_goes_on_as_before(monkeypatch, error):
    def fails(_):
        raise error("no such processor")

    monkeypatch.setattr("tinygrad_edu.program.emit.machine_code", fails)
    monkeypatch.setattr(kernels, "SECONDS_OF_COMPILING", 0)
    (broken, w), (plain, v) = scaled(5), scaled(5)
    for _ in range(3):
        broken(np.ones(5))
    with compiled(False):
        for _ in range(3):
            plain(np.ones(5))
    assert not kernels_of(broken)
    assert_same_bits(w.numpy(), v.numpy())


def test_the_time_of_compiling_grows_as_the_program_does():
    """Values that are needed later are not looked for anew at each piece."""
    looked = []

    def program(n):
        def f(x):
            y = x * 1
            for _ in range(n):
                y = np.tanh((y * 2 + 1) * 0.5 - y)
            return y

        step = tg.replay(f)
        step(np.ones(20))
        return step.plan

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "origin", lambda v: looked.append(v) or v)
        for n in (10, 80):
            assert sum(i.how == "kernel" for i in kernels.with_kernels(program(n)).instructions) == n
            looked.append(None)
    few = looked.index(None)
    assert len(looked) < 12 * few


def test_a_program_of_which_nothing_compiles_stays_as_it_is(at_once):
    step = tg.replay(lambda x: np.exp(np.sin(x) + 1))
    for _ in range(3):
        step(np.ones(5))
    assert not kernels_of(step)


def formula_of(*ops):
    """Each op is of what the one before gave, and of the second array."""
    return llvm.Formula(
        np.dtype(np.float32), 2, 0, tuple([(op, (k and k + 1, 1)) for k, op in enumerate(ops)]), ((1, len(ops) + 1),)
    )


def test_all_formulas_have_one_compiler_which_keeps_only_their_code():
    """A compiler of its own would take most of a megabyte for each."""
    codes = [llvm.machine_code(formula_of(*ops)) for ops in itertools.product(BINARY, repeat=3)]
    assert len({id(code.kept) for code in codes}) == 1
    assert len(codes[0].kept._modules) <= 1


def test_an_interrupt_from_the_keyboard_does_not_reach_the_compiler(monkeypatch):
    """Python raises it in the main thread alone; in the middle of llvmlite it would end the process."""
    threads = []
    monkeypatch.setattr(llvm, "_compiled", lambda formula: threads.append(threading.current_thread()))
    llvm.machine_code.__wrapped__(formula_of("add"))
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_threads_that_compile_and_run_at_once():
    def work(seed):
        rng = np.random.default_rng(seed)
        for _ in range(20):
            ops = [str(op) for op in rng.choice(list(BINARY), 5)]
            (a, b), n = rng.standard_normal((2, 50)).astype(np.float32), 50
            expected = a
            for op in ops:
                expected = BINARY[op](expected, b)
            row = np.array([a.ctypes.data, b.ctypes.data, n], np.int64)
            llvm.machine_code(formula_of(*ops))(row.ctypes.data, 1)
            assert_same_bits(b, expected)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))


# -- what elements may depend on ----------------------------------------------------------------------


def stepped(f, *xs):
    """What a function gives eagerly, replayed by lines, and by machine code; a new function each time, of tensors of its own."""
    with compiled(False):
        plain, lines = f(), tg.replay(f())
        eager = [plain(tg.Tensor(x)).numpy() for x in xs]
        by_lines = [lines(x).numpy() for x in xs]
    with compiled():
        step = tg.replay(f())
        code = [step(x).numpy() for x in xs]
    for a, b, c in zip(code, by_lines, eager, strict=True):
        assert_same_bits(a, b)
        assert_same_bits(a, c)
    return step


def test_arrays_that_overlap_stay_lines():
    def f():
        memory = tg.Tensor(np.arange(40.0))
        w, v = tg.Tensor(memory.data[:20]), tg.Tensor(memory.data[5:25])

        def step(x):
            with tg.no_grad():
                w.__iadd__((v * 2 + 1) * 0.5)
            return x + memory.sum()

        return step

    assert not kernels_of(stepped(f, *[np.asarray(float(k)) for k in range(4)]))


@pytest.mark.parametrize("of", ["a leaf", "a result"])
@pytest.mark.parametrize("part", [(0, 0), (0,), (1,), (slice(1), slice(0, 1))], ids=str)
@pytest.mark.parametrize("writes", [True, False])
def test_a_row_or_a_number_of_an_array_beside_the_whole(part, of, writes):
    """A part that begins where its array does in memory is not taken for the whole array."""

    def f():
        w = tg.Tensor(np.random.default_rng(0).standard_normal((4, 20)))

        def step(x):
            v = w if of == "a leaf" else w * 3
            row = v[part]
            y = (v * row - row) * 0.5 + v
            if writes:
                with tg.no_grad():
                    v.__imul__(row + 1)
                    v.__isub__(y * row)
            return y * 2 + v + x

        return step

    stepped(f, *[np.asarray(float(k)) for k in range(4)])


def test_what_is_read_later_is_left():
    def f():
        w = tg.Tensor(np.linspace(-1, 1, 30))

        def step(x):
            a = w * 3 + w
            b = (a - 1) * a
            return np.exp(a).sum() + b.sum() + x

        return step

    step = stepped(f, *[np.asarray(float(k)) for k in range(3)])
    assert kernels_of(step)


def test_a_mask_that_is_read_later_is_computed_by_a_line():
    def f():
        w = tg.Tensor(np.linspace(-1, 1, 30))

        def step(x):
            mask = w * 2 > 0.5
            return np.where(mask, w * 2, 0).sum() + mask.sum() + x

        return step

    stepped(f, *[np.asarray(float(k)) for k in range(3)])


MASKED = {
    "chosen by a mask": lambda mask, x: np.where(mask, x > 0, mask),
    "compared": lambda mask, x: mask > (x > 0),
    "added": lambda mask, x: (mask + (x > 0)) * x,
    "let through by a mask": lambda mask, x: OPS["gate"](mask, x > 0),
    "let through by numbers": lambda mask, x: OPS["gate"](x, x),
    "chosen by numbers": lambda mask, x: np.where(x, x, mask),
}


@pytest.mark.parametrize("name", MASKED)
def test_masks_in_the_place_of_numbers_stay_lines_beside_machine_code(name):
    def f():
        w = tg.Tensor(np.linspace(-1, 1, 30))

        def step(x):
            y = w * x + w
            return (MASKED[name](y * 3 > 0.5, y + 1) * y + y) * 2 - y

        return step

    step = stepped(f, *[np.asarray(float(k)) for k in range(3)])
    assert kernels_of(step)


@pytest.mark.parametrize("rows", [1, 3, MOST_ROWS, MOST_ROWS + 1])
@pytest.mark.parametrize("length", [1, 2, LEAST_OF_A_ROW - 1, LEAST_OF_A_ROW, 50])
def test_a_row_that_all_rows_meet(rows, length):
    def f():
        rng = np.random.default_rng(0)
        w, b = tg.Tensor(rng.standard_normal((rows, length))), tg.Tensor(rng.standard_normal(length))
        return lambda x: ((w * x + b) * b - 1.5) * w

    step = stepped(f, *[np.asarray(float(k)) for k in range(3)])
    met = [row for i in kernels_of(step) for row in i.rows if row[-1] == length and length < rows * length]
    assert bool(met) == (1 < rows <= MOST_ROWS and length >= LEAST_OF_A_ROW)


def test_long_chains_are_cut():
    def f():
        w = tg.Tensor(np.linspace(-1, 1, 200_000))

        def step(x):
            y = w * x
            for k in range(2 * MOST_LINES):
                y = y * 0.5 + w if k % 2 else y - w
            return y

        return step

    step = stepped(f, *[np.asarray(float(k)) for k in range(3)])
    assert all(len(i.settings["formula"].lines) <= MOST_LINES for i in kernels_of(step))


def test_other_types_and_orders_stay_lines(at_once):
    for make in (
        lambda: np.asfortranarray(np.ones((4, 5))),
        lambda: np.ones(6, np.int64),
        lambda: np.ones(6, np.float16),
        lambda: np.ones(12)[::2],
        lambda: np.ones(6, np.complex128),
    ):
        w = tg.Tensor(make())
        step = tg.replay(lambda x, w=w: w * w + w * 2 + x)
        first, second = [step(np.asarray(1, w.dtype)).numpy() for _ in range(2)]
        assert first.tolist() == second.tolist()
        assert not kernels_of(step)


# -- around it ----------------------------------------------------------------------------------------


def test_profile_and_plan_speak_of_machine_code(at_once):
    step, _ = scaled(1000)
    step(np.ones(1000))
    table = step.profile(np.ones(1000))
    assert "formula(rows_1, 1)" in table
    assert "machine code, for 1000 numbers in 1 row" in table
    assert "buffers of" in str(step.plan)
    (kernel,) = kernels_of(step)
    assert kernel.seconds > 0


def test_it_is_not_compiled_in_the_middle_of_a_profile(monkeypatch):
    monkeypatch.setattr(run, "runs_until_kernels", lambda plan: 3)
    step, _ = scaled(1000)
    step(np.ones(1000))
    assert "multiply" in step.profile(np.ones(1000), runs=10)
    assert not kernels_of(step)
    for _ in range(2):
        step(np.ones(1000))
    assert "machine code" in step.profile(np.ones(1000), runs=10)


def test_the_map_of_memory_is_that_of_the_lines():
    step, _ = trained(optim.Adam, {"lr": 0.1}, False)
    before = read_plan(step.plan)
    with_kernels = kernels.with_kernels(step.plan)
    after = read_plan(with_kernels)
    assert any(i.how == "kernel" for i in with_kernels.instructions)
    assert [(c.op, c.scope) for c in after.columns] == [(c.op, c.scope) for c in before.columns]
    assert after.lanes == before.lanes


def test_an_update_that_was_compiled_goes_on_where_the_lines_were(monkeypatch):
    """In the middle of training the numbers stay those of a run without machine code."""
    _, expected = trained(optim.Adam, {"lr": 0.01}, False)
    monkeypatch.setattr(run, "runs_until_kernels", lambda plan: 3)
    model = network()
    step, rng = step_of(model, optim.Adam(model.parameters(), lr=0.01)), np.random.default_rng(0)
    for k in range(5):
        loss = step(rng.standard_normal((64, 30)).astype(np.float32), rng.integers(0, 5, 64))
        assert_same_bits(loss.numpy(), expected[k])
        assert bool(kernels_of(step)) == (k >= 3)
