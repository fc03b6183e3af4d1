"""Recurrent layers as ONNX's own LSTM, GRU and RNN; step by step where ONNX lacks what they have.

ONNX's nodes have their own products with the input, so the layer's product that stands before the op in the record becomes
the node's weight W. Weights are stored as the layer has them, (in, out); nodes turn them and put the gates in ONNX's order,
which runtimes do once, when they load the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.writing.indexing import getitem
from tinygrad_edu.export.onnx_files.writing.written import WHOLE, CannotWriteError, Graph, Node, Written, graph_of
from tinygrad_edu.ops.network.recurrence import gated, memory, plain

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

MOST_STEPS = 1000
"""So many steps at most are written one by one."""

ORDERS = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""Which of the layer's gates stand where in ONNX: i f g o become i o f g, r z n become z r n."""


class Later(Written):
    """A value that is written only if it is read: what `write` gives."""

    def __init__(self, graph: Graph, shape: Sequence[int], dtype: Any, write: Callable[[], Any]) -> None:
        self._name = ""
        super().__init__(graph, "", shape, dtype)
        self._write = write

    @property
    def name(self) -> str:
        """The name of the value, which is written now if it was not yet."""
        if not self._name:
            self._name = self._write().name
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = name


class States(Later):
    """The states after all steps, of which ONNX gives the last one alone: `last`, at the step `at`."""

    last: Any
    at: tuple[int, ...]


def _picked(x: Any, *arrays: Any, key: tuple[Any, ...]) -> Any:
    """Indexing; of states, the last is at hand."""
    if isinstance(x, States) and len(key) == 1 and key[0] in x.at:
        return x.last
    return getitem(x, *arrays, key=key)


WHOLE["getitem"] = _picked


def _before(a: Written) -> tuple[Any, Any, Any]:
    """The input x, weight and bias of which a = x·W + b was computed, as the layers do; or a itself, None and None."""
    graph = a.graph
    node = _maker(graph, a.name, "Reshape")
    if node is None:
        return a, None, None
    bias = None
    product = _maker(graph, node.inputs[0], "MatMul")
    if product is None:
        total = _maker(graph, node.inputs[0], "Add")
        if total is None:
            return a, None, None
        product, bias = _maker(graph, total.inputs[0], "MatMul"), total.inputs[1]
    rows = None if product is None else _maker(graph, product.inputs[0], "Reshape")
    if rows is None or product is None or a.ndim != 3:
        return a, None, None
    x, weight = rows.inputs[0], product.inputs[1]
    features, width = _shape(graph, rows.outputs[0])[-1], a.shape[2]
    expected = [(*a.shape[:2], features), (features, width), *([(width,)] if bias is not None else [])]
    found = [x, weight, *([bias] if bias is not None else [])]
    if [_shape(graph, part) for part in found] != expected:  # other products than that of a layer
        return a, None, None
    read = [
        Written(graph, part, shape, a.dtype) if isinstance(part, str) else part
        for part, shape in zip(found, expected, strict=True)
    ]
    return read[0], read[1], read[2] if bias is not None else None


def _maker(graph: Graph, name: Any, kind: str) -> Node | None:
    """The node of this kind that computes a value, or None."""
    node = graph.makers.get(name) if isinstance(name, str) else None
    return node if node is not None and node.kind == kind else None


def _shape(graph: Graph, x: Any) -> tuple[int, ...]:
    """The shape of a value, by its name, or of an array."""
    return graph.shapes[x] if isinstance(x, str) else tuple(np.shape(x))


def _ordered(x: Any, kind: str, axis: int) -> Any:
    """The gates of x in ONNX's order."""
    order = ORDERS[kind]
    if order == tuple(range(len(order))):
        return x
    n = x.shape[axis] // len(order)
    places = np.concatenate([np.arange(k * n, (k + 1) * n) for k in order])
    if not isinstance(x, Written):
        return np.take(x, places, axis)
    return x.graph.add("Gather", [x, places.astype(np.int64)], x.shape, x.dtype, axis=axis)


def _node(
    kind: str, a: Any, states: Sequence[Any], weight: Any, bias: Any, reverse: bool, **attributes: Any
) -> list[Any]:
    """The node of a layer in one direction: the states after all steps, (T, N, H), and the last of each, (N, H)."""
    dtype = a.dtype
    x, by_input, given = _before(a) if isinstance(a, Written) else (a, None, None)
    n, width = states[0].shape[1], a.shape[2]
    w = np.eye(width, dtype=dtype) if by_input is None else by_input
    zeros = np.zeros(width, dtype)
    biases = [_ordered(zeros if b is None else b, kind, 0) for b in (given, bias)]
    inputs = [
        x,
        np.expand_dims(_ordered(np.transpose(w), kind, 0), 0),
        np.expand_dims(_ordered(np.transpose(weight), kind, 0), 0),
        np.expand_dims(np.concatenate(biases), 0),
        None,
        *[np.expand_dims(s, 0) for s in states],
    ]
    steps, rows = a.shape[:2]
    results = [((steps, 1, rows, n), dtype), *[((1, rows, n), dtype)] * len(states)]
    direction = "reverse" if reverse else "forward"
    made = graph_of(a, weight, *states).several(kind, inputs, results, hidden_size=n, direction=direction, **attributes)
    return [np.squeeze(made[0], 1), *[np.squeeze(s, 0) for s in made[1:]]]


def _kept(hs: Any, last: Any, reverse: bool, write: Callable[[], Any]) -> States:
    """The states that ONNX does not give after each step."""
    states = States(hs.graph, hs.shape, hs.dtype, write)
    states.last, states.at = last, (0, -hs.shape[0]) if reverse else (-1, hs.shape[0] - 1)
    return states


def _fits(a: Any, mask: Sequence[Any]) -> bool:
    return not mask and a.shape[0] > 0 and a.shape[1] > 0


def lstm(a: Any, h0: Any, c0: Any, weight: Any, *mask: Any, reverse: bool) -> Any:
    """An LSTM node; with a mask, step by step."""
    loop = _once(lambda: _lstm_steps(a, h0, c0, weight, None, mask, reverse))
    if not _fits(a, mask):
        return loop()
    hs, _, last = _node("LSTM", a, [h0, c0], weight, None, reverse)
    gates = Later(hs.graph, (*hs.shape[:2], a.shape[2]), hs.dtype, lambda: loop()[2])
    return hs, _kept(hs, last, reverse, lambda: loop()[1]), gates


def projected_lstm(a: Any, h0: Any, c0: Any, weight: Any, projection: Any, *mask: Any, reverse: bool) -> Any:
    """Step by step, for ONNX's LSTM has no projection."""
    return _lstm_steps(a, h0, c0, weight, projection, mask, reverse)


def gru(a: Any, h0: Any, weight: Any, bias: Any, *mask: Any, reverse: bool) -> Any:
    """A GRU node; with a mask, step by step."""
    loop = _once(lambda: _gru_steps(a, h0, weight, bias, mask, reverse))
    if not _fits(a, mask):
        return loop()
    hs = _node("GRU", a, [h0], weight, bias, reverse, linear_before_reset=1)[0]
    n = h0.shape[1]
    return hs, Later(hs.graph, (*hs.shape[:2], 4 * n), hs.dtype, lambda: loop()[1])


def rnn(a: Any, h0: Any, weight: Any, *mask: Any, nonlinearity: str, reverse: bool) -> Any:
    """An RNN node; with a mask, step by step."""
    if not _fits(a, mask):
        return _rnn_steps(a, h0, weight, mask, nonlinearity, reverse)
    kind = {"tanh": "Tanh", "relu": "Relu"}[nonlinearity]
    return (_node("RNN", a, [h0], weight, None, reverse, activations=[kind])[0],)


WHOLE.update(lstm=lstm, gru=gru, rnn=rnn, projected_lstm=projected_lstm)


def lstm_slopes(*given: Any, reverse: bool) -> Any:
    """Backpropagation through time, step by step."""
    return memory.unrolled(*given[:7], None, *given[7:], reverse=reverse)[:3]


WHOLE.update(
    lstm_slopes=lstm_slopes, projected_lstm_slopes=memory.unrolled, gru_slopes=gated.unrolled, rnn_slopes=plain.unrolled
)


# ---------------------------------------------------------------------------------------------------
# Step by step


def _once(f: Callable[[], Any]) -> Callable[[], Any]:
    known: list[Any] = []

    def called() -> Any:
        if not known:
            known.append(f())
        return known[0]

    return called


def _in_turn(a: Any, mask: Sequence[Any], reverse: bool) -> Any:
    """The steps in the order in which the layer takes them: what the input gives, and which rows count."""
    steps = a.shape[0]
    if steps > MOST_STEPS:
        raise CannotWriteError(
            f"a sequence of {steps} steps is too long to be written step by step, which is needed here"
        )
    order = range(steps)[::-1] if reverse else range(steps)
    return [(a[t], np.expand_dims(mask[0][t], -1) if mask else None) for t in order]


def _parts(x: Any, count: int) -> Any:
    n = x.shape[-1] // count
    return [x[:, i * n : (i + 1) * n] for i in range(count)]


def _stacked(reverse: bool, *columns: Sequence[Any]) -> tuple[Any, ...]:
    """What each step gave, as one array each."""
    return tuple([np.stack(column[::-1] if reverse else column) for column in columns])


def _settled(on: Any, *changes: tuple[Any, Any]) -> list[Any]:
    """New states, or the old ones in rows that the step leaves out."""
    return [new if on is None else np.where(on, new, old) for new, old in changes]


def _lstm_steps(a: Any, h: Any, c: Any, weight: Any, projection: Any, mask: Any, reverse: bool) -> Any:
    sigmoid = WHOLE["sigmoid"]
    hs, cs, gates = [], [], []
    if not a.shape[0]:
        return np.zeros((0, *h.shape), a.dtype), np.zeros((0, *c.shape), a.dtype), a
    for given, on in _in_turn(a, mask, reverse):
        i, f, g, o = _parts(given + np.matmul(h, weight), 4)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        new = f * c + i * g
        shown = o * np.tanh(new)
        shown = shown if projection is None else np.matmul(shown, projection)
        h, c = _settled(on, (shown, h), (new, c))
        gate = np.concatenate([i, f, g, o], axis=1)
        hs.append(h)
        cs.append(c)
        gates.append(gate if on is None else np.where(on, gate, 0))
    return _stacked(reverse, hs, cs, gates)


def _gru_steps(a: Any, h: Any, weight: Any, bias: Any, mask: Any, reverse: bool) -> Any:
    sigmoid = WHOLE["sigmoid"]
    hs, gates = [], []
    if not a.shape[0]:
        return np.zeros((0, *h.shape), a.dtype), np.zeros((0, h.shape[0], 4 * h.shape[1]), a.dtype)
    for given, on in _in_turn(a, mask, reverse):
        by_r, by_z, by_n = _parts(given, 3)
        q_r, q_z, q_n = _parts(np.matmul(h, weight) + bias, 3)
        r, z = sigmoid(by_r + q_r), sigmoid(by_z + q_z)
        n = np.tanh(by_n + r * q_n)
        (h,) = _settled(on, ((1 - z) * n + z * h, h))
        gate = np.concatenate([r, z, n, q_n], axis=1)
        hs.append(h)
        gates.append(gate if on is None else np.where(on, gate, 0))
    return _stacked(reverse, hs, gates)


def _rnn_steps(a: Any, h: Any, weight: Any, mask: Any, nonlinearity: str, reverse: bool) -> Any:
    hs = []
    if not a.shape[0]:
        return (a,)
    for given, on in _in_turn(a, mask, reverse):
        z = given + np.matmul(h, weight)
        (h,) = _settled(on, (np.tanh(z) if nonlinearity == "tanh" else np.maximum(z, 0), h))
        hs.append(h)
    return _stacked(reverse, hs)
