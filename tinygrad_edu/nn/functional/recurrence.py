"""Recurrent layers as functions: one step (`rnn_cell`, `lstm_cell`, `gru_cell`), or a whole sequence (`rnn`, `lstm`,
`gru`).

A sequence x is (T, N, I): T steps of N examples with I features. Weights are (in, out), as Linear's: weight_ih is (I,
G·H) for the input, weight_hh is (H, G·H) for the state, and biases are (G·H,) or None. G is the number of gates, in
PyTorch's order: one of an RNN, r z n of a GRU, i f g o of an LSTM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.nn.functional.layers import linear
from tinygrad_edu.ops.elementwise import tanh
from tinygrad_edu.ops.network import recurrence
from tinygrad_edu.ops.network.activations import relu, sigmoid
from tinygrad_edu.ops.parts import gate
from tinygrad_edu.ops.products import matmul
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from collections.abc import Callable

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

NONLINEARITIES: dict[str, Any] = {"tanh": tanh, "relu": relu}

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn", "rnn_cell"]


def _nonlinearity(name: str) -> Any:
    """The function of this name. Raises ValueError for a name that is none."""
    if name not in NONLINEARITIES:
        raise ValueError(f"the nonlinearity of an RNN is 'tanh' or 'relu', but got {name!r}")
    return NONLINEARITIES[name]


def _parts(x: Any, count: int) -> list[Any]:
    """The columns of each gate."""
    n = x.shape[-1] // count
    return [x[..., k * n : (k + 1) * n] for k in range(count)]


def _sum(a: Any, b: Any) -> Any:
    """a + b, where either may be None."""
    return a if b is None else b if a is None else a + b


# ---------------------------------------------------------------------------------------------------
# One step


def rnn_cell(
    x: Any, h: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None, nonlinearity: str = "tanh"
) -> Any:
    """h′ = φ(x·W_ih + b_ih + h·W_hh + b_hh), one step of an RNN: the new state follows from the input and the old
    state.

    x: (N, I).
    h: the state, (N, H); h′ has the same shape.
    weight_ih, weight_hh: W_ih, (I, H), and W_hh, (H, H).
    bias_ih, bias_hh: (H,), or None for none.
    nonlinearity: φ, "tanh" or "relu".

    Raises ValueError for another nonlinearity.

    Source: Elman, *Finding structure in time* (1990).

    >>> one = np.ones((1, 1))
    >>> rnn_cell(one, 2 * one, one, one, nonlinearity="relu").tolist()
    [[3.0]]
    """
    return _nonlinearity(nonlinearity)(linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh))


def lstm_cell(
    x: Any,
    hx: tuple[Any, Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    weight_hr: Any = None,
) -> tuple[Any, Any]:
    """(i, f, g, o) = (σ, σ, tanh, σ)(x·W_ih + b_ih + h·W_hh + b_hh), c′ = f·c + i·g, h′ = o·tanh c′: one step of an
    LSTM.

    It returns h′ and c′. The memory c is kept as far as f is near 1, so gradients reach far back.

    x: (N, I).
    hx: h and c, (N, H) each.
    weight_ih, weight_hh: W_ih, (I, 4H), and W_hh, (H, 4H), with the gates in the order i f g o.
    bias_ih, bias_hh: (4H,), or None for none.
    weight_hr: (H, P), by which h′ is multiplied in the end, or None; h then has P features.

    Source: Hochreiter and Schmidhuber, *Long short-term memory* (1997).

    >>> h, c = lstm_cell(np.zeros((1, 1)), (np.zeros((1, 1)), np.ones((1, 1))), np.zeros((1, 4)), np.zeros((1, 4)))
    >>> c.tolist()
    [[0.5]]
    """
    h, c = hx
    i, f, g, o = _parts(linear(x, weight_ih, bias_ih) + linear(h, weight_hh, bias_hh), 4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if weight_hr is None else matmul(h, weight_hr)), c


def gru_cell(x: Any, h: Any, weight_ih: Any, weight_hh: Any, bias_ih: Any = None, bias_hh: Any = None) -> Any:
    """(r, z) = σ(a + q), n = tanh(a + r·q), h′ = (1 − z)·n + z·h: one step of a GRU, whose gate z keeps the old state.

    Here a = x·W_ih + b_ih and q = h·W_hh + b_hh; each of r, z and n has columns of its own.

    x: (N, I).
    h: the state, (N, H); h′ has the same shape.
    weight_ih, weight_hh: W_ih, (I, 3H), and W_hh, (H, 3H), with the gates in the order r z n.
    bias_ih, bias_hh: (3H,), or None for none.

    Source: Cho et al., *Learning phrase representations using RNN encoder–decoder* (2014), in the form that PyTorch
    has.

    >>> gru_cell(np.zeros((1, 1)), np.ones((1, 1)), np.zeros((1, 3)), np.zeros((1, 3))).tolist()
    [[0.5]]
    """
    a, b, c = _parts(linear(x, weight_ih, bias_ih), 3)
    p, q, s = _parts(linear(h, weight_hh, bias_hh), 3)
    r, z = sigmoid(a + p), sigmoid(b + q)
    n = tanh(c + r * s)
    return (1 - z) * n + z * h


# ---------------------------------------------------------------------------------------------------
# A sequence


def rnn(
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    nonlinearity: str = "tanh",
    *,
    mask: Any = None,
    reverse: bool = False,
    unroll: bool = False,
) -> tuple[Any, Any]:
    """Take the step of `rnn_cell` for each step of a sequence. It returns all states, (T, N, H), and the last one.

    x: (T, N, I).
    h0: the state before the first step, (N, H).
    weight_ih, weight_hh, bias_ih, bias_hh, nonlinearity: as for `rnn_cell`.
    mask: truths (T, N), or None. Where it is false, the step is as if it were not there: the state stays, the result is
        0, and no gradient comes back.
    reverse: whether to go from the last step to the first; the last state is then the one at t = 0.
    unroll: whether every step is recorded as ops of its own, as a figure shows them, instead of one op for all.

    Raises ValueError for another nonlinearity, and for other shapes.

    >>> one = np.ones((1, 1))
    >>> y, h = rnn(np.ones((3, 1, 1)), 0 * one, one, one, nonlinearity="relu")
    >>> y[:, 0, 0].tolist(), h.tolist()
    ([1.0, 2.0, 3.0], [[3.0]])
    """
    _nonlinearity(nonlinearity)
    x = _gated(x, mask)
    if unroll:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        return _unrolled(lambda part, h: rnn_cell(part, h, *weights, nonlinearity), x, h0, mask, reverse)
    a = _given(x, weight_ih, _sum(bias_ih, bias_hh))
    how = {"nonlinearity": nonlinearity, "reverse": reverse}
    hs = recurrence.rnn(a, h0, weight_hh, mask=mask, **how)
    return _steps(hs, mask), _last(hs, reverse)


def lstm(
    x: Any,
    hx: tuple[Any, Any],
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    weight_hr: Any = None,
    *,
    mask: Any = None,
    reverse: bool = False,
    unroll: bool = False,
) -> tuple[Any, tuple[Any, Any]]:
    """Take the step of `lstm_cell` for each step of a sequence. It returns all h, (T, N, H), and the last h and c.

    x: (T, N, I).
    hx: h and c before the first step, (N, H) each; with weight_hr, h is (N, P).
    weight_ih, weight_hh, bias_ih, bias_hh, weight_hr: as for `lstm_cell`.
    mask, reverse, unroll: as for `rnn`.

    >>> zero = np.zeros((1, 1))
    >>> y, (h, c) = lstm(np.zeros((2, 1, 1)), (zero, zero + 1), np.zeros((1, 4)), np.zeros((1, 4)))
    >>> c.tolist()
    [[0.25]]
    """
    x = _gated(x, mask)
    if unroll:
        weights = weight_ih, weight_hh, bias_ih, bias_hh, weight_hr
        y, states = _unrolled(lambda part, *hx: lstm_cell(part, hx, *weights), x, hx, mask, reverse)
        return y, states
    a = _given(x, weight_ih, _sum(bias_ih, bias_hh))
    if weight_hr is None:
        hs, cs = recurrence.lstm(a, *hx, weight_hh, mask=mask, reverse=reverse)
    else:
        hs, cs = recurrence.projected_lstm(a, *hx, weight_hh, weight_hr, mask=mask, reverse=reverse)
    return _steps(hs, mask), (_last(hs, reverse), _last(cs, reverse))


def gru(
    x: Any,
    h0: Any,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any = None,
    bias_hh: Any = None,
    *,
    mask: Any = None,
    reverse: bool = False,
    unroll: bool = False,
) -> tuple[Any, Any]:
    """Take the step of `gru_cell` for each step of a sequence. It returns all states, (T, N, H), and the last one.

    x: (T, N, I).
    h0: the state before the first step, (N, H).
    weight_ih, weight_hh, bias_ih, bias_hh: as for `gru_cell`.
    mask, reverse, unroll: as for `rnn`.

    >>> y, h = gru(np.zeros((2, 1, 1)), np.ones((1, 1)), np.zeros((1, 3)), np.zeros((1, 3)))
    >>> y[:, 0, 0].tolist()
    [0.5, 0.25]
    """
    x = _gated(x, mask)
    if unroll:
        weights = weight_ih, weight_hh, bias_ih, bias_hh
        return _unrolled(lambda part, h: gru_cell(part, h, *weights), x, h0, mask, reverse)
    a = _given(x, weight_ih, bias_ih)
    bias = np.zeros(weight_hh.shape[1], weight_hh.dtype) if bias_hh is None else bias_hh
    hs = recurrence.gru(a, h0, weight_hh, bias, mask=mask, reverse=reverse)
    return _steps(hs, mask), _last(hs, reverse)


def _gated(x: Any, mask: Any) -> Any:
    """The sequence, and 0 where the mask is false, also for NaN. Raises ValueError for what is no sequence of rows."""
    x = array(x)
    if x.ndim != 3 or not x.shape[0]:
        raise ValueError(f"sequences are (T, N, features), of one step or more, but got x of shape {x.shape}")
    return x if mask is None else gate(x, np.expand_dims(mask, -1))


def _given(x: Any, weight: Any, bias: Any) -> Any:
    """What the input gives to all gates at all steps, in one product of matrices."""
    steps, rows, features = x.shape
    y = linear(np.reshape(x, (steps * rows, features)), weight, bias)
    return np.reshape(y, (steps, rows, y.shape[-1]))


def _steps(states: Any, mask: Any) -> Any:
    """The states as results: 0 where the mask is false."""
    return states if mask is None else gate(states, np.expand_dims(mask, -1))


def _last(states: Any, reverse: bool) -> Any:
    return states[0] if reverse else states[-1]


def _unrolled(cell: Callable[..., Any], x: Any, hx: Any, mask: Any, reverse: bool) -> tuple[Any, Any]:
    """The cell called at every step, on states that are one array or a tuple of them."""
    several = isinstance(hx, tuple)
    states = hx if several else (hx,)
    found: list[Any] = []
    steps = x.shape[0]
    for t in reversed(range(steps)) if reverse else range(steps):
        made = cell(x[t], *states)
        made = made if several else (made,)
        if mask is not None:
            on = mask[t][:, None]
            made = tuple([np.where(on, new, old) for new, old in zip(made, states, strict=True)])
        states = made
        found.append(made[0] if mask is None else gate(made[0], on))
    y = np.stack(found[::-1] if reverse else found)
    return y, (states if several else states[0])
