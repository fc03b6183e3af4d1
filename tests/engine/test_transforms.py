"""Transformations of functions: vjp, jvp, jacobian, hessian, hvp, and how they compose."""

import pickle
import re
import weakref

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.engine.leaves import leaf
from tests.engine.readings import FUNCTIONS
from tinygrad_edu import Tensor
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.recording import is_grad_enabled, no_grad, tracing
from tinygrad_edu.engine.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp

# ---------------------------------------------------------------------------------------------------
# Transformations of functions


def quadratic(x, y):
    """A function of two vectors, not symmetric in them."""
    return (x * x).sum() * 3 + (x * y).sum()


def test_value_and_grad():
    f = value_and_grad(quadratic)
    y, g = f(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    assert y.item() == 15.0 + 50.0
    assert g.tolist() == [16.0, 32.0]
    assert y.is_leaf
    assert g.is_leaf
    y, (_gx, gy) = value_and_grad(quadratic, argnums=(0, 1))([1.0, 2.0], Tensor([10.0, 20.0]))
    assert gy.tolist() == [1.0, 2.0]
    for last in (1, -1):
        assert value_and_grad(quadratic, argnums=last)(Tensor([1.0, 2.0]), [10.0, 20.0])[1].tolist() == [1.0, 2.0]
    assert value_and_grad(lambda x, *, k: x * k)(2.0, k=3.0)[1].item() == 3.0


def test_value_and_grad_leaves_its_arguments_alone():
    x = leaf(1.0, 2.0, name="x")
    x.grad = np.array([5.0, 5.0])
    value_and_grad(lambda t: (t * t).sum())(x)
    assert x.grad.tolist() == [5.0, 5.0]
    seen = []
    value_and_grad(lambda t: seen.append(t.name) or (t * t).sum())(x)
    assert seen == ["x"]


@pytest.mark.parametrize("constant", [lambda x: Tensor(3.0), lambda x: x.detach().sum(), lambda x: (x > 0).sum()])
def test_a_function_that_does_not_depend_on_its_argument_has_derivative_zero(constant):
    x = np.array([1.0, 2.0])
    assert value_and_grad(constant)(x)[1].tolist() == [0.0, 0.0]
    assert vjp(constant, x)[1].tolist() == [0.0, 0.0]
    assert jvp(constant, x, x)[1].item() == 0.0
    assert jacobian(constant, x).tolist() == [0.0, 0.0]
    assert hessian(constant, x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(constant, x, x)[1].tolist() == [0.0, 0.0]


def test_a_linear_function_has_second_derivative_zero():
    x = np.array([1.0, 2.0])
    assert hessian(lambda t: (t * 3).sum(), x).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hvp(lambda t: (t * 3).sum(), x, x)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("f", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_jacobian_vjp_and_jvp_agree_with_difference_quotients(f, rng):
    x = np.array([0.3, 1.7, -0.8])
    J = jacobian(f, x)
    y = np.asarray(f(Tensor(x)).numpy())
    assert J.shape == y.shape + x.shape
    for j in range(3):
        step = np.eye(3)[j] * 1e-6
        difference = (f(Tensor(x + step)).numpy() - f(Tensor(x - step)).numpy()) / 2e-6
        np.testing.assert_allclose(J.numpy()[..., j], difference, rtol=1e-6, atol=1e-8)
    u, v = rng.standard_normal(3), np.asarray(rng.standard_normal(y.shape))
    value, pulled = vjp(f, x, v)
    np.testing.assert_allclose(pulled.numpy(), np.tensordot(v, J.numpy(), y.ndim), rtol=1e-12)
    value, pushed = jvp(f, x, u)
    np.testing.assert_allclose(pushed.numpy(), J.numpy() @ u, rtol=1e-12, atol=1e-14)
    assert np.array_equal(value.numpy(), y)
    assert value.is_leaf
    assert pushed.is_leaf
    assert pulled.is_leaf


def test_transformations_of_functions_of_several_arguments():
    a, b = np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0]])
    f = lambda x, m: m @ x * x[0]
    Ja, Jb = jacobian(f, (a, b))
    assert Ja.shape == (2, 2)
    assert Jb.shape == (2, 2, 2)
    _y, (ga, gb) = vjp(f, [a, b], np.array([1.0, 10.0]))
    np.testing.assert_allclose(ga.numpy(), np.array([1.0, 10.0]) @ Ja.numpy())
    np.testing.assert_allclose(gb.numpy(), np.tensordot([1.0, 10.0], Jb.numpy(), 1))
    ua, ub = np.array([0.5, -1.0]), np.ones((2, 2))
    _, tangent = jvp(f, (a, b), (ua, ub))
    np.testing.assert_allclose(tangent.numpy(), Ja.numpy() @ ua + np.tensordot(Jb.numpy(), ub, 2))
    assert vjp(lambda x, m: x.sum(), (a, b))[1][1].tolist() == [[0.0, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize(("n", "m"), [(0, 2), (2, 0), (0, 0)])
def test_jacobians_of_nothing_are_empty(n, m):
    A = np.ones((m, n))
    assert jacobian(lambda x: A @ x, np.ones(n)).shape == (m, n)
    assert jvp(lambda x: A @ x, np.ones(n), np.ones(n))[1].tolist() == [0.0] * m
    assert vjp(lambda x: A @ x, np.ones(n), np.ones(m))[1].tolist() == [0.0] * n


def test_jacobian_of_numbers_and_in_float32():
    J = jacobian(np.sin, 0.0)
    assert J.shape == ()
    assert J.item() == 1.0
    J = jacobian(lambda x: x * x, np.ones(2, "float32"))
    assert J.dtype == "float32"
    assert jvp(np.exp, np.ones(2, "float32"), np.ones(2))[1].dtype == "float32"
    assert hessian(lambda x: (x**3).sum(), np.ones(2, "float32")).dtype == "float32"


def test_hessian_and_hvp(rng):
    A = rng.standard_normal((3, 3))
    f = lambda x: np.exp(x @ (A @ x) * 0.1) + (x**3).sum()
    x, v = rng.standard_normal(3), rng.standard_normal(3)
    H = hessian(f, x)
    np.testing.assert_allclose(H.numpy(), H.numpy().T, rtol=1e-10)
    slope = lambda t: value_and_grad(f)(t)[1].numpy()
    for j in range(3):
        step = np.eye(3)[j] * 1e-6
        np.testing.assert_allclose(H.numpy()[:, j], (slope(x + step) - slope(x - step)) / 2e-6, rtol=1e-5)
    value, Hv = hvp(f, x, v)
    np.testing.assert_allclose(Hv.numpy(), H.numpy() @ v, rtol=1e-10)
    assert value.item() == pytest.approx(f(x))
    assert hessian(lambda m: (m @ m).sum(), np.eye(2)).shape == (2, 2, 2, 2)
    assert hessian(lambda t: (t**2).sum(), np.array([1.0, 2.0])).tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert hessian(lambda t: t**2, 3.0).item() == 2.0


def test_transformations_nest():
    cube = lambda t: t * t * t
    x = np.array([1.0, 2.0])
    slope = lambda t: value_and_grad(lambda s: cube(s).sum())(t)[1]
    expected = np.diag(6 * x).tolist()
    assert jacobian(slope, x).tolist() == expected
    assert jacobian(lambda t: vjp(cube, t, np.ones(2))[1], x).tolist() == expected
    assert jacobian(lambda t: jvp(cube, t, np.ones(2))[1], x).tolist() == expected
    assert jacobian(lambda t: jacobian(cube, t).sum(axis=0), x).tolist() == expected
    assert jacobian(lambda t: hvp(lambda s: cube(s).sum(), t, np.ones(2))[1], x).tolist() == [[6.0, 0.0], [0.0, 6.0]]
    third = jacobian(lambda t: hessian(lambda s: cube(s).sum(), t), x)
    assert third[0, 0, 0].item() == third[1, 1, 1].item() == 6.0
    assert np.count_nonzero(third.numpy()) == 2
    assert jvp(slope, x, np.ones(2))[1].tolist() == (6 * x).tolist()
    second = value_and_grad(lambda t: value_and_grad(cube)(t)[1])
    assert second(2.0)[1].item() == 12.0
    assert value_and_grad(lambda t: second(t)[1])(2.0)[1].item() == 6.0
    assert value_and_grad(lambda t: second(t)[1])(2.0)[1].is_leaf


def test_nested_transformations_keep_outer_variables_apart():
    # d/dx of x · d/dy (x + y) is 1: perturbations must not be confused
    inner = lambda x: value_and_grad(lambda y: x + y)(1.0)[1]
    assert value_and_grad(lambda x: x * inner(x))(1.0)[1].item() == 1.0
    inner = lambda x: value_and_grad(lambda y: x * y)(2.0)[1]
    assert value_and_grad(lambda x: x * inner(x))(3.0)[1].item() == 6.0
    # the same tensor inside and outside
    assert value_and_grad(lambda x: x * value_and_grad(lambda y: x * y)(x)[1])(3.0)[1].item() == 6.0


def test_no_grad_inside_a_transformed_function_cuts_it():
    def f(t):
        with no_grad():
            slope = value_and_grad(lambda s: s**3)(t)[1]
        return t * slope

    assert value_and_grad(f)(2.0)[1].item() == 12.0


def test_create_graph_connects_results_to_the_callers_tensors():
    x = leaf(1.0, 2.0)
    h = x * x
    f = lambda t: t**3
    y, g = vjp(f, h, np.ones(2), create_graph=True)  # 3h² = 3x⁴
    assert grad(g.sum(), x).tolist() == [12.0, 96.0]
    assert grad(y.sum(), x).tolist() == [6.0, 192.0]
    _, t = jvp(f, h, np.ones(2), create_graph=True)
    assert grad(t.sum(), x).tolist() == [12.0, 96.0]
    J = jacobian(f, h, create_graph=True)
    assert grad(J.sum(), x).tolist() == [12.0, 96.0]
    H = hessian(lambda t: f(t).sum(), h, create_graph=True)  # 6h
    assert grad(H.sum(), x).tolist() == [12.0, 24.0]
    _, Hv = hvp(lambda t: f(t).sum(), h, np.ones(2), create_graph=True)
    assert grad(Hv.sum(), x).tolist() == [12.0, 24.0]
    v = leaf(1.0, 1.0)
    _, t = jvp(f, h, v, create_graph=True)
    assert grad(t.sum(), v).tolist() == [3.0, 48.0]
    assert x.grad is None


def test_create_graph_with_the_same_tensor_for_two_arguments():
    x = leaf(3.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, x * 1), None, create_graph=True)
    assert (ga.item(), gb.item()) == (18.0, 9.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, x), None, create_graph=True)
    assert (ga.item(), gb.item()) == (18.0, 9.0)
    _, (ga, gb) = vjp(lambda a, b: (a * a * b).sum(), (x, np.array([3.0])), None, create_graph=True)
    assert grad(ga.sum(), x).item() == 6.0


def test_transformations_record_inside_no_grad():
    with no_grad():
        assert value_and_grad(lambda x: x * x)(3.0)[1].item() == 6.0
        assert jacobian(lambda x: x * x, np.ones(2)).tolist() == [[2.0, 0.0], [0.0, 2.0]]
        assert hessian(lambda x: (x**3).sum(), np.ones(2)).tolist() == [[6.0, 0.0], [0.0, 6.0]]
        assert not is_grad_enabled()


def test_transformed_functions_may_use_weights_and_leave_their_gradients_alone():
    w = leaf(2.0, 3.0)
    _y, g = value_and_grad(lambda x: (x * w).sum())(np.ones(2))
    assert g.tolist() == [2.0, 3.0]
    assert w.grad is None


@pytest.mark.parametrize("transform", [
    lambda f: value_and_grad(f)(1.0), lambda f: vjp(f, 1.0), lambda f: jvp(f, 1.0, 1.0),
    lambda f: jacobian(f, 1.0), lambda f: hessian(f, 1.0), lambda f: hvp(f, 1.0, 1.0),
])  # fmt: skip
@pytest.mark.parametrize("result", [3.0, None, np.ones(2), (Tensor(1.0), Tensor(2.0))])
def test_a_function_to_be_differentiated_returns_one_tensor(transform, result):
    with pytest.raises(TypeError, match="returns one tensor, but this one returned"):
        transform(lambda x: result)
    assert is_grad_enabled()


def test_transformations_refuse_what_they_cannot_differentiate():
    with pytest.raises(RuntimeError, match=r"single number.*shape \(2,\)"):
        value_and_grad(lambda x: x * 2)(np.ones(2))
    with pytest.raises(RuntimeError, match=r"single number.*shape \(2,\)"):
        value_and_grad(lambda x: x > 2)(np.ones(2))
    with pytest.raises(RuntimeError, match="single number"):
        vjp(lambda x: x * 2, np.ones(2))
    with pytest.raises(RuntimeError, match="single number"):
        hessian(lambda x: x * 2, np.ones(2))
    for v in (np.ones(3), np.ones((2, 1)), 1.0):
        said = re.escape(f"v has the shape of the function's result, (2,), but got {np.shape(v)}")
        with pytest.raises(ValueError, match=said):
            vjp(lambda x: x * 2, np.ones(2), v)
    with pytest.raises(ValueError, match=r"jvp\(\) needs a v of the inputs' shapes \[\(2,\)\], but got \[\(3,\)\]"):
        jvp(lambda x: x * 2, np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match=r"jvp\(\)"):
        jvp(lambda x, y: x * y, (np.ones(2), np.ones(2)), (np.ones(2),))
    with pytest.raises(TypeError, match=r"argnums=2.*got 1"):
        value_and_grad(lambda x: x, argnums=2)(1.0)
    with pytest.raises(TypeError, match=r"write 3\. with a point"):
        value_and_grad(lambda x: x * x)(3)


# ---------------------------------------------------------------------------------------------------
# Transformations compose with what is around them


TRANSFORMATIONS = {
    "value_and_grad": lambda f, x, v: value_and_grad(lambda t: (f(t) * v).sum())(x)[1],
    "its value": lambda f, x, v: value_and_grad(lambda t: (f(t) * v).sum())(x)[0],
    "two arguments": lambda f, x, v: np.stack(value_and_grad(lambda s, t: (f(s) * t * v).sum(), (0, 1))(x, x)[1]),
    "vjp": lambda f, x, v: vjp(f, x, v)[1],
    "jvp": lambda f, x, v: jvp(f, x, v)[1],
    "jacobian": lambda f, x, v: jacobian(f, x) * v,
    "hessian": lambda f, x, v: hessian(lambda t: (f(t) * v).sum(), x),
    "hvp": lambda f, x, v: hvp(lambda t: f(t).sum(), x, v)[1],
    "three deep": lambda f, x, v: value_and_grad(lambda r: jvp(lambda s: vjp(f, s, v)[1], r, v)[1].sum())(x)[1],
}


def uses(w, h, mask):
    """A function of a vector that uses a leaf, what was computed of it, and a mask."""
    return lambda t: np.where(mask, np.sin(t * w), t**3) * h * np.roll(t, 1)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
@pytest.mark.parametrize("held", ["leaf", "computed", "plain"])
def test_what_a_transformation_returns_is_recorded_by_what_the_function_used(name, held, rng):
    values = {key: rng.standard_normal(3) for key in "xwvu"}

    def result(x, w, v, u):
        given = {"leaf": x, "computed": x * 2.0, "plain": Tensor(values["x"])}[held]
        return (TRANSFORMATIONS[name](uses(w, w * w, w > 0.0), given, v) * u).sum()

    leaves = {key: Tensor(array.copy(), requires_grad=True) for key, array in values.items()}
    y = result(**leaves)
    keys = "wv" if held == "plain" else "xwv"
    for key, slope in zip(keys, grad(y, [leaves[key] for key in keys]), strict=True):
        for j in range(3):
            step = np.eye(3)[j] * 1e-5
            with no_grad():
                up, down = (result(**{**values, key: values[key] + sign * step}).item() for sign in (1, -1))
            assert slope[j].item() == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-7), (key, j)


def test_derivatives_of_a_derivative_of_any_order():
    w, x = Tensor(0.7, requires_grad=True), 1.3
    y = value_and_grad(lambda t: np.sin(w * t))(x)[1]  # w·cos(wx)
    for expected in (
        np.cos(0.7 * x) - 0.7 * x * np.sin(0.7 * x),
        -2 * x * np.sin(0.7 * x) - 0.7 * x**2 * np.cos(0.7 * x),
        -3 * x**2 * np.cos(0.7 * x) + 0.7 * x**3 * np.sin(0.7 * x),
    ):
        y = grad(y, w, create_graph=True)
        assert y.item() == pytest.approx(expected)


def test_the_function_runs_once_and_its_record_is_of_that_run():
    w, calls = leaf(1.0, 2.0), []
    total = Tensor(0.0)
    for i in range(3):  # each slope is of its own i
        _, slope = value_and_grad(lambda t: calls.append(1) or (t * w * w * (i + 1.0)).sum())(np.ones(2))  # noqa: B023
        total = total + slope.sum()
    total.backward()
    assert w.grad.tolist() == [12.0, 24.0]
    tg.manual_seed(3)
    _, slope = value_and_grad(lambda t: calls.append(1) or (tg.nn.functional.dropout(t * w) * w).sum())(np.ones(2))
    assert grad(slope.sum(), w).tolist() == (2 * slope.numpy() / w.numpy()).tolist()
    assert len(calls) == 4


def test_both_kinds_of_loss_train_the_weights():
    """u′ = u and u(0) = 1, by a polynomial: the data alone give 1, the equation alone nothing but 0."""
    w, powers = Tensor(np.zeros(6), requires_grad=True), np.arange(6)
    u = lambda t: (w * t**powers).sum(-1)
    grid = np.linspace(0, 1, 12)[:, None]
    optimizer = tg.optim.Adam([w], lr=0.1)
    for _ in range(400):
        slope = jvp(u, grid, np.ones_like(grid))[1]
        loss = ((slope - u(grid)) ** 2).mean() + (u(np.zeros((1, 1))) - 1.0).sum() ** 2
        optimizer.zero_grad()
        loss.backward(retain_graph=False)
        optimizer.step()
    np.testing.assert_allclose(u(grid).numpy(), np.exp(grid[:, 0]), atol=0.03)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_nothing_is_kept_where_nothing_is_to_be_differentiated(name):
    inside = []

    def f(t):
        h = np.sin(t * w)
        inside.append(weakref.ref(h))
        return h * t

    w, x = Tensor([1.0, 2.0, 3.0]), np.ones(3)
    plain = TRANSFORMATIONS[name](f, x, x)
    assert plain.is_leaf
    assert not plain.requires_grad
    w = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    with no_grad():
        kept = TRANSFORMATIONS[name](f, x, x)
        assert kept.is_leaf
        assert np.array_equal(kept, plain)
    assert [r() for r in inside] == [None] * len(inside)
    recorded = TRANSFORMATIONS[name](f, x, x)
    assert recorded.requires_grad
    assert np.array_equal(recorded, plain)
    del recorded
    assert [r() for r in inside] == [None] * len(inside)


def test_a_loss_of_value_and_slope_frees_the_record_as_it_goes_back():
    w = leaf(2.0)
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    (value + slope.sum()).backward(retain_graph=False)
    assert w.grad.tolist() == [15.0]
    with pytest.raises(RuntimeError, match="graph of the result of value_and_grad was freed"):
        slope.sum().backward()
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    value.backward(retain_graph=False)
    with pytest.raises(RuntimeError, match="freed"):
        slope.sum().backward()


def test_the_derivative_of_a_written_weight_is_stale():
    w = Tensor([2.0], requires_grad=True, name="w")
    _, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    with no_grad():
        w += 1.0
    with pytest.raises(RuntimeError, match="'w' was written after value_and_grad had used it"):
        slope.sum().backward()


def test_a_derivative_is_evaluated_on_new_values_of_all_that_it_depends_on():
    w, x = Tensor([2.0, -1.0], requires_grad=True), Tensor([3.0, 5.0])
    c = Tensor([10.0, 20.0])  # plain, and used by the function alone or outside too
    mask = w > 0
    f = lambda t: (np.where(mask, w, c) * t**3 * c).sum()
    _, slope = value_and_grad(f)(x)
    third = value_and_grad(lambda t: hvp(f, t, c)[1].sum())(x)[1]
    outside = slope + c
    expected = lambda w, x, c: np.where(w > 0, w, c) * 3 * x**2 * c
    new = {w: np.array([-3.0, 4.0]), x: np.array([0.5, 2.0]), c: np.array([1.0, 7.0])}
    for changed in ([], [w], [x], [w, x], [c], [w, x, c]):
        given = {t: new[t] for t in changed}
        now = [given.get(t, t.numpy()) for t in (w, x, c)]
        np.testing.assert_allclose(evaluate(slope, given), expected(*now))
        np.testing.assert_allclose(evaluate(outside, given), expected(*now) + now[2])
        if c not in given:  # whose products with other plain numbers were not recorded
            np.testing.assert_allclose(evaluate(third, given), np.where(now[0] > 0, now[0], now[2]) * 6 * now[2] ** 2)
    with pytest.raises(ValueError, match="do not depend on"):
        evaluate(slope, {Tensor([1.0, 2.0]): np.ones(2)})


def test_a_derivative_that_cannot_be_computed_again_is_not_evaluated():
    w = Tensor([2.0, -1.0], requires_grad=True)
    _, slope = value_and_grad(lambda t: (np.where(t * w > 0, w, 0.0) * t).sum())(np.ones(2))  # t·w ends with its line
    mask = w > 0
    _, plain = value_and_grad(lambda t: (np.where(mask, t, 0.0)).sum())(np.ones(2))
    assert plain.is_leaf
    for y in (slope, plain * w):
        assert grad(y.sum(), w).tolist() == [1.0, 0.0]
        with pytest.raises(RuntimeError, match="cannot be computed again"):
            evaluate(y, {w: np.array([-1.0, 1.0])})


def test_a_derivative_in_a_graph_is_copied_and_saved_like_any_result():
    w = leaf(2.0)
    _, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    with pytest.raises(RuntimeError, match=r"was computed by value_and_grad; only leaves .* use \.detach\(\)"):
        pickle.dumps(slope)
    assert slope.detach().tolist() == [12.0]
    assert repr(slope) == "Tensor([12.], op=value_and_grad)"


def test_hooks_of_weights_run_once_for_a_derivative():
    w, seen = leaf(2.0), []
    w.register_hook(lambda g: seen.append(g.item()))
    w.register_hook(lambda g: g * 2)
    value, slope = value_and_grad(lambda t: (w * t * t).sum())(np.array([3.0]))
    assert seen == []
    (slope.sum() + value).backward()
    assert seen == [15.0]
    assert w.grad.tolist() == [30.0]


def test_a_derivative_is_recorded_where_all_is_traced():
    x = Tensor([1.0, 2.0], name="x")
    with tracing():
        slope = value_and_grad(lambda t: (t**3).sum())(x)[1]
    assert slope.inputs == (x,)
    assert not slope.requires_grad
    assert evaluate(slope, {x: np.array([2.0, 3.0])}).tolist() == [12.0, 27.0]


def test_two_derivatives_that_are_the_same():
    w = leaf(2.0)
    _, (one, other) = value_and_grad(lambda a, b: ((a + b) * w).sum(), (0, 1))(np.ones(1), np.ones(1))  # w, w
    assert grad((one * 2 + other * 3).sum(), w).tolist() == [5.0]


def test_the_argument_itself_may_be_used_inside_or_returned():
    x = leaf(2.0, 3.0)
    assert grad(vjp(lambda t: t, x, x)[1].sum(), x).tolist() == [1.0, 1.0]
    _, slope = value_and_grad(lambda t: (t * x * x).sum())(x)  # x²
    assert grad(slope.sum(), x).tolist() == [4.0, 6.0]
    assert value_and_grad(lambda t: (x * x).sum())(1.0)[1].item() == 0.0
    assert grad(value_and_grad(lambda t: (x * x).sum())(1.0)[0], x).tolist() == [4.0, 6.0]


def test_a_long_chain_of_derivatives_is_linear_and_does_not_recurse():
    w, x = Tensor(0.5, requires_grad=True), Tensor(1.0)
    for _ in range(400):
        x = x - 0.001 * value_and_grad(lambda t: w * t * t)(x)[1]
    assert x.item() == pytest.approx(0.999**400)
    assert grad(x, w).item() == pytest.approx(-400 * 0.002 * 0.999**399)
    assert evaluate(x, {w: 0.25}).item() == pytest.approx(0.9995**400)
