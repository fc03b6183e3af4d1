"""Sorting: y is x in another order, so the gradient goes back to where each element came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example, spread
from tinygrad_edu.engine.op import Op, op

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Shape

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


_put_back = Op(  # what the rules print with: g in the order of x, each element from the place that x's was given
    lambda g, x, order, axis: np.take_along_axis(g, np.argsort(order, axis), axis),
    name="_put_back",
    arity=3,
    spelled=lambda s, g, x, order: s.make("index", g, s.function("place", x), data="{}"),
)


def _bind_sort(
    x: Array, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (np.ravel(x) if axis is None else x,), {"axis": -1 if axis is None else axis}


@op(
    symbol="sort",
    vjp=(lambda g, y, x, *, axis: np.take_along_axis(g[0], np.argsort(y[1], axis), axis),),
    presence="moves",
    bind=_bind_sort,
    outputs=1,
    answers=(np.sort,),
    may_raise=False,
    formulas=[
        (
            "∂L/∂x = ∂L/∂y, put back in the order of x",
            lambda g, y, x, *, axis: _put_back(g[0], x, y[1], axis=axis),
        )
    ],
    domain=spread,
    examples=[
        example((5,)),
        example((3, 4)),
        example((3, 4), axis=0),
        example((2, 3), axis=None),
        example((0, 3)),
        example((5,), kind="stable"),
        example((5,), stable=True),
    ],
)
def sort(x: Array, axis: int = -1) -> Any:
    """y₀ ≤ y₁ ≤ …: the elements along `axis` (None: all of them) in rising order, NaN last.

    The order is a hidden output: it is a permutation, and the gradient is moved by its inverse. Equal elements
    keep their order, whatever `kind` asks for.

    x: numbers, an array or a tensor.
    axis: the axis along which they are sorted; None sorts x as one row.
    kind, stable: NumPy's names for ways of sorting; all give the same here.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, 1.0, 2.0], requires_grad=True)
    >>> (np.sort(x) * [1.0, 10.0, 100.0]).sum().backward()
    >>> x.grad.tolist()
    [100.0, 1.0, 10.0]
    """
    order = np.argsort(x, axis=axis, stable=True)
    return np.take_along_axis(x, order, axis), order


def _bind_argsort(
    x: Array, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (x,), {"axis": axis, "kind": kind, "stable": stable}


@op(
    symbol="argsort",
    bind=_bind_argsort,
    answers=(np.argsort,),
    may_raise=False,
    domain=spread,
    examples=[
        example((5,)),
        example((3, 4), axis=0),
        example((2, 3), axis=None),
        example((2, 3), stable=True),
        example((5,), kind="stable"),
    ],
)
def argsort(x: Array, axis: int | None, kind: str | None, stable: bool | None) -> Array:
    """The indices that sort x along `axis`: integers, so without a derivative. Equal elements keep their order, and NaN
    is last.

    The parameters are those of `sort`.

    >>> argsort([3.0, 1.0, 2.0]).tolist()
    [1, 2, 0]
    """
    return np.argsort(x, axis=axis, kind=kind, stable=stable)


def _bind_partition(x: Array, kth: Shape, axis: int | None = -1) -> tuple[tuple[Any, ...], dict[str, Any]]:
    places = int(kth) if isinstance(kth, int) else tuple(kth)
    return (np.ravel(x) if axis is None else x,), {"kth": places, "axis": -1 if axis is None else axis}


@op(
    symbol="partition",
    vjp=(lambda g, y, x, *, kth, axis: np.take_along_axis(g[0], np.argsort(y[1], axis), axis),),
    presence="moves",
    bind=_bind_partition,
    outputs=1,
    answers=(np.partition,),
    may_raise=False,
    formulas=[
        (
            "∂L/∂x = ∂L/∂y, put back in the order of x",
            lambda g, y, x, *, kth, axis: _put_back(g[0], x, y[1], axis=axis),
        )
    ],
    domain=spread,
    examples=[example((5,), 2), example((3, 4), [0, 2], axis=0), example((2, 3), 1, axis=None)],
)
def partition(x: Array, kth: Shape, axis: int) -> Any:
    """x along `axis`, with its kth smallest element where sorting would put it, and none before it greater. The
    gradient is moved back to where each element was.

    x: numbers, an array or a tensor.
    kth: the place, from 0, or several places as a tuple.
    axis: the axis along which the elements are moved; None moves those of x as one row.

    >>> partition(np.array([5, 1, 4, 2]), 0)[0].item()
    1
    """
    order = np.argpartition(x, kth, axis=axis)
    return np.take_along_axis(x, order, axis), order
