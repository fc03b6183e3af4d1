"""The largest and the smallest elements, and where they are. Ties share the gradient evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, kept

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


@in_float32
def share_evenly(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y to the element that is the extreme; where several are, an equal share to each."""
    return _shared(x == kept(y, x, axis), g, x, axis)


@in_float32
def _share_with_nan(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """`share_evenly`, where a NaN among the elements is the extreme, as it is in y."""
    return _shared((x == kept(y, x, axis)) | (x != x), g, x, axis)


def _shared(extreme: Any, g: Any, x: Any, axis: Any) -> Any:
    ties = np.sum(extreme, axis=axis, keepdims=True, dtype=g.dtype)
    return np.where(extreme, kept(g, x, axis) / ties, 0)


@op(
    symbol="max",
    vjp=(_share_with_nan,),
    presence="selects",
    answers=(np.max, np.amax, (np.maximum, "reduce")),
    takes_out=True,
    formulas=[share_evenly],
    domain=spread,
    examples=AXES,
)
def max(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = max x, NaN if there is one. Where several elements are largest (or NaN), they share the gradient evenly.

    The parameters are those of `sum`.

    Raises ValueError for the largest of no elements.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 5.0, 5.0], requires_grad=True)
    >>> x.max().backward()
    >>> x.grad.tolist()
    [0.0, 0.5, 0.5]
    """
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims, out=out)


@op(
    symbol="min",
    vjp=(_share_with_nan,),
    presence="selects",
    answers=(np.min, np.amin, (np.minimum, "reduce")),
    takes_out=True,
    formulas=[share_evenly],
    domain=spread,
    examples=AXES,
)
def min(x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None) -> Array:
    """y = min x, NaN if there is one. Where several elements are smallest (or NaN), they share the gradient evenly.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[3, 1], [2, 4]]).min(axis=1).tolist()
    [1, 2]
    """
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims, out=out)


@composite(answers=(np.ptp,), domain=spread, examples=AXES)
def ptp(x: Array, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y = max x − min x: from peak to peak. It is NaN where x has one. The largest element has the gradient, the
    smallest its negative.

    The parameters are those of `sum`.

    >>> import tinygrad_edu as tg
    >>> ptp(tg.Tensor([3, 1, 7])).item()
    6
    """
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


ONE_AXIS = (example((2, 3)), example((2, 3), axis=0), example((2, 3), axis=-1, keepdims=True), example(()))


@op(symbol="argmax", vjp=None, answers=(np.argmax,), may_raise=False, domain=spread, examples=ONE_AXIS)
def argmax(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """y is the place of the largest element along an axis, of the first if there are several; without an axis, its
    place in x as one row. Recorded, without a derivative. NaN counts as the largest.

    x: numbers, an array or a tensor.
    axis: the axis that is searched; None searches x as one row.
    keepdims: whether that axis stays, with length 1.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 7.0]).argmax().item()
    1
    """
    return x.argmax(axis, keepdims=keepdims)  # type: ignore[arg-type]  # NumPy's stubs part None from the others


@op(symbol="argmin", vjp=None, answers=(np.argmin,), may_raise=False, domain=spread, examples=ONE_AXIS)
def argmin(x: Array, axis: int | None = None, *, keepdims: bool = False) -> Array:
    """y is the place of the smallest element along an axis: see `argmax`.

    The parameters are those of `argmax`.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([3.0, 7.0, 1.0]).argmin().item()
    2
    """
    return x.argmin(axis, keepdims=keepdims)  # type: ignore[arg-type]
