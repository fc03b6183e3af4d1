"""Reductions: sums, means, extrema, spreads and norms, over all axes or some.

A reduction takes y from x along the axes `axis` (None: all of them; a number or several, negative ones counted
from the end). `keepdims` leaves these axes in y, with length 1. Going back, each rule spreads g over the axes
that were reduced, and says how much of it each element gets: all of it (sum), an equal part (mean), what is
due to the largest (max), …
"""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tinygrad_edu.op import composite, example, op, spread
from tinygrad_edu.ops.shaping import expand_dims
from tinygrad_edu.protocols import ANSWERS, numbers

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

AXES = [
    example((2, 3)),
    example((2, 3), axis=0),
    example((2, 3), axis=-1, keepdims=True),
    example((2, 3, 2), axis=(0, -1)),
    example((2, 3, 2), axis=(0, 2), keepdims=True),
    example((2, 2), keepdims=True),
    example(()),
]
"""How any reduction may be called."""


def kept(y: Any, axis: Any, keepdims: bool) -> Any:
    """y of a reduction with the axes that it was reduced over back in place, of length 1."""
    return y if keepdims or axis is None else expand_dims(y, axis)


def count(x: Any, axis: Any) -> int:
    """How many elements of x go into one of y."""
    if axis is None:
        return x.size
    return math.prod([x.shape[i] for i in (axis if isinstance(axis, tuple) else (axis,))])


# ---------------------------------------------------------------------------------------------------
# Sums and means


@op(
    symbol="Σ",
    vjp=(lambda g, y, x, *, axis, keepdims: expand(g, shape=x.shape, axis=axis, keepdims=keepdims),),
    answers=(np.sum,),
    analytic=True,
    examples=[*AXES, example((0, 3), axis=0), example((0, 3), axis=1), example((2, 3), axis=())],
)
def sum(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = Σ x over the axes.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> x.sum(axis=0)
    Tensor([4., 6.], op=sum)
    """
    return np.add.reduce(x, axis=axis, keepdims=keepdims)


@op(
    symbol="expand",
    vjp=(lambda g, y, x, *, shape, axis, keepdims: np.sum(g, axis=axis, keepdims=keepdims),),
    analytic=True,
    examples=[
        example((), shape=(2, 3)),
        example((3,), shape=(2, 3), axis=0),
        example((2,), shape=(2, 3), axis=-1),
        example((2, 1), shape=(2, 3), axis=1, keepdims=True),
        example((3,), shape=(2, 3, 2), axis=(0, -1)),
        example((1, 1), shape=(2, 3), keepdims=True),
        example((0,), shape=(2, 0), axis=0),
        example((), shape=(100, 100)),
    ],
)
def expand(x: Any, shape: tuple[int, ...], axis: Any = None, *, keepdims: bool = False) -> Any:
    """y is x spread over the axes that a sum took: what `sum` is the gradient of, and the gradient of `sum`.

    >>> import numpy as np
    >>> expand(np.array([1, 2]), shape=(2, 3), axis=1).tolist()
    [[1, 1, 1], [2, 2, 2]]
    """
    if axis is not None and not keepdims:
        axes = normalize_axis_tuple(axis, len(shape))
        x = x.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    y = np.empty(shape, x.dtype)
    if y.size > 4096:
        return np.broadcast_to(x, shape)  # large: worth the microseconds that it takes to copy nothing
    y[...] = x
    return y


@op(
    symbol="mean",
    vjp=(
        lambda g, y, x, *, axis, keepdims: expand(g / count(x, axis), shape=x.shape, axis=axis, keepdims=keepdims),
    ),
    answers=(np.mean,),
    analytic=True,
    examples=AXES,
)
def mean(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = Σ x / n, with n the number of elements that go into one of y. Whole numbers give float64.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 2.0, 6.0], requires_grad=True)
    >>> x.mean().backward()
    >>> x.grad.tolist() == [1 / 3] * 3
    True
    """
    return x.mean(axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# Extrema


def _share(g: Any, y: Any, x: Any, *, axis: Any, keepdims: bool) -> Any:
    """The gradient of an extreme: all of g to the element that is y; to each an equal share where several are."""
    extreme = x == kept(y, axis, keepdims)
    ties = np.sum(extreme, axis=axis, keepdims=True, dtype=g.dtype)
    return np.where(extreme, kept(g, axis, keepdims) / ties, 0)


@op(
    symbol="max",
    vjp=(_share,),
    answers=(np.max, np.amax),
    domain=spread,
    examples=AXES,
)
def max(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = max x over the axes. Where several elements are largest, they share the gradient evenly.

    Raises ValueError for the largest of no elements.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1.0, 5.0, 5.0], requires_grad=True)
    >>> x.max().backward()
    >>> x.grad.tolist()
    [0.0, 0.5, 0.5]
    """
    return np.maximum.reduce(x, axis=axis, keepdims=keepdims)


@op(
    symbol="min",
    vjp=(_share,),
    answers=(np.min, np.amin),
    domain=spread,
    examples=AXES,
)
def min(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """y = min x over the axes. Where several elements are smallest, they share the gradient evenly.

    Raises ValueError for the smallest of no elements.

    >>> import tinygrad_edu as tg
    >>> tg.Tensor([[3, 1], [2, 4]]).min(axis=1).tolist()
    [1, 2]
    """
    return np.minimum.reduce(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------
# NumPy's other ways to ask for a reduction


def _with_options(reduction: Any, default: Any) -> Any:
    """The reduction as NumPy's function: its default axis, `dtype`, and no `where` nor `initial`."""

    def answer(x: Any, axis: Any = default, *, dtype: Any = None, **options: Any) -> Any:
        for option in ("where", "initial"):
            if option in options and options.pop(option) not in (True, None, np._NoValue):
                raise TypeError(
                    f"{reduction.name} of a Tensor takes no {option}=; choose the elements before with np.where(mask, x, …)"
                )
        return reduction(x if dtype is None else np.astype(x, np.dtype(dtype)), axis=axis, **options)

    return answer


for _reduction, _function, _ufunc in [
    (sum, np.sum, np.add),
    (max, np.max, np.maximum),
    (min, np.min, np.minimum),
    (mean, np.mean, None),
]:
    ANSWERS[_function] = _with_options(_reduction, None)
    if _ufunc is not None:
        ANSWERS[_ufunc, "reduce"] = _with_options(_reduction, 0)
