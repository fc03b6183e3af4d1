"""Long short-term memory: a layer whose cells keep, forget and show what they hold, by three gates.

Source: Hochreiter and Schmidhuber, *Long short-term memory* (1997); Gers, Schmidhuber and Cummins, *Learning to forget*
(2000), for the forget gate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import example
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.ops.network.recurrence.steps import (
    MASK,
    alike,
    before,
    check,
    flipped,
    in_time,
    is_absent,
    left_out,
    masked,
    product,
    unrolled_rule,
)
from tinygrad_edu.ops.precision import in_float32

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _bind(
    a: Array, h0: Array, c0: Array, weight: Array, mask: Array | None = None, reverse: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (a, h0, c0, weight, *([] if mask is None else [mask])), {"reverse": bool(reverse)}


def _back(g: Any, y: Any, a: Any, h0: Any, c0: Any, weight: Any, *mask: Any, reverse: bool) -> tuple[Any, ...]:
    """∂L/∂a, ∂L/∂h₀, ∂L/∂c₀ through time; then ∂L/∂W, in one product."""
    hs, cs, gates = y
    slopes, by_h, by_c = lstm_slopes(*g, c0, cs, gates, weight, *mask, reverse=reverse)
    return slopes, by_h, by_c, product(before(h0, hs, reverse), slopes)


@op(
    symbol="LSTM",
    vjp=Joint(in_float32(_back), 4),
    bind=_bind,
    outputs=2,
    takes_out=True,
    formulas=[
        "∂L/∂aₜ = δₜ = (∂cₜ·g i(1−i), ∂cₜ·cₜ₋₁ f(1−f), ∂cₜ·i(1−g²), ∂hₜ·tanh(cₜ) o(1−o)), where "
        "∂hₜ = ∂L/∂hₜ + δₜ₊₁ @ Wᵀ and ∂cₜ = ∂L/∂cₜ + fₜ₊₁·∂cₜ₊₁ + ∂hₜ·o(1 − tanh² cₜ)",
        "∂L/∂h₀ = δ₁ @ Wᵀ, as in ∂L/∂aₜ",
        "∂L/∂c₀ = f₁·∂c₁, as in ∂L/∂aₜ",
        "∂L/∂W = Σ hₜ₋₁ᵀ @ ∂L/∂aₜ",
    ],
    examples=[
        example((3, 2, 8), (2, 2), (2, 2), (2, 8)),
        example((2, 1, 4), (1, 1), (1, 1), (1, 4), reverse=True),
        example((3, 2, 4), (2, 1), (2, 1), (1, 4), MASK),
        example((3, 2, 4), (2, 1), (2, 1), (1, 4), MASK, reverse=True),
        example((0, 2, 4), (2, 1), (2, 1), (1, 4)),
    ],
)
@in_float32
def lstm(a: Array, h0: Array, c0: Array, weight: Array, *mask: Array, reverse: bool, out: Out = None) -> Any:
    """(i, f, g, o) = (σ, σ, tanh, σ)(a_t + h_{t−1}·W); c_t = f·c_{t−1} + i·g; h_t = o·tanh c_t, for every step t.

    a: (T, N, 4H), what the input gives to the gates, in the order i, f, g, o; h0, c0: (N, H), the states before the first
    step; weight W: (H, 4H). mask: (T, N), where it is false the states stay as they are. reverse: whether steps go from the
    last to the first. Returns the states h and c after each step, (T, N, H) each.

    A sigmoid is computed as σ(x) = (1 + tanh(x/2))/2, so that all four gates are one tanh.

    >>> import numpy as np
    >>> h, c = lstm(np.zeros((3, 1, 4)), np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 4)))
    >>> c[:, 0, 0].tolist()
    [0.5, 0.25, 0.125]
    """
    return forward("lstm", a, h0, c0, weight, (), mask, reverse, out)


def forward(
    name: str, a: Array, h0: Array, c0: Array, weight: Array, projection: Sequence[Array], mask: Sequence[Any],
    reverse: bool, out: Out,
) -> Any:  # fmt: skip
    """The steps of the op of this name: h and c after each, and the gates.

    projection: the matrix R of h_t = (o·tanh c_t)·R, or nothing, for h_t = o·tanh c_t.
    """
    a, h0, c0, weight, *projected = alike(a, h0, c0, weight, *projection)
    steps, rows, width = a.shape
    n, m = width // 4, h0.shape[1] if projected else width // 4
    state = (rows, n)
    check(
        name, mask, a=(a, (steps, rows, 4 * n)), h0=(h0, (rows, m)), c0=(c0, state), weight=(weight, (m, 4 * n)),
        **({"projection": (projected[0], (n, m))} if projected else {}),
    )  # fmt: skip
    hs, cs, gates = out or [np.empty((steps, rows, k), a.dtype) for k in (m, n, width)]
    halves = np.full(width, 0.5, a.dtype)
    halves[2 * n : 3 * n] = 1
    shift = 1 - halves
    given, hidden, cell, now = in_time(reverse, a, hs, cs, gates)
    z, p = np.empty((rows, width), a.dtype), np.empty(state, a.dtype)
    last_h, last_c = h0, c0
    for part, gated, h, c, off in zip(given, now, hidden, cell, left_out(mask, steps, reverse), strict=True):
        np.matmul(last_h, weight, out=z)
        z += part
        z *= halves
        np.tanh(z, out=gated)
        gated *= halves
        gated += shift
        i, f, g, o = quarters(gated)
        np.multiply(f, last_c, out=c)
        np.add(c, np.multiply(i, g, out=p), out=c)
        shown = p if projected else h
        np.multiply(np.tanh(c, out=shown), o, out=shown)
        if projected:
            np.matmul(shown, projected[0], out=h)
        if off is not None:
            np.copyto(h, last_h, where=off)
            np.copyto(c, last_c, where=off)
            np.copyto(gated, 0, where=off)
        last_h, last_c = h, c
    return hs, cs, gates


def unrolled(
    gh: Any, gc: Any, gg: Any, c0: Any, cs: Any, gates: Any, weight: Any, projection: Any, *mask: Any, reverse: bool
) -> tuple[Any, ...]:
    """`backward`, written in ops. projection: the matrix, or None."""
    gh, gc, gg, cs, gates, *on = flipped(reverse, gh, gc, gg, cs, gates, *mask)
    steps, n = gates.shape[0], cs.shape[2]
    by_h, by_c, found, totals = np.zeros(gh.shape[1:], cs.dtype), np.zeros(c0.shape, cs.dtype), [], []
    for t in reversed(range(steps)):
        by_h, by_c, last = by_h + gh[t], by_c + gc[t], cs[t - 1] if t else c0
        by_shown = by_h
        if projection is not None:
            totals.append(masked(on, t, by_h)[0])
            by_shown = by_h @ projection.T
        i, f, g, o = quarters(gates[t])
        shown = np.tanh(cs[t])
        through = by_c + by_shown * o * (1 - np.square(shown))
        by_i, by_f, by_g, by_o = [
            part + gg[t, :, k * n : (k + 1) * n]
            for k, part in enumerate((through * g, through * last, through * i, by_shown * shown))
        ]
        parts = [by_i * i * (1 - i), by_f * f * (1 - f), by_g * (1 - np.square(g)), by_o * o * (1 - o)]
        slope = np.concatenate(parts, axis=1)
        through = through * f
        slope, (by_h, by_c) = masked(on, t, slope, (slope @ weight.T, by_h), (through, by_c))
        found.append(slope)
    slopes, every = np.stack(found[::-1]) if found else gates, np.stack(totals[::-1]) if totals else gh  # as empty
    slopes, every = flipped(reverse, slopes, every)
    return slopes, by_h, by_c, every


def _unrolled(gh: Any, gc: Any, gg: Any, c0: Any, cs: Any, gates: Any, weight: Any, *mask: Any, reverse: bool) -> Any:
    """`lstm_slopes`, written in ops."""
    return unrolled(gh, gc, gg, c0, cs, gates, weight, None, *mask, reverse=reverse)[:3]


def _bind_slopes(
    gh: Array, gc: Array, gg: Array, c0: Array, cs: Array, gates: Array, weight: Array, mask: Array | None = None,
    reverse: bool = False,
) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
    return (gh, gc, gg, c0, cs, gates, weight, *([] if mask is None else [mask])), {"reverse": bool(reverse)}


@op(
    symbol="LSTM back",
    vjp=unrolled_rule(_unrolled, 7),
    bind=_bind_slopes,
    outputs=3,
    takes_out=True,
    formulas=["∂L/∂xᵢ = (∂lstm_slopes/∂xᵢ)ᵀ @ ∂L/∂y, of the loop in ops"],
    examples=[
        example((2, 2, 2), (2, 2, 2), (2, 2, 8), (2, 2), (2, 2, 2), (2, 2, 8), (2, 8)),
        example((2, 1, 1), (2, 1, 1), (2, 1, 4), (1, 1), (2, 1, 1), (2, 1, 4), (1, 4), reverse=True),
        example((3, 2, 1), (3, 2, 1), (3, 2, 4), (2, 1), (3, 2, 1), (3, 2, 4), (1, 4), MASK),
    ],
)
@in_float32
def lstm_slopes(
    gh: Array, gc: Array, gg: Array, c0: Array, cs: Array, gates: Array, weight: Array, *mask: Array, reverse: bool,
    out: Out = None,
) -> Any:  # fmt: skip
    """Backpropagation through time of `lstm`: ∂L/∂a, ∂L/∂h0 and ∂L/∂c0, for what came back to its states and gates.

    gh, gc: ∂L/∂h and ∂L/∂c, (T, N, H); gg: ∂L/∂gates, (T, N, 4H); c0: (N, H); cs, gates: what `lstm` computed; weight:
    (H, 4H).

    >>> import numpy as np
    >>> none, gc, gates = np.zeros((2, 1, 1)), np.array([0.0, 4.0]).reshape(2, 1, 1), np.full((2, 1, 4), 0.5)
    >>> a, h, c = lstm_slopes(none, gc, 0 * gates, none[0], none, gates, np.zeros((1, 4)))
    >>> a.tolist(), c.item()  # half of it is forgotten at each of two steps
    ([[[0.25, 0.0, 0.75, 0.0]], [[0.5, 0.0, 1.5, 0.0]]], 1.0)
    """
    return backward("lstm_slopes", (gh, gc, gg, c0, cs, gates, weight), (), mask, reverse, out)


def backward(
    name: str, given: Sequence[Array], projection: Sequence[Array], mask: Sequence[Any], reverse: bool, out: Out
) -> tuple[Array, ...]:
    """The steps back of the op of this name: ∂L/∂a, ∂L/∂h₀ and ∂L/∂c₀, and with a projection the whole of each ∂L/∂h_t.

    given: what `lstm_slopes` takes. projection: as for `forward`.
    """
    absent = is_absent(given[1]), is_absent(given[2])
    gh, gc, gg, c0, cs, gates, weight, *projected = alike(*given, *projection)
    steps, rows, width = gates.shape
    n, m = width // 4, gh.shape[2] if projected else width // 4
    each, state = (steps, rows, n), (rows, m)
    check(
        name, mask, gates=(gates, (steps, rows, 4 * n)), gg=(gg, gates.shape), gh=(gh, (steps, *state)), gc=(gc, each),
        c0=(c0, each[1:]), cs=(cs, each), weight=(weight, (m, 4 * n)),
        **({"projection": (projected[0], (n, m))} if projected else {}),
    )  # fmt: skip
    shapes = gates.shape, state, each[1:], *([gh.shape] if projected else [])
    slopes, by_h, by_c, *totals = out or [np.empty(shape, gates.dtype) for shape in shapes]
    ghs, gcs, now, cell, found, *every = in_time(reverse, gh, gc, gates, cs, slopes, *totals)
    i, f, g, o = quarters(now)
    by_i, by_f, by_g, by_o = quarters(found)
    by_activation(now, found)
    local = None if absent[1] else in_time(reverse, gg)[0] * found
    shown = np.tanh(cell)
    by_i *= g
    by_f[1:] *= cell[:-1]
    by_f[:1] *= c0
    by_g *= i
    by_o *= shown
    np.multiply(shown, shown, out=shown)
    np.multiply(np.subtract(1, shown, out=shown), o, out=shown)  # ∂h/∂c
    by_h[...] = by_c[...] = 0
    p, back, offs = np.empty(each[1:], gates.dtype), np.ascontiguousarray(weight.T), left_out(mask, steps, reverse)
    unprojected = [np.ascontiguousarray(x.T) for x in projected]
    by_shown = np.empty(each[1:], gates.dtype) if projected else by_h
    for t in reversed(range(steps)):
        slope, off = found[t], offs[t]
        by_h += ghs[t]
        if not absent[0]:
            by_c += gcs[t]
        kept = None if off is None else (by_h.copy(), by_c.copy())
        for total, unproject in zip(every, unprojected, strict=True):
            total[t] = by_h
            np.matmul(by_h, unproject, out=by_shown)
        by_c += np.multiply(by_shown, shown[t], out=p)
        slope[:, : 3 * n].reshape(rows, 3, n)[...] *= by_c[:, None]
        slope[:, 3 * n :] *= by_shown
        if local is not None:
            slope += local[t]
        by_c *= f[t]
        if off is not None:
            for part in (slope, *[total[t] for total in every]):
                np.copyto(part, 0, where=off)
        np.matmul(slope, back, out=by_h)
        if kept is not None:
            np.copyto(by_h, kept[0], where=off)
            np.copyto(by_c, kept[1], where=off)
    return slopes, by_h, by_c, *totals


def quarters(gates: Any) -> list[Any]:
    """The columns of i, f, g and o."""
    n = gates.shape[-1] // 4
    return [gates[..., k * n : (k + 1) * n] for k in range(4)]


def by_activation(gates: Any, out: Any) -> None:
    """The slope of each gate by its own sum: y(1 − y) of a sigmoid, 1 − y² of a tanh."""
    n = gates.shape[-1] // 4
    np.multiply(gates, gates, out=out)
    sigmoids, both, new, last = out[..., : 2 * n], gates[..., : 2 * n], out[..., 2 * n : 3 * n], out[..., 3 * n :]
    np.subtract(both, sigmoids, out=sigmoids)
    np.subtract(1, new, out=new)
    np.subtract(gates[..., 3 * n :], last, out=last)
