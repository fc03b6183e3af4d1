"""checkpoint(): what is computed again instead of kept."""

import weakref
from functools import partial

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tests.engine.readings import block
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.transforms import value_and_grad, vjp


def test_checkpoint_gives_the_same_values_and_gradients(weights):
    w, b, x = weights
    f = block(w, b)
    plain, kept = f(f(x)), checkpoint(f, checkpoint(f, x))
    assert np.array_equal(plain.numpy(), kept.numpy())
    assert kept.op.name == "checkpoint"
    for one, other in zip(grad((plain**2).sum(), [w, b, x]), grad((kept**2).sum(), [w, b, x]), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)
    (kept**2).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), grad((plain**2).sum(), w).numpy(), rtol=1e-12)


def test_checkpoint_keeps_nothing_of_its_inside():
    inside = []

    def f(t):
        h = np.exp(t)
        inside.append(weakref.ref(h))
        return h * h

    x = leaf(1.0, 2.0)
    y = checkpoint(f, x).sum()
    assert [r() for r in inside] == [None]
    y.backward()
    assert [r() for r in inside] == [None, None]


def test_checkpoint_runs_its_inside_again_once_for_all_inputs(weights):
    w, b, x = weights
    calls = []
    y = checkpoint(lambda t, s: calls.append(1) or block(w, b)(t) * s, x, leaf(2.0)).sum()
    assert len(calls) == 1
    y.backward()
    assert len(calls) == 2


def test_checkpoint_counts_a_weight_that_its_argument_depends_on_once():
    w = Tensor(2.0, requires_grad=True)
    y = checkpoint(lambda u: u * w, w * 3)  # 3w²
    for create_graph in (False, True):
        assert grad(y, w, create_graph=create_graph).item() == 12.0
    assert grad(grad(y, w, create_graph=True), w).item() == 6.0
    y = checkpoint(lambda u: u * w, w)  # the argument itself is used inside
    assert grad(y, w, create_graph=True).item() == 4.0
    assert grad(grad(y, w, create_graph=True), w).item() == 2.0


def test_checkpoint_takes_the_same_argument_twice():
    x = leaf(3.0)
    y = checkpoint(lambda a, b: a * a * b, x, x)
    assert grad(y, x, [1.0]).item() == 27.0
    dx = grad(y, x, [1.0], create_graph=True)
    assert dx.item() == 27.0
    assert grad(dx, x).item() == 18.0


def test_checkpoint_differentiates_to_any_order(weights):
    w, b, x = weights

    def second(use):
        f = block(w, b)
        y = use(f, use(f, x))
        dx, dw = grad((y * y).sum(), [x, w], create_graph=True)
        return grad((dx * dx).sum() + (dw**3).sum(), [x, w, b])

    for plain, kept in zip(second(lambda f, t: f(t)), second(checkpoint), strict=True):
        np.testing.assert_allclose(plain.numpy(), kept.numpy(), rtol=1e-9, atol=1e-12)
    x = Tensor(0.7, requires_grad=True)
    y = checkpoint(np.sin, x)
    for expected in (np.cos(0.7), -np.sin(0.7), -np.cos(0.7), np.sin(0.7)):
        y = grad(y, x, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_checkpoints_nest(weights):
    w, b, x = weights
    f = block(w, b)
    deep = checkpoint(lambda t: checkpoint(f, checkpoint(f, t)), x)
    plain = f(f(x))
    assert np.array_equal(deep.numpy(), plain.numpy())
    for create_graph in (False, True):
        got = grad(deep.sum(), [w, b, x], create_graph=create_graph)
        for one, other in zip(got, grad(plain.sum(), [w, b, x]), strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-12)


def test_checkpoint_draws_the_same_random_numbers_again():
    from tinygrad_edu.random import generator

    def dropout(t):
        return t * (generator().random(t.shape) > 0.5) * 2.0

    tg.manual_seed(7)
    x = Tensor(np.ones(50), requires_grad=True)
    y = checkpoint(dropout, x)
    following = generator().random()
    assert set(y.tolist()) == {0.0, 2.0}
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    y.sum().backward()
    assert x.grad.tolist() == (2 * y.numpy()).tolist()
    assert evaluate(y, {x: np.full(50, 3.0)}).tolist() == (3 * y.numpy()).tolist()
    dx = grad(y.sum(), x, create_graph=True)
    assert dx.tolist() == y.tolist()
    tg.manual_seed(7)
    generator().random(50)
    assert generator().random() == following  # one draw of fifty, and none behind the user's back


def test_checkpoint_hands_out_each_gradient_once():
    w, x = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = checkpoint(lambda t: t * w, x)
    g = np.ones(2)
    y.backward(g)
    first = w.grad.numpy()
    x.zero_grad()
    w.zero_grad()
    g *= 10
    y.backward(g)
    assert first.tolist() == [3.0, 4.0]
    assert w.grad.tolist() == [30.0, 40.0]
    assert x.grad.tolist() == [10.0, 20.0]
    assert not np.shares_memory(first, w.grad.numpy())
    assert grad(y, w, g).tolist() == [30.0, 40.0]
    g *= 10
    assert grad(y, x, g).tolist() == [100.0, 200.0]
    assert grad(y, w, g).tolist() == [300.0, 400.0]


def test_checkpoint_runs_hooks_of_weights_once():
    w, x = leaf(1.0), leaf(3.0)
    seen = []
    w.register_hook(lambda g: seen.append(g.item()))
    w.register_hook(lambda g: g * 2)
    (checkpoint(lambda t: t * w, x) + w * 10).sum().backward()
    assert seen == [13.0]
    assert w.grad.tolist() == [26.0]


def test_checkpoint_sees_what_was_computed_outside():
    x, w = leaf(2.0), leaf(3.0)
    h = w * w
    y = checkpoint(lambda t: t * h, x)
    assert grad(y.sum(), w).item() == 12.0
    assert grad(grad(y.sum(), w, create_graph=True).sum(), [w, x])[0].item() == 4.0


def test_checkpoint_passes_other_arguments_and_plain_tensors():
    x, c = leaf(1.0, 2.0), Tensor([3.0, 4.0])
    y = checkpoint(lambda t, n, k, s: t**n * k if s == "multiply" else t, x, 2, c, "multiply")
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 16.0]
    assert c.grad is None
    assert evaluate(y, {c: np.array([1.0, 10.0])}).tolist() == [1.0, 40.0]


def test_checkpoint_evaluates_plain_arguments_that_its_inside_computes_with():
    x, c = leaf(1.0, 2.0), Tensor([0.0, 1.0])
    y = checkpoint(lambda t, k: t * np.exp(k), x, c)
    np.testing.assert_allclose(evaluate(y, {c: np.zeros(2), x: np.array([5.0, 6.0])}), [5.0, 6.0])


def test_checkpoint_evaluates_on_new_weights(weights):
    w, b, x = weights
    y = checkpoint(block(w, b), x)
    new = np.eye(3)
    expected = np.tanh(x.numpy() @ new + b.numpy()) * np.maximum(x.numpy() @ new, 0)
    np.testing.assert_allclose(evaluate(y, {w: new}), expected)


def test_checkpoint_records_nothing_where_nothing_is_to_be_differentiated():
    x = leaf(1.0)
    with no_grad():
        assert checkpoint(np.exp, x).is_leaf
    assert checkpoint(np.exp, Tensor([0.0])).tolist() == [1.0]
    mask = checkpoint(lambda t: t > 0, x)
    assert evaluate(mask, {x: np.array([-1.0])}).tolist() == [False]
    w = leaf(2.0)
    mask = checkpoint(lambda t: (t > w) & (t > 0), x)
    assert evaluate(mask, {w: np.array([0.5])}).tolist() == [True]
    assert checkpoint(lambda t: t, x) is x
    assert checkpoint(lambda n: n * x, 3).tolist() == [3.0]
    with pytest.raises(TypeError, match="one tensor, but this one returned tuple"):
        checkpoint(lambda t: (t, t), x)


def test_checkpoint_of_a_stale_weight_raises():
    w, x = leaf(2.0, name="w"), leaf(3.0)
    y = checkpoint(lambda t: t * w, x)
    with no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="'w' was written after checkpoint had used it"):
        y.sum().backward()


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_checkpoint_in_a_loop_whose_variable_has_changed_raises(start):
    w, total = Tensor(start, requires_grad=True), Tensor(0.0)
    for i in range(3):
        total = total + checkpoint(lambda t: t * (i + 1.0), w).sum()  # noqa: B023 (what is tested)
    with pytest.raises(RuntimeError, match=r"ran <lambda> again.*variable that it reads has changed.*lambda t, i=i"):
        total.backward()
    assert w.grad is None
    total = Tensor(0.0)
    for i in range(3):
        total = total + checkpoint(lambda t, i=i: t * (i + 1.0), w).sum()
        total = total + checkpoint(partial(lambda t, i: t * (i + 1.0), i=i), w)
        total = total + checkpoint(lambda t, i: t * (i + 1.0), w, i)
    total.backward()
    assert w.grad.item() == 18.0


CHANGED = {
    "a batch": lambda i: lambda t: np.arange(6.0).reshape(2, 3)[:, :2] * (i[0] + 1) @ t,
    "a branch": lambda i: lambda t: np.sin(t) if i[0] else np.tanh(t),
    "a setting": lambda i: lambda t: np.clip(t, -1, i[0] + 1.0),
    "a length": lambda i: lambda t: np.concatenate([t] * (i[0] + 1)),
    "a type": lambda i: lambda t: t.astype([np.float32, float][i[0]]),
    "a precision": lambda i: lambda t: t.astype(np.float32) * np.ones(2, [np.float32, float][i[0]]),
    "a power": lambda i: lambda t: t ** (i[0] + 2),
    "a NaN": lambda i: lambda t: t * [np.nan, 1.0][i[0]],
}


@pytest.mark.parametrize("name", CHANGED)
@pytest.mark.parametrize("create_graph", [False, True])
def test_checkpoint_sees_that_its_second_run_differs(name, create_graph):
    """Also where both give 0."""
    i = [0]
    for t in (leaf(0.0, 0.0), leaf(0.5, -0.25)):
        i[0] = 0
        y = checkpoint(CHANGED[name](i), t)
        grad(y.sum(), t, create_graph=create_graph)
        evaluate(y, {t: np.ones(2)})
        i[0] = 1
        with pytest.raises(RuntimeError, match="computed something else than the first time"):
            grad(y.sum(), t, create_graph=create_graph)
        with pytest.raises(RuntimeError, match="computed something else than the first time"):
            evaluate(y, {t: np.ones(2)})


@pytest.mark.parametrize("begin", [lambda w: w, lambda w: w * 1.0], ids=["leaves", "results"])
def test_checkpoint_sees_that_its_second_run_uses_other_tensors(begin):
    """Also where they hold the same numbers, as the weights of new normalizations do: the first would get no gradient."""
    x, scales = leaf(0.5, -0.25), [begin(leaf(1.0, 1.0)) for _ in range(2)]
    total = Tensor(0.0)
    for s in scales:
        total = total + checkpoint(lambda t: (t * s).sum(), x)  # noqa: B023 (what is tested)
    with pytest.raises(RuntimeError, match="or of other tensors: a variable that it reads has changed"):
        total.backward()
    pair = [scales[0], scales[0]]
    y = checkpoint(lambda t: (t * pair[0] + t * pair[1]).sum(), x)
    pair[1] = scales[1]
    with pytest.raises(RuntimeError, match="or of other tensors"):
        y.backward()
    sum(checkpoint(lambda t, s=s: (t * s).sum(), x) for s in scales).backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_checkpoint_lets_its_function_make_leaves_of_its_own():
    w = leaf(1.5, -1.0)

    def residual(t):
        x = Tensor(np.array([0.25, 0.5]), requires_grad=True)
        return grad(np.sin(t * x).sum(), x, create_graph=True) * x  # w·cos(wx)·x

    y = checkpoint(residual, w)
    expected = residual(w)
    assert np.array_equal(y, expected)
    assert np.array_equal(grad(y.sum(), w), grad(expected.sum(), w))
    assert np.array_equal(evaluate(y, {w: w.numpy()}), expected)


def test_checkpoint_compares_what_is_not_finite():
    x = leaf(-1.0, 0.0, 4.0)
    with np.errstate(all="ignore"):
        y = checkpoint(lambda t: np.log(t) + np.sqrt(t), x)  # NaN, −∞, a number
        (slope,) = grad(y, [x], np.ones(3))
    assert slope[2].item() == 0.5


def test_checkpoint_takes_a_difference_of_rounding_for_the_same():
    x, noise = leaf(1.0, 2.0), [0.0]
    y = checkpoint(lambda t: np.exp(np.multiply(t, 1.0 + noise[0])), x)
    noise[0] = 1e-15
    assert grad(y.sum(), x).tolist() == pytest.approx(np.exp([1.0, 2.0]))
    noise[0] = 1e-6
    with pytest.raises(RuntimeError, match="something else"):
        grad(y.sum(), x)


def test_checkpoint_draws_again_from_the_generator_of_a_block():
    from tinygrad_edu.random import using

    x, own = Tensor(np.ones(20), requires_grad=True), np.random.Generator(np.random.MT19937(0))
    with using(own):
        y = checkpoint(tg.nn.functional.dropout, x)
    following = own.bit_generator.state["state"]["pos"]
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert own.bit_generator.state["state"]["pos"] == following


def test_checkpoint_names_a_generator_of_its_own():
    generator = np.random.default_rng(0)
    x = Tensor(np.ones(20), requires_grad=True)
    y = checkpoint(lambda t: tg.nn.functional.dropout(t, generator=generator), x)
    with pytest.raises(RuntimeError, match="draws from a generator of its own"):
        y.sum().backward()


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("nested", [False, True])
def test_checkpoint_moves_running_statistics_once(momentum, nested, rng):
    plain, kept = (tg.nn.BatchNorm1d(3, momentum=momentum, dtype=float) for _ in range(2))
    f = (lambda t: checkpoint(kept, checkpoint(lambda s: s * 2.0, t))) if nested else lambda t: kept(t * 2.0)
    for _ in range(3):
        x = Tensor(rng.standard_normal((5, 3)), requires_grad=True)
        expected = grad((plain(x * 2.0) ** 3).sum(), x)
        y = checkpoint(f, x)
        again = kept.running_mean * x  # a record of the statistics as they are now
        first, _ = grad((y**3).sum(), x, create_graph=True), evaluate(y, {x: x.numpy() + 1})
        (y**3).sum().backward()
        again.sum().backward()
        np.testing.assert_allclose(first.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)
        for name, state in plain.state_dict().items():
            np.testing.assert_array_equal(kept.state_dict()[name], state)


def test_checkpoint_of_a_derivative(rng):
    """What differentiates inside is run again alike, and is differentiated whether it was nested or not."""
    w, x = Tensor(rng.standard_normal(3), requires_grad=True), Tensor(rng.standard_normal(3), requires_grad=True)
    f = lambda t: value_and_grad(lambda s: (np.sin(s * w) * s).sum())(t)[1] * t
    for nest in (lambda g: g(x), lambda g: vjp(g, x, w)[1]):
        plain, kept = (grad((nest(g) ** 2).sum(), [w, x]) for g in (f, lambda t: checkpoint(f, t)))
        for one, other in zip(plain, kept, strict=True):
            np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-10)


def test_checkpoint_frees_its_inputs_eagerly():
    x, w = leaf(2.0), leaf(3.0)
    y = checkpoint(lambda t: t * w, x).sum()
    y.backward(retain_graph=False)
    assert (x.grad.item(), w.grad.item()) == (3.0, 2.0)
    with pytest.raises(RuntimeError, match="freed"):
        y.backward()
