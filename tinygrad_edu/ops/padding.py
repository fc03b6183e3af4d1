"""Padding: a margin of numbers around an array, cut off again on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.types import array, called

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Number, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _widths(x: Any, pad_width: Any) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, from the forms that NumPy allows."""
    if isinstance(pad_width, dict):
        pairs: list[Any] = [(0, 0)] * np.ndim(x)
        for axis, width in pad_width.items():
            pairs[axis] = width if np.iterable(width) else (width, width)
        pad_width = pairs
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" or (widths < 0).any() or widths.shape not in (*_WIDTHS, (np.ndim(x), 2)):
        raise ValueError(
            f"pad of {called(x)} takes whole numbers that are not negative, (before, after) for each axis, "
            f"but got pad_width={pad_width!r}"
        )
    return tuple([(before, after) for before, after in np.broadcast_to(widths, (np.ndim(x), 2)).tolist()])


_WIDTHS = ((), (1,), (2,), (1, 2))  # one width for all, or (before, after) for all


def _bind_pad(x: Array, pad_width: Any, constant_values: ArrayLike = 0) -> tuple[Any, ...]:
    constant = np.asarray(numbers(constant_values))
    if constant.size != 1:
        raise ValueError(f"pad of {called(x)} takes one constant, but got {constant.tolist()}; pad each side by itself")
    return (array(x),), {"pad_width": _widths(x, pad_width), "constant_values": constant.item()}


def _inside(x: Any, pad_width: Any) -> tuple[slice, ...]:
    """Where x lies in the padded whole."""
    return tuple([slice(before, before + n) for (before, _), n in zip(pad_width, x.shape, strict=True)])


@op(
    symbol="pad",
    vjp=(lambda g, y, x, *, pad_width, constant_values: g[_inside(x, pad_width)],),
    presence="moves",
    takes_out=True,
    analytic=True,
    bind=_bind_pad,
    formulas=["∂L/∂x = ∂L/∂y[inside]"],
    examples=[
        example((3,), 1),
        example((2, 3), pad_width=((1, 0), (0, 2)), constant_values=5.0),
        example((2, 2), pad_width=(1, 2)),
        example((), pad_width=1),
        example((0, 2), pad_width=1),
    ],
)
def pad_constant(x: Array, pad_width: Any, constant_values: Number, *, out: Out = None) -> Array:
    """y is x with a border of a constant.

    >>> import numpy as np
    >>> pad_constant(np.array([1, 2]), (1, 2)).tolist()
    [0, 1, 2, 0, 0]
    """
    y = np.empty([a + n + b for (a, b), n in zip(pad_width, x.shape, strict=True)], x.dtype) if out is None else out
    y.fill(constant_values)
    y[_inside(x, pad_width)] = x
    return y


@composite(  # type: ignore[arg-type]  # mypy knows no settings with **options
    answers=(np.pad,),
    analytic=True,
    examples=[
        example((2, 3), 1),
        example((2, 3), pad_width=((1, 0), (0, 2)), constant_values=5.0),
        example((2, 3), pad_width=((1, 2), (0, 1)), mode="edge"),
        example((3, 4), pad_width=(1, 2), mode="reflect"),
        example((2, 3), pad_width=3, mode="reflect"),
        example((2, 3), pad_width=2, mode="symmetric"),
        example((2, 3), pad_width=((1, 4), (0, 1)), mode="wrap"),
        example((3,), pad_width=(0, 2), mode="edge"),
    ],
)
def pad(
    x: Array, pad_width: ArrayLike, mode: str = "constant", *, constant_values: ArrayLike = 0, **options: Any
) -> Array:
    """y is x with a border, `pad_width` = (before, after) elements wide along each axis.

    The border holds a constant; or x continued: "edge" repeats the last element, "reflect" and "symmetric"
    go back from it (without and with the element itself), "wrap" begins again at the other end.

    x: numbers, an array or a tensor.
    pad_width: a number for all sides, a pair (before, after) for all axes, or a pair for each axis.
    mode: what the border holds: "constant", "edge", "reflect", "symmetric" or "wrap".
    constant_values: the constant, a number, a pair or a pair for each axis, as of `pad_width`.

    Raises ValueError for a mode other than these.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([1, 2, 3])
    >>> pad(x, 2).tolist(), pad(x, 2, mode="reflect").tolist(), pad(x, 2, mode="wrap").tolist()
    ([0, 0, 1, 2, 3, 0, 0], [3, 2, 1, 2, 3, 2, 1], [2, 3, 1, 2, 3, 1, 2])
    """
    if options:
        raise TypeError(f"pad of {called(x)} takes constant_values, but no {'=, '.join(options)}=")
    if mode == "constant":
        return pad_constant(x, pad_width, constant_values)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(
            f"pad of {called(x)} takes the mode 'constant', 'edge', 'reflect', 'symmetric' or 'wrap', but got {mode!r}; "
            "for another, join a border that you compute with np.concatenate"
        )
    for axis, width in enumerate(_widths(x, pad_width)):
        if width != (0, 0):
            x = np.take(x, np.pad(np.arange(np.shape(x)[axis]), width, mode=mode), axis=axis)
    return x
