"""The plain recurrent layer: what it holds is made anew at each step, of the input and of what it held.

Source: Elman, *Finding structure in time* (1990); Werbos, *Backpropagation through time: what it does and how to do it*
(1990).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import Drawn, example, interval
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.ops.network.recurrence.steps import (
    MASK,
    alike,
    before,
    check,
    flipped,
    in_time,
    left_out,
    masked,
    product,
    unrolled_rule,
)
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _bind(
    a: Array, h0: Array, weight: Array, mask: Array | None = None, nonlinearity: str = "tanh", reverse: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    inputs = (a, h0, weight, *([] if mask is None else [mask]))
    return inputs, {"nonlinearity": nonlinearity, "reverse": bool(reverse)}


def _back(g: Any, y: Any, a: Any, h0: Any, weight: Any, *mask: Any, reverse: bool, nonlinearity: str) -> Any:
    """∂L/∂a and ∂L/∂h₀ through time; then ∂L/∂W, in one product."""
    hs = y[0]
    slopes, by_h = rnn_slopes(g[0], hs, weight, *mask, nonlinearity=nonlinearity, reverse=reverse)
    return slopes, by_h, product(before(h0, hs, reverse), slopes)


@op(
    symbol="RNN",
    vjp=Joint(in_float32(_back), 3),
    bind=_bind,
    outputs=1,
    takes_out=True,
    formulas=[
        "∂L/∂aₜ = δₜ = φ′(aₜ + hₜ₋₁ @ W)·(∂L/∂hₜ + δₜ₊₁ @ Wᵀ)",
        "∂L/∂h₀ = δ₁ @ Wᵀ, as in ∂L/∂aₜ",
        "∂L/∂W = Σ hₜ₋₁ᵀ @ ∂L/∂aₜ",
    ],
    examples=[
        example((3, 2, 2), (2, 2), (2, 2)),
        example((2, 1, 3), (1, 3), (3, 3), reverse=True),
        example((3, 2, 1), (2, 1), (1, 1), MASK),
        example(
            Drawn((3, 2, 2), interval(0.5, 2.0)), (2, 2), Drawn((2, 2), interval(0.1, 0.2)), MASK, nonlinearity="relu"
        ),
        example((0, 2, 2), (2, 2), (2, 2)),
    ],
)
@in_float32
def rnn(a: Array, h0: Array, weight: Array, *mask: Array, nonlinearity: str, reverse: bool, out: Out = None) -> Any:
    """h_t = φ(a_t + h_{t−1}·W) for every step t, with φ = tanh or ReLU.

    a: (T, N, H), what the input gives; h0: (N, H), the state before the first step; weight W: (H, H). mask: (T, N), where it
    is false the state stays as it is. reverse: whether steps go from the last to the first. Returns the
    state after each step, (T, N, H).

    >>> import numpy as np
    >>> rnn(np.ones((3, 1, 1)), np.zeros((1, 1)), np.full((1, 1), 2.0), nonlinearity="relu")[:, 0, 0].tolist()
    [1.0, 3.0, 7.0]
    """
    a, h0, weight = alike(a, h0, weight)
    n = a.shape[2]
    check("rnn", mask, a=(a, a.shape), h0=(h0, a.shape[1:]), weight=(weight, (n, n)))
    hs = np.empty(a.shape, a.dtype) if out is None else out[0]
    hidden, given = in_time(reverse, hs, a)
    last = h0
    z = np.empty(h0.shape, a.dtype)
    for part, h, off in zip(given, hidden, left_out(mask, len(a), reverse), strict=True):
        np.add(part, np.matmul(last, weight, out=z), out=h)
        if nonlinearity == "tanh":
            np.tanh(h, out=h)
        else:
            np.maximum(h, 0, out=h)
        if off is not None:
            np.copyto(h, last, where=off)
        last = h
    return (hs,)


def unrolled(gh: Any, hs: Any, weight: Any, *mask: Any, reverse: bool, nonlinearity: str) -> Any:
    """`rnn_slopes`, written in ops."""
    gh, hs, *on = flipped(reverse, gh, hs, *mask)
    steps = hs.shape[0]
    by_h, found = np.zeros(hs.shape[1:], hs.dtype), []
    for t in reversed(range(steps)):
        h, by_h = hs[t], by_h + gh[t]
        slope = by_h * (1 - np.square(h)) if nonlinearity == "tanh" else gate(by_h, h > 0)
        slope, (by_h,) = masked(on, t, slope, (slope @ weight.T, by_h))
        found.append(slope)
    slopes = np.stack(found[::-1]) if found else hs  # as empty
    return *flipped(reverse, slopes), by_h


def _bind_slopes(
    gh: Array, hs: Array, weight: Array, mask: Array | None = None, nonlinearity: str = "tanh", reverse: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return _bind(gh, hs, weight, mask, nonlinearity, reverse)


@op(
    symbol="RNN back",
    vjp=unrolled_rule(unrolled, 3),
    bind=_bind_slopes,
    outputs=2,
    takes_out=True,
    formulas=["∂L/∂xᵢ = (∂rnn_slopes/∂xᵢ)ᵀ @ ∂L/∂y, of the loop in ops"],
    examples=[
        example((2, 2, 2), (2, 2, 2), (2, 2)),
        example((2, 1, 1), (2, 1, 1), (1, 1), reverse=True),
        example((3, 2, 1), (3, 2, 1), (1, 1), MASK),
        example((3, 2, 1), Drawn((3, 2, 1), interval(0.5, 1.0)), (1, 1), MASK, nonlinearity="relu"),
    ],
)
@in_float32
def rnn_slopes(
    gh: Array, hs: Array, weight: Array, *mask: Array, nonlinearity: str, reverse: bool, out: Out = None
) -> Any:
    """Backpropagation through time of `rnn`: ∂L/∂a and ∂L/∂h0, for what came back to its states.

    gh: ∂L/∂h, (T, N, H); hs: the states that `rnn` computed; weight: (H, H).

    >>> import numpy as np
    >>> gh = np.array([0.0, 1.0]).reshape(2, 1, 1)
    >>> a, h = rnn_slopes(gh, np.zeros((2, 1, 1)), np.full((1, 1), 3.0))
    >>> a[:, 0, 0].tolist(), h.item()
    ([3.0, 1.0], 9.0)
    """
    gh, hs, weight = alike(gh, hs, weight)
    steps, n = len(hs), hs.shape[2]
    check("rnn_slopes", mask, hs=(hs, hs.shape), gh=(gh, hs.shape), weight=(weight, (n, n)))
    slopes, by_h = out or (np.empty(hs.shape, hs.dtype), np.empty(hs.shape[1:], hs.dtype))
    ghs, hidden, found = in_time(reverse, gh, hs, slopes)
    if nonlinearity == "tanh":
        np.subtract(1, np.multiply(hidden, hidden, out=found), out=found)
    else:
        np.greater(hidden, 0, out=found)
    by_h[...] = 0
    back, offs = np.ascontiguousarray(weight.T), left_out(mask, steps, reverse)
    for t in reversed(range(steps)):
        slope, off = found[t], offs[t]
        by_h += ghs[t]
        slope *= by_h
        if off is not None:
            np.copyto(slope, 0, where=off)
            kept = by_h.copy()
        np.matmul(slope, back, out=by_h)
        if off is not None:
            np.copyto(by_h, kept, where=off)
    return slopes, by_h
