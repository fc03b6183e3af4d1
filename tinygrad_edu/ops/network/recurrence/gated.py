"""The gated recurrent unit: a layer whose state is partly kept and partly made anew, as two gates say.

Source: Cho et al., *Learning phrase representations using RNN encoder–decoder* (2014), in the form of PyTorch and cuDNN,
where the gate r is applied behind the product with W.
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
from tinygrad_edu.ops.reductions import channel_sum

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _bind(
    a: Array, h0: Array, weight: Array, bias: Array, mask: Array | None = None, reverse: bool = False
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (a, h0, weight, bias, *([] if mask is None else [mask])), {"reverse": bool(reverse)}


def _back(g: Any, y: Any, a: Any, h0: Any, weight: Any, bias: Any, *mask: Any, reverse: bool) -> tuple[Any, ...]:
    """∂L/∂a and ∂L/∂h₀ through time; then ∂L/∂W and ∂L/∂b, each at once."""
    hs, gates = y
    slopes, inner, by_h = gru_slopes(*g, h0, hs, gates, weight, *mask, reverse=reverse)
    rows = np.reshape(inner, (inner.shape[0] * inner.shape[1], inner.shape[2]))
    return slopes, by_h, product(before(h0, hs, reverse), inner), channel_sum(rows)


@op(
    symbol="GRU",
    vjp=Joint(in_float32(_back), 4),
    bind=_bind,
    outputs=1,
    takes_out=True,
    formulas=[
        "∂L/∂aₜ = (∂nₜ·uₜ r(1−r), ∂hₜ·(hₜ₋₁ − n) z(1−z), ∂nₜ) with ∂nₜ = ∂hₜ·(1−z)(1−n²), uₜ the last third of "
        "hₜ₋₁ @ W + b, δₜ = ∂L/∂aₜ with ∂nₜ·r in place of ∂nₜ, ∂hₜ = ∂L/∂hₜ + zₜ₊₁·∂hₜ₊₁ + δₜ₊₁ @ Wᵀ",
        "∂L/∂h₀ = z₁·∂h₁ + δ₁ @ Wᵀ, as in ∂L/∂aₜ",
        "∂L/∂W = Σ hₜ₋₁ᵀ @ δₜ, as in ∂L/∂aₜ",
        "∂L/∂b = Σ δₜ, as in ∂L/∂aₜ",
    ],
    examples=[
        example((3, 2, 6), (2, 2), (2, 6), (6,)),
        example((2, 1, 3), (1, 1), (1, 3), (3,), reverse=True),
        example((3, 2, 3), (2, 1), (1, 3), (3,), MASK),
        example((3, 2, 3), (2, 1), (1, 3), (3,), MASK, reverse=True),
        example((0, 2, 3), (2, 1), (1, 3), (3,)),
    ],
)
@in_float32
def gru(a: Array, h0: Array, weight: Array, bias: Array, *mask: Array, reverse: bool, out: Out = None) -> Any:
    """(r, z) = σ(a_t + q), n = tanh(a_t + r·q), h_t = (1 − z)·n + z·h_{t−1}, with q = h_{t−1}·W + b, for every step t.

    a: (T, N, 3H), what the input gives to r, z and n; h0: (N, H), the state before the first step; weight W: (H, 3H),
    bias b: (3H,). mask: (T, N), where it is false the state stays as it is. reverse: whether steps go from the last to the
    first. Returns the state after each step, (T, N, H).

    >>> import numpy as np
    >>> gru(np.zeros((3, 1, 3)), np.ones((1, 1)), np.zeros((1, 3)), np.zeros(3))[:, 0, 0].tolist()
    [0.5, 0.25, 0.125]
    """
    a, h0, weight, bias = alike(a, h0, weight, bias)
    steps, rows, width = a.shape
    n = width // 3
    check(
        "gru", mask, a=(a, (steps, rows, 3 * n)), h0=(h0, (rows, n)), weight=(weight, (n, 3 * n)), bias=(bias, (3 * n,))
    )
    hs, gates = out or [np.empty((steps, rows, m), a.dtype) for m in (n, 4 * n)]
    given, hidden, now = in_time(reverse, a, hs, gates)
    last = h0
    q = np.empty((rows, width), a.dtype)
    for part, gated, h, off in zip(given, now, hidden, left_out(mask, steps, reverse), strict=True):
        np.matmul(last, weight, out=q)
        q += bias
        both, z, new, inner = gated[:, : 2 * n], gated[:, n : 2 * n], gated[:, 2 * n : 3 * n], gated[:, 3 * n :]
        np.add(part[:, : 2 * n], q[:, : 2 * n], out=both)
        both *= 0.5
        np.tanh(both, out=both)
        both *= 0.5
        both += 0.5
        inner[...] = q[:, 2 * n :]
        np.add(part[:, 2 * n :], np.multiply(gated[:, :n], inner, out=h), out=new)
        np.tanh(new, out=new)
        np.multiply(np.subtract(last, new, out=h), z, out=h)
        h += new
        if off is not None:
            np.copyto(h, last, where=off)
            np.copyto(gated, 0, where=off)
        last = h
    return hs, gates


def unrolled(gh: Any, gg: Any, h0: Any, hs: Any, gates: Any, weight: Any, *mask: Any, reverse: bool) -> Any:
    """`gru_slopes`, written in ops."""
    gh, gg, hs, gates, *on = flipped(reverse, gh, gg, hs, gates, *mask)
    steps, n = gates.shape[0], weight.shape[0]
    by_h, found, inside = np.zeros(h0.shape, hs.dtype), [], []
    for t in reversed(range(steps)):
        by_h, last = by_h + gh[t], hs[t - 1] if t else h0
        r, z, new, inner = [gates[t, :, k * n : (k + 1) * n] for k in range(4)]
        gr, gz, gn, gu = [gg[t, :, k * n : (k + 1) * n] for k in range(4)]
        by_new = (by_h * (1 - z) + gn) * (1 - np.square(new))
        by_r = (by_new * inner + gr) * r * (1 - r)
        by_z = (by_h * (last - new) + gz) * z * (1 - z)
        slope = np.concatenate([by_r, by_z, by_new], axis=1)
        within = np.concatenate([by_r, by_z, by_new * r + gu], axis=1)
        back = by_h * z + within @ weight.T
        slope, (by_h,) = masked(on, t, slope, (back, by_h))
        found.append(slope)
        inside.append(masked(on, t, within)[0])
    empty = [part[..., : 3 * n] for part in (gates, gates)]
    both = [np.stack(found[::-1]), np.stack(inside[::-1])] if found else empty
    return *flipped(reverse, *both), by_h


def _bind_slopes(
    gh: Array,
    gg: Array,
    h0: Array,
    hs: Array,
    gates: Array,
    weight: Array,
    mask: Array | None = None,
    reverse: bool = False,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return (gh, gg, h0, hs, gates, weight, *([] if mask is None else [mask])), {"reverse": bool(reverse)}


@op(
    symbol="GRU back",
    vjp=unrolled_rule(unrolled, 6),
    bind=_bind_slopes,
    outputs=3,
    takes_out=True,
    formulas=["∂L/∂xᵢ = (∂gru_slopes/∂xᵢ)ᵀ @ ∂L/∂y, of the loop in ops"],
    examples=[
        example((2, 2, 2), (2, 2, 8), (2, 2), (2, 2, 2), (2, 2, 8), (2, 6)),
        example((2, 1, 1), (2, 1, 4), (1, 1), (2, 1, 1), (2, 1, 4), (1, 3), reverse=True),
        example((3, 2, 1), (3, 2, 4), (2, 1), (3, 2, 1), (3, 2, 4), (1, 3), MASK),
    ],
)
@in_float32
def gru_slopes(
    gh: Array,
    gg: Array,
    h0: Array,
    hs: Array,
    gates: Array,
    weight: Array,
    *mask: Array,
    reverse: bool,
    out: Out = None,
) -> Any:
    """Backpropagation through time of `gru`: ∂L/∂a, ∂L/∂q and ∂L/∂h0, for what came back to its states and gates.

    gh: ∂L/∂h, (T, N, H); gg: ∂L/∂gates, (T, N, 4H); h0: (N, H); hs, gates: what `gru` computed, gates r, z, n and the last third of
    q = h·W + b; weight: (H, 3H).

    >>> import numpy as np
    >>> gh, gates = np.array([0.0, 1.0]).reshape(2, 1, 1), np.full((2, 1, 4), 0.5)
    >>> a, q, h = gru_slopes(gh, 0 * gates, np.zeros((1, 1)), 0 * gh, gates, np.zeros((1, 3)))
    >>> h.item()  # half of it is new at each of two steps
    0.25
    """
    absent = is_absent(gg)
    gh, gg, h0, hs, gates, weight = alike(gh, gg, h0, hs, gates, weight)
    steps, rows, width = gates.shape
    n = width // 4
    each = (steps, rows, n)
    check(
        "gru_slopes", mask, gates=(gates, (steps, rows, 4 * n)), gg=(gg, gates.shape), gh=(gh, each),
        h0=(h0, each[1:]), hs=(hs, each), weight=(weight, (n, 3 * n)),
    )  # fmt: skip
    shapes = (steps, rows, 3 * n), (steps, rows, 3 * n), each[1:]
    slopes, inner, by_h = out or [np.empty(shape, gates.dtype) for shape in shapes]
    ghs, now, hidden, found, within = in_time(reverse, gh, gates, hs, slopes, inner)
    local = None if absent else _local(in_time(reverse, gg)[0], now)
    _by_state(now, h0, hidden, found, within)
    by_h[...] = 0
    p, back, offs = np.empty(each[1:], gates.dtype), np.ascontiguousarray(weight.T), left_out(mask, steps, reverse)
    for t in reversed(range(steps)):
        slope, q, off = found[t], within[t], offs[t]
        by_h += ghs[t]
        q.reshape(rows, 3, n)[...] *= by_h[:, None]
        slope[:, 2 * n :] *= by_h
        if local is not None:
            q += local[0][t]
            slope[:, 2 * n :] += local[1][t]
        if off is not None:
            np.copyto(q, 0, where=off)
            np.copyto(slope[:, 2 * n :], 0, where=off)
        np.matmul(q, back, out=p)
        kept = by_h if off is None else by_h.copy()
        by_h *= now[t, :, n : 2 * n]
        by_h += p
        if off is not None:
            np.copyto(by_h, kept, where=off)
    slopes[..., : 2 * n] = inner[..., : 2 * n]
    return slopes, inner, by_h


def _by_state(gates: Any, h0: Any, hs: Any, slopes: Any, inner: Any) -> None:
    """Write what ∂L/∂h_t is multiplied with: into `inner` for all of q, into the last third of `slopes` for n."""
    n = hs.shape[2]
    r, z, new, u = [gates[..., k * n : (k + 1) * n] for k in range(4)]
    by_r, by_z, by_u = [inner[..., k * n : (k + 1) * n] for k in range(3)]
    by_new = slopes[..., 2 * n :]
    np.subtract(1, np.multiply(new, new, out=by_new), out=by_new)
    by_new *= np.subtract(1, z, out=by_z)
    by_z *= z
    np.subtract(hs[:-1], new[1:], out=by_u[1:])
    np.subtract(h0, new[:1], out=by_u[:1])
    by_z *= by_u
    np.multiply(np.subtract(1, r, out=by_r), r, out=by_r)
    by_r *= u
    by_r *= by_new
    np.multiply(by_new, r, out=by_u)


def _local(gg: Any, gates: Any) -> tuple[Any, Any]:
    """The parts of ∂L/∂gates that go to ∂L/∂q, and to ∂L/∂a of n."""
    n = gates.shape[2] // 4
    r, z, new, u = [gates[..., k * n : (k + 1) * n] for k in range(4)]
    gr, gz, gn, gu = [gg[..., k * n : (k + 1) * n] for k in range(4)]
    by_new = gn * (1 - new * new)
    return np.concatenate([(by_new * u + gr) * r * (1 - r), gz * z * (1 - z), by_new * r + gu], axis=-1), by_new
