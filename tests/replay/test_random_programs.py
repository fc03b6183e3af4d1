"""Replay of programs drawn at random gives the numbers of eager runs."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.replay.programs import ENDINGS, add, assert_same, compiled, options
from tinygrad_edu import optim
from tinygrad_edu.program import replay

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

kinds = st.lists(
    st.tuples(st.sampled_from(list(STEPS)), st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=14
)


def compare(shape, calls, dtype, by_machine_code, **program):
    """Eager and replayed calls give the same numbers and leave the same state, to the last bit."""
    eager, replayed = (Program(shape=shape, dtype=dtype, **program) for _ in range(2))
    run, rng = replay(replayed), np.random.default_rng(1)
    with compiled(by_machine_code):
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
    st.booleans(),
    st.fixed_dictionaries(options),
)
def test_random_programs(steps, shape, dtype, by_machine_code, drawn):
    compare(shape, 3, dtype, by_machine_code, steps=steps, **drawn)


@settings(max_examples=6)
@given(kinds, st.sampled_from(["float32", "float64"]), st.booleans(), st.fixed_dictionaries(options))
def test_random_programs_of_long_arrays(steps, dtype, by_machine_code, drawn):
    run = compare((400, 400), 3, dtype, by_machine_code, steps=[*steps, ("constants", 0, 1)], **drawn)
    assert "for " in run.source or "formula(" in run.source  # in blocks
