"""Numbers as arrays, copies, types and complex numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.tables import is_table, of_list, table
from tinygrad_edu.ops.parts import SHAPES, unary

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A, Array, ArrayLike, DType, Out
    from tinygrad_edu.engine.tensor import Tensor


@overload
def array(x: A) -> A: ...
@overload
def array(x: ArrayLike) -> Tensor | Array: ...
def array(x: ArrayLike) -> Any:
    """x itself, if it is a tensor or an array; a number, a list or a table as an array."""
    if x.__class__ is np.ndarray or hasattr(x, "__array_function__") or isinstance(x, np.generic):
        return x
    if isinstance(x, list | tuple):
        return of_list(x, "a loss or layer")
    return table(x, "a loss or layer") if is_table(x) else np.asarray(x)


@overload
def floating(x: A) -> A: ...
@overload
def floating(x: ArrayLike) -> Tensor | Array: ...
def floating(x: ArrayLike) -> Any:
    """x as floating numbers, where it is none yet: integers and truths in float64, as in their mean."""
    x = array(x)
    return x if x.dtype.kind in "fc" else x.astype(float)


def called(x: Any) -> str:
    """What errors call x: its name, if it has one, and its shape."""
    return f"{getattr(x, 'name', None) or ''} {np.shape(x)}".lstrip()


@op(
    symbol="copy",
    spelled=lambda s, x: x,
    vjp=(lambda g, y, x: g,),
    answers=(np.copy,),
    presence="linear",
    takes_out=True,
    examples=SHAPES,
)
def copy(x: Array, *, out: Out = None) -> Array:
    """y = x, in memory of its own. What is written into one later does not show in the other, and
    the gradient of y is that of x.

    >>> copy(np.array([1.0, 2.0]))
    array([1., 2.])
    """
    if out is None:
        return np.copy(x)
    np.copyto(out, x)
    return out


def _bind_astype(x: Array, dtype: DType, copy: bool = True) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (x,), {"dtype": np.dtype(dtype)}


@op(
    symbol=lambda dtype: str(dtype),
    spelled=lambda s, x: x,
    vjp=(lambda g, y, x, *, dtype: np.astype(g, x.dtype),),
    presence="linear",
    answers=(np.astype,),
    bind=_bind_astype,
    takes_out=True,
    examples=[
        example((3,), "float64"),
        example(Fixed(np.array([1, 2])), float),
        example((2, 3), "int64"),
        example((3,), float, copy=False),
    ],
)
def astype(x: Array, dtype: np.dtype[Any], *, out: Out = None) -> Array:
    """y = x as numbers of another type. The gradient is cast back to the type of x.

    x: numbers, an array or a tensor. To integers, fractions are cut off, and there is no gradient.
    dtype: the type, as NumPy names it.
    copy: whether y has memory of its own where the type is x's already.

    >>> astype(np.array([1.5, 2.5]), int)
    array([1, 2])
    """
    if dtype.kind not in "biufc":
        raise TypeError(f"a tensor holds numbers, which {dtype} is not")
    if out is None:
        return np.astype(array(x), dtype)
    np.copyto(out, x, casting="unsafe")
    return out


conjugate = unary(
    np.conjugate, "conj", lambda g, y, x: np.conjugate(g),
    "y = x*, the complex conjugate. Of real numbers it is x, in memory of its own.", "[1 + 2j] → [(1-2j)]",
    presence="linear", analytic=False,
)  # fmt: skip
