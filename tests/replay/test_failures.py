"""Replay under odd names, and failures half-way: what was changed is put back."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.replay.programs import assert_same
from tinygrad_edu import optim
from tinygrad_edu.program import replay


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
