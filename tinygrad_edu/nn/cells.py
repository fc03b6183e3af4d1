"""Recurrent cells, which take one step of a sequence: RNNCell, LSTMCell and GRUCell; and what layers share with them.

Weights are (in, out), as Linear's, under PyTorch's names and with its order of gates; `train.load_torch` transposes its
weights.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy

from tinygrad_edu.creation import count
from tinygrad_edu.nn import functional as F
from tinygrad_edu.nn import init
from tinygrad_edu.nn.functional.checks import truth
from tinygrad_edu.nn.functional.recurrence import NONLINEARITIES
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Parameter
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import DType

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


class Recurrent(Module):
    """The base of cells and layers: weights for the input and for the state, which begin uniform in ±1/√hidden_size."""

    gates: ClassVar[int] = 1
    input_size: int
    hidden_size: int
    bias: bool

    @property
    def TURNED(self) -> tuple[str, ...]:
        """The names of the weights that PyTorch keeps transposed."""
        return tuple([name for name in vars(self) if name.startswith("weight")])

    def _settle(self, input_size: int, hidden_size: int, bias: bool, nonlinearity: str | None) -> None:
        """Look at the settings, and keep them as attributes."""
        who = type(self).__name__
        self.input_size = count(input_size, who, "input_size")
        self.hidden_size = count(hidden_size, who, "hidden_size")
        if min(self.input_size, self.hidden_size) < 1:
            raise ValueError(
                f"{who} needs at least one feature in its input and its state, but got {input_size} and {hidden_size}"
            )
        truth(f"{who}'s bias", bias)
        self.bias = bias
        if nonlinearity is not None:
            if nonlinearity not in NONLINEARITIES:
                raise ValueError(f"{who}'s nonlinearity is 'tanh' or 'relu', but got {nonlinearity!r}")
            self.nonlinearity = nonlinearity

    def _begin(
        self, ending: str, inputs: int, outputs: int, generator: numpy.random.Generator | None, dtype: DType
    ) -> None:
        """The parameters of one layer in one direction, which ends with states of `outputs` features."""
        bound, width = 1 / math.sqrt(self.hidden_size), self.gates * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (inputs, width), "weight_hh": (outputs, width)}
        if self.bias:
            shapes |= {"bias_ih": (width,), "bias_hh": (width,)}
        if outputs != self.hidden_size:
            shapes["weight_hr"] = (self.hidden_size, outputs)
        for name, shape in shapes.items():
            made = Parameter(init.uniform(shape, -bound, bound, generator=generator, dtype=dtype))
            setattr(self, name + ending, made)

    def _weights(self, ending: str = "") -> tuple[Any, Any, Any, Any]:
        """The two weights and the two biases, None where there are none."""
        weights = getattr(self, f"weight_ih{ending}"), getattr(self, f"weight_hh{ending}")
        return (
            (*weights, getattr(self, f"bias_ih{ending}"), getattr(self, f"bias_hh{ending}"))
            if self.bias
            else (*weights, None, None)
        )

    def _checked(
        self, states: Any, shape: tuple[int, ...], sizes: tuple[int, ...], names: tuple[str, ...], like: Any
    ) -> Any:
        """The states, a list of as many as `names`, each of `shape` with the last length from `sizes`; zeros for None.

        Raises TypeError for what is no tuple of states where several are needed, and for one where there is one state;
        ValueError for other shapes.
        """
        if states is None:
            return [np.zeros((*shape, size), like.dtype if like.dtype.kind == "f" else float) for size in sizes]
        several = isinstance(states, tuple) or (len(names) > 1 and isinstance(states, list))
        if several != (len(names) > 1) or (several and len(states) != len(names)):
            got = f"{len(states)} in a {type(states).__name__}" if several else type(states).__name__
            takes = f"a pair of states, ({', '.join(names)})" if len(names) > 1 else f"one state, {names[0]}"
            raise TypeError(f"{self!r} begins with {takes}, but got {got}")
        given = [array(x) for x in (states if len(names) > 1 else [states])]
        for name, x, size in zip(names, given, sizes, strict=True):
            if x.shape != (*shape, size):
                raise ValueError(f"{self!r} takes {name} of shape {(*shape, size)} for this input, but got {x.shape}")
        return given


class _Cell(Recurrent):
    states: ClassVar[tuple[str, ...]] = ("h",)

    def _take(self, x: Any, hx: Any) -> tuple[Any, list[Any], bool]:
        """The input and the states, as rows, and whether they came as one example without N."""
        x = array(x)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"{self!r} takes x of shape (N, {self.input_size}) or ({self.input_size},), but got {x.shape}"
            )
        sizes = (self.hidden_size,) * len(self.states)
        states = self._checked(hx, x.shape[:-1], sizes, self.states, x)
        alone = x.ndim == 1
        return (x[None], [s[None] for s in states], True) if alone else (x, states, alone)

    def extra_repr(self) -> str:
        said = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
        other = getattr(self, "nonlinearity", "tanh")
        return said + ("" if other == "tanh" else f", nonlinearity={other!r}")


class RNNCell(_Cell):
    """h′ = φ(x·W_ih + b_ih + h·W_hh + b_hh), one step of an RNN: the new state follows from the input and the old
    state.

    It is called as `cell(x, h)`, with x (N, input_size) and h (N, hidden_size), or both without N; without h, it is 0.
    The weights weight_ih and weight_hh are (input_size, hidden_size) and (hidden_size, hidden_size).

    input_size: the number of features of x.
    hidden_size: the number of features of h.
    bias: whether there are bias_ih and bias_hh, (hidden_size,).
    nonlinearity: φ, "tanh" or "relu".
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Raises ValueError for another nonlinearity, and, when it is called, for inputs of other shapes.

    Source: Elman, *Finding structure in time* (1990).

    >>> import numpy as np
    >>> RNNCell(3, 4)(np.ones((2, 3), np.float32)).shape
    (2, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, nonlinearity)
        self._begin("", self.input_size, self.hidden_size, generator, dtype)

    def forward(self, x: Any, hx: Any = None) -> Any:
        x, (h,), alone = self._take(x, hx)
        h = F.rnn_cell(x, h, *self._weights(), nonlinearity=self.nonlinearity)
        return h[0] if alone else h


class LSTMCell(_Cell):
    """One step of an LSTM: (i, f, g, o) = (σ, σ, tanh, σ)(x·W_ih + b_ih + h·W_hh + b_hh), c′ = f·c + i·g, h′ = o·tanh
    c′.

    It is called as `cell(x, (h, c))` and returns h′ and c′; x is (N, input_size), the states are (N, hidden_size), and
    all may come without N; without states, they are 0. The weights weight_ih and weight_hh are (input_size,
    4·hidden_size) and (hidden_size, 4·hidden_size), with the gates in the order i f g o.

    input_size: the number of features of x.
    hidden_size: the number of features of h and c.
    bias: whether there are bias_ih and bias_hh, (4·hidden_size,).
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Source: Hochreiter and Schmidhuber, *Long short-term memory* (1997).

    >>> import numpy as np
    >>> h, c = LSTMCell(3, 4)(np.ones((2, 3), np.float32))
    >>> h.shape, c.shape
    ((2, 4), (2, 4))
    """

    gates = 4
    states = ("h", "c")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, None)
        self._begin("", self.input_size, self.hidden_size, generator, dtype)

    def forward(self, x: Any, hx: Any = None) -> tuple[Any, Any]:
        x, states, alone = self._take(x, hx)
        h, c = F.lstm_cell(x, tuple(states), *self._weights())
        return (h[0], c[0]) if alone else (h, c)


class GRUCell(_Cell):
    """One step of a GRU: (r, z) = σ(a + q), n = tanh(a + r·q), h′ = (1 − z)·n + z·h, where z keeps the old state.

    Here a = x·W_ih + b_ih and q = h·W_hh + b_hh. It is called as `cell(x, h)`, with x (N, input_size) and h (N,
    hidden_size), or both without N; without h, it is 0. The weights weight_ih and weight_hh are (input_size,
    3·hidden_size) and (hidden_size, 3·hidden_size), with the gates in the order r z n.

    input_size: the number of features of x.
    hidden_size: the number of features of h.
    bias: whether there are bias_ih and bias_hh, (3·hidden_size,).
    generator: draws the first weights; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the weights; by default `tg.get_default_dtype()`.

    Source: Cho et al., *Learning phrase representations using RNN encoder–decoder* (2014), in the form that PyTorch
    has.

    >>> import numpy as np
    >>> GRUCell(3, 4)(np.ones((2, 3), np.float32)).shape
    (2, 4)
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        generator: numpy.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self._settle(input_size, hidden_size, bias, None)
        self._begin("", self.input_size, self.hidden_size, generator, dtype)

    def forward(self, x: Any, hx: Any = None) -> Any:
        x, (h,), alone = self._take(x, hx)
        h = F.gru_cell(x, h, *self._weights())
        return h[0] if alone else h
