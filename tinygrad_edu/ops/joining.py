"""Joining, splitting and padding: arrays as parts of a larger one.

Each moves elements without changing them, so its gradient is the same move backwards: joining and splitting are
each other's, what was dropped gets zero, and what a border added is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy
from numpy.lib.array_utils import normalize_axis_index

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.shaping import array, atleast, called

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Joining and splitting: each is the gradient of the other


def _bind_joined(arrays: Any, axis: Any = 0) -> tuple[Any, ...]:
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    return tuple(arrays), {"axis": index(axis)}


def _part(i: int, xs: Sequence[Any], axis: int) -> tuple[slice, ...]:
    """Where the i-th of the joined arrays lies in the whole."""
    start = sum([x.shape[axis] for x in xs[:i]])
    return (slice(None),) * (axis % xs[i].ndim) + (slice(start, start + xs[i].shape[axis]),)


@op(
    symbol="concat",
    vjp=lambda i, g, y, *xs, axis: g[_part(i, xs, axis)],
    presence="moves",
    answers=(np.concatenate, np.concat),
    bind=_bind_joined,
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂xᵢ = ∂L/∂y[part i]"],
    examples=[
        example([(2, 3), (1, 3)]),
        example([(2, 3), (2, 1), (2, 2)], axis=1),
        example([(2, 1, 2), (2, 3, 2)], axis=-2),
        example([(2, 3), (2,)], axis=None),
        example([(3,)]),
        example([(0, 2), (3, 2)]),
    ],
)
def concatenate(*xs: Any, axis: int, out: Any = None) -> Any:
    """y is the xs one after the other along an axis; without an axis, all of them as one row.

    Raises ValueError if their other lengths differ.

    >>> import tinygrad_edu as tg
    >>> a, b = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0], requires_grad=True)
    >>> (concatenate([a, b]) ** 2).sum().backward()
    >>> a.grad.tolist(), b.grad.tolist()
    ([2.0, 4.0], [6.0])
    """
    return np.concatenate(xs, axis=axis, out=out)


concat = concatenate


@op(
    symbol="stack",
    vjp=lambda i, g, y, *xs, axis: g[(slice(None),) * (axis % y.ndim) + (i,)],
    presence="moves",
    answers=(np.stack,),
    bind=_bind_joined,
    takes_out=True,
    analytic=True,
    formulas=["∂L/∂xᵢ = ∂L/∂y[i]"],
    examples=[
        example([(3,), (3,)]),
        example([(2, 3), (2, 3), (2, 3)], axis=1),
        example([(2, 3), (2, 3)], axis=-1),
        example([(), ()]),
        example([(0,), (0,)]),
    ],
)
def stack(*xs: Any, axis: int, out: Any = None) -> Any:
    """y is the xs, all of one shape, side by side along a new axis: y[i] = xᵢ.

    Raises ValueError if the shapes differ.

    >>> import numpy as np
    >>> stack([np.zeros(3), np.ones(3)], axis=-1).shape
    (3, 2)
    """
    return np.stack(xs, axis=axis, dtype=np.result_type(*xs) if out is None else None, out=out)


@composite(
    answers=(np.vstack,),
    analytic=True,
    examples=[example([(3,), (2, 3)]), example([(), ()])],
)
def vstack(xs: Any) -> Any:
    """y is the xs below one another; a vector is a row.

    >>> import tinygrad_edu as tg
    >>> vstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 2], [3, 4]]
    """
    return concatenate([atleast(2, x) for x in xs], 0)


@composite(
    answers=(np.hstack,),
    analytic=True,
    examples=[example([(2, 3), (2, 1)]), example([(3,), (2,)])],
)
def hstack(xs: Any) -> Any:
    """y is the xs beside one another: along the second axis, vectors along their only one.

    >>> import tinygrad_edu as tg
    >>> hstack([tg.Tensor([1, 2]), tg.Tensor([3])]).tolist()
    [1, 2, 3]
    """
    parts = [atleast(1, x) for x in xs]
    return concatenate(parts, 0 if parts and parts[0].ndim == 1 else 1)


@composite(answers=(np.dstack,), analytic=True, examples=[example([(3,), (3,)]), example([(2, 3), (2, 3, 2)])])
def dstack(xs: Any) -> Any:
    """y is the xs behind one another, along the third axis.

    >>> import tinygrad_edu as tg
    >>> dstack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[[1, 3], [2, 4]]]
    """
    return concatenate([atleast(3, x) for x in xs], 2)


@composite(answers=(np.column_stack,), analytic=True, examples=[example([(3,), (3, 2)]), example([(2,), (2,)])])
def column_stack(xs: Any) -> Any:
    """y is the xs beside one another; a vector is a column.

    >>> import tinygrad_edu as tg
    >>> column_stack([tg.Tensor([1, 2]), tg.Tensor([3, 4])]).tolist()
    [[1, 3], [2, 4]]
    """
    return concatenate([x if np.ndim(x) > 1 else np.reshape(x, (-1, 1)) for x in xs], 1)


@composite(
    formulas=["∂L/∂x = ∂L/∂y[part x]", "∂L/∂values = ∂L/∂y[part values]"],
    answers=(np.append,),
    analytic=True,
    examples=[example((2, 3), (2,)), example((2, 3), (1, 3), axis=0)],
)
def append(x: Any, values: Any, axis: int | None = None) -> Any:
    """y is x with `values` behind it along an axis; without an axis, both as one row.

    >>> import tinygrad_edu as tg
    >>> append(tg.Tensor([1, 2]), 3).tolist()
    [1, 2, 3]
    """
    return concatenate([x, values if np.ndim(values) else np.reshape(values, (1,))], axis)


@composite(
    answers=(np.block,),
    analytic=True,
    examples=[example([(2, 2), (2, 1)]), example([[(2, 2), (2, 1)], [(1, 2), (1, 1)]]), example((2,))],
)
def block(blocks: Any) -> Any:
    """y is a matrix put together from blocks, given as rows of blocks (nested lists).

    The innermost lists are joined along the last axis, the lists of them along the last but one, and so on.

    >>> import tinygrad_edu as tg
    >>> A, b = tg.Tensor([[1, 2], [3, 4]]), tg.Tensor([[5], [6]])
    >>> block([[A, b], [b.T, 7]]).tolist()
    [[1, 2, 5], [3, 4, 6], [5, 6, 7]]
    """
    return _join_blocks(blocks, _depth(blocks), max(_depth(blocks), _most_axes(blocks)))


def _depth(blocks: Any) -> int:
    if not isinstance(blocks, list):
        return 0
    depths = {_depth(part) for part in blocks}
    if len(depths) != 1:
        raise ValueError("block takes lists nested to one depth, none of them empty, such as [[A, B], [C, D]]")
    return 1 + depths.pop()


def _most_axes(blocks: Any) -> int:
    return max(map(_most_axes, blocks)) if isinstance(blocks, list) else np.ndim(blocks)


def _join_blocks(blocks: Any, depth: int, ndim: int) -> Any:
    if not isinstance(blocks, list):
        return np.reshape(blocks, (1,) * (ndim - np.ndim(blocks)) + np.shape(blocks))
    return concatenate([_join_blocks(part, depth - 1, ndim) for part in blocks], -depth)


def _cuts(x: Any, indices: Any, axis: int, *, equal: bool) -> tuple[int, ...]:
    """Where to cut, from a number of parts or from the places as NumPy allows them."""
    n = np.shape(x)[normalize_axis_index(axis, np.ndim(x), f"split of {called(x)}")]
    if np.iterable(indices):
        cuts = tuple([slice(index(i)).indices(n)[1] for i in indices])
        if list(cuts) != sorted(cuts):
            raise ValueError(f"split of {called(x)}: the places {tuple(indices)} along axis {axis} are not in order")
        return cuts
    parts = index(indices)
    if parts < 1:
        raise ValueError(f"split of {called(x)} gives one part or more, but was asked for {parts}")
    if equal and n % parts:
        raise ValueError(
            f"split of {called(x)}: axis {axis} does not divide into {parts} equal parts; np.array_split allows for it"
        )
    return tuple([i * (n // parts) + min(i, n % parts) for i in range(1, parts)])


@op(
    symbol="split",
    vjp=(lambda g, y, x, *, indices, axis: np.concatenate(g, axis),),
    presence="selects",
    answers=(np.split,),
    bind=lambda x, indices_or_sections, axis=0: (
        (x,),
        {"indices": _cuts(x, indices_or_sections, axis, equal=True), "axis": index(axis)},
    ),
    outputs=sys.maxsize,
    view=True,
    may_raise=False,
    analytic=True,
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[
        example((4, 2), 2),
        example((2, 3), 3, axis=1),
        example((5,), [1, 3]),
        example((2, 5), [2, -1], axis=-1),
        example((3,), [0, 7]),
        example((0, 2), 2, axis=0),
    ],
)
def split(x: Any, indices: tuple[int, ...], axis: int) -> Any:
    """y₀, y₁, … are x cut along an axis: into so many equal parts, or at the places given.

    Raises ValueError if the axis does not divide equally.

    >>> import numpy as np
    >>> [part.tolist() for part in split(np.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    return tuple(np.split(x, indices, axis))


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.array_split,),
    analytic=True,
    examples=[example((5,), 2), example((2, 5), 3, axis=1), example((5, 2), [1, 4]), example((2,), 3)],
)
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut into so many parts, the first of which may be longer by one.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in array_split(tg.Tensor([1, 2, 3, 4, 5]), 2)]
    [[1, 2, 3], [4, 5]]
    """
    return split(x, _cuts(x, indices_or_sections, axis, equal=False), axis)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.hsplit,),
    analytic=True,
    examples=[example((2, 4), 2), example((4,), [1, 2])],
)
def hsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its second axis, a vector along its only one.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in hsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1], [3]], [[2], [4]]]
    """
    return split(x, indices_or_sections, 0 if np.ndim(x) == 1 else 1)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.vsplit,),
    analytic=True,
    examples=[example((4, 2), 2), example((3, 2), [1])],
)
def vsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its rows.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in vsplit(tg.Tensor([[1, 2], [3, 4]]), 2)]
    [[[1, 2]], [[3, 4]]]
    """
    if np.ndim(x) < 2:
        raise ValueError(f"vsplit cuts between rows, so it takes two axes or more, but got {called(x)}")
    return split(x, indices_or_sections, 0)


@composite(
    formulas=["∂L/∂x = concat(∂L/∂y₀, ∂L/∂y₁, …)"],
    answers=(np.dsplit,),
    analytic=True,
    examples=[example((2, 1, 4), 2), example((1, 2, 3), [1])],
)
def dsplit(x: Any, indices_or_sections: Any) -> tuple[Any, ...]:
    """y₀, y₁, … are x cut along its third axis.

    >>> import tinygrad_edu as tg
    >>> [part.tolist() for part in dsplit(tg.Tensor([[[1, 2]]]), 2)]
    [[[[1]]], [[[2]]]]
    """
    if np.ndim(x) < 3:
        raise ValueError(f"dsplit cuts along the third axis, but got {called(x)}")
    return split(x, indices_or_sections, 2)


@op(
    symbol="unstack",
    vjp=(lambda g, y, x, *, axis: np.stack(g, axis),),
    presence="selects",
    answers=(np.unstack,),
    bind=lambda x, *, axis=0: ((x,), {"axis": index(axis)}),
    outputs=sys.maxsize,
    view=True,
    may_raise=False,
    analytic=True,
    formulas=["∂L/∂x = stack(∂L/∂y₀, ∂L/∂y₁, …)"],
    examples=[example((2, 3)), example((2, 3, 2), axis=1), example((2, 3), axis=-1), example((3,)), example((2, 0))],
)
def unstack(x: Any, axis: int = 0) -> Any:
    """yᵢ = x[i]: the slices of x along an axis, as a tuple.

    >>> import numpy as np
    >>> [row.tolist() for row in unstack(np.array([[1, 2], [3, 4]]))]
    [[1, 2], [3, 4]]
    """
    return tuple([np.asarray(part) for part in np.moveaxis(x, axis, 0)])


@composite(
    formulas=["∂L/∂x = 0 but ∂L/∂x[kept] = ∂L/∂y"],
    answers=(np.delete,),
    analytic=True,
    examples=[example((5,), 1), example((2, 3), [0, -1], axis=1), example((2, 3), [1, 2])],
)
def delete(x: Any, obj: Any, axis: int | None = None) -> Any:
    """y is x without its elements (its slices along `axis`) at the places `obj`: a number, slice, list or mask.

    >>> import tinygrad_edu as tg
    >>> delete(tg.Tensor([1, 2, 3]), 1).tolist()
    [1, 3]
    """
    if axis is None:
        x, axis = np.ravel(x), 0
    return np.take(x, np.delete(np.arange(np.shape(x)[axis]), numbers(obj)), axis=axis)


# ---------------------------------------------------------------------------------------------------
# Padding


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


def _bind_pad(x: Any, pad_width: Any, constant_values: Any = 0) -> tuple[Any, ...]:
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
def pad_constant(x: Any, pad_width: Any, constant_values: Any, *, out: Any = None) -> Any:
    """y is x with a border of a constant.

    >>> import numpy as np
    >>> pad_constant(np.array([1, 2]), (1, 2)).tolist()
    [0, 1, 2, 0, 0]
    """
    y = np.empty([a + n + b for (a, b), n in zip(pad_width, x.shape, strict=True)], x.dtype) if out is None else out
    y.fill(constant_values)
    y[_inside(x, pad_width)] = x
    return y


@composite(
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
def pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0, **options: Any) -> Any:
    """y is x with a border, `pad_width` = (before, after) elements wide along each axis.

    The border holds a constant; or x continued: "edge" repeats the last element, "reflect" and "symmetric"
    go back from it (without and with the element itself), "wrap" begins again at the other end.

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
