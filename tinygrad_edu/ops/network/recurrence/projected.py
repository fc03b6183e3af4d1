"""Long short-term memory whose state is a projection of what the cells show: fewer features go on in time than there are
cells, so that the weights W are smaller.

Source: Sak, Senior and Beaufays, *Long short-term memory recurrent neural network architectures for large scale acoustic
modeling* (2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.ops.network.recurrence.memory import backward, forward, quarters, unrolled
from tinygrad_edu.ops.network.recurrence.steps import MASK, before, product, unrolled_rule
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _bind(
    a: Array, h0: Array, c0: Array, weight: Array, projection: Array, mask: Array | None = None, reverse: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (a, h0, c0, weight, projection, *([] if mask is None else [mask])), {"reverse": bool(reverse)}


def _back(
    g: Any, y: Any, a: Any, h0: Any, c0: Any, weight: Any, projection: Any, *mask: Any, reverse: bool
) -> tuple[Any, ...]:
    """∂L/∂a, ∂L/∂h₀, ∂L/∂c₀ through time; then ∂L/∂W and ∂L/∂R, in one product each."""
    hs, cs, gates = y
    slopes, by_h, by_c, by_hs = projected_lstm_slopes(*g, c0, cs, gates, weight, projection, *mask, reverse=reverse)
    shown = quarters(gates)[3] * np.tanh(cs)
    return slopes, by_h, by_c, product(before(h0, hs, reverse), slopes), product(shown, by_hs)


@op(
    symbol="projected LSTM",
    vjp=Joint(in_float32(_back), 5),
    bind=_bind,
    outputs=2,
    takes_out=True,
    formulas=[
        "∂L/∂aₜ = δₜ = (∂cₜ·g i(1−i), ∂cₜ·cₜ₋₁ f(1−f), ∂cₜ·i(1−g²), ∂uₜ·tanh(cₜ) o(1−o)), where "
        "∂hₜ = ∂L/∂hₜ + δₜ₊₁ @ Wᵀ, ∂uₜ = ∂hₜ @ Rᵀ and ∂cₜ = ∂L/∂cₜ + fₜ₊₁·∂cₜ₊₁ + ∂uₜ·o(1 − tanh² cₜ)",
        "∂L/∂h₀ = δ₁ @ Wᵀ, as in ∂L/∂aₜ",
        "∂L/∂c₀ = f₁·∂c₁, as in ∂L/∂aₜ",
        "∂L/∂W = Σ hₜ₋₁ᵀ @ ∂L/∂aₜ",
        "∂L/∂R = Σ uₜᵀ @ ∂hₜ with uₜ = oₜ·tanh cₜ, as in ∂L/∂aₜ",
    ],
    examples=[
        example((3, 2, 12), (2, 2), (2, 3), (2, 12), (3, 2)),
        example((2, 1, 8), (1, 1), (1, 2), (1, 8), (2, 1), reverse=True),
        example((3, 2, 8), (2, 1), (2, 2), (1, 8), (2, 1), MASK),
        example((3, 2, 8), (2, 1), (2, 2), (1, 8), (2, 1), MASK, reverse=True),
        example((0, 2, 4), (2, 1), (2, 1), (1, 4), (1, 1)),
    ],
)
@in_float32
def projected_lstm(
    a: Array, h0: Array, c0: Array, weight: Array, projection: Array, *mask: Array, reverse: bool, out: Out = None
) -> Any:
    """(i, f, g, o) = (σ, σ, tanh, σ)(a_t + h_{t−1}·W); c_t = f·c_{t−1} + i·g; h_t = (o·tanh c_t)·R, for every step t.

    a: (T, N, 4H), what the input gives to the gates, in the order i, f, g, o; h0: (N, P) and c0: (N, H), the states before
    the first step; weight W: (P, 4H); projection R: (H, P). mask: (T, N), where it is false the states stay as they are.
    reverse: whether steps go from the last to the first. Returns the states after each step, h (T, N, P) and c (T, N, H).

    >>> import numpy as np
    >>> one = np.ones((1, 1))
    >>> h, c = projected_lstm(np.zeros((3, 1, 4)), one, one, np.zeros((1, 4)), 2 * one)
    >>> c[:, 0, 0].tolist(), np.allclose(h, 2 * (0.5 * np.tanh(c)))
    ([0.5, 0.25, 0.125], True)
    """
    return forward("projected_lstm", a, h0, c0, weight, (projection,), mask, reverse, out)


def _bind_slopes(
    gh: Array, gc: Array, gg: Array, c0: Array, cs: Array, gates: Array, weight: Array, projection: Array,
    mask: Array | None = None, reverse: bool = False,
) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
    inputs = gh, gc, gg, c0, cs, gates, weight, projection, *([] if mask is None else [mask])
    return inputs, {"reverse": bool(reverse)}


@op(
    symbol="projected LSTM back",
    vjp=unrolled_rule(unrolled, 8),
    bind=_bind_slopes,
    outputs=4,
    takes_out=True,
    formulas=["∂L/∂xᵢ = (∂projected_lstm_slopes/∂xᵢ)ᵀ @ ∂L/∂y, of the loop in ops"],
    examples=[
        example((2, 2, 2), (2, 2, 3), (2, 2, 12), (2, 3), (2, 2, 3), (2, 2, 12), (2, 12), (3, 2)),
        example((2, 1, 1), (2, 1, 2), (2, 1, 8), (1, 2), (2, 1, 2), (2, 1, 8), (1, 8), (2, 1), reverse=True),
        example((3, 2, 1), (3, 2, 2), (3, 2, 8), (2, 2), (3, 2, 2), (3, 2, 8), (1, 8), (2, 1), MASK),
    ],
)
@in_float32
def projected_lstm_slopes(
    gh: Array, gc: Array, gg: Array, c0: Array, cs: Array, gates: Array, weight: Array, projection: Array,
    *mask: Array, reverse: bool, out: Out = None,
) -> Any:  # fmt: skip
    """Backpropagation through time of `projected_lstm`: ∂L/∂a, ∂L/∂h0, ∂L/∂c0 and every ∂L/∂h_t.

    The last, (T, N, P), is the whole of what comes back to h_t: from what was made of it, and through the next step. ∂L/∂R
    follows from it. It is 0 at steps that the mask leaves out, since they compute no h_t.

    gh, gc: ∂L/∂h, (T, N, P), and ∂L/∂c, (T, N, H); gg: ∂L/∂gates, (T, N, 4H); c0: (N, H); cs, gates: what
    `projected_lstm` computed; weight: (P, 4H); projection: (H, P).

    >>> import numpy as np
    >>> none, gh, gates = np.zeros((2, 1, 1)), np.array([0.0, 4.0]).reshape(2, 1, 1), np.full((2, 1, 4), 0.5)
    >>> one = np.ones((1, 1))
    >>> a, h, c, hs = projected_lstm_slopes(gh, none, 0 * gates, none[0], none, gates, np.ones((1, 4)), 2 * one)
    >>> hs[:, 0, 0].tolist()  # to h₁ by c₂, whose share is 4·2·½: ½·¼ of it by i, and ½·¾ by g
    [2.0, 4.0]
    """
    given = gh, gc, gg, c0, cs, gates, weight
    return backward("projected_lstm_slopes", given, (projection,), mask, reverse, out)
