"""What functions made of ops print and state is their derivative."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.formula.reader import COMPOSED, INPUTS, TRANSLATED, leaf, read
from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.formula.composites import draw_composite


@pytest.mark.parametrize(("name", "text"), INPUTS)
def test_what_a_function_made_of_ops_prints_is_the_derivative(name, text):
    made, sample = COMPOSED[name], draw_composite(COMPOSED[name])
    outputs = [y for y in sample.outputs.values() if y.requires_grad]
    printed = made.formula(text)
    if not outputs:
        assert printed.endswith(": none")
        return
    output = sum([np.sum(y) for y in outputs])
    gradient = tg.grad(output, sample.inputs[text], allow_unused=True)
    if gradient is None:
        assert printed.endswith(" = 0")
        return
    expected, symbol = gradient.numpy(), sample.run(text)
    np.testing.assert_allclose(symbol.value, expected, rtol=1e-12, atol=1e-12)
    if made.formulas is None and ": " not in printed:
        xs = {text: x.numpy() for text, x in sample.inputs.items()}
        ys = {text: y.numpy() for text, y in sample.outputs.items()}
        gs = {f"∂L/∂{text}": np.ones_like(y) for text, y in ys.items()}
        if "reshape(" in printed:  # to a shape that is not said
            return
        result = read(printed.split(" = ", 1)[1], **xs, **ys, **gs, I=np.eye(expected.shape[0] if expected.ndim else 1))
        result = result.reshape(expected.shape) if np.size(result) == expected.size else result
        np.testing.assert_allclose(np.broadcast_to(result, expected.shape), expected, rtol=1e-9, atol=1e-12)


def put(x, index, g):
    result = np.zeros_like(x)
    np.add.at(result, index, g)
    return result


def triangle(x, h):
    return np.maximum(0, 1 - np.abs(np.argsort(np.argsort(x)) - h))


def by_cond(g, y, x):
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return g * y * (np.outer(u[:, 0], vh[0]) / s[0] - np.outer(u[:, -1], vh[-1]) / s[-1])


A2, B2 = np.array([[1.0, 2.0], [0.5, 3.0]]), np.array([[0.3, -1.0, 2.0], [1.5, 0.7, -0.2]])
V4, NAN = np.array([0.5, 3.0, 1.0, -2.0]), np.array([2.0, np.nan, 3.0, -1.5])
MASK, ORDER = np.array([True, False, True, True]), np.array([0, 2, 2])
KEPT = ~np.isnan(NAN)
STATED = {  # the function on its inputs, the inputs, and what is stated, word for word in NumPy, of each
    "append": (np.append, (B2, V4), lambda g, y, x, v: (g[: x.size].reshape(x.shape), g[x.size :])),
    "array_split": (lambda x: np.array_split(x, 2)[0], (V4,), lambda g, y, x: np.concatenate([g, np.zeros(2)])),
    "average": (
        lambda x, w: np.average(x, weights=w),
        (V4, np.array([1.0, 2.0, 0.5, 3.0])),
        lambda g, y, x, w: (g * w / np.sum(w), g * (x - y) / np.sum(w)),
    ),
    "choose": (
        lambda a, b: np.choose(MASK * 1, [a, b]),
        (V4, V4 + 1),
        lambda g, y, a, b: (g * (MASK * 1 == 0), g * (MASK * 1 == 1)),
    ),
    "compress": (lambda x: np.compress(MASK, x), (V4,), lambda g, y, x: put(x, MASK, g)),
    "cond": (np.linalg.cond, (B2,), by_cond),
    "cumulative_prod": (np.cumulative_prod, (V4,), TRANSLATED["cumprod"]),
    "cumulative_sum": (np.cumulative_sum, (V4,), TRANSLATED["cumsum"]),
    "delete": (lambda x: np.delete(x, 1), (V4,), lambda g, y, x: put(x, [0, 2, 3], g)),
    "diff": (np.diff, (V4,), lambda g, y, x: np.array([0, *g]) - np.array([*g, 0])),
    "dsplit": (lambda x: np.dsplit(x, 1)[0], (np.ones((2, 2, 2)),), lambda g, y, x: g),
    "ediff1d": (np.ediff1d, (V4,), lambda g, y, x: np.array([0, *g]) - np.array([*g, 0])),
    "eigvalsh": (
        np.linalg.eigvalsh,
        (A2 + A2.T,),
        lambda g, y, x: np.linalg.eigh(x)[1] @ np.diag(g) @ np.linalg.eigh(x)[1].T,
    ),
    "extract": (lambda x: np.extract(MASK, x), (V4,), lambda g, y, x: put(x, MASK, g)),
    "hsplit": (lambda x: np.hsplit(x, 2)[1], (V4,), lambda g, y, x: np.concatenate([np.zeros(2), g])),
    "kron": (
        np.kron,
        (A2, B2),
        lambda g, y, a, b: (
            np.array([[np.sum(g[2 * i : 2 * i + 2, 3 * j : 3 * j + 3] * b) for j in range(2)] for i in range(2)]),
            sum(g[2 * i : 2 * i + 2, 3 * j : 3 * j + 3] * a[i, j] for i in range(2) for j in range(2)),
        ),
    ),
    "matrix_diagonal": (np.linalg.diagonal, (A2,), lambda g, y, x: np.diag(g)),
    "matrix_trace": (np.linalg.trace, (A2,), lambda g, y, x: g * np.eye(2)),
    "nancumprod": (np.nancumprod, (NAN,), lambda g, y, x: TRANSLATED["cumprod"](g, y, np.where(KEPT, x, 1)) * KEPT),
    "nancumsum": (np.nancumsum, (NAN,), lambda g, y, x: TRANSLATED["cumsum"](g, y, x) * KEPT),
    "nanpercentile": (lambda x: np.nanpercentile(x, 30), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "nanprod": (np.nanprod, (NAN,), lambda g, y, x: g * TRANSLATED["prod"](1, y, np.where(KEPT, x, 1)) * KEPT),
    "nanquantile": (lambda x: np.nanquantile(x, 0.3), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "nanstd": (np.nanstd, (NAN,), lambda g, y, x: np.where(KEPT, g * (x - np.nanmean(x)) / (y * 3), 0)),
    "nanvar": (np.nanvar, (NAN,), lambda g, y, x: np.where(KEPT, g * 2 * (x - np.nanmean(x)) / 3, 0)),
    "outer": (np.outer, (V4, B2[0]), lambda g, y, a, b: (g @ b, g.T @ a)),
    "percentile": (lambda x: np.percentile(x, 30), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "piecewise": (
        lambda x: np.piecewise(x, [V4 > -5, MASK], [np.sin, np.exp]),
        (V4,),
        lambda g, y, x: g * np.where(MASK, np.exp(x), np.cos(x)),
    ),
    "quantile": (lambda x: np.quantile(x, 0.3), (V4,), lambda g, y, x: g * triangle(x, 0.3 * 3)),
    "repeat": (lambda x: np.repeat(x, 2), (V4,), lambda g, y, x: g[::2] + g[1::2]),
    "select": (
        lambda a, b: np.select([MASK, V4 > 0], [a, b]),
        (V4, V4 + 1),
        lambda g, y, a, b: (g * MASK, g * (~MASK & (V4 > 0))),
    ),
    "svdvals": (
        np.linalg.svdvals,
        (B2,),
        lambda g, y, x: np.linalg.svd(x, False)[0] @ np.diag(g) @ np.linalg.svd(x, False)[2],
    ),
    "take": (lambda x: np.take(x, ORDER), (V4,), lambda g, y, x: put(x, ORDER, g)),
    "take_along_axis": (lambda x: np.take_along_axis(x, ORDER, 0), (V4,), lambda g, y, x: put(x, ORDER, g)),
    "tile": (lambda x: np.tile(x, 2), (V4,), lambda g, y, x: g[:4] + g[4:]),
    "trace": (np.trace, (A2,), lambda g, y, x: g * np.eye(2)),
    "trapezoid": (lambda x: np.trapezoid(x, dx=0.5), (V4,), lambda g, y, x: g * np.array([0.5, 1, 1, 0.5]) * 0.5),
    "vecmat": (tg.vecmat, (B2[:, 0], A2), lambda g, y, x, a: (a @ g, np.outer(x, g))),
    "vsplit": (lambda x: np.vsplit(x, 2)[1], (A2,), lambda g, y, x: np.concatenate([np.zeros((1, 2)), g])),
}


FROM = np.array([0.5, 9.0, -2.0])  # has two numbers in common with V4, 0.5 and −2
STATED |= {
    f.__name__: (lambda x, f=f: y[0] if isinstance(y := f(x), tuple) else y, (V4,),
                 lambda g, y, x: put(x, [int(np.argmax(x == value)) for value in y], g))
    for f in (np.unique, np.unique_values, np.unique_counts, np.unique_inverse, np.unique_all)
}  # fmt: skip
STATED |= {
    name: (lambda x: np.histogram_bin_edges(x, 2), (V4,), lambda g, y, x: put(x, [3, 3, 1, 1], g[[0, 1, 1, 2]] * [1, 0.5, 0.5, 1]))
    for name in ("histogram", "histogram_bin_edges")
}  # fmt: skip
STATED |= {  # −2, 0.5, 1, 3, 9
    "union1d": (np.union1d, (V4, FROM), lambda g, y, a, b: (put(a, [3, 0, 2, 1], g[:4]), put(b, 1, g[4]))),
    "intersect1d": (np.intersect1d, (V4, FROM), lambda g, y, a, b: (put(a, [3, 0], g / 2), put(b, [2, 0], g / 2))),
    "setdiff1d": (
        lambda a, b: np.setdiff1d(a, b) + 0 * b.sum(),
        (V4, FROM),
        lambda g, y, a, b: (put(a, [2, 1], g), 0 * b),
    ),
    "setxor1d": (np.setxor1d, (V4, FROM), lambda g, y, a, b: (put(a, [2, 1], g[:2]), put(b, 1, g[2]))),
}


@pytest.mark.parametrize("name", [name for name, made in COMPOSED.items() if made.formulas is not None])
def test_what_a_function_made_of_ops_states_is_the_derivative(name):
    function, values, stated_in_numpy = STATED[name]
    leaves = [leaf(value) for value in values]
    y = function(*leaves)
    g = np.random.default_rng(3).standard_normal(y.shape)
    expected = stated_in_numpy(g, y.numpy(), *values)
    found = tg.grad(y, leaves, tg.Tensor(g))
    for x, right in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
        np.testing.assert_allclose(x.numpy(), right, rtol=1e-9, atol=1e-12)


def test_an_op_of_ones_own_prints():
    swish = op(
        symbol="swish",
        vjp=(lambda g, y, x, *, slope: g * (tg.sigmoid(slope * x) + slope * y * (1 - tg.sigmoid(slope * x))),),
        examples=[example((3,)), example((3,), slope=2.0)],
    )(lambda x, slope=1.0: x / (1 + np.exp(-slope * x)))
    assert swish.formula(0) == "∂L/∂x = ∂L/∂y ⊙ (sigmoid(x) + y ⊙ (1 − sigmoid(x)))"
    unexampled = op(symbol="f", vjp=(lambda g, y, x: g,))(lambda x: x)
    with pytest.raises(ValueError, match="no example"):
        unexampled.formula(0)
    unprintable = op(symbol="f", vjp=(lambda g, y, x: g * np.fft.fft(x),), examples=[example((3,))])(lambda x: x)
    with pytest.raises(TypeError, match="fft"):
        unprintable.formula(0)
