"""Layers over time by XLA: one loop over the steps forwards (`jax.lax.scan`), and one back for their `slopes`."""

from __future__ import annotations

from typing import Any

from jax import lax

from tinygrad_edu.program.xla.array import jnp
from tinygrad_edu.program.xla.table import floats, stands


def _parts(x: Any, count: int) -> list[Any]:
    return list(jnp.split(x, count, axis=-1))


def _on(mask: Any) -> tuple[Any, ...]:
    """Return the mask, if there is one, as truths for each step and row: (T, N, 1)."""
    return tuple([m.astype(bool)[:, :, None] for m in mask])


def _kept(on: Any, new: Any, old: Any) -> Any:
    """Return the new state, with the old one in rows that the mask leaves out."""
    return jnp.where(on[0], new, old) if on else new


def _before(first: Any, states: Any, reverse: bool) -> Any:
    """The states that the steps began with: the first one, and those after all steps but the last."""
    return jnp.concatenate([states[1:], first[None]] if reverse else [first[None], states[:-1]])


def _sigmoid(x: Any) -> Any:
    return jnp.tanh(x * 0.5) * 0.5 + 0.5


# ---------------------------------------------------------------------------------------------------
# Plain


@stands
def rnn(a: Any, h0: Any, weight: Any, *mask: Any, nonlinearity: str, reverse: bool) -> Any:
    """h_t = φ(a_t + h_{t−1}·W)."""
    a, h0, weight = floats(a, h0, weight)

    def step(h: Any, now: Any) -> Any:
        part, *on = now
        z = part + h @ weight
        h = _kept(on, jnp.tanh(z) if nonlinearity == "tanh" else jnp.maximum(z, 0), h)
        return h, h

    return (lax.scan(step, h0, (a, *_on(mask)), reverse=reverse)[1],)


@stands
def rnn_slopes(gh: Any, hs: Any, weight: Any, *mask: Any, nonlinearity: str, reverse: bool) -> Any:
    """∂L/∂a and ∂L/∂h0."""
    gh, hs, weight = floats(gh, hs, weight)

    def step(by_h: Any, now: Any) -> Any:
        g, h, *on = now
        by_h = by_h + g
        slope = by_h * (1 - h * h) if nonlinearity == "tanh" else jnp.where(h > 0, by_h, 0)
        slope = _kept(on, slope, jnp.zeros_like(slope))
        return _kept(on, slope @ weight.T, by_h), slope

    by_h, slopes = lax.scan(step, jnp.zeros(hs.shape[1:], hs.dtype), (gh, hs, *_on(mask)), reverse=not reverse)
    return slopes, by_h


# ---------------------------------------------------------------------------------------------------
# Gated


@stands
def gru(a: Any, h0: Any, weight: Any, bias: Any, *mask: Any, reverse: bool) -> Any:
    """The states, and the gates r, z, n beside the last third of q."""
    a, h0, weight, bias = floats(a, h0, weight, bias)
    n = h0.shape[1]

    def step(h: Any, now: Any) -> Any:
        part, *on = now
        q = h @ weight + bias
        both = _sigmoid(part[:, : 2 * n] + q[:, : 2 * n])
        r, z = _parts(both, 2)
        u = q[:, 2 * n :]
        new = jnp.tanh(part[:, 2 * n :] + r * u)
        gates = jnp.concatenate([both, new, u], axis=1)
        h = _kept(on, new + z * (h - new), h)
        return h, (h, _kept(on, gates, jnp.zeros_like(gates)))

    return lax.scan(step, h0, (a, *_on(mask)), reverse=reverse)[1]


@stands
def gru_slopes(gh: Any, gg: Any, h0: Any, hs: Any, gates: Any, weight: Any, *mask: Any, reverse: bool) -> Any:
    """∂L/∂a, ∂L/∂q and ∂L/∂h0."""
    gh, gg, h0, hs, gates, weight = floats(gh, gg, h0, hs, gates, weight)

    def step(by_h: Any, now: Any) -> Any:
        g, by_gates, last, gated, *on = now
        by_h = by_h + g
        (r, z, new, u), (gr, gz, gn, gu) = _parts(gated, 4), _parts(by_gates, 4)
        by_new = (by_h * (1 - z) + gn) * (1 - new * new)
        by_r = (by_new * u + gr) * r * (1 - r)
        by_z = (by_h * (last - new) + gz) * z * (1 - z)
        slope = jnp.concatenate([by_r, by_z, by_new], axis=1)
        within = jnp.concatenate([by_r, by_z, by_new * r + gu], axis=1)
        slope, within = [_kept(on, part, jnp.zeros_like(part)) for part in (slope, within)]
        return _kept(on, by_h * z + within @ weight.T, by_h), (slope, within)

    given = (gh, gg, _before(h0, hs, reverse), gates, *_on(mask))
    by_h, (slopes, inner) = lax.scan(step, jnp.zeros_like(h0), given, reverse=not reverse)
    return slopes, inner, by_h


# ---------------------------------------------------------------------------------------------------
# With cells


def _forward(a: Any, h0: Any, c0: Any, weight: Any, projection: Any, mask: Any, reverse: bool) -> Any:
    a, h0, c0, weight, *projected = floats(a, h0, c0, weight, *projection)

    def step(state: Any, now: Any) -> Any:
        (h, c), (part, *on) = state, now
        i, f, g, o = _parts(h @ weight + part, 4)
        i, f, g, o = _sigmoid(i), _sigmoid(f), jnp.tanh(g), _sigmoid(o)
        new = f * c + i * g
        shown = o * jnp.tanh(new)
        gates = jnp.concatenate([i, f, g, o], axis=1)
        h, c = _kept(on, shown @ projected[0] if projected else shown, h), _kept(on, new, c)
        return (h, c), (h, c, _kept(on, gates, jnp.zeros_like(gates)))

    return lax.scan(step, (h0, c0), (a, *_on(mask)), reverse=reverse)[1]


def _backward(given: Any, projection: Any, mask: Any, reverse: bool) -> Any:
    gh, gc, gg, c0, cs, gates, weight, *projected = floats(*given, *projection)

    def step(state: Any, now: Any) -> Any:
        (by_h, by_c), (g_h, g_c, by_gates, last, cell, gated, *on) = state, now
        by_h, by_c = by_h + g_h, by_c + g_c
        by_shown = by_h @ projected[0].T if projected else by_h
        i, f, g, o = _parts(gated, 4)
        shown = jnp.tanh(cell)
        through = by_c + by_shown * o * (1 - shown * shown)
        each = [through * g, through * last, through * i, by_shown * shown]
        by_i, by_f, by_g, by_o = [part + more for part, more in zip(each, _parts(by_gates, 4), strict=True)]
        slope = jnp.concatenate(
            [by_i * i * (1 - i), by_f * f * (1 - f), by_g * (1 - g * g), by_o * o * (1 - o)], axis=1
        )
        slope, total = [_kept(on, part, jnp.zeros_like(part)) for part in (slope, by_h)]
        return (_kept(on, slope @ weight.T, by_h), _kept(on, through * f, by_c)), (slope, total)

    start = jnp.zeros(gh.shape[1:], gates.dtype), jnp.zeros(c0.shape, gates.dtype)
    steps = (gh, gc, gg, _before(c0, cs, reverse), cs, gates, *_on(mask))
    (by_h, by_c), (slopes, totals) = lax.scan(step, start, steps, reverse=not reverse)
    return slopes, by_h, by_c, totals


@stands
def lstm(a: Any, h0: Any, c0: Any, weight: Any, *mask: Any, reverse: bool) -> Any:
    """The states h and c after each step, and the gates."""
    return _forward(a, h0, c0, weight, (), mask, reverse)


@stands
def lstm_slopes(*given: Any, reverse: bool) -> Any:
    """∂L/∂a, ∂L/∂h0 and ∂L/∂c0."""
    return _backward(given[:7], (), given[7:], reverse)[:3]


@stands
def projected_lstm(a: Any, h0: Any, c0: Any, weight: Any, projection: Any, *mask: Any, reverse: bool) -> Any:
    """All h and c of an LSTM whose h is a projection of what its cells show."""
    return _forward(a, h0, c0, weight, (projection,), mask, reverse)


@stands
def projected_lstm_slopes(*given: Any, reverse: bool) -> Any:
    """∂L/∂a, ∂L/∂h0, ∂L/∂c0 and every ∂L/∂h_t."""
    return _backward(given[:7], given[7:8], given[8:], reverse)
