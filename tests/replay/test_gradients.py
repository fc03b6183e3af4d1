"""Replay of derivatives inside a function, and of what it makes."""

import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.replay.programs import assert_same, leaf, numbers
from tinygrad_edu.program import replay

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
