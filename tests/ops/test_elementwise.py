"""Elementwise ops: what examples cannot derive. Special values, conventions, dispatch, left operands, errors."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu.engine.origins import node_of
from tinygrad_edu.engine.registry import OPS
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops import arithmetic, choosing, comparing, elementwise, nan, parts, rounding, types
from tinygrad_edu.ops.arithmetic import constant_power
from tinygrad_edu.ops.elementwise import sinc_derivative
from tinygrad_edu.ops.network import activations, softmax
from tinygrad_edu.ops.parts import gate, zero

INF, NAN = math.inf, math.nan


def leaf(*values, dtype=float):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True)


def slopes(f, *points, g=None):
    """∂⟨g, f⟩/∂x at each of `points`, an array for each argument of f."""
    xs = [leaf(*np.atleast_1d(p)) for p in points]
    y = f(*xs)
    found = tg.grad(y, xs, np.ones(y.shape) if g is None else np.asarray(g, float), allow_unused=True)
    return found[0].tolist() if len(xs) == 1 else [None if z is None else z.tolist() for z in found]


def derivatives(f, x, order):
    """f′(x), f″(x), … as numbers."""
    x = leaf(x)
    y, found = f(x).sum(), []
    for _ in range(order):
        (y,) = tg.grad(y, [x], create_graph=True, allow_unused=True)
        if y is None or not y.requires_grad:  # a constant: all further derivatives are 0
            found.append(0.0 if y is None else y.numpy().sum().item())
            return found + [0.0] * (order - len(found))
        y = y.sum()
        found.append(y.item())
    return found


# ---------------------------------------------------------------------------------------------------
# Found under all of NumPy's names


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *[(f, "absolute") for f in (np.abs, np.absolute, abs)],
        *[(f, "round") for f in (np.round, np.around)],
        *[(f, "trunc") for f in (np.trunc, np.fix)],
        *[(f, "deg2rad") for f in (np.deg2rad, np.radians)],
        *[(f, "rad2deg") for f in (np.rad2deg, np.degrees)],
        *[(f, "conjugate") for f in (np.conj, np.conjugate)],
        *[(f, "negative") for f in (np.negative, operator.neg)],
        *[(f, "positive") for f in (np.positive, operator.pos)],
        (np.fabs, "fabs"), (np.acos, "arccos"), (np.asinh, "arcsinh"), (np.copy, "copy"), (np.sinc, "sinc"),
        (np.nan_to_num, "nan_to_num"), (lambda x: np.astype(x, np.float32), "astype"),
        (lambda x: x.astype("float32"), "astype"), (lambda x: x.clone(), "copy"), (lambda x: x.clip(0.3, 0.6), "clip"),
        (lambda x: x.round(1), "round"), (lambda x: round(x, 1), "round"), (lambda x: x.pow(2), "constant_power"),
        (lambda x: x**2, "constant_power"), (lambda x: np.square(x), "square"), (lambda x: np.reciprocal(x), "reciprocal"),
    ],
)  # fmt: skip
def test_alias_of_one(function, name):
    x = leaf(0.25, 0.5)
    y = function(x)
    assert y.op is OPS[name]
    if not isinstance(function, type(lambda: 0)) or function.__name__ != "<lambda>":
        np.testing.assert_array_equal(y.numpy(), function(x.numpy()))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        *[(f, "divide") for f in (np.divide, np.true_divide, operator.truediv)],
        *[(f, "remainder") for f in (np.mod, np.remainder, operator.mod)],
        *[(f, "power") for f in (np.power, np.pow, operator.pow)],
        (np.fmod, "fmod"), (np.atan2, "arctan2"), (np.float_power, "power"), (operator.floordiv, "floor_divide"),
        (operator.gt, "greater"), (operator.ge, "greater_equal"), (operator.lt, "less"), (operator.le, "less_equal"),
        (operator.eq, "equal"), (operator.ne, "not_equal"), (np.isclose, "isclose"),
    ],
)  # fmt: skip
def test_alias_of_two(function, name):
    a, b = leaf(2.5, 4.0), leaf(1.5, 0.75)
    y = function(a, b)
    assert node_of(y).op is OPS[name]
    np.testing.assert_array_equal(y.numpy(), function(a.numpy(), b.numpy()))


def test_alias_of_bits():
    a, b = Tensor(np.array([6, 5])), Tensor(np.array([3, 1]))
    for f in (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.left_shift, np.right_shift,
              np.bitwise_left_shift, np.bitwise_right_shift, operator.and_, operator.or_, operator.xor,
              operator.lshift, operator.rshift):  # fmt: skip
        np.testing.assert_array_equal(f(a, b).numpy(), f(a.numpy(), b.numpy()))
    for f in (np.invert, np.bitwise_not, np.bitwise_invert, operator.invert):
        np.testing.assert_array_equal(f(a).numpy(), f(a.numpy()))


@pytest.mark.parametrize("left", [np.array([3.0, 5.0]), [3.0, 5.0], np.float64(3), np.int64(3), 3.0, 3], ids=repr)
@pytest.mark.parametrize(
    "f", [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.floordiv,
          np.maximum, np.minimum, np.arctan2, np.hypot, np.logaddexp, np.fmax, np.copysign],
)  # fmt: skip
def test_anything_may_stand_on_the_left(f, left):
    x = leaf(1.25, 2.25)
    y = f(left, x)
    np.testing.assert_array_equal(y.numpy(), f(np.asarray(left), x.numpy()), strict=True)
    (got,) = tg.grad(y, [x], np.ones(2))
    (same,) = tg.grad(f(Tensor(np.asarray(left, float)), x), [x], np.ones(2))
    assert got.tolist() == same.tolist()


@pytest.mark.parametrize("left", [np.array([3.0, 0.0]), [3.0, 0.0], np.float64(3), 3.0, 3], ids=repr)
def test_comparing_with_anything_on_the_left(left):
    x = leaf(1.0, 3.0)
    for f in (operator.gt, operator.ge, operator.lt, operator.le, operator.eq, operator.ne):
        y = f(left, x)
        assert isinstance(y, Tensor)
        assert y.tolist() == f(np.asarray(left), x.numpy()).tolist()


# ---------------------------------------------------------------------------------------------------
# Numbers are weak


@pytest.mark.parametrize(
    "f",
    [
        lambda x, c: x + c, lambda x, c: c - x, lambda x, c: x * c, lambda x, c: c / x, lambda x, c: x**c,
        lambda x, c: c**x, lambda x, c: np.maximum(x, c), lambda x, c: np.hypot(c, x), lambda x, c: np.where(x > c, x, c),
        lambda x, c: np.clip(x, -c, c), lambda x, c: np.logaddexp(x, c), lambda x, c: np.copysign(c, x) * x,
        lambda x, c: np.nan_to_num(x, nan=c),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [float, np.float64, np.float32])
def test_float32_stays(f, kind):
    x = leaf(0.5, 2.5, dtype=np.float32)
    y = f(x, kind(1.7))
    assert y.dtype == np.float32
    order = [y]
    for node in order:
        order.extend(node.inputs)
        assert node.dtype != np.float64, f"{node} was recorded in float64"
    (g,) = tg.grad(y, [x], np.ones(2), create_graph=True)
    assert g.dtype == np.float32
    order = [g]
    for node in order:
        order.extend(node.inputs)
        assert node.dtype != np.float64, f"{node} of the gradient was recorded in float64"


# ---------------------------------------------------------------------------------------------------
# Powers


@pytest.mark.parametrize("x", [-3.0, -0.5, 0.0, 0.5, 2.0])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 7, 17, 2.0, np.float32(3), np.int64(2), True])
def test_derivatives_of_a_whole_power(x, n):
    m = int(n)
    expected = [math.perm(m, k) * x ** (m - k) if k <= m else 0.0 for k in range(1, 6)]
    np.testing.assert_allclose(derivatives(lambda t: t**n, x, 5), expected, rtol=1e-13, atol=0)


@given(st.integers(-16, 16), st.floats(0.01, 100) | st.floats(-100, -0.01))
def test_a_whole_power_is_as_exact_as_its_multiplications(n, x):
    exact = float(np.longdouble(x) ** n)
    assert abs(constant_power(np.array(x), n) - exact) <= 40 * np.spacing(abs(exact))


def test_a_whole_power_uses_the_range_of_its_type():
    x = np.array([1e20, 1e-20, -1e12, 0.0], np.float32)
    with np.errstate(over="ignore", divide="ignore", under="ignore"):
        np.testing.assert_allclose(constant_power(x, -2), [1e-40, INF, 1e-24, INF], rtol=1e-5)
        np.testing.assert_array_equal(constant_power(x, 3), [INF, 0, -1e12 * 1e12 * np.float32(1e12), 0])


def test_a_power_leaves_its_base_alone():
    for n in (-16, -2, -1, 0, 1, 2, 3, 7, 16, 0.5):
        x = np.array([1.5, 2.5])
        y = constant_power(x, n)
        assert not np.shares_memory(x, y)
        assert x.tolist() == [1.5, 2.5]
        np.testing.assert_allclose(y, np.power(x, float(n)), rtol=1e-14)


def test_powers_of_zero():
    assert slopes(lambda a, b: a**b, [0, 0, 0], [0, 2, 0.5]) == [[0, 0, INF], [0, 0, 0]]
    assert slopes(lambda a, b: a**b, [-2, -2], [3, -1])[0] == [12.0, -0.25]
    assert slopes(lambda b: 0.0**b, [0, 1, 2]) == [0, 0, 0]
    assert slopes(lambda b: 2.0**b, [3.0]) == [8 * math.log(2)]


def test_the_mixed_derivative_of_a_power_at_exponent_zero():
    a, b = leaf(2.0), leaf(0.0)
    (by_a,) = tg.grad((a**b).sum(), [a], create_graph=True)
    (mixed,) = tg.grad(by_a.sum(), [b])
    assert mixed.item() == 0.5  # ∂²/∂a∂b aᵇ = aᵇ⁻¹(1 + b ln a)


def test_the_number_in_a_power_is_part_of_the_op():
    x = leaf(2.0)
    assert (x**2).op.symbol(**(x**2).settings) == "^2"
    assert (x**2.0).settings == (x**2).settings == (x ** np.float64(2)).settings
    assert (x**-1).op.symbol(**(x**-1).settings) == "^−1"
    assert len((x**2).inputs) == 1
    assert len((x ** np.array([2.0])).inputs) == 2


def test_integers_to_a_negative_power():
    with pytest.raises(
        ValueError, match=r"^constant_power\(\(2,\), exponent=-1\): Integers to negative integer powers"
    ):
        Tensor([1, 2]) ** -1
    assert (Tensor([1, 2]) ** -1.0).tolist() == [1.0, 0.5]
    assert np.float_power(Tensor([1, 2]), -1).tolist() == [1.0, 0.5]
    assert (Tensor([1, 2]) ** 3).dtype == np.int64


def test_float_power_is_float64():
    x = leaf(2.0, dtype=np.float32)
    y = np.float_power(x, 3)
    assert y.dtype == np.float64
    (g,) = tg.grad(y, [x], np.ones(1))
    assert g.dtype == np.float32
    assert g.tolist() == [12.0]


# ---------------------------------------------------------------------------------------------------
# Choosing selects: what was not taken receives 0, whatever arrives


BAD = [INF, -INF, NAN]


@pytest.mark.parametrize("g", BAD)
def test_the_branch_not_taken_receives_nothing(g):
    assert slopes(lambda x: np.where(np.array([True, False]), x, 0.0), [1, 2], g=[1, g]) == [1, 0]
    assert slopes(lambda x: np.where(np.array([True, False]), 0.0, x), [1, 2], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.maximum(x, 1.0), [0, 2], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.minimum(x, 1.0), [2, 0], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.fmax(x, 1.0), [NAN, 2], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.clip(x, 0.0, 1.0), [2, 0.5], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.clip(0.5, x, 1.0), [0.0, 0.75], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.nan_to_num(x), [NAN, 1], g=[g, 1]) == [0, 1]
    assert slopes(lambda x: np.heaviside(x - 1, x), [0, 1], g=[g, 1]) == [0, 1]
    assert slopes(np.floor, [0.5, 1.5], g=[g, 1]) == [0, 0]
    assert slopes(np.sign, [0.5, -1.5], g=[g, 1]) == [0, 0]
    assert slopes(lambda x: x**0, [0.0, 2.0], g=[g, 1]) == [0, 0]


def test_values_of_the_branch_not_taken_do_not_matter():
    taken = np.array([True, True])
    assert slopes(lambda a, b: np.where(taken, a * a, b), [1, 2], [INF, NAN]) == [[2, 4], [0, 0]]
    assert slopes(lambda a, b: np.where(~taken, b, a * a), [1, 2], [INF, NAN]) == [[2, 4], [0, 0]]
    x = leaf(INF, 2.0)
    (g,) = tg.grad(np.where(x < 3, x**3, 0), [x], np.ones(2), create_graph=True)
    assert tg.grad(g, [x], np.array([0.0, 1.0]))[0].tolist()[1] == 12.0


def test_a_safe_argument_inside_where_is_not_needed():
    def plainly(x):
        return np.where(x > 0, np.sqrt(x), 0)

    def safe(x):
        return np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0)

    assert slopes(plainly, [0.0, 4.0]) == slopes(safe, [0.0, 4.0]) == [0.0, 0.25]


def test_where_takes_what_numpys_takes():
    x = leaf(-1.0, 0.0, 2.0)
    assert [part.tolist() for part in np.where(x)] == [[0, 2]]  # the indices at which it is not 0
    assert np.where(x, 1.0, 2.0).tolist() == [1.0, 2.0, 1.0]
    assert slopes(lambda x: np.where([1, 0, -3], x, x * 10), [1, 1, 1]) == [1, 10, 1]
    with pytest.raises(TypeError, match=r"where\(\) takes a condition and two branches, or none, but got 1"):
        tg.where(x > 0, x)


def test_ties_share_and_nan_is_passed_on():
    two = [1.0, 1.0, 2.0, INF], [1.0, 2.0, 1.0, INF]
    assert slopes(np.maximum, *two) == [[0.5, 0, 1, 0.5], [0.5, 1, 0, 0.5]]
    assert slopes(np.minimum, *two) == [[0.5, 1, 0, 0.5], [0.5, 0, 1, 0.5]]
    nan = [NAN, 1.0], [1.0, NAN]
    assert slopes(np.fmax, *nan) == [[0, 1], [1, 0]]  # what is not NaN is chosen, and gets the gradient
    assert slopes(np.fmin, *nan) == [[0, 1], [1, 0]]
    for f in (np.maximum, np.minimum):
        by_a, by_b = slopes(f, *nan)
        assert np.add(by_a, by_b).tolist() == [1, 1]  # y is NaN, and no gradient is lost on the way to it


def test_clip_takes_what_numpys_takes():
    x = np.array([-2.0, 0.0, 0.5, 1.0, 3.0, NAN])
    for arguments in ({"min": 0.0, "max": 1.0}, {"a_min": 0.0, "a_max": 1.0}, {"min": 0}, {"max": 1}, {}):
        y = np.clip(Tensor(x), **arguments)
        np.testing.assert_array_equal(y.numpy(), np.clip(x, **arguments))
    np.testing.assert_array_equal(np.clip(Tensor(x), None, 1.0).numpy(), np.clip(x, None, 1.0))
    np.testing.assert_array_equal(Tensor(x).clip(0.0).numpy(), x.clip(0.0))
    assert slopes(lambda x: np.clip(x, 0.0, 1.0), x) == [0, 1, 1, 1, 0, 0]
    assert slopes(lambda x: np.clip(x, min=0.0), x[:5]) == [0, 1, 1, 1, 1]
    assert np.clip(Tensor(np.array([-300, 5], np.int16)), None, 3).dtype == np.int16
    assert np.clip(Tensor(np.array([3, 5], np.uint8)), None, 4).tolist() == [3, 4]


def test_all_of_a_clipped_gradient_goes_somewhere():
    """Also where the bounds cross or coincide: to x, or else to the bound that y is."""
    points = np.array(np.meshgrid(*[[-1.0, 0.0, 1.0]] * 3)).reshape(3, -1)
    by_x, by_low, by_high = slopes(np.clip, *points)
    assert np.add(np.add(by_x, by_low), by_high).tolist() == [1.0] * 27
    y = np.clip(*points)
    for x, slope in zip(points, (by_x, by_low, by_high), strict=True):
        assert all(x[np.array(slope) == 1] == y[np.array(slope) == 1])


def test_nan_to_num():
    x = [1.0, NAN, INF, -INF]
    y = np.nan_to_num(leaf(*x), nan=7.0, posinf=8.0, neginf=9.0)
    assert y.tolist() == [1.0, 7.0, 8.0, 9.0]
    assert slopes(np.nan_to_num, x) == [1, 0, 0, 0]
    with pytest.raises(TypeError, match=r"nan_to_num\(copy=False\) would write into its argument"):
        np.nan_to_num(leaf(1.0), copy=False)


# ---------------------------------------------------------------------------------------------------
# gate and zero, which rules are made of


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, np.complex64, np.int32])
def test_gate_of_every_type(dtype):
    a = np.arange(1, 7).reshape(2, 3).astype(dtype)
    x = np.array([[1.0, -1.0, 0.0], [NAN, INF, -INF]])
    large = np.tile(a, (9, 9)), np.tile(x, (9, 9))  # which are selected in another way
    pairs = [(a, x), (a.T, x.T), (a[:, ::2], x[:, ::2]), (a[0], x), (np.broadcast_to(a[:1], (2, 3)), x), large]
    for first, second in pairs:
        y = gate(first, second > 0)
        np.testing.assert_array_equal(y, np.where(second > 0, first, dtype(0)), strict=True)
        assert not np.shares_memory(y, first)
        out = np.full_like(y, 5)
        assert gate(first, second > 0, out=out) is out
        np.testing.assert_array_equal(out, y)
    assert gate(a[0, 0], x[0, 0] > 0) == 1  # scalars, as arithmetic on arrays of no dimension makes them
    assert gate(a, x).tolist() == gate(a, x != 0).tolist()


def test_gate_and_zero_select():
    assert gate(np.array([NAN, INF, 1.0]), np.array([False, False, True])).tolist() == [0, 0, 1]
    assert zero(np.array([NAN, INF])).tolist() == [0, 0]
    assert zero(leaf(NAN)).dtype == np.float64


# ---------------------------------------------------------------------------------------------------
# Values that break formulas


def test_sinc_at_zero():
    """sinc⁽²ᵏ⁾(0) = (−1)ᵏ π²ᵏ / (2k + 1), and the odd derivatives vanish."""
    expected = [0 if n % 2 else (-1) ** (n // 2) * math.pi**n / (n + 1) for n in range(1, 7)]
    np.testing.assert_allclose(derivatives(np.sinc, 0.0, 6), expected, rtol=1e-14)
    np.testing.assert_allclose(derivatives(np.sinc, 1e-9, 6)[1::2], expected[1::2], rtol=1e-14)


@pytest.mark.parametrize("order", range(1, 8))
def test_sinc_against_its_integral(order):
    """dⁿ/dxⁿ sinc x = ∫₀¹ dⁿ/dxⁿ cos(πxt) dt, by Gauss-Legendre quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t, w = (nodes + 1) / 2, weights / 2
    x = np.linspace(-4, 4, 161)
    expected = np.cos(np.pi * x[:, None] * t + order * np.pi / 2) * (np.pi * t) ** order @ w
    np.testing.assert_allclose(sinc_derivative(x, order), expected, rtol=0, atol=1e-12 * math.pi**order)


def test_logaddexp_at_infinity():
    a, b = [-INF, -INF, INF, INF, 1e4], [-INF, 1.0, 1.0, INF, -1e4]
    half = [0.5, 0, 1, 0.5, 1], [0.5, 1, 0, 0.5, 0]
    for f in (np.logaddexp, np.logaddexp2):
        assert slopes(f, a, b) == list(half)
        assert derivatives(lambda x, f=f: f(x, -1e4), 1e4, 3) == [1, 0, 0]
        np.testing.assert_allclose(derivatives(lambda x, f=f: f(x, 0), -600.0, 1)[0], np.exp2(-600.0) if f is np.logaddexp2 else np.exp(-600.0), rtol=1e-13)  # fmt: skip


def test_hypot_and_arctan2_do_not_overflow():
    big, small = 1e200, 1e-200
    for size in (big, small):
        np.testing.assert_allclose(slopes(np.hypot, [3 * size], [4 * size]), [[0.6], [0.8]])
        np.testing.assert_allclose(slopes(np.arctan2, [3 * size], [4 * size]), [[0.16 / size], [-0.12 / size]])


def test_the_origin():
    assert slopes(np.hypot, [0.0], [0.0]) == [[0], [0]]
    assert slopes(np.arctan2, [0.0], [0.0]) == [[0], [0]]
    assert slopes(lambda x: np.hypot(x, 0.0), [0.0, -2.0]) == [0, -1]
    assert slopes(np.abs, [0.0, -0.0, -2.0]) == [0, 0, -1]
    assert slopes(np.sqrt, [0.0]) == [INF]
    assert slopes(np.cbrt, [0.0, -8.0]) == [INF, pytest.approx(1 / 12)]


def test_signs():
    assert slopes(np.copysign, [2.0, -2.0, 0.0, 2.0], [-1.0, -1.0, 1.0, -0.0]) == [[-1, 1, 0, -1], [0, 0, 0, 0]]
    assert slopes(np.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5]) == [[0, 0, 0], [0, 1, 0]]
    assert np.signbit(leaf(-0.0, 0.0)).tolist() == [True, False]


@pytest.mark.parametrize("f", [np.sign, np.floor, np.ceil, np.trunc, np.rint, np.round, np.fix])
def test_a_step_has_the_derivative_zero(f):
    assert slopes(f, [-1.5, 0.0, 0.4, 3.0]) == [0, 0, 0, 0]
    assert derivatives(f, 0.4, 2) == [0, 0]


def test_quotients_and_remainders():
    a, b = [5.0, -5.0, 5.0, -5.0], [3.0, 3.0, -3.0, -3.0]
    assert slopes(np.remainder, a, b) == [[1, 1, 1, 1], [-1, 2, 2, -1]]
    assert slopes(np.fmod, a, b) == [[1, 1, 1, 1], [-1, 1, 1, -1]]
    assert slopes(np.floor_divide, a, b) == [[0, 0, 0, 0], [0, 0, 0, 0]]
    x = leaf(7.5)
    quotient, rest = divmod(x, 2.0)
    assert (quotient.tolist(), rest.tolist()) == ([3.0], [1.5])
    quotient, rest = divmod(7.5, x / 3)
    assert (quotient.tolist(), rest.tolist()) == ([3.0], [0.0])
    assert tg.grad(rest, [x], np.ones(1))[0].tolist() == [-1.0]
    assert [part.tolist() for part in np.divmod(Tensor([7, -7]), 2)] == [[3, -4], [1, 1]]


def test_small_numbers_keep_their_digits():
    assert slopes(np.expm1, [-40.0]) == [math.exp(-40)]
    assert slopes(tg.sigmoid, [-700.0]) == [pytest.approx(math.exp(-700), rel=1e-13)]
    assert tg.sigmoid(np.array([-700.0])).tolist() == [pytest.approx(math.exp(-700), rel=1e-13)]


floats = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e300, 1e-300, 5e-324, INF, -INF, NAN])
PAGES = {
    name: made
    for page in (arithmetic, elementwise, rounding, choosing, comparing, nan, parts, types, activations, softmax)
    for name, made in vars(page).items()
}
ONES = [op for op in PAGES.values() if op in OPS.values() and op.arity == 1 and isinstance(op.forward, np.ufunc)]
TWOS = [op for op in PAGES.values() if op in OPS.values() and op.arity == 2 and isinstance(op.forward, np.ufunc)]


@pytest.mark.parametrize(
    "op", [op for op in (*ONES, *TWOS) if "f" in "".join(op.forward.types)], ids=lambda op: op.name
)
@given(a=st.lists(floats, min_size=4, max_size=4), b=st.lists(floats, min_size=4, max_size=4))
def test_special_values_are_numpys(op, a, b):
    """Also the sign of zero, and which NaN: the very same bits."""
    arrays = [np.array(a), np.array(b)][: op.forward.nin]
    if not any(t.startswith("d" * len(arrays)) for t in op.forward.types):
        return  # an op on integers and booleans alone
    with np.errstate(all="ignore"):
        expected = op.forward(*arrays)
        got = op.forward(*[Tensor(x, requires_grad=True) for x in arrays]).numpy()
    assert got.dtype == expected.dtype
    assert got.tobytes() == expected.tobytes()


# ---------------------------------------------------------------------------------------------------
# Questions


def test_masks_are_followed_and_not_differentiable():
    x, y = leaf(-1.0, 2.0, 3.0), leaf(1.0, -1.0, 2.0)
    mask = (x > 0) & (y > 0) | ~(x >= 0) ^ (y != y)
    assert mask.dtype == bool
    assert mask.is_leaf
    assert not mask.requires_grad
    z = np.where(mask, x, y)
    new = {x: np.array([1.0, -2.0, 3.0]), y: np.array([1.0, 1.0, -2.0])}
    assert tg.evaluate(z, new).tolist() == [1.0, -2.0, -2.0]
    assert tg.evaluate(mask, new).tolist() == [True, True, False]
    with pytest.raises(RuntimeError, match=r"greater has no derivative"):
        (x > 0).backward(np.ones(3))


def test_questions_about_one_number():
    x = leaf(1.0, NAN, INF, -INF)
    assert np.isnan(x).tolist() == [False, True, False, False]
    assert np.isinf(x).tolist() == [False, False, True, True]
    assert np.isfinite(x).tolist() == [True, False, False, False]
    assert np.logical_not(x - 1).tolist() == [True, False, False, False]
    assert np.isclose(x, [1.05, NAN, INF, INF], atol=0.1, equal_nan=True).tolist() == [True, True, True, False]


# ---------------------------------------------------------------------------------------------------
# Types, copies, errors


def test_astype():
    x = leaf(1.5, 2.5)
    y = x.astype(np.float32)
    assert y.dtype == np.float32
    assert y.op.symbol(**y.settings) == "float32"
    (g,) = tg.grad(y, [x], np.ones(2))
    assert g.dtype == np.float64
    whole = x.astype(int)
    assert whole.tolist() == [1, 2]
    assert not whole.requires_grad
    assert not np.shares_memory(x.astype(float).numpy(), x.numpy())
    with pytest.raises(TypeError, match="not understood"):
        x.astype("float23")


def test_a_copy_is_recorded_and_apart():
    x = leaf(1.0, 2.0)
    y = x.clone()
    assert not np.shares_memory(x.numpy(), y.numpy())
    assert slopes(np.copy, [1.0, 2.0], g=[3.0, 4.0]) == [3.0, 4.0]


def test_options_that_cannot_be_recorded_are_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(TypeError, match=r"exp\(\) on a Tensor takes .*, not where=; write np\.where\(mask, np\.exp\("):
        np.exp(x, where=np.array([True, False]))
    with pytest.raises(TypeError, match=r"add\(\): .*; write t\.astype\(dtype\), or casting='unsafe'"):
        np.add(x, x, dtype=int)


def test_shapes_that_do_not_broadcast():
    a, b = leaf(1.0, 2.0), leaf(1.0, 2.0, 3.0)
    a.name, b.name = "weights", "bias"
    with pytest.raises(ValueError, match=r"^add\(weights \(2,\), bias \(3,\)\): operands could not be broadcast"):
        a + b
    with pytest.raises(ValueError, match=r"^where\(\(2,\), \(\), bias \(3,\)\): "):
        np.where(a > 0, 1.0, b)
