"""Convolution is one trilinear form, and three operations: its derivative by each of its arguments.

    T(x, w, g) = Σ g[n, o, p]·x[n, c, s·p + d·k]·w[o, c, k],  y = ∂T/∂g, ∂L/∂x = ∂T/∂x, ∂L/∂w = ∂T/∂w

Each one's rules are the other two, so derivatives of any order exist. `conv` is y = x ⋆ w, `conv_transpose` is g ⋆ᵀ w,
which deep-learning books call transposed convolution, and `conv_weight` is what the kernel gets.

Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998); Dumoulin and Visin, *A guide to
convolution arithmetic for deep learning* (2016).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.network.convolution import routes
from tinygrad_edu.ops.network.convolution.windows import Pairs, Shape, Windows
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def _computed(compute: Any, x: Any, w: Any, windows: Windows, shape: Shape, out: Any) -> Any:
    """The result of a sum of `routes`, which are written into arrays without gaps."""
    y = out if out is not None and out.flags.c_contiguous else np.empty(shape, np.result_type(x, w))
    compute(np.asarray(x, y.dtype), np.asarray(w, y.dtype), windows, y)
    if out is None or y is out:
        return y
    np.copyto(out, y)
    return out


def _check(name: str, x: Any, w: Any, groups: int, turned: bool = False) -> None:
    """Raise ValueError where the channels of an input and of a kernel do not fit, or the groups do not divide them."""
    if x.ndim != w.ndim or x.ndim < 3:
        raise ValueError(
            f"{name} takes arrays (N, channels, size) and (outputs, channels, kernel), but got {x.shape} and {w.shape}"
        )
    if x.shape[1] != (len(w) if turned else w.shape[1] * groups) or len(w) % groups:
        raise ValueError(f"{name} of {x.shape} and {w.shape} in {groups} groups: the channels do not fit")


def _plain(x: Any, w: Any, how: Any) -> Any:
    return conv(x, w, **how)


def _by_input(g: Any, w: Any, x: Any, how: Any) -> Any:
    return conv_transpose(g, w, size=x.shape[2:], **how)


def _by_kernel(x: Any, g: Any, w: Any, how: Any) -> Any:
    return conv_weight(x, g, kernel=w.shape[2:], **how)


@op(
    symbol="conv",
    vjp=(lambda g, y, x, w, **how: _by_input(g, w, x, how), lambda g, y, x, w, **how: _by_kernel(x, g, w, how)),
    formulas=["∂L/∂x = ∂L/∂y ⋆ᵀ w", "∂L/∂w = x ⋆ ∂L/∂y"],
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 3, 5), (4, 3, 2), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1),
        example((2, 2, 5, 6), (4, 2, 3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1),
        example((2, 4, 5, 4), (6, 2, 2, 1), stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2), groups=2),
        example((1, 2, 5, 5), (2, 1, 3, 2), stride=(1, 2), padding=((0, 0), (1, 1)), dilation=(2, 1), groups=2),
        example(
            (1, 2, 3, 3, 3), (3, 2, 2, 2, 2), stride=(1, 1, 1), padding=((0, 0),) * 3, dilation=(1, 1, 1), groups=1
        ),
        example((0, 2, 4), (3, 2, 2), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1),
    ],
)
@in_float32
def conv(x: Array, w: Any, *, stride: Shape, padding: Pairs, dilation: Shape, groups: int, out: Out = None) -> Array:
    """y[n, o, p] = Σ over c, k of x[n, c, s·p + d·k]·w[o, c, k]: a window slides over the input, and is summed with weights.

    x: (N, C, size), w: (O, C / groups, kernel); y: (N, O, positions). stride, dilation: a number for each dimension;
    padding: how many zeros stand before and after it. `nn.functional.conv2d` and its like check what they are given.

    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    >>> conv(np.array([[[1.0, 2.0, 4.0, 8.0]]]), np.array([[[1.0, -1.0]]]), **how).tolist()
    [[[-1.0, -2.0, -4.0]]]
    """
    _check("conv", x, w, groups)
    windows = Windows(x.shape[2:], w.shape[2:], stride, padding, dilation, groups)
    return _computed(routes.forward, x, w, windows, (len(x), len(w), *windows.positions), out)


@op(
    symbol="convᵀ",
    vjp=(
        lambda g, y, x, w, *, size, **how: _plain(g, w, how),
        lambda g, y, x, w, *, size, **how: _by_kernel(g, x, w, how),
    ),
    formulas=["∂L/∂x = ∂L/∂y ⋆ w", "∂L/∂w = ∂L/∂y ⋆ x"],
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 4, 4), (4, 3, 2), size=(5,), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1),
        example(
            (2, 4, 3, 3), (4, 2, 3, 2), size=(5, 6), stride=(2, 2), padding=((1, 1), (0, 1)), dilation=(1, 2), groups=1
        ),
        example(
            (1, 4, 3, 4), (4, 1, 3, 2), size=(5, 5), stride=(1, 1), padding=((0, 0), (0, 0)), dilation=(1, 1), groups=2
        ),
        example(
            (1, 2, 3, 3), (2, 1, 3, 3), size=(3, 3), stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=2
        ),
    ],
)
@in_float32
def conv_transpose(
    x: Array, w: Any, *, size: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int, out: Out = None
) -> Array:
    """y[n, c, s·p + d·k] = Σ over o of x[n, o, p]·w[o, c, k]: each number of x lays its weighed kernel down, and what
    overlaps is added up. It is the adjoint of `conv`: ⟨conv(a, w), x⟩ = ⟨a, conv_transpose(x, w)⟩.

    x: (N, O, positions), w: (O, C / groups, kernel); y: (N, C, size), where a `conv` with these windows over `size` places
    has the positions of x.

    >>> how = {"stride": (2,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    >>> conv_transpose(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0, 3.0]]]), size=(5,), **how).tolist()
    [[[1.0, 2.0, 13.0, 20.0, 30.0]]]
    """
    _check("conv_transpose", x, w, groups, turned=True)
    windows = Windows(size, w.shape[2:], stride, padding, dilation, groups)
    if windows.positions != x.shape[2:]:
        raise ValueError(
            f"windows over {size} have {windows.positions} positions, but x of shape {x.shape} has {x.shape[2:]}"
        )
    return _computed(routes.by_input, x, w, windows, (len(x), w.shape[1] * groups, *size), out)


@op(
    symbol="conv by w",
    vjp=(
        lambda g, y, x, s, *, kernel, **how: _by_input(s, g, x, how),
        lambda g, y, x, s, *, kernel, **how: _plain(x, g, how),
    ),
    formulas=["∂L/∂x = s ⋆ᵀ ∂L/∂y", "∂L/∂s = x ⋆ ∂L/∂y"],
    takes_out=True,
    analytic=True,
    examples=[
        example((2, 3, 5), (2, 4, 4), kernel=(2,), stride=(1,), padding=((0, 0),), dilation=(1,), groups=1),
        example(
            (2, 2, 5, 6),
            (2, 4, 3, 3),
            kernel=(3, 2),
            stride=(2, 2),
            padding=((1, 1), (0, 1)),
            dilation=(1, 2),
            groups=2,
        ),
        example(
            (1, 2, 3, 3),
            (1, 2, 3, 3),
            kernel=(3, 3),
            stride=(1, 1),
            padding=((1, 1), (1, 1)),
            dilation=(1, 1),
            groups=2,
        ),
    ],
)
@in_float32
def conv_weight(
    x: Array, s: Any, *, kernel: Shape, stride: Shape, padding: Pairs, dilation: Shape, groups: int, out: Out = None
) -> Array:
    """y[o, c, k] = Σ over n, p of s[n, o, p]·x[n, c, s·p + d·k]: what a kernel gets of the slopes `s` of its result.

    x: (N, C, size), s: (N, O, positions); y: (O, C / groups, kernel).

    >>> how = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    >>> conv_weight(np.array([[[1.0, 2.0, 4.0, 8.0]]]), np.ones((1, 1, 3)), kernel=(2,), **how).tolist()
    [[[7.0, 14.0]]]
    """
    windows = Windows(x.shape[2:], kernel, stride, padding, dilation, groups)
    if (len(x), *windows.positions) != (len(s), *s.shape[2:]) or x.shape[1] % groups or s.shape[1] % groups:
        raise ValueError(
            f"conv_weight of {x.shape} and {s.shape}: windows of {kernel} have {windows.positions} positions"
        )
    return _computed(routes.by_kernel, x, s, windows, (s.shape[1], x.shape[1] // groups, *kernel), out)
