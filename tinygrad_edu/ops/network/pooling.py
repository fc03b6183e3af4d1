"""Pooling: the largest number of each window, or the sum of its numbers.

A window is a product of one stretch along each dimension, so it is pooled along one dimension after another: a window of
K×L places costs K + L steps in place of K·L. Images are pooled a block at a time, while they are in the cache, and nothing
is kept for the backward pass but the input itself.

Source: Jarrett et al., *What is the best multi-stage architecture for object recognition?* (2009); van Herk, *A fast
algorithm for local minimum and maximum filters* (1992), for one dimension after another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example, spread
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.presence import any_nan
from tinygrad_edu.ops.network.convolution import routes
from tinygrad_edu.ops.network.convolution.windows import Pairs, Shape, Windows
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.threads import each, shares

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

BYTES_OF_IMAGES = 1 << 18
"""The bytes of images that are pooled at a time."""

BYTES_IN_A_MICROSECOND = 30_000
"""How many bytes one thread reads and writes in a microsecond where numba pools: from this follows about how long a call
takes, and so whether threads share it."""


# ---------------------------------------------------------------------------------------------------
# Along one dimension


def _along(dimension: int, windows: Windows, part: slice) -> tuple[Any, ...]:
    """An index of this part of one dimension, and of all of the others."""
    return (..., part, *[slice(None)] * (len(windows.size) - 1 - dimension))


def _reduce(ufunc: Any, lowest: Any, x: Any, windows: Windows, dimension: int, y: Any) -> None:
    """y = the ufunc over the places of each window along one dimension. `lowest` changes nothing that it meets."""
    whole = slice(0, windows.positions[dimension])
    parts = sorted(windows.taps(dimension), key=lambda tap: tap[1] != whole)  # those without a gap come first
    xs = [x[_along(dimension, windows, places)] for places, _ in parts]
    gapless = sum(at == whole for _, at in parts)
    if gapless > 1:
        ufunc(xs[0], xs[1], out=y)
    elif gapless:
        np.copyto(y, xs[0])
    else:
        y.fill(lowest)
    for one, (_, at) in list(zip(xs, parts, strict=True))[min(gapless, 2) :]:
        total = y[_along(dimension, windows, at)]
        ufunc(total, one, out=total)


def _disjoint(windows: Windows, dimension: int) -> bool:
    """Whether windows share no places along a dimension."""
    return windows.dilation[dimension] == 1 and windows.kernel[dimension] <= windows.stride[dimension]


def _cover(windows: Windows, dimension: int) -> bool:
    """Whether each place lies in just one window."""
    reached = windows.kernel[dimension] * windows.positions[dimension]
    tiled = windows.kernel[dimension] == windows.stride[dimension] and windows.dilation[dimension] == 1
    return tiled and reached == windows.size[dimension] and not any(windows.padding[dimension])


def _spread(g: Any, windows: Windows, dimension: int, x: Any) -> None:
    """x = the sum of g over the windows in which a place lies."""
    if not _cover(windows, dimension):
        x.fill(0)
    write = np.copyto if _disjoint(windows, dimension) else lambda total, part: np.add(total, part, out=total)
    for places, at in windows.taps(dimension):
        write(x[_along(dimension, windows, places)], g[_along(dimension, windows, at)])


def _to_first(g: Any, x: Any, y: Any, windows: Windows, dimension: int, out: Any) -> None:
    """out = g at the first place of each window whose number is the largest, y; at the last one that is NaN, if any is."""
    disjoint, whole = _disjoint(windows, dimension), slice(0, windows.positions[dimension])
    if not _cover(windows, dimension):
        out.fill(0)
    taps = windows.taps(dimension)
    nan = y.dtype.kind in "fc" and any_nan((y,))
    rest, part = np.ones(y.shape, bool), np.empty(y.shape, bool)
    kept = None if disjoint else np.empty_like(g)
    for k, (places, at) in enumerate(taps):
        here, at_here = _along(dimension, windows, places), _along(dimension, windows, at)
        left, chosen = rest[at_here], part[at_here]
        if k == len(taps) - 1 and at == whole and not nan:
            chosen = left  # who found none before has it here
        else:
            np.equal(x[here], y[at_here], out=chosen)
            if k:
                np.logical_and(chosen, left, out=chosen)
            np.not_equal(left, chosen, out=left)
        if kept is None:
            gate.forward(g[at_here], chosen, out=out[here])
        else:
            out[here] += gate.forward(g[at_here], chosen, out=kept[at_here])
    if nan:
        rest.fill(True)
        for places, at in reversed(taps):
            here, at_here = _along(dimension, windows, places), _along(dimension, windows, at)
            chosen = np.isnan(x[here]) & rest[at_here]
            rest[at_here] &= ~chosen
            out[here] += gate.forward(g[at_here], chosen)


# ---------------------------------------------------------------------------------------------------
# Along all


def _lowest(dtype: Any) -> Any:
    """A number that is not larger than any number of the type."""
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _shapes(windows: Windows) -> list[Shape]:
    """The shapes of an image while it is pooled along the last dimension, the one before, and so on to the first."""
    n = len(windows.size)
    return [windows.size[:k] + windows.positions[k:] for k in range(n, -1, -1)]


def _blocks(windows: Windows, x: Any) -> Iterator[slice]:
    """The images x in blocks that are pooled at a time. All are pooled in one thread: with short calls of NumPy, for which
    both wait for the interpreter and for memory, two take as long as one, or longer.
    """
    one = x.itemsize * x.shape[1] * max(math.prod(windows.size), math.prod(windows.positions))
    count = max(1, min(len(x), BYTES_OF_IMAGES // max(one, 1)))
    return (slice(start, start + count) for start in range(0, len(x), count))


def _by_parts(do: Callable[[slice], None], *arrays: Any) -> None:
    """Call do(images), with all images, or in each of several threads with some, where the arrays are large."""
    parts = shares(
        len(arrays[0]), microseconds=sum([array.nbytes for array in arrays]) / BYTES_IN_A_MICROSECOND, products=False
    )
    each(do, parts, products=False)


class _Steps:
    """The results on the way from an image to what is pooled, of a block at a time, each in memory that the next uses again."""

    def __init__(self, windows: Windows, lead: tuple[int, ...]) -> None:
        self.windows, self.lead, self.shapes = windows, lead, _shapes(windows)
        self._buffers: dict[int, Any] = {}

    def buffer(self, step: int, count: int, dtype: Any) -> Any:
        """An array for the result of this step."""
        found = self._buffers.get(step)
        if found is None:
            found = self._buffers[step] = np.empty((count, *self.lead, *self.shapes[step]), dtype)
        return found[:count]

    def pooled(self, ufunc: Any, lowest: Any, block: Any, last: Any = None) -> list[Any]:
        """The block, and the results of all steps; the last one written into `last`."""
        results = [block]
        for step in range(1, len(self.shapes)):
            final = step == len(self.shapes) - 1 and last is not None
            y = last if final else self.buffer(step, len(block), block.dtype)
            _reduce(ufunc, lowest, results[-1], self.windows, len(self.shapes) - 1 - step, y)
            results.append(y)
        return results


def _made(x: Any, shape: Shape, out: Any) -> Any:
    return np.empty((*x.shape[:2], *shape), x.dtype) if out is None else out


def _windows(name: str, size: Shape, how: dict[str, Any], positions: Shape | None = None) -> Windows:
    windows = Windows(size, how["kernel"], how["stride"], how["padding"], how["dilation"])
    if positions is not None and windows.positions != positions:
        raise ValueError(f"{name}: windows over {size} have {windows.positions} positions, but got {positions}")
    return windows


def _pool(ufunc: Any, lowest: Any, x: Any, windows: Windows, out: Any) -> Any:
    y, steps = _made(x, windows.positions, out), _Steps(windows, x.shape[1:2])
    for images in _blocks(windows, x):
        steps.pooled(ufunc, lowest, x[images], y[images])
    return y


def _by_numba(windows: Windows, *arrays: Any) -> Any:
    """The page that pools by numba, where it is installed and these are images of float32 or float64; None else."""
    dtype = arrays[0].dtype
    fits = len(windows.size) == 2 and dtype.char in "fd" and all(a.size and a.dtype == dtype for a in arrays)
    if not (fits and routes.fast()):
        return None
    from tinygrad_edu.ops.network.convolution.fast import pooling

    return pooling


def _picked(v: Any, x: Any, how: Any) -> Any:
    """The numbers of v, which has the shape of x, at the places at which x is the largest of its window; 0 of no place."""
    at = argmax_pool(x, **how)
    rows = np.reshape(v, (*v.shape[:2], math.prod(v.shape[2:])))
    places = np.reshape(at, (*at.shape[:2], math.prod(at.shape[2:])))
    picked = np.reshape(np.take_along_axis(rows, places, axis=2), at.shape)
    filled = _filled(_windows("max_pool_gradient", x.shape[2:], how))
    return picked if filled.all() else gate(picked, filled)


def _filled(windows: Windows) -> Any:
    """Whether each window has a place in the image: with a dilation, one at the border may lie in the padding as a whole."""
    filled: Any = np.ones(windows.positions, bool)
    for dimension, positions in enumerate(windows.positions):
        reached = np.zeros(positions, bool)
        for _, at in windows.taps(dimension):
            reached[at] = True
        filled &= reached.reshape(positions, *[1] * (len(windows.positions) - 1 - dimension))
    return filled


EXAMPLES: list[dict[str, Any]] = [
    {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)},
    {"kernel": (2, 3), "stride": (2, 1), "padding": ((1, 0), (1, 1)), "dilation": (1, 1)},
    {"kernel": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    {"kernel": (3, 2), "stride": (1, 2), "padding": ((1, 1), (0, 0)), "dilation": (1, 2)},
    {"kernel": (2, 1, 2), "stride": (1, 1, 2), "padding": ((0, 0), (0, 0), (0, 1)), "dilation": (1, 1, 1)},
]
SIZES: list[Shape] = [(5,), (4, 4), (4, 5), (4, 5), (3, 2, 3)]
POSITIONS = [
    Windows(size, how["kernel"], how["stride"], how["padding"], how["dilation"]).positions
    for size, how in zip(SIZES, EXAMPLES, strict=True)
]


@op(
    symbol="max pool",
    vjp=(lambda g, y, x, **how: max_pool_gradient(g, x, **how),),  # type: ignore[has-type]  # it follows
    formulas=["∂L/∂x = ∂L/∂y where x is the first largest of a window, and 0 elsewhere"],
    presence="rectifies",
    takes_out=True,
    domain=spread,
    examples=[example((2, 2, *size), **how) for size, how in zip(SIZES, EXAMPLES, strict=True)],
)
def max_pool(x: Array, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None) -> Array:
    """y[n, c, p] = max over k of x[n, c, stride·p + dilation·k], NaN if there is one: the largest of each window.

    x: (N, C, size); y: (N, C, positions). What lies in the padding counts as −∞. Where several are largest, the first of
    them, in the order of rows, gets the gradient.

    >>> how = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    >>> max_pool(np.array([[[1.0, 2.0, 8.0, 4.0]]]), **how).tolist()
    [[[2.0, 8.0]]]
    """
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    windows = _windows("max_pool", x.shape[2:], how)
    y = _made(x, windows.positions, out)
    quick = _by_numba(windows, x, y)
    if quick is None:
        return _pool(np.maximum, _lowest(x.dtype), x, windows, y)
    _by_parts(lambda images: quick.max_pool(x[images], windows, y[images]), x, y)
    return y


@op(
    symbol="max pool ∂",
    vjp=(lambda g, y, s, x, **how: _picked(g, x, how), None),
    formulas=["∂L/∂s = ∂L/∂y where x is the first largest of a window", None],
    presence="selects",
    takes_out=True,
    domain=(spread, spread),
    examples=[
        example((2, 2, *positions), (2, 2, *size), **how)
        for positions, size, how in zip(POSITIONS, SIZES, EXAMPLES, strict=True)
    ],
)
@in_float32
def max_pool_gradient(
    s: Array, x: Array, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None
) -> Array:
    """y[n, c, i] = Σ of s[n, c, p] over the windows p in which x[n, c, i] is the first largest: the rule of `max_pool`.

    s: (N, C, positions), x: (N, C, size); y like x. Of NaNs in a window the last gets it, as in PyTorch.

    >>> how = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    >>> max_pool_gradient(np.array([[[10.0, 20.0]]]), np.array([[[2.0, 2.0, 4.0, 8.0]]]), **how).tolist()
    [[[10.0, 0.0, 0.0, 20.0]]]
    """
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    windows = _windows("max_pool_gradient", x.shape[2:], how, s.shape[2:])
    y = np.empty(x.shape, s.dtype) if out is None else out
    quick = _by_numba(windows, s, x, y)
    if quick is not None:
        _by_parts(lambda images: quick.max_pool_gradient(s[images], x[images], windows, y[images]), s, x, y)
        return y
    lowest, last = _lowest(x.dtype), len(windows.size)
    numbers, slopes = _Steps(windows, x.shape[1:2]), _Steps(windows, x.shape[1:2])
    for images in _blocks(windows, x):
        results = numbers.pooled(np.maximum, lowest, x[images])
        g = s[images]
        for step in range(last, 0, -1):
            to = y[images] if step == 1 else slopes.buffer(step - 1, len(g), y.dtype)
            _to_first(g, results[step - 1], results[step], windows, last - step, to)
            g = to
    return y


@op(
    symbol="argmax pool",
    vjp=None,
    may_raise=False,
    domain=spread,
    examples=[example((2, 2, *size), **how) for size, how in zip(SIZES, EXAMPLES, strict=True)],
)
def argmax_pool(x: Array, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape) -> Array:
    """The place in its image, counted along rows, of the first largest number of each window; of the last NaN, if there is one.

    x: (N, C, size); y: (N, C, positions), of integers. Recorded, without a derivative.

    >>> how = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    >>> argmax_pool(np.array([[[1.0, 2.0, 4.0, 4.0]]]), **how).tolist()
    [[[1, 2]]]
    """
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    windows = _windows("argmax_pool", x.shape[2:], how)
    places = np.broadcast_to(np.arange(math.prod(windows.size)).reshape(windows.size), x.shape)
    for step, shape in enumerate(_shapes(windows)[1:], 1):
        dimension = len(windows.size) - step
        best, at = (
            np.full((*x.shape[:2], *shape), _lowest(x.dtype), x.dtype),
            np.zeros((*x.shape[:2], *shape), np.int64),
        )
        begun = np.zeros(best.shape, bool)
        for tap, positions in windows.taps(dimension):
            there, here = _along(dimension, windows, tap), _along(dimension, windows, positions)
            better = (x[there] > best[here]) | (x[there] != x[there]) | ~begun[here]
            np.copyto(best[here], x[there], where=better)
            np.copyto(at[here], places[there], where=better)
            begun[here] = True
        x, places = best, at
    return places


@op(
    symbol="Σ pool",
    vjp=(lambda g, y, x, **how: spread_windows(g, size=x.shape[2:], **how),),  # type: ignore[has-type]  # it follows
    formulas=["∂L/∂x = Σ ∂L/∂y over the windows of x"],
    presence="selects",
    takes_out=True,
    analytic=True,
    examples=[example((2, 2, *size), **how) for size, how in zip(SIZES, EXAMPLES, strict=True)],
)
@in_float32
def sum_pool(x: Array, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None) -> Array:
    """y[n, c, p] = Σ over k of x[n, c, stride·p + dilation·k]: the sum of each window.

    x: (N, C, size); y: (N, C, positions). What lies in the padding counts as 0.

    >>> how = {"kernel": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}
    >>> sum_pool(np.array([[[1.0, 2.0, 8.0, 4.0]]]), **how).tolist()
    [[[3.0, 12.0]]]
    """
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    return _pool(np.add, 0, x, _windows("sum_pool", x.shape[2:], how), out)


@op(
    symbol="Σ poolᵀ",
    vjp=(lambda g, y, x, *, size, **how: sum_pool(g, **how),),
    formulas=["∂L/∂x = Σ ∂L/∂y over a window"],
    presence="selects",
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 2, *positions), size=size, **how)
        for positions, size, how in zip(POSITIONS, SIZES, EXAMPLES, strict=True)
    ],
)
@in_float32
def spread_windows(
    x: Array, *, size: Shape, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None
) -> Array:
    """y[n, c, i] = Σ of x[n, c, p] over the windows p in which place i lies: the adjoint of `sum_pool`.

    x: (N, C, positions); y: (N, C, size).

    >>> how = {"kernel": (2,), "stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> spread_windows(np.array([[[1.0, 10.0]]]), size=(3,), **how).tolist()
    [[[1.0, 11.0, 10.0]]]
    """
    how = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    windows = _windows("spread_windows", size, how, x.shape[2:])
    y, last, steps = _made(x, size, out), len(size), _Steps(windows, x.shape[1:2])
    for images in _blocks(windows, x):
        g = x[images]
        for step in range(last, 0, -1):
            to = y[images] if step == 1 else steps.buffer(step - 1, len(g), y.dtype)
            _spread(g, windows, last - step, to)
            g = to
    return y
