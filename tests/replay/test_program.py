"""A program is all that a reader needs: here is a reader that is no plan, and it computes what the function does."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.program.nested import mapped
from tinygrad_edu.program.program import PLACE, Compute, Write, owner
from tinygrad_edu.program.record import recorded
from tinygrad_edu.program.tape import Tape


def programmed(f, *args):
    """The program of f, which has run once, and what it then returned."""
    tape = Tape()
    program, arrays = recorded(tape, f, args, {})
    for action in program.after:
        action()
    return program, arrays


def interpreted(program):
    """A function that runs a program event by event, each result in memory of its own."""

    def run(*arrays):
        assert program.guards.holds()
        values = dict(zip(program.arguments, arrays, strict=True))
        for feed in program.feeds:
            feed.fill(feed.leaf.ndarray)

        def at(x):
            return values.get(x, x.ndarray)

        for event in program.events:
            if isinstance(event, Write):
                np.copyto(at(event.target), at(event.value), casting="same_kind")
            else:
                values[event.node] = event.node.op.compute([at(x) for x in event.inputs], event.node.settings)
        for leaf in program.written:
            leaf.shared_cell().write()
        for leaf, slope in program.slopes:
            if leaf() is not None:
                leaf().held_grad = slope
        for action in program.after:
            action()
        results = iter([np.array(at(x)) for x in program.outputs])
        return mapped(lambda x: next(results) if x is PLACE else x, program.result)

    return run


class Net(nn.Module):
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.first = nn.Linear(4, 6, generator=rng, dtype=np.float64)
        self.norm = nn.BatchNorm1d(6, dtype=np.float64)
        self.drop = nn.Dropout(0.3, generator=rng)
        self.last = nn.Linear(6, 3, generator=rng, dtype=np.float64)

    def forward(self, x):
        return self.last(self.drop(np.tanh(self.norm(self.first(x)))))


def training(make):
    """A step of training a small net, and its net."""
    net = Net(0)
    optimizer = make(net.parameters())
    seen = tg.Tensor(0.0, name="seen")

    def step(x, labels):
        loss = F.cross_entropy(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with tg.no_grad():
            seen.__iadd__(loss)
        return {"loss": loss, "twice": [loss * 2, "said"]}

    return step, net, seen


@pytest.mark.parametrize(
    "make",
    [
        lambda ps: optim.SGD(ps, lr=0.1, momentum=0.9),
        lambda ps: optim.Adam(ps, lr=0.01),
        lambda ps: optim.RMSprop(ps, lr=0.01, maximize=True),
    ],
    ids=["SGD", "Adam", "RMSprop"],
)
def test_a_reader_needs_no_more_than_the_program(make, rng):
    eager, net, seen = training(make)
    step, other, also_seen = training(make)
    batches = [(rng.standard_normal((8, 4)), rng.integers(0, 3, 8)) for _ in range(5)]
    eager(*map(tg.Tensor, batches[0]))
    program, _ = programmed(step, *batches[0])
    run = interpreted(program)
    for x, labels in batches[1:]:
        expected, got = eager(tg.Tensor(x), tg.Tensor(labels)), run(x, labels)
        np.testing.assert_allclose(got["loss"], expected["loss"].numpy(), rtol=1e-12)
        np.testing.assert_allclose(got["twice"][0], 2 * got["loss"])
        assert got["twice"][1] == "said"
    mine, theirs = net.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, array in mine.items():
        np.testing.assert_allclose(theirs[name], array, rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(also_seen.numpy(), seen.numpy(), rtol=1e-12)


def test_each_leaf_has_one_part_in_a_program(rng):
    step, net, seen = training(lambda ps: optim.Adam(ps, lr=0.01))
    program, _ = programmed(step, rng.standard_normal((8, 4)), rng.integers(0, 3, 8))
    fed = [feed.leaf for feed in program.feeds]
    parts = [*program.arguments, *fed, *program.numbers, *program.state]
    assert len(set(parts)) == len(parts)
    known = {*parts}
    for event in program.events:
        read = event.inputs if isinstance(event, Compute) else (event.value, owner(event.target))
        assert known.issuperset(read)
        known.add(event.node if isinstance(event, Compute) else event.target)
    assert [x.name for x in program.arguments] == ["x", "labels"]
    assert {*net.parameters(), seen} <= {*program.state}
    assert {*program.written} <= {*program.state}
    assert [event.time for event in program.events] == sorted(event.time for event in program.events)


def test_events_say_how_each_result_lies_though_large_numbers_are_gone():
    w = tg.Tensor(np.ones((300, 200)), name="w")
    program, (loss,) = programmed(lambda x: np.exp((x @ w).T).sum(), np.zeros((100, 300)))
    found = {event.node.op.name: event.node for event in program.events}
    assert list(found) == ["matmul", "transpose", "exp", "sum"]
    assert [found[name].shape for name in found] == [(100, 200), (200, 100), (200, 100), ()]
    assert found["exp"].ndarray.strides == (8, 1600)  # column by column, as its input lies
    assert found["matmul"].ndarray.strides == (0, 0)  # no memory
    assert loss == 20000
