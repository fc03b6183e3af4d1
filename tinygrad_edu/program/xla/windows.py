"""Convolution and pooling by XLA: sums over windows are its own, and the largest number of a window is found tap by tap.

A tap is one place of the kernel: the numbers that all windows have there are a strided slice of the input, and what is
laid back there is padding between and around.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import jax
import numpy as np
from jax import lax

from tinygrad_edu.ops.network.convolution.windows import Windows
from tinygrad_edu.program.xla.array import alike, held, jnp
from tinygrad_edu.program.xla.table import of_truths, stands

_SPACE = "DHWTUV"


# ---------------------------------------------------------------------------------------------------
# Convolution: one trilinear form, of which each operation is the derivative by one argument


def _convolved(x: Any, w: Any, *, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    space = _SPACE[: x.ndim - 2]
    return lax.conv_general_dilated(
        x, w, window_strides=stride, padding=padding, rhs_dilation=dilation, feature_group_count=groups,
        dimension_numbers=(f"NC{space}", f"OI{space}", f"NC{space}"),
    )  # fmt: skip


def _transposed(f: Any, shape: Any, g: Any) -> Any:
    """The adjoint of a linear function of arrays of this shape, at g."""
    (found,) = jax.linear_transpose(f, jax.ShapeDtypeStruct(shape, g.dtype))(g)
    return found


@stands
@of_truths(2)
def conv(x: Any, w: Any, **how: Any) -> Any:
    """y = x ⋆ w by XLA's own convolution, in the one type of both. x: (N, C, …), w: (O, C/groups, …)."""
    x, w = alike((x, w))
    return _convolved(x, w, **how)


@stands
@of_truths(2)
def conv_transpose(x: Any, w: Any, *, size: Any, **how: Any) -> Any:
    """The adjoint of the convolution by its input. Whole numbers go by float64, for JAX transposes no function of them."""
    x, w = alike((x, w))
    if np.dtype(x.dtype).kind in "iu":
        return conv_transpose(*[a.astype(held(np.float64)) for a in (x, w)], size=size, **how).astype(x.dtype)
    return _transposed(lambda a: _convolved(a, w, **how), (len(x), w.shape[1] * how["groups"], *size), x)


@stands
@of_truths(2)
def conv_weight(x: Any, s: Any, *, kernel: Any, **how: Any) -> Any:
    """The adjoint of the convolution by its kernel; of whole numbers as above."""
    x, s = alike((x, s))
    if np.dtype(x.dtype).kind in "iu":
        return conv_weight(*[a.astype(held(np.float64)) for a in (x, s)], kernel=kernel, **how).astype(x.dtype)
    return _transposed(lambda w: _convolved(x, w, **how), (s.shape[1], x.shape[1] // how["groups"], *kernel), s)


# ---------------------------------------------------------------------------------------------------
# Windows, tap by tap


def _over(size: Any, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Windows:
    return Windows(tuple(size), kernel, stride, padding, dilation)


def _taps(windows: Windows) -> list[tuple[int, ...]]:
    return list(itertools.product(*map(range, windows.kernel)))


def _padded(x: Any, windows: Windows, value: Any) -> Any:
    lead = x.ndim - len(windows.size)
    return jnp.pad(x, [(0, 0)] * lead + list(windows.padding), constant_values=value) if windows.pads else x


def _seen(padded: Any, windows: Windows, tap: Any) -> Any:
    """Return the numbers that all windows have at one tap: (…, positions)."""
    lead = padded.ndim - len(windows.size)
    start = [k * d for k, d in zip(tap, windows.dilation, strict=True)]
    stop = [a + s * (p - 1) + 1 for a, s, p in zip(start, windows.stride, windows.positions, strict=True)]
    return lax.slice(padded, [0] * lead + start, [*padded.shape[:lead], *stop], [1] * lead + list(windows.stride))


def _laid(part: Any, windows: Windows, tap: Any) -> Any:
    """The adjoint of `_seen`: zeros around and between, (…, padded)."""
    lead = part.ndim - len(windows.size)
    edges = [
        (k * d, n - (k * d + s * (p - 1) + 1), s - 1)
        for k, d, s, p, n in zip(tap, windows.dilation, windows.stride, windows.positions, windows.padded, strict=True)
    ]
    return lax.pad(part, jnp.zeros((), part.dtype), [(0, 0, 0)] * lead + edges)


@stands
def unfold_windows(x: Any, *, kernel: Any, **how: Any) -> Any:
    """Put the numbers of all windows side by side, tap by tap: (N, C, kernel, positions)."""
    windows = _over(x.shape[2:], kernel, **how)
    padded = _padded(x, windows, 0)
    parts = jnp.stack([_seen(padded, windows, tap) for tap in _taps(windows)], axis=2)
    return parts.reshape(*x.shape[:2], *kernel, *windows.positions)


@stands
@of_truths(1)
def fold_windows(x: Any, *, size: Any, **how: Any) -> Any:
    """Put the numbers of all taps back to their places in the image, and add up those that meet."""
    windows = _over(size, x.shape[2 : 2 + len(size)], **how)
    total = functools.reduce(jnp.add, [_laid(x[:, :, *tap], windows, tap) for tap in _taps(windows)])
    return windows.inner(total)


# ---------------------------------------------------------------------------------------------------
# Pooling


def _least(dtype: Any) -> Any:
    kind = np.dtype(dtype)
    return False if kind.kind == "b" else np.iinfo(kind).min if kind.kind in "iu" else -np.inf


def _reduced(x: Any, begin: Any, combine: Any, windows: Windows) -> Any:
    ones, none = (1,) * 2, ((0, 0),) * 2
    return lax.reduce_window(
        x, np.asarray(begin, x.dtype), combine, (*ones, *windows.kernel), (*ones, *windows.stride), (*none, *windows.padding),
        window_dilation=(*ones, *windows.dilation),
    )  # fmt: skip


def _chosen(x: Any, windows: Windows) -> Any:
    """The number of the tap that is the first largest of each window, or the last that is NaN; −1 of a window without one."""
    padded = _padded(x, windows, _least(x.dtype))
    y = max_pool(x, kernel=windows.kernel, stride=windows.stride, padding=windows.padding, dilation=windows.dilation)
    inside = np.pad(np.ones(windows.size, bool), windows.padding)
    found = jnp.full(y.shape, -1, jnp.int32)
    for number, tap in enumerate(_taps(windows)):
        here = _seen(padded, windows, tap)
        first = (found < 0) & (here == y)
        if windows.pads:
            first &= windows.places(inside, tap)
        found = jnp.where(first | (here != here), number, found)
    return found


@stands
def max_pool(x: Any, *, kernel: Any, **how: Any) -> Any:
    """The largest of each window. JAX has no derivative of its own for windows with gaps."""
    windows = _over(x.shape[2:], kernel, **how)
    if set(windows.dilation) != {1}:
        padded = _padded(x, windows, _least(x.dtype))
        return functools.reduce(jnp.maximum, [_seen(padded, windows, tap) for tap in _taps(windows)])
    return _reduced(x, _least(x.dtype), lax.max if x.dtype != bool else lax.bitwise_or, windows)


@stands
@of_truths(1)
def max_pool_gradient(s: Any, x: Any, *, kernel: Any, **how: Any) -> Any:
    """Send each slope to the first of the largest numbers of its window."""
    windows = _over(x.shape[2:], kernel, **how)
    chosen = _chosen(x, windows)
    parts = [_laid(jnp.where(chosen == number, s, 0), windows, tap) for number, tap in enumerate(_taps(windows))]
    return windows.inner(functools.reduce(jnp.add, parts))


@stands
def argmax_pool(x: Any, *, kernel: Any, **how: Any) -> Any:
    """The place in the image of the first largest of each window; 0 of a window without one."""
    windows = _over(x.shape[2:], kernel, **how)
    places = np.pad(np.arange(math.prod(windows.size)).reshape(windows.size), windows.padding)
    at = np.stack([windows.places(places, tap).reshape(-1) for tap in _taps(windows)])
    chosen = _chosen(x, windows)
    rows = chosen.reshape(*x.shape[:2], -1)
    found = jnp.asarray(at)[jnp.maximum(rows, 0), np.arange(at.shape[1])]
    return jnp.where(chosen < 0, 0, found.reshape(chosen.shape)).astype(held(np.int64))


@stands
@of_truths(1)
def sum_pool(x: Any, *, kernel: Any, **how: Any) -> Any:
    """The sum of each window."""
    return _reduced(x, 0, lax.add, _over(x.shape[2:], kernel, **how))


@stands
@of_truths(1)
def spread_windows(x: Any, *, size: Any, **how: Any) -> Any:
    """The adjoint of `sum_pool`."""
    return _transposed(lambda a: sum_pool(a, **how), (*x.shape[:2], *size), x)
