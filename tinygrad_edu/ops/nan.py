"""Without regard to NaN: a missing number counts as the one that changes nothing, and gets the gradient 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import at, example, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.arithmetic import root
from tinygrad_edu.ops.extrema import ONE_AXIS, share_evenly
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, EMPTY, kept
from tinygrad_edu.ops.running import RUNNING
from tinygrad_edu.ops.spread import SPREADS, correction_of
from tinygrad_edu.ops.statistics import PERCENTILES, QUANTILES, RANKED, quantiles_of, rank_weights
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Axis, Out
    from tinygrad_edu.engine.signatures import OfFirst

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _replacements(
    x: Array, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not copy:
        raise TypeError("nan_to_num(copy=False) would write into its argument; leave out copy=")
    return (x,), {"nan": nan, "posinf": posinf, "neginf": neginf}


@op(
    symbol="nan_to_num",
    vjp=(lambda g, y, x, *, nan, posinf, neginf: gate(g, np.isfinite(x)),),
    presence="selects",
    answers=(np.nan_to_num,),
    bind=_replacements,
    takes_out=True,
    examples=[example((3,)), example((2, 3), nan=1.0, posinf=9.0, neginf=-9.0), example(())],
    special=[at(math.nan, gradient=0.0, nan=1.0, posinf=None, neginf=None)],
    refuses={"copy": False},
)
def nan_to_num(
    x: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None, *, out: Out = None
) -> Array:
    """y = x, with `nan` for NaN and the largest numbers (or `posinf`, `neginf`) for ±∞; no gradient goes to those.

    x: numbers, an array or a tensor.
    copy: True; y has memory of its own, so False is refused.
    nan: the number in the place of NaN.
    posinf, neginf: the numbers in the place of ∞ and −∞; None takes the largest and the smallest of x's type.

    >>> nan_to_num(numpy.array([1.0, numpy.nan]))
    array([1., 0.])
    """
    if out is None:
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    np.copyto(out, x)
    np.nan_to_num(out, copy=False, nan=nan, posinf=posinf, neginf=neginf)
    return out


@op(
    symbol="median",
    vjp=(lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * rank_weights(x, axis, 0.5),),
    presence="selects",
    answers=(np.nanmedian,),
    may_raise=False,
    domain=spread,
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = (n − 1)/2"],
    examples=RANKED,
)
def nanmedian(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y is the median of the elements that are not NaN.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nanmedian(tg.Tensor([5.0, math.nan, 9.0])).item()
    7.0
    """
    return np.nanmedian(x, axis=axis, keepdims=keepdims)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = q·(n − 1)"],
    answers=(np.nanquantile,),
    domain=spread,
    examples=[e for e in QUANTILES if "q" not in e.settings],
    refuses={"weights": [1.0, 2.0]},
)
def nanquantile(
    x: Array, q: ArrayLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False,
    weights: ArrayLike | None = None, overwrite_input: bool = False,
) -> OfFirst:  # fmt: skip
    """y is the quantile of the elements that are not NaN.

    The parameters are those of `quantile`.

    >>> import tinygrad_edu as tg
    >>> nanquantile(tg.Tensor([1.0, math.nan, 3.0]), 0.5).item()
    2.0
    """
    return quantiles_of(x, q, axis, method, keepdims, weights, True)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·max(0, 1 − |rank(x) − h|), h = q/100·(n − 1)"],
    answers=(np.nanpercentile,),
    domain=spread,
    examples=PERCENTILES[:-1],
    refuses={"weights": [1.0, 2.0]},
)
def nanpercentile(
    x: Array, q: ArrayLike, axis: Axis = None, *, method: str = "linear", keepdims: bool = False,
    weights: ArrayLike | None = None, overwrite_input: bool = False,
) -> OfFirst:  # fmt: skip
    """y is the percentile of the elements that are not NaN.

    The parameters are those of `percentile`.

    >>> import tinygrad_edu as tg
    >>> nanpercentile(tg.Tensor([1.0, math.nan, 3.0]), 75).item()
    2.5
    """
    return quantiles_of(x, array(q) / 100, axis, method, keepdims, weights, True)


@op(
    symbol="nanmax",
    vjp=(share_evenly,),
    presence="selects",
    answers=(np.nanmax, (np.fmax, "reduce")),
    takes_out=True,
    domain=spread,
    examples=AXES,
)
def nanmax(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = max x of the elements that are not NaN; NaN if there are none.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nanmax(tg.Tensor([1.0, math.nan, 3.0])).item()
    3.0
    """
    return np.fmax.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(
    symbol="nanmin",
    vjp=(share_evenly,),
    presence="selects",
    answers=(np.nanmin, (np.fmin, "reduce")),
    takes_out=True,
    domain=spread,
    examples=AXES,
)
def nanmin(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = min x of the elements that are not NaN; NaN if there are none.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nanmin(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    return np.fmin.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(symbol="nanargmax", vjp=None, answers=(np.nanargmax,), domain=spread, examples=ONE_AXIS)
def nanargmax(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """y is the place of the largest element that is not NaN: see `argmax`. Raises ValueError if there is none.

    The parameters are those of `argmax`.

    >>> import tinygrad_edu as tg
    >>> nanargmax(tg.Tensor([1.0, math.nan, 3.0])).item()
    2
    """
    return np.nanargmax(x, axis=axis, keepdims=keepdims)


@op(symbol="nanargmin", vjp=None, answers=(np.nanargmin,), domain=spread, examples=ONE_AXIS)
def nanargmin(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """y is the place of the smallest element that is not NaN: see `argmin`. Raises ValueError if there is none.

    The parameters are those of `argmax`.

    >>> import tinygrad_edu as tg
    >>> nanargmin(tg.Tensor([1.0, math.nan, 3.0])).item()
    0
    """
    return np.nanargmin(x, axis=axis, keepdims=keepdims)


def _filled(x: Any, value: float) -> tuple[Any, Any]:
    """x with `value` for NaN, and the mask of what is not NaN."""
    x = array(x)
    if x.dtype.kind not in "fc":
        return x, np.ones(x.shape, bool)
    present = np.logical_not(np.isnan(x))
    return np.where(present, x, value), present


@composite(answers=(np.nansum,), analytic=True, examples=[*AXES, *EMPTY])
def nansum(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y = Σ x of the elements that are not NaN. If there are none, it is 0. NaN gets no gradient.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nansum(tg.Tensor([1.0, math.nan, 3.0])).item()
    4.0
    """
    x, _ = _filled(x, 0)
    return np.sum(x, axis=axis, keepdims=keepdims)


@composite(
    formulas=["∂L/∂xᵢ = ∂L/∂y·∏ xⱼ, j ≠ i, xⱼ not NaN, and 0 where xᵢ is NaN"],
    answers=(np.nanprod,),
    analytic=True,
    examples=[*AXES, *EMPTY],
)
def nanprod(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y = ∏ x of the elements that are not NaN. If there are none, it is 1. NaN gets no gradient.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nanprod(tg.Tensor([2.0, math.nan, 3.0])).item()
    6.0
    """
    x, _ = _filled(x, 1)
    return np.prod(x, axis=axis, keepdims=keepdims)


@composite(
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ, s ≥ t, and 0 where xₜ is NaN"],
    answers=(np.nancumsum,),
    analytic=True,
    examples=RUNNING,
)
def nancumsum(x: Array, axis: int | None = None) -> Array:
    """yₜ = x₀ + … + xₜ, where NaN adds nothing.

    The parameters are those of `cumsum`.

    >>> import tinygrad_edu as tg
    >>> nancumsum(tg.Tensor([1.0, math.nan, 3.0])).tolist()
    [1.0, 1.0, 4.0]
    """
    x, _ = _filled(x, 0)
    return np.cumsum(x, axis=axis)


@composite(
    formulas=["∂L/∂xₜ = Σ ∂L/∂yₛ·∏ xᵣ, s ≥ t, r ≤ s, r ≠ t, xᵣ not NaN, and 0 where xₜ is NaN"],
    answers=(np.nancumprod,),
    analytic=True,
    examples=RUNNING,
)
def nancumprod(x: Array, axis: int | None = None) -> Array:
    """yₜ = x₀·…·xₜ, where NaN changes nothing. It has no gradient there.

    The parameters are those of `cumsum`.

    >>> import tinygrad_edu as tg
    >>> nancumprod(tg.Tensor([2.0, math.nan, 3.0])).tolist()
    [2.0, 2.0, 6.0]
    """
    x, _ = _filled(x, 1)
    return np.cumprod(x, axis=axis)


@composite(answers=(np.nanmean,), analytic=True, examples=AXES)
@in_float32
def nanmean(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y = Σ x / n of the n elements that are not NaN; NaN if there are none.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> nanmean(tg.Tensor([1.0, math.nan, 3.0])).item()
    2.0
    """
    x, present = _filled(x, 0)
    y = np.sum(floating(x), axis=axis, keepdims=keepdims)
    return y / np.sum(present, axis=axis, dtype=y.dtype, keepdims=keepdims)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·2(x − nanmean(x))/(n − c), and 0 where x is NaN"],
    answers=(np.nanvar,),
    examples=SPREADS,
)
@in_float32
def nanvar(
    x: Array, axis: Axis = None, *, correction: float | None = None, ddof: float | None = None, keepdims: bool = False
) -> Array:
    """y is the variance of the elements that are not NaN: see `var`. NaN if no more of them than the correction.

    The parameters are those of `var`.

    >>> import tinygrad_edu as tg
    >>> nanvar(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    c = correction_of(correction, ddof)
    x, present = _filled(x, 0)
    x = floating(x)
    n = np.sum(present, axis=axis, keepdims=True, dtype=x.dtype)
    d = np.where(present, x - np.sum(x, axis=axis, keepdims=True) / n, 0)
    d = np.where(present, d - np.sum(d, axis=axis, keepdims=True) / n, 0)  # see `deviation`
    d = np.abs(d) if d.dtype.kind == "c" else d
    n = np.sum(present, axis=axis, keepdims=keepdims, dtype=d.dtype)
    return np.sum(d * d, axis=axis, keepdims=keepdims) / np.where(n > c, n - c, math.nan)


@composite(
    formulas=["∂L/∂x = ∂L/∂y·(x − nanmean(x))/(y·(n − c)), and 0 where x is NaN"],
    answers=(np.nanstd,),
    examples=[e for e in SPREADS if e.settings.get("axis") != ()],
)
@in_float32
def nanstd(
    x: Array, axis: Axis = None, *, correction: float | None = None, ddof: float | None = None, keepdims: bool = False
) -> Array:
    """y is the standard deviation of the elements that are not NaN: see `std`.

    The parameters are those of `var`.

    >>> import tinygrad_edu as tg
    >>> nanstd(tg.Tensor([1.0, math.nan, 3.0])).item()
    1.0
    """
    return root(nanvar(x, axis, correction=correction, ddof=ddof, keepdims=keepdims))
