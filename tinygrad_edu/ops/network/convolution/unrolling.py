"""Windows laid out, and put back: im2col and col2im, each the rule of the other.

The convolutions of `trilinear` do not go by way of these, which hold every window of the whole batch at once; they are for
windows themselves: for a lesson, or for a sum over windows that is no convolution.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.network.convolution.windows import Pairs, Shape, Windows
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def _put_back(g: Any, x: Any, how: Any) -> Any:
    return fold_windows(g, size=x.shape[2:], **{name: how[name] for name in ("stride", "padding", "dilation")})


def _lay_out(g: Any, x: Any, how: Any) -> Any:
    kernel = x.shape[2 : 2 + len(how["stride"])]
    return unfold_windows(g, kernel=kernel, **{name: how[name] for name in ("stride", "padding", "dilation")})


@op(
    symbol="unfold",
    vjp=(lambda g, y, x, **how: _put_back(g, x, how),),
    formulas=["∂L/∂x = fold(∂L/∂y)"],
    presence="selects",
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 2, 5), kernel=(3,), stride=(1,), padding=((0, 0),), dilation=(1,)),
        example((1, 2, 4, 5), kernel=(2, 3), stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2)),
        example((1, 1, 5, 5), kernel=(1, 2), stride=(3, 2), padding=((0, 0), (0, 0)), dilation=(1, 1)),
    ],
)
def unfold_windows(
    x: Array, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None
) -> Array:
    """y[n, c, k, p] = x[n, c, stride·p + dilation·k], with zeros around x. x: (N, C, size); y: (N, C, kernel, positions).

    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> unfold_windows(np.array([[[1.0, 2.0, 4.0]]]), kernel=(2,), **how).tolist()
    [[[[1.0, 2.0], [2.0, 4.0]]]]
    """
    windows = Windows(x.shape[2:], kernel, stride, padding, dilation)
    if windows.pads:
        padded = np.zeros((*x.shape[:2], *windows.padded), x.dtype)
        np.copyto(windows.inner(padded), x)
        x = padded
    y = np.empty((*x.shape[:2], *kernel, *windows.positions), x.dtype) if out is None else out
    np.copyto(y, windows.view(x))
    return y


@op(
    symbol="fold",
    vjp=(lambda g, y, x, **how: _lay_out(g, x, how),),
    formulas=["∂L/∂x = unfold(∂L/∂y)"],
    presence="selects",
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 2, 3, 3), size=(5,), stride=(1,), padding=((0, 0),), dilation=(1,)),
        example((1, 2, 2, 3, 2, 3), size=(4, 5), stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2)),
    ],
)
@in_float32
def fold_windows(x: Array, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape, out: Out = None) -> Array:
    """y[n, c, i] = Σ of x[n, c, k, p] over all k, p with stride·p + dilation·k = i: the adjoint of `unfold_windows`.

    x: (N, C, kernel, positions); y: (N, C, size). Raises ValueError for x of other positions.

    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    >>> fold_windows(np.array([[[[1.0, 2.0], [2.0, 4.0]]]]), size=(3,), **how).tolist()
    [[[1.0, 4.0, 4.0]]]
    """
    kernel = x.shape[2 : 2 + len(size)]
    windows = Windows(size, kernel, stride, padding, dilation)
    if x.shape[2 + len(size) :] != windows.positions:
        raise ValueError(
            f"windows of {kernel} over {size} have {windows.positions} positions, but x has shape {x.shape}"
        )
    total = np.zeros((*x.shape[:2], *windows.padded), x.dtype)
    for tap in itertools.product(*map(range, kernel)):
        windows.places(total, tap)[...] += x[:, :, *tap]  # type: ignore[arg-type]  # slices and numbers
    if out is None:
        return np.ascontiguousarray(windows.inner(total))
    np.copyto(out, windows.inner(total))
    return out
