"""Small whole programs: a net's transposes, training, and blocks that say how to record."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.recording import enable_grad, no_grad
from tinygrad_edu.engine.transforms import jvp, vjp
from tinygrad_edu.ops.network.softmax import softmax


@given(st.integers(0, 2**32 - 1))
def test_vjp_and_jvp_are_transposes_of_each_other(seed):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((4, 4))
    steps = [
        lambda t: np.tanh(t @ w), lambda t: t * t[::-1], lambda t: softmax(t) * 4, lambda t: np.cumsum(t) / 3,
        lambda t: np.where(t > 0, t, t * 0.1), lambda t: np.concatenate([t[2:], t[:2]]), lambda t: t - t.mean(),
    ]  # fmt: skip
    chosen = rng.integers(0, len(steps), 4)

    def f(t):
        for k in chosen:
            t = steps[k](t)
        return t

    x, u, v = rng.standard_normal((3, 4))
    forward, backward = jvp(f, x, u)[1].numpy(), vjp(f, x, v)[1].numpy()
    assert np.dot(v, forward) == pytest.approx(np.dot(backward, u), rel=1e-9, abs=1e-12)


def test_training_with_data_and_in_place_updates_alike(rng):
    x, target = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
    start = rng.standard_normal((3, 1))
    by_data, in_place = Tensor(start.copy(), requires_grad=True), Tensor(start.copy(), requires_grad=True)
    for w in (by_data, in_place):
        for _ in range(30):
            w.zero_grad()
            ((x @ w - target) ** 2).mean().backward(retain_graph=False)
            if w is by_data:
                w.data -= 0.1 * w.grad
            else:
                with no_grad():
                    w -= 0.1 * w.grad
    best = np.linalg.lstsq(x, target, rcond=None)[0]
    np.testing.assert_allclose(by_data.numpy(), best, atol=0.05)
    assert np.array_equal(by_data.numpy(), in_place.numpy())


def test_no_walk_warns_or_changes_the_error_state():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        x = leaf(0.0, 1.0)
        y = np.sqrt(x).sum()
        y.backward()
        with enable_grad():
            grad(y, x, create_graph=True)
        assert np.geterr()["divide"] == "raise"


def test_a_recording_block_is_used_again_nested_and_refuses_what_it_cannot_surround():
    block = tg.no_grad()
    for _ in range(2):
        with block, block:
            assert not tg.autograd.is_grad_enabled()
        assert tg.autograd.is_grad_enabled()
    with pytest.raises(TypeError, match=r"rows is a generator.*inside it"):

        @tg.no_grad()
        def rows():
            yield 1

    with pytest.raises(TypeError, match="later is a generator or a coroutine"):

        @tg.no_grad()
        async def later():
            return 1
