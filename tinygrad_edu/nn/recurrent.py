"""Recurrent layers: RNN, LSTM and GRU over sequences, in one or more layers, in one or both directions.

Weights are (in, out), as Linear's, under PyTorch's names and with its order of gates; `train.load_torch` transposes its
weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn.cells import Recurrent
from tinygrad_edu.nn.functional.checks import between_0_and_1, truth
from tinygrad_edu.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import DType

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class _Layers(Recurrent):
    states: ClassVar[tuple[str, ...]] = ("h_0",)
    proj_size = 0

    def _make(
        self, num_layers: int, batch_first: bool, dropout: float, bidirectional: bool, unroll: bool,
        generator: numpy.random.Generator | None, dtype: DType,
    ) -> None:  # fmt: skip
        who = type(self).__name__
        self.num_layers = count(num_layers, who, "num_layers")
        if self.num_layers < 1:
            raise ValueError(f"{who} needs at least one layer, but got num_layers={num_layers}")
        for name, value in (("batch_first", batch_first), ("bidirectional", bidirectional), ("unroll", unroll)):
            truth(f"{who}'s {name}", value)
        between_0_and_1(f"{who}'s dropout", dropout)
        if dropout and self.num_layers == 1:
            raise ValueError(f"{who}'s dropout is between layers, so num_layers is at least 2 with it, but got 1")
        self.batch_first, self.dropout, self.bidirectional, self.unroll = batch_first, dropout, bidirectional, unroll
        self.generator = generator
        outputs = self.proj_size or self.hidden_size
        for layer in range(self.num_layers):
            inputs = outputs * (1 + bidirectional) if layer else self.input_size
            for ending in self._endings(layer):
                self._begin(ending, inputs, outputs, generator, dtype)

    def _endings(self, layer: int) -> list[str]:
        """What the names of a layer's parameters end with, in each direction."""
        return [f"_l{layer}", f"_l{layer}_reverse"] if self.bidirectional else [f"_l{layer}"]

    def forward(self, x: Any, hx: Any = None, *, mask: Any = None) -> tuple[Any, Any]:
        if isinstance(x, PackedSequence):
            if mask is not None:
                raise TypeError(
                    f"{self!r} takes no mask beside packed sequences, whose lengths say the same; leave it out"
                )
            return self._packed(x, hx)
        given = array(x)
        alone = given.ndim == 2
        if given.ndim not in (2, 3) or given.shape[-1] != self.input_size:
            shape = "N, T" if self.batch_first else "T, N"
            raise ValueError(
                f"{self!r} takes x of shape ({shape}, {self.input_size}) or (T, {self.input_size}), but got {given.shape}"
            )
        if mask is not None:
            mask = array(mask)
            if mask.shape != given.shape[:-1] or mask.dtype.kind != "b":
                raise ValueError(
                    f"{self!r} takes a mask of truths of shape {given.shape[:-1]}, one for each step, but got {mask.dtype} {mask.shape}"
                )
        turned = self.batch_first and not alone
        if alone:
            given, mask = given[:, None], None if mask is None else mask[:, None]
        if turned:
            given, mask = np.swapaxes(given, 0, 1), None if mask is None else np.swapaxes(mask, 0, 1)
        steps, rows = given.shape[:2]
        if not steps:
            raise ValueError(f"{self!r} takes sequences of at least one step, but got x of shape {np.shape(x)}")
        several = self.num_layers * (1 + self.bidirectional)
        first = self._checked(hx, (several,) if alone else (several, rows), self._sizes(), self.states, given)
        if alone and hx is not None:
            first = [s[:, None] for s in first]
        elif alone:
            first = [s.reshape(several, 1, -1) for s in first]
        y, last = self._run(given, first, mask)
        if alone:
            return y[:, 0], self._shown([s[:, 0] for s in last])
        return (np.swapaxes(y, 0, 1) if turned else y), self._shown(last)

    def _sizes(self) -> tuple[int, ...]:
        """How many features each state has."""
        return (self.hidden_size,)

    def _shown(self, states: list[Any]) -> Any:
        """The states as they are returned: one, or a tuple."""
        return states[0] if len(states) == 1 else tuple(states)

    def _packed(self, x: PackedSequence, hx: Any) -> tuple[Any, Any]:
        """The layers on sequences of different lengths: filled up, with a mask, and packed again."""
        padded, lengths = pad_packed_sequence(PackedSequence(x.data, x.batch_sizes))
        if padded.ndim != 3 or padded.shape[2] != self.input_size:
            raise ValueError(f"{self!r} takes packed steps of shape ({self.input_size},), but got {padded.shape[2:]}")
        several = self.num_layers * (1 + self.bidirectional)
        states = self._checked(hx, (several, padded.shape[1]), self._sizes(), self.states, padded)
        if x.sorted_indices is not None:
            states = [s[:, x.sorted_indices] for s in states]
        y, last = self._run(padded, states, np.arange(len(padded))[:, None] < lengths)
        made = pack_padded_sequence(y, lengths)
        if x.unsorted_indices is not None:
            last = [s[:, x.unsorted_indices] for s in last]
        return PackedSequence(made.data, *x[1:]), self._shown(last)

    def _run(self, x: Any, first: list[Any], mask: Any) -> tuple[Any, list[Any]]:
        """All layers in all directions on x (T, N, …), from the first states to the results and the last states."""
        last: list[Any] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                x = F.dropout(x, self.dropout, self.training, generator=self.generator)
            results = []
            for ending in self._endings(layer):
                states = [s[len(last)] for s in first]
                y, after = self._one(
                    x, states, ending, {"mask": mask, "reverse": ending.endswith("reverse"), "unroll": self.unroll}
                )
                results.append(y)
                last.append(after if isinstance(after, tuple) else (after,))
            x = np.concatenate(results, axis=-1) if self.bidirectional else results[0]
        return x, [np.stack(parts) for parts in zip(*last, strict=True)]

    _one: Callable[[Any, list[Any], str, dict[str, Any]], tuple[Any, Any]]  # one layer in one direction

    def extra_repr(self) -> str:
        said = [f"{self.input_size}, {self.hidden_size}"]
        usual = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        found = {key: getattr(self, key) for key in usual}
        said += [f"{key}={value}" for key, value in found.items() if value != usual[key]]
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            said.append(f"nonlinearity={self.nonlinearity!r}")
        return ", ".join([*said, "unroll=True"] if self.unroll else said)


class RNN(_Layers):
    """h_t = φ(x_t·W_ih + b_ih + h_{t−1}·W_hh + b_hh) is computed for every step t of sequences, in one or more layers.

    It is called as `y, h_n = layer(x, h_0)`. x is (T, N, input_size), and y is (T, N, D·hidden_size), the states of the
    last layer, where D is 2 for a bidirectional one, else 1. h_0 and h_n, the states before the first step (0 if left
    out) and after the last, are (D·num_layers, N, hidden_size). One example may come without N, and x may be a
    `PackedSequence`. A step at which `mask=`, truths (T, N), is false is as if it were not there.

    The parameters of layer k are weight_ih_lk (in, hidden_size), weight_hh_lk (hidden_size, hidden_size), bias_ih_lk
    and bias_hh_lk, with `_reverse` behind their names for the other direction.

    input_size: the number of features of x.
    hidden_size: the number of features of a state.
    num_layers: the number of layers; each gets the states of the one before.
    nonlinearity: φ, "tanh" or "relu".
    bias: whether there are biases.
    batch_first: whether x, y and mask are (N, T, …).
    dropout: the share of the states that is dropped between layers, in training.
    bidirectional: whether a second state goes from the last step to the first; it stands behind the first one in y.
    unroll: whether every step is recorded as ops of its own, as `draw(layer, x)` shows it; otherwise a layer is one op,
        whatever the number of steps.
    generator: draws the first weights and the dropout; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for settings that do not fit, and, when it is called, for inputs of other shapes.

    For truncated backpropagation through time, take the state along without its graph:

    >>> import numpy as np
    >>> from tinygrad_edu import optim
    >>> layer, state, text = RNN(3, 4), None, np.ones((10, 1, 3), np.float32)
    >>> optimizer = optim.SGD(layer.parameters(), lr=0.1)
    >>> for part in np.split(text, 5):
    ...     y, state = layer(part, state)
    ...     y.mean().backward()
    ...     optimizer.step()
    ...     optimizer.zero_grad()
    ...     state = state.detach()
    >>> y.shape, state.shape
    ((2, 1, 4), (1, 1, 4))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        unroll: bool = False,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, nonlinearity)
        self._make(num_layers, batch_first, dropout, bidirectional, unroll, generator, dtype)

    def _one(self, x: Any, states: list[Any], ending: str, how: dict[str, Any]) -> tuple[Any, Any]:
        return F.rnn(x, states[0], *self._weights(ending), nonlinearity=self.nonlinearity, **how)


class LSTM(_Layers):
    """Long short-term memory over sequences: the step of an `LSTMCell` is taken for every step, in one or more layers.

    It is called as `y, (h_n, c_n) = layer(x, (h_0, c_0))`, where x, y and the states are as for `RNN`. The parameters
    of layer k have the names of those of an `RNN`, with 4·hidden_size columns and the gates in the order i f g o.

    proj_size: if it is not 0, h and y have this many features, by a product with weight_hr_lk (hidden_size, proj_size).

    The other parameters are those of `RNN`.

    Sources: see `tinygrad_edu.ops.network.recurrence.memory`, and for proj_size its neighbour `projected`.

    >>> import numpy as np
    >>> layer = LSTM(3, 4, num_layers=2, bidirectional=True)
    >>> y, (h_n, c_n) = layer(np.ones((7, 2, 3), np.float32))
    >>> y.shape, h_n.shape, c_n.shape
    ((7, 2, 8), (4, 2, 4), (4, 2, 4))
    """

    gates = 4
    states = ("h_0", "c_0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        unroll: bool = False,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, None)
        self.proj_size = count(proj_size, "LSTM", "proj_size")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(f"LSTM's proj_size is below hidden_size={hidden_size}, or 0 for none, but got {proj_size}")
        self._make(num_layers, batch_first, dropout, bidirectional, unroll, generator, dtype)

    def _sizes(self) -> tuple[int, ...]:
        return self.proj_size or self.hidden_size, self.hidden_size

    def _one(self, x: Any, states: list[Any], ending: str, how: dict[str, Any]) -> tuple[Any, Any]:
        projection = getattr(self, f"weight_hr{ending}") if self.proj_size else None
        return F.lstm(x, (states[0], states[1]), *self._weights(ending), weight_hr=projection, **how)


class GRU(_Layers):
    """Gated recurrent units over sequences: the step of a `GRUCell` is taken for every step, in one or more layers.

    It is called as `y, h_n = layer(x, h_0)`, where x, y and the states are as for `RNN`. The parameters of layer k have
    the names of those of an `RNN`, with 3·hidden_size columns and the gates in the order r z n.

    The constructor's parameters are those of `RNN`.

    Source: see `tinygrad_edu.ops.network.recurrence.gated`.

    >>> import numpy as np
    >>> y, h_n = GRU(3, 4, batch_first=True)(np.ones((2, 7, 3), np.float32))
    >>> y.shape, h_n.shape
    ((2, 7, 4), (1, 2, 4))
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        unroll: bool = False,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, None)
        self._make(num_layers, batch_first, dropout, bidirectional, unroll, generator, dtype)

    def _one(self, x: Any, states: list[Any], ending: str, how: dict[str, Any]) -> tuple[Any, Any]:
        return F.gru(x, states[0], *self._weights(ending), **how)
