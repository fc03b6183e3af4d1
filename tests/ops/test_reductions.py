"""Reductions, running sums and statistics: conventions at ties and zeros, special values, NumPy's ways, errors."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_edu as tg
from tinygrad_edu import Tensor
from tinygrad_edu.ops import reductions, running, statistics

NAN, INF = math.nan, math.inf


def leaf(values, name=None, dtype=float):
    return Tensor(np.array(values, dtype), requires_grad=True, name=name)


def gradient(f, x, g=None):
    """∂⟨g, f(x)⟩/∂x; g is 1 if left out."""
    y = f(x)
    return tg.grad(y, x, np.ones(y.shape, y.dtype) if g is None else g).numpy()


def hessian(f, values):
    return tg.hessian(f, leaf(values)).numpy()


# ---------------------------------------------------------------------------------------------------
# Any shape, any axes

REDUCTIONS = {
    "sum": np.sum, "mean": np.mean, "prod": np.prod, "max": np.max, "min": np.min, "amax": np.amax, "amin": np.amin,
    "ptp": np.ptp, "var": np.var, "std": np.std, "any": np.any, "all": np.all, "count_nonzero": np.count_nonzero,
    "median": np.median, "nansum": np.nansum, "nanprod": np.nanprod, "nanmean": np.nanmean, "nanvar": np.nanvar,
    "nanstd": np.nanstd, "nanmax": np.nanmax, "nanmin": np.nanmin, "nanmedian": np.nanmedian, "average": np.average,
    "vector_norm": np.linalg.vector_norm,
    "quantile": lambda x, **axes: np.quantile(x, 0.3, **axes),
    "percentile": lambda x, **axes: np.percentile(x, [10, 60], **axes),
    "nanquantile": lambda x, **axes: np.nanquantile(x, [[0.25]], **axes),
    "sum of integers": lambda x, **axes: np.sum(np.astype(x * 4, int), **axes),
    "sum in float32": lambda x, **axes: np.sum(x, dtype=np.float32, **axes),
    "var of a sample": lambda x, **axes: np.var(x, ddof=0.5, **axes),
    "add.reduce": lambda x, **axes: np.add.reduce(x, **axes),
    "multiply.reduce": lambda x, **axes: np.multiply.reduce(x, **axes),
    "maximum.reduce": lambda x, **axes: np.maximum.reduce(x, **axes),
    "minimum.reduce": lambda x, **axes: np.minimum.reduce(x, **axes),
    "logical_and.reduce": lambda x, **axes: np.logical_and.reduce(x, **axes),
    "logical_or.reduce": lambda x, **axes: np.logical_or.reduce(x, **axes),
    "fmax.reduce": lambda x, **axes: np.fmax.reduce(x, **axes),
    "fmin.reduce": lambda x, **axes: np.fmin.reduce(x, **axes),
}  # fmt: skip
METHODS = ("sum", "mean", "prod", "max", "min", "var", "std", "any", "all")


@st.composite
def arrays_and_axes(draw):
    """An array, and axes as a reduction takes them: none, one, several, negative; left out, perhaps."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=4))
    x = np.random.default_rng(draw(st.integers(0, 9))).standard_normal(shape)
    ndim = len(shape)
    one = st.integers(-ndim, ndim - 1) if ndim else st.nothing()
    several = st.lists(st.integers(0, ndim - 1), unique=True, min_size=1).map(tuple) if ndim else st.nothing()
    axes = draw(st.just({}) | st.builds(lambda axis: {"axis": axis}, st.none() | one | several))
    if draw(st.booleans()):
        axes["keepdims"] = True
    return x, axes


@pytest.mark.parametrize("name", REDUCTIONS)
@settings(max_examples=settings.default.max_examples // 2)
@given(arrays_and_axes())
def test_values_dtypes_and_gradient_shapes_over_any_axes(name, drawn):
    x, axes = drawn
    reduction = REDUCTIONS[name]
    expected = np.asarray(reduction(x, **axes))
    t = leaf(x)
    got = reduction(t, **axes)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12, atol=1e-12, strict=True)
    if name in METHODS:
        np.testing.assert_array_equal(getattr(t, name)(**axes).numpy(), got.numpy())
    if got.requires_grad:
        g = gradient(lambda x: reduction(x, **axes), t)
        assert (g.shape, g.dtype) == (t.shape, t.dtype)
        assert np.isfinite(g).all()


RUNNING = {
    "cumsum": np.cumsum, "cumprod": np.cumprod, "nancumsum": np.nancumsum, "nancumprod": np.nancumprod,
    "add.accumulate": np.add.accumulate, "multiply.accumulate": np.multiply.accumulate,
    "argmax": np.argmax, "argmin": np.argmin, "nanargmax": np.nanargmax, "nanargmin": np.nanargmin,
}  # fmt: skip


@pytest.mark.parametrize("name", RUNNING)
@settings(max_examples=settings.default.max_examples // 3)
@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_values_along_one_axis(name, shape, data):
    x = np.random.default_rng(0).standard_normal(shape)
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    if "accumulate" in name and axis is None:
        axis = 0
    for arguments in ((), (axis,)):
        got = RUNNING[name](leaf(x), *arguments)
        np.testing.assert_allclose(got.numpy(), RUNNING[name](x, *arguments), rtol=1e-13, strict=True)


def test_ufunc_methods_reduce_the_first_axis_unless_told():
    x = leaf([[1.0, 2.0], [3.0, 5.0]])
    assert np.sum(x).item() == 11.0
    assert np.add.reduce(x).tolist() == [4.0, 7.0]
    assert np.add.reduce(x, axis=None).item() == 11.0
    assert np.add.reduce(x, 1).tolist() == [3.0, 8.0]
    assert np.multiply.reduce(x).tolist() == [3.0, 10.0]
    assert np.maximum.reduce(x, keepdims=True).tolist() == [[3.0, 5.0]]
    assert np.logical_or.reduce(x > 4).tolist() == [False, True]
    assert np.logical_and.reduce(x > 1).tolist() == [False, True]
    assert np.add.accumulate(x).tolist() == [[1.0, 2.0], [4.0, 7.0]]
    assert np.multiply.accumulate(x, 1).tolist() == [[1.0, 2.0], [3.0, 15.0]]
    np.testing.assert_allclose(np.logaddexp.reduce(x).numpy(), np.logaddexp.reduce(x.numpy()))
    assert np.add.reduce(x, dtype=np.float32).dtype == np.float32


@pytest.mark.parametrize("name", ["sum", "prod", "any", "all", "count_nonzero", "nansum", "nanprod"])
def test_no_elements(name):
    for shape, axis in itertools.product([(0,), (0, 3), (3, 0)], [None, 0, -1]):
        x = np.zeros(shape)
        expected = REDUCTIONS[name](x, axis=axis)
        got = REDUCTIONS[name](leaf(x), axis=axis)
        np.testing.assert_array_equal(got.numpy(), expected, strict=True)
        if got.requires_grad:
            assert gradient(lambda x, axis=axis: REDUCTIONS[name](x, axis=axis), leaf(x)).shape == shape


def test_no_elements_that_numpy_warns_of():
    for f in (np.mean, np.var, np.std, np.median):
        with pytest.warns(RuntimeWarning):
            assert math.isnan(f(leaf([])).item())
    for f in (np.max, np.min, np.argmax):
        with pytest.raises(ValueError, match=r"max|min"):
            f(leaf([]))
    assert tg.logsumexp(leaf([])).item() == -INF


def test_numbers_of_no_dimension_have_an_axis_0():
    for f in (np.sum, np.prod, np.max, np.min, np.any, np.all):
        assert f(leaf(3.0), axis=0).item() == f(np.array(3.0), axis=0)
    for f in (np.sum, np.prod, np.max):
        assert gradient(lambda x, f=f: f(x, axis=-1), leaf(3.0)).tolist() == 1.0


# ---------------------------------------------------------------------------------------------------
# Sums and means


@given(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), st.data())
def test_sum_and_expand_are_adjoint(shape, data):
    axes = data.draw(st.none() | st.sets(st.integers(0, max(len(shape) - 1, 0)), max_size=len(shape)).map(tuple))
    keepdims = data.draw(st.booleans())
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape)
    y = reductions.sum(x, axes, keepdims=keepdims)
    g = rng.standard_normal(np.shape(y))
    back = reductions.expand(np.asarray(g), shape=shape, axis=axes, keepdims=keepdims)
    assert back.shape == shape
    np.testing.assert_allclose(np.vdot(y, g), np.vdot(x, back), atol=1e-12)


def test_the_gradient_of_a_large_sum_is_not_copied_on_the_way():
    back = reductions.expand(np.ones(()), shape=(1000, 1000))
    assert back.strides == (0, 0)
    x = leaf(np.zeros((100, 100)))
    x.sum().backward()
    assert x.grad.data.flags.writeable
    assert x.grad.data.flags.owndata


def test_means_of_whole_numbers_are_float64_and_of_float16_do_not_overflow():
    for dtype in (bool, np.int8, np.int64):
        y = np.mean(Tensor(np.array([1, 0, 1], dtype)))
        assert (y.dtype, y.item()) == (np.float64, 2 / 3)
    x = leaf(np.full(1000, 100.0), dtype=np.float16)
    assert x.mean().item() == 100.0
    assert x.mean().dtype == np.float16


def test_dtype_is_what_a_sum_is_computed_in():
    x = leaf([2049.0, 1.0, 1.0], dtype=np.float16)  # between 2048 and 4096 float16 counts in twos
    for y in (np.sum(x, dtype=np.float64), np.mean(x, dtype=np.float64) * 3, np.cumsum(x, dtype=np.float64)[-1]):
        assert y.item() == 2050.0
        assert y.dtype == np.float64
        (g,) = tg.grad(y, [x])
        assert g.dtype == np.float16
    assert np.prod(Tensor([2, 3]), dtype=float).dtype == np.float64
    assert np.var(Tensor([1, 3]), dtype=np.float32).dtype == np.float32
    assert np.nansum(x, dtype=np.float64).dtype == np.float64


def test_average_by_weights_of_each_shape_numpy_allows():
    x, w = leaf(np.arange(12.0).reshape(2, 3, 2)), np.array([[1.0, 2.0], [3.0, 4.0]])
    for axis, weights in [(1, [1, 2, 3]), ((0, 2), w), ((2, 0), w), ((-1, 0), w), (None, x.numpy() + 1)]:
        for keepdims in (False, True):
            got = np.average(x, axis=axis, weights=weights, keepdims=keepdims)
            expected = np.average(x.numpy(), axis=axis, weights=weights, keepdims=keepdims)
            np.testing.assert_allclose(got.numpy(), expected)
    y, total = np.average(x, axis=1, weights=Tensor([1.0, 2.0, 3.0]), returned=True)
    assert y.shape == total.shape == (2, 2)
    assert total.tolist() == [[6.0, 6.0], [6.0, 6.0]]
    y, total = np.average(x, axis=1, returned=True)
    assert total.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_average_is_differentiated_by_its_weights():
    w = leaf([1.0, 3.0])
    y = np.average(np.array([10.0, 20.0]), weights=w)
    np.testing.assert_allclose(tg.grad(y, w).numpy(), [(10 - 17.5) / 4, (20 - 17.5) / 4])


# ---------------------------------------------------------------------------------------------------
# Products with zeros


def others(x, *left_out):
    return np.prod(np.delete(x, left_out))


@pytest.mark.parametrize("values", [[2.0, 3.0, 0.5], [2.0, 0.0, 3.0], [0.0, 2.0, 0.0, 3.0], [0.0, 0.0, 0.0], [5.0]])
def test_gradient_and_hessian_of_a_product_with_zeros(values):
    x = np.array(values)
    n = len(x)
    first = [others(x, i) for i in range(n)]
    second = [[0.0 if i == j else others(x, i, j) for j in range(n)] for i in range(n)]
    for f in (np.prod, lambda x: np.cumprod(x)[-1], lambda x: np.prod(np.reshape(x, (n, 1)), axis=(1, 0))):
        np.testing.assert_allclose(gradient(f, leaf(x)), first)
        np.testing.assert_allclose(hessian(f, x), second)


def test_running_products_with_zeros_along_an_axis():
    x = np.array([[2.0, 0.0, 3.0, 0.0], [1.0, 4.0, 0.0, 2.0]])
    g = np.array([[1.0, -2.0, 3.0, 0.5], [2.0, 1.0, -1.0, 4.0]])
    expected = np.zeros_like(x)
    for r, t, s in itertools.product(range(2), range(4), range(4)):
        if s >= t:
            expected[r, t] += g[r, s] * others(x[r, : s + 1], t)
    np.testing.assert_allclose(gradient(lambda x: np.cumprod(x, 1), leaf(x), g), expected)
    np.testing.assert_allclose(gradient(lambda x: np.cumprod(x, 0), leaf(x.T), g.T), expected.T)


def test_a_product_of_large_and_small_numbers_is_not_divided():
    x = leaf([1e30, 1e-30, 1e30, 1e-30], dtype=np.float32)
    np.testing.assert_allclose(gradient(np.prod, x), [1e-30, 1e30, 1e-30, 1e30], rtol=1e-5)


# ---------------------------------------------------------------------------------------------------
# Running sums


def test_a_running_sum_is_undone_by_differences():
    x = leaf(np.random.default_rng(0).standard_normal((3, 4)))
    for axis in (0, 1, -1):
        again = np.diff(np.cumsum(x, axis), axis=axis, prepend=0.0)
        np.testing.assert_allclose(again.numpy(), x.numpy())
        np.testing.assert_allclose(gradient(lambda x, a=axis: np.diff(np.cumsum(x, a), axis=a, prepend=0.0), x), 1.0)


@given(hnp.array_shapes(min_dims=1, max_dims=3, max_side=4), st.data())
def test_differences_of_any_order(shape, data):
    x = np.random.default_rng(0).standard_normal(shape)
    axis, n = data.draw(st.integers(-len(shape), len(shape) - 1)), data.draw(st.integers(0, 5))
    np.testing.assert_allclose(np.diff(leaf(x), n, axis).numpy(), np.diff(x, n, axis), strict=True)
    np.testing.assert_allclose(np.trapezoid(leaf(x), axis=axis).numpy(), np.trapezoid(x, axis=axis))


def test_differences_of_truths_and_with_ends_of_other_kinds():
    assert np.diff(Tensor([True, False, False])).tolist() == [True, False]
    assert np.diff(Tensor([1, 2]), prepend=0.5).tolist() == [0.5, 1.0]
    x = leaf([1.0, 4.0], dtype=np.float32)
    y = np.diff(x, prepend=0, append=np.float64(9))
    assert (y.tolist(), y.dtype) == ([1.0, 3.0, 5.0], np.float32)
    z = np.ediff1d(x, to_begin=-1.0, to_end=[7.0, 8.0])
    assert (z.tolist(), z.dtype) == ([-1.0, 3.0, 7.0, 8.0], np.float32)
    with pytest.raises(TypeError, match=r"ediff1d of int64 cannot take in float64; write x\.astype\(float64\)"):
        np.ediff1d(Tensor([1, 2]), to_end=0.5)


def test_cumulative_sum_and_product_may_begin_empty():
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    for f in (np.cumulative_sum, np.cumulative_prod):
        for options in ({"axis": 0}, {"axis": -1, "include_initial": True}, {"axis": 1, "dtype": np.float32}):
            np.testing.assert_array_equal(f(x, **options).numpy(), f(x.numpy(), **options), strict=True)
        assert f(Tensor([2, 3])).dtype == np.int64
        with pytest.raises(ValueError, match="needs axis="):
            f(x)


def test_a_recurrence_is_its_loop():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 5)), rng.standard_normal((2, 5))
    y = b.copy()
    for t in range(1, 5):
        y[:, t] += a[:, t] * y[:, t - 1]
    np.testing.assert_allclose(running.recurrence(a, b), y)
    assert running.recurrence(Tensor(0.5), Tensor([8, 0, 0])).tolist() == [8.0, 4.0, 2.0]
    np.testing.assert_allclose(running.recurrence(1.0, b), np.cumsum(b, -1))
    with pytest.raises(ValueError, match=r"recurrence\(\(\), \(\)\): a recurrence runs along an axis"):
        running.recurrence(Tensor(1.0), Tensor(2.0))


def test_the_area_under_points():
    x, y = np.array([0.0, 1.0, 3.0]), leaf([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]])
    np.testing.assert_allclose(np.trapezoid(y, x).numpy(), np.trapezoid(y.numpy(), x))
    np.testing.assert_allclose(np.trapezoid(y.T, x, axis=0).numpy(), np.trapezoid(y.numpy(), x))
    np.testing.assert_allclose(gradient(lambda y: np.trapezoid(y, x), y), [[0.5, 1.5, 1.0]] * 2)


# ---------------------------------------------------------------------------------------------------
# Ties


@pytest.mark.parametrize("f", [np.max, np.amax, np.maximum.reduce, np.nanmax, np.fmax.reduce, tg.max])
def test_ties_share_the_gradient_evenly(f):
    x = [[1.0, 3.0, 3.0], [3.0, 0.0, 2.0]]
    third, half = 1 / 3, 1 / 2
    assert gradient(lambda x: f(x, axis=None), leaf(x)).tolist() == [[0, third, third], [third, 0, 0]]
    assert gradient(lambda x: f(x, axis=1), leaf(x)).tolist() == [[0, half, half], [1, 0, 0]]
    assert gradient(lambda x: f(x, axis=(0, 1), keepdims=True), leaf(x)).sum() == pytest.approx(1)
    smallest = {np.max: np.min, np.amax: np.amin, np.maximum.reduce: np.minimum.reduce, np.nanmax: np.nanmin,
                np.fmax.reduce: np.fmin.reduce, tg.max: tg.min}[f]  # fmt: skip
    assert gradient(lambda x: -smallest(-x, axis=1), leaf(x)).tolist() == [[0, half, half], [1, 0, 0]]


def test_what_is_largest_is_decided_anew_when_a_record_is_evaluated():
    x = leaf([1.0, 2.0])
    dy = tg.grad(np.max(x) ** 2, x, create_graph=True)
    assert dy.tolist() == [0.0, 4.0]
    assert tg.autograd.evaluate(dy, {x: np.array([5.0, 2.0])}).tolist() == [10.0, 0.0]


def test_argmax_is_a_leaf_and_has_no_derivative():
    x = leaf([[1.0, 9.0], [8.0, 2.0]])
    for y in (x.argmax(1), x.argmin(1), np.any(x), np.all(x), np.count_nonzero(x), np.nanargmax(x)):
        assert y.is_leaf
        assert not y.requires_grad
    with pytest.raises(RuntimeError, match="argmax has no derivative"):
        x.argmax(1).backward(np.ones(2))


# ---------------------------------------------------------------------------------------------------
# Variance


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 0.1, 1e3 + 0.1, -7.3])
def test_a_constant_has_no_spread_and_no_gradient(dtype, value):
    for shape, axis in [((10,), None), ((3, 7), 1), ((1,), 0), ((), None)]:
        x = leaf(np.full(shape, value), dtype=dtype)
        for f in (np.var, np.std, np.nanvar, np.nanstd):
            assert np.all(f(x, axis=axis).numpy() == 0)
            assert np.all(gradient(lambda x, f=f, a=axis: f(x, axis=a), x) == 0)
        for f in (np.std, np.nanstd):  # whose slope is agreed on there, and has none itself; but that of σ² is σ²'s
            assert np.isnan(tg.grad(tg.grad(f(x), x, create_graph=True).sum(), x).numpy()).all()
            assert np.isfinite(tg.grad(tg.grad(f(x) ** 2, x, create_graph=True).sum(), x).numpy()).all()


def test_the_variance_does_not_cancel_beside_a_large_mean():
    noise = np.random.default_rng(0).standard_normal(10_000)
    x = (1e4 + noise).astype(np.float32)
    exact = np.var(x.astype(float))
    naive = np.mean(x * x) - np.mean(x) ** 2
    assert abs(np.var(leaf(x, dtype=np.float32)).item() / exact - 1) < 1e-5 < abs(naive / exact - 1)


def test_correction_by_either_name():
    x = leaf([1.0, 2.0, 4.0])
    for f in (np.var, np.std, np.nanvar, np.nanstd):
        assert f(x, ddof=1).item() == pytest.approx(f(x.numpy(), ddof=1))
        assert f(x, correction=1).item() == f(x, ddof=1).item()
        with pytest.raises(ValueError, match="not both"):
            f(x, ddof=1, correction=1)
    assert x.var(correction=1).item() == np.var(x, correction=1).item()
    assert tg.var(x, ddof=1).item() == pytest.approx(7 / 3)


def test_no_degrees_of_freedom_left():
    for ddof in (2, 5):
        with pytest.warns(RuntimeWarning):
            assert np.var(leaf([1.0, 2.0]), ddof=ddof).item() == INF  # never of the other sign
    assert math.isnan(np.nanvar(leaf([1.0, NAN]), ddof=1).item())


# ---------------------------------------------------------------------------------------------------
# Log-sum-exp


def test_logsumexp_of_large_numbers_in_float32():
    x = leaf([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4]], dtype=np.float32)
    y = x.logsumexp(axis=1)
    np.testing.assert_allclose(y.numpy(), np.float32([1e4 + math.log(2), -1e4 + math.log(2), 1e4]))
    assert gradient(lambda x: x.logsumexp(axis=1), x).tolist() == [[0.5, 0.5], [0.5, 0.5], [1.0, 0.0]]
    second = tg.grad(tg.grad(y[0], x, create_graph=True)[0, 0], x)
    np.testing.assert_allclose(second.numpy()[0], [0.25, -0.25])


def test_minus_infinity_counts_as_absent():
    x = leaf([[-INF, 1.0, 1.0], [-INF, -INF, -INF]])
    y = x.logsumexp(axis=1, keepdims=True)
    assert y.tolist() == [[1 + math.log(2)], [-INF]]
    np.testing.assert_allclose(gradient(lambda x: x.logsumexp(axis=1), x), [[0.0, 0.5, 0.5], [0.0, 0.0, 0.0]])
    assert tg.logsumexp(leaf([1000.0, INF])).item() == INF
    assert math.isnan(tg.logsumexp(leaf([1.0, NAN])).item())


def test_logsumexp_of_whole_numbers():
    assert tg.logsumexp(Tensor([0, 0])).item() == math.log(2)


# ---------------------------------------------------------------------------------------------------
# Order statistics


@pytest.mark.parametrize("method", statistics.POSITIONS)
@settings(max_examples=settings.default.max_examples // 2)
@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    st.sampled_from([0, 0.25, 1 / 3, 0.5, 0.7, 1]) | st.floats(0, 1),
)
def test_a_quantile_is_the_sum_of_the_elements_by_their_weights(method, values, q):
    x = np.array(values, float)
    y = np.quantile(x, q, method=method)
    np.testing.assert_allclose(np.quantile(leaf(x), q, method=method).numpy(), y)
    w = gradient(lambda x: np.quantile(x, q, method=method), leaf(x))
    assert w.min() >= 0
    np.testing.assert_allclose(w.sum(), 1)
    np.testing.assert_allclose((w * x).sum(), y, atol=1e-9)


def test_the_median_sends_its_gradient_to_the_middle():
    assert gradient(np.median, leaf([5.0, 1.0, 3.0])).tolist() == [0, 0, 1]
    assert gradient(np.median, leaf([5.0, 1.0, 9.0, 2.0])).tolist() == [0.5, 0, 0, 0.5]
    x = leaf([[1.0, 4.0], [3.0, 2.0], [9.0, 0.0]])
    assert gradient(lambda x: np.median(x, axis=0), x).tolist() == [[0, 0], [1, 1], [0, 0]]
    assert np.median(leaf([1.0, INF])).item() == INF


def test_percentiles_of_several_q_have_their_axes_in_front():
    x = leaf(np.random.default_rng(0).standard_normal((3, 4, 2)))
    q = [[0, 10.5], [50, 100]]
    got = np.percentile(x, q, axis=(0, 2), keepdims=True)
    np.testing.assert_allclose(got.numpy(), np.percentile(x.numpy(), q, axis=(0, 2), keepdims=True), strict=True)
    assert np.percentile(x, Tensor(30)).shape == ()
    assert np.quantile(leaf([1.0, 2.0], dtype=np.float32), [0.3]).dtype == np.float32
    assert np.quantile(Tensor([1, 2]), 0.5).item() == 1.5


def test_nan_among_ordered_numbers():
    x = leaf([4.0, NAN, 1.0, 2.0])
    assert math.isnan(np.median(x).item())
    assert math.isnan(np.quantile(x, 0.5).item())
    assert (np.nanmedian(x).item(), np.nanquantile(x, 0.25).item(), np.nanpercentile(x, 100).item()) == (2.0, 1.5, 4.0)
    assert gradient(np.nanmedian, x).tolist() == [0, 0, 0, 1]
    assert gradient(lambda x: np.nanquantile(x, 0.25), x).tolist() == [0, 0, 0.5, 0.5]


# ---------------------------------------------------------------------------------------------------
# Without NaN


def test_nan_is_left_out_and_gets_no_gradient():
    x = np.array([[1.0, NAN, 3.0], [NAN, 2.0, 6.0]])
    for f in (
        np.nansum,
        np.nanprod,
        np.nanmean,
        np.nanvar,
        np.nanstd,
        np.nanmax,
        np.nanmin,
        np.nancumsum,
        np.nancumprod,
    ):
        for axis in (None, 0, 1):
            np.testing.assert_allclose(f(leaf(x), axis=axis).numpy(), f(x, axis=axis))
            g = gradient(lambda x, f=f, a=axis: f(x, axis=a), leaf(x))
            assert np.all(g[np.isnan(x)] == 0)
            assert np.isfinite(g).all()
    assert gradient(np.nanmean, leaf(x)).tolist() == [[0.25, 0, 0.25], [0, 0.25, 0.25]]


def test_nothing_but_nan():
    x = leaf([NAN, NAN])
    assert np.nansum(x).item() == 0.0
    assert math.isnan(np.nanmax(x).item())
    assert gradient(np.nanmax, x).tolist() == [0.0, 0.0]
    with pytest.warns(RuntimeWarning):
        assert math.isnan(np.nanmean(x).item())
    with pytest.raises(ValueError, match=r"nanargmax\(\(2,\).*All-NaN"):
        np.nanargmax(x)


def test_whole_numbers_without_nan():
    x = Tensor([1, 2, 3])
    assert (np.nansum(x).item(), np.nansum(x).dtype) == (6, np.int64)
    assert np.nanmean(x).item() == 2.0
    assert np.nanvar(x).item() == pytest.approx(2 / 3)


# ---------------------------------------------------------------------------------------------------
# Asking otherwise, and errors

W = leaf(np.arange(6.0).reshape(2, 3), name="W")
AxisError = np.exceptions.AxisError

ERRORS = [
    (lambda: np.sum(W, axis=2), AxisError, r"sum\(W \(2, 3\), axis=2, .*axis 2 is out of bounds"),
    (lambda: W.mean(axis=(0, -3)), AxisError, r"mean\(W \(2, 3\), axis=\(0, -3\).*axis -3 is out of bounds"),
    (lambda: np.max(W, axis=(0, 0)), ValueError, "duplicate value in 'axis'"),
    (lambda: np.sum(W, axis=1.5), TypeError, "'float' object"),
    (lambda: np.var(W, axis=5), AxisError, r"var\(W \(2, 3\), axis=5"),
    (lambda: np.median(W, axis=5), AxisError, r"median\(W \(2, 3\), axis=5"),
    (lambda: np.cumsum(W, axis=4), AxisError, r"cumsum\(W \(2, 3\), axis=4\): axis 4 is out of bounds"),
    (lambda: np.sum(W, 0, True), TypeError, r"sum\(\) got dtype=True, by position perhaps; write keepdims=True"),
    (lambda: np.sum(W, where=W.numpy() > 1), TypeError, r"sum\(\) on a Tensor takes axis, dtype, out, keepdims, not where=; put np\.where\(mask, x"),
    (lambda: np.mean(W, where=W.numpy() > 1), TypeError, "not where="),
    (lambda: np.nansum(W, where=W.numpy() > 1), TypeError, "not where="),
    (lambda: np.max(W, initial=3.0), TypeError, r"max\(\) on a Tensor takes axis, out, keepdims, not initial=; combine that"),
    (lambda: np.add.reduce(W, initial=1), TypeError, r"add\.reduce\(\) on a Tensor takes axis, .*, not initial="),
    (lambda: np.var(W, mean=2.0), TypeError, "not mean"),
    (lambda: np.max(leaf(np.zeros((0, 3)))), ValueError, r"max\(\(0, 3\).*no identity"),
    (lambda: np.argmax(W, axis=(0, 1)), TypeError, r"argmax\(W \(2, 3\), axis=\(0, 1\)"),
    (lambda: np.quantile(W, 1.5), ValueError, r"quantile_at\(W \(2, 3\), q=1\.5.*range \[0, 1\]"),
    (lambda: np.quantile(W, 0.5, method="best"), ValueError, "linear, lower, .*but got 'best'"),
    (lambda: np.quantile(W, 0.5, weights=W), TypeError, r"takes no weights=.*np\.repeat\(x, times\)"),
    (lambda: np.quantile(W, leaf(0.5)), TypeError, r"by x alone; pass q as numbers: q\.numpy\(\)"),
    (lambda: np.average(W, weights=[1, 2]), TypeError, "say along which axis"),
    (lambda: np.average(W, 0, [1, 2, 3]), ValueError, r"weights of shape \(3,\) for axis 0 of \(2, 3\)"),
    (lambda: np.average(W, 0, [1, -1]), ZeroDivisionError, "add up to 0"),
    (lambda: np.diff(W, -1), ValueError, "order 0 or more, but got n=-1"),
    (lambda: np.diff(leaf(1.0)), ValueError, "one axis or more"),
    (lambda: np.cumsum(W, keepdims=True), TypeError, "keepdims"),
    (lambda: tg.cumsum(W, keepdims=True), TypeError, "takes axis, dtype, out, not keepdims"),
    (lambda: np.maximum.accumulate(W), TypeError, r"np\.maximum\.accumulate is not an operation"),
    (lambda: np.subtract.reduce(W), TypeError, r"np\.subtract\.reduce is not an operation"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_errors_name_the_op_the_tensor_and_the_cure(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_results_written_into_arrays():
    out = np.zeros(3)
    x = Tensor(W.numpy())
    assert np.sum(x, axis=0, out=out) is out
    assert out.tolist() == [3.0, 5.0, 7.0]
    assert np.maximum.reduce(x, out=out) is out
    assert out.tolist() == [3.0, 4.0, 5.0]
    with pytest.raises(RuntimeError, match="leave out="):
        np.sum(W, axis=0, out=out)


def test_functions_on_arrays_give_arrays_and_take_lists():
    assert tg.sum([1, 2, 3]) == 6
    assert tg.median([1.0, 5.0, 2.0]) == 2.0
    assert tg.var([1.0, 3.0]) == 1.0
    assert tg.cumsum([1, 2]).tolist() == [1, 3]
    assert tg.quantile([1.0, 2.0], [0.5]).tolist() == [1.5]
    assert not isinstance(tg.logsumexp(np.zeros(3)), Tensor)


def test_options_that_change_nothing_are_taken():
    assert np.sum(W, where=True, initial=0).item() == 15.0
    assert np.median(W, overwrite_input=True).item() == 2.5
    assert np.sum(W, dtype=None, keepdims=False).item() == 15.0
    assert np.sum(W, axis=np.int64(0)).tolist() == [3.0, 5.0, 7.0]


def test_a_nan_is_the_extreme_and_gets_the_gradient():
    for f in (np.max, np.min):
        x = tg.Tensor([[np.nan, 1.0], [2.0, 2.0]], requires_grad=True)
        f(x, axis=1).sum().backward()
        assert x.grad.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    x = tg.Tensor([np.nan, 1.0], requires_grad=True)
    np.nanmax(x).backward()
    assert x.grad.tolist() == [0.0, 1.0]
