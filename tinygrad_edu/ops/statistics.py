"""Statistics: weighted means, order statistics, and all of these without regard to NaN."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.example import Fixed, example, positive, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, back_in_place, count, in_a_row, kept
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Axis
    from tinygrad_edu.engine.signatures import OfFirst

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Weighted means


@composite(
    formulas=["∂L/∂x = ∂L/∂y·weights/Σ weights", "∂L/∂weights = ∂L/∂y·(x − y)/Σ weights"],
    answers=(np.average,),
    analytic=True,
    domain=positive,
    examples=[
        example((2, 3)),
        example((2, 3), axis=0, keepdims=True),
        example((2, 3), None, (2, 3)),
        example((2, 3), 0, (2,), returned=True),
        example((2, 3), -1, (3,)),
        example((2, 3, 2), Fixed((0, 2)), (2, 2)),
    ],
)
@in_float32
def average(
    x: Array, axis: Axis = None, weights: ArrayLike | None = None, returned: bool = False, *, keepdims: bool = False
) -> OfFirst:
    """y = Σ wx / Σ w: the mean, weighted. The weights have x's shape, or the lengths of the axes averaged over.

    With `returned`, also Σ w. Raises ZeroDivisionError if the weights add up to 0.

    x: numbers, an array or a tensor.
    axis: the axis that is averaged, or several as a tuple; None stands for all.
    weights: w, numbers of any size; None weighs all alike, so y is the mean.
    returned: whether Σ w is returned beside y, in a tuple (y, Σ w).
    keepdims: whether these axes stay, with length 1.

    >>> import tinygrad_edu as tg
    >>> average(tg.Tensor([1.0, 4.0]), weights=[1, 2]).item()
    3.0
    """
    x = floating(x)
    if weights is None:
        y = np.mean(x, axis=axis, keepdims=keepdims)
        total: Any = np.full(y.shape, count(x, y), y.dtype)
    else:
        w = array(weights)
        if w.shape != x.shape:
            if axis is None:
                raise TypeError(f"average got weights of shape {w.shape} for {x.shape}; say along which axis they run")
            axes = normalize_axis_tuple(axis, x.ndim)
            if w.shape != tuple([x.shape[i] for i in axes]):
                raise ValueError(
                    f"average got weights of shape {w.shape} for axis {axis} of {x.shape}; one for each place"
                )
            w = np.reshape(np.transpose(w, np.argsort(axes)), [n if i in axes else 1 for i, n in enumerate(x.shape)])
            w = np.broadcast_to(w, x.shape)
        total = np.sum(w, axis=axis, keepdims=keepdims, dtype=np.result_type(x, w))
        if (numbers(total) == 0).any():
            raise ZeroDivisionError("average got weights that add up to 0")
        y = np.sum(x * w, axis=axis, keepdims=keepdims) / total
    return (y, total) if returned else y  # type: ignore[return-value]  # where it is asked for


# ---------------------------------------------------------------------------------------------------
# Medians and quantiles: order statistics


POSITIONS: dict[str, Any] = {
    "linear": lambda q, n: q * (n - 1),
    "lower": lambda q, n: np.floor(q * (n - 1)),
    "higher": lambda q, n: np.ceil(q * (n - 1)),
    "nearest": lambda q, n: np.rint(q * (n - 1)),
    "midpoint": lambda q, n: (np.floor(q * (n - 1)) + np.ceil(q * (n - 1))) / 2,
    "hazen": lambda q, n: q * n - 1 / 2,
    "weibull": lambda q, n: q * (n + 1) - 1,
    "median_unbiased": lambda q, n: q * (n + 1 / 3) - 2 / 3,
    "normal_unbiased": lambda q, n: q * (n + 1 / 4) - 5 / 8,
    "interpolated_inverted_cdf": lambda q, n: q * n - 1,
    "inverted_cdf": lambda q, n: np.ceil(q * n) - 1,
    "averaged_inverted_cdf": lambda q, n: (np.ceil(q * n) - 1 + np.floor(q * n)) / 2,
    "closest_observation": lambda q, n: np.rint(q * n) - 1,
}
"""Where the quantile q of n numbers lies among them in order, between 0 and n − 1, by method.

Source: Hyndman and Fan, *Sample quantiles in statistical packages*, The American Statistician 50 (1996).
"""


def rank_weights(x: Any, axis: Any, q: float, method: str = "linear") -> Any:
    """w with y = Σ wx: w = max(0, 1 − |rank − h|), where h is the quantile's position among the ordered numbers.

    So a quantile that is one of the numbers has weight 1 there, and one between two numbers divides it between
    them. NaN has the last ranks, and is not among the n numbers.
    """
    row = in_a_row(x, axis)
    n = np.sum(row == row, axis=-1, keepdims=True)
    h = np.maximum(np.minimum(POSITIONS[method](q, n), n - 1), 0)
    ranks = np.argsort(np.argsort(row, axis=-1), axis=-1)
    return back_in_place(np.astype(np.maximum(1 - np.abs(ranks - h), 0), x.dtype), x, axis)


RANKED = (*AXES, example((4,)), example((3, 4), axis=1))


@op(
    symbol="median",
    vjp=(lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * rank_weights(x, axis, 0.5),),
    presence="selects",
    answers=(np.median,),
    may_raise=False,
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = (n − 1)/2"],
    examples=RANKED,
)
def median(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y is the middle of x in order; of an even number of elements, the mean of the two in the middle. It is NaN where
    x has one.

    The gradient goes to the elements that y was taken from.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([5.0, 1.0, 9.0, 2.0], requires_grad=True)
    >>> y = median(x)
    >>> y.backward()
    >>> y.item(), x.grad.tolist()
    (3.5, [0.5, 0.0, 0.0, 0.5])
    """
    return np.median(x, axis=axis, keepdims=keepdims)


@op(
    symbol=lambda *, q, **_: f"quantile {q:g}",
    vjp=(lambda g, y, x, *, q, axis, method, keepdims, skip_nan: kept(g, x, axis) * rank_weights(x, axis, q, method),),
    presence="selects",
    may_raise=False,
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h the rank asked for"],
    examples=[
        *[example(e.args[0], 0.3, **e.settings) for e in AXES],
        *[example((2, 5), q, axis=1) for q in (0.0, 0.5, 0.9, 1.0)],
        *[example((2, 6), 0.41, axis=-1, method=method) for method in POSITIONS],
        example((2, 3), 0.2, axis=0, skip_nan=True),
    ],
)
def quantile_at(
    x: Array, q: float, axis: Axis = None, *, method: str = "linear", keepdims: bool = False, skip_nan: bool = False
) -> Array:
    """y is the number that the share q of x lies below: `quantile` for a single q, with or without regard to NaN.

    >>> import numpy as np
    >>> float(quantile_at(np.array([1.0, 2.0, 4.0]), 0.75))
    3.0
    """
    quantile = np.nanquantile if skip_nan else np.quantile
    y = quantile(x, np.asarray(q), axis=axis, method=method, keepdims=keepdims)
    return y.astype(x.dtype) if x.dtype.kind == "f" else y


def quantiles_of(x: Any, q: Any, axis: Any, method: str, keepdims: bool, weights: Any, skip_nan: bool) -> Any:
    """The quantiles q of x by one of NumPy's methods, with or without regard to NaN."""
    if weights is not None:
        raise TypeError(
            "a quantile of a Tensor takes no weights=; for whole numbers of times write np.repeat(x, times)"
        )
    if method not in POSITIONS:
        raise ValueError(f"a quantile takes one of the methods {', '.join(POSITIONS)}, but got {method!r}")
    if getattr(q, "requires_grad", False):
        raise TypeError("a quantile is differentiated by x alone; pass q as numbers: q.numpy()")
    x, q = array(x), np.asarray(numbers(q))
    options: Any = {"axis": axis, "method": method, "keepdims": keepdims, "skip_nan": skip_nan}
    if not q.ndim:
        return quantile_at(x, q.item(), **options)
    each = np.stack([quantile_at(x, share, **options) for share in q.ravel().tolist()])
    return np.reshape(each, q.shape + each.shape[1:])


QUANTILES = (
    example((5,), 0.3),
    example((2, 4), 0.25, 1),
    example((2, 4), q=[0.0, 0.4, 1.0], axis=-1, keepdims=True),
    example((2, 3, 2), q=[[0.1], [0.9]], axis=(0, 2)),
    example((2, 4), 0.6, axis=1, method="hazen"),
    example((2, 4), 0.6, axis=1, keepdims=True, overwrite_input=True),
)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = q·(n − 1)"],
    answers=(np.quantile,),
    domain=spread,
    examples=QUANTILES,
    refuses={"weights": [1.0, 2.0]},
)
def quantile(
    x: Array, q: ArrayLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False,
    weights: ArrayLike | None = None, overwrite_input: bool = False,
) -> OfFirst:  # fmt: skip
    """y is the number that the share q of x lies below, 0 ≤ q ≤ 1; between two elements, by the method.

    For several q, y begins with their axes. The gradient goes to the elements that y was taken from.
    Raises ValueError for q outside [0, 1], and for methods that are not NumPy's.

    x: numbers, an array or a tensor; where it has NaN, y is NaN.
    q: the share, or an array of several.
    axis: the axis along which the numbers lie, or several as a tuple; None stands for all.
    method: NumPy's name for what lies between two elements: "linear" divides the way, "lower", "higher" and "nearest"
        take one of them, "midpoint" their mean; there are others for estimates from a sample.
    keepdims: whether these axes stay, with length 1.
    weights: None; tensors take no others, and the error says what to write.
    overwrite_input: NumPy's leave to write in x; it is accepted, and x is left as it is.

    >>> import tinygrad_edu as tg
    >>> quantile(tg.Tensor([1.0, 2.0, 3.0, 5.0]), [0, 0.5, 1]).tolist()
    [1.0, 2.5, 5.0]
    """
    return quantiles_of(x, q, axis, method, keepdims, weights, False)


PERCENTILES = (
    example((5,), 30),
    example((2, 4), 25.0, 1),
    example((2, 4), 60, axis=0, method="hazen", keepdims=True, overwrite_input=True),
    example((2, 4), q=[0, 40, 100], axis=-1, keepdims=True),
)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = q/100·(n − 1)"],
    answers=(np.percentile,),
    domain=spread,
    examples=PERCENTILES,
    refuses={"weights": [1.0, 2.0]},
)
def percentile(
    x: Array, q: ArrayLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False,
    weights: ArrayLike | None = None, overwrite_input: bool = False,
) -> OfFirst:  # fmt: skip
    """y is the number that q percent of x lie below: `quantile` of q / 100.

    The parameters are those of `quantile`, with q from 0 to 100.

    >>> import tinygrad_edu as tg
    >>> percentile(tg.Tensor([1.0, 2.0, 3.0]), 75).item()
    2.5
    """
    return quantiles_of(x, array(q) / 100, axis, method, keepdims, weights, False)
