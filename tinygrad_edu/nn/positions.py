"""Positions: vectors that say where in a sequence a place is, which attention does not see unless they are added."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.creation import count, get_default_dtype
from tinygrad_edu.nn import init
from tinygrad_edu.nn.dropout import Dropout
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Buffer, Parameter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tinygrad_edu.engine.arguments import ArrayLike, DType
    from tinygrad_edu.engine.tensor import Tensor


def sinusoids(length: int, width: int) -> NDArray[np.float64]:
    """p[t, 2i] = sin(t/10000^(2i/width)) and p[t, 2i + 1] = cos(t/10000^(2i/width)): each pair turns at a rate of its
    own.

    p[t + d] is p[t] turned, pair by pair, by an angle that depends only on d, so distances can be learnt.

    length: the number of places t.
    width: the length of each vector.

    >>> sinusoids(2, 2).round(3).tolist()
    [[0.0, 1.0], [0.841, 0.54]]

    Source: Vaswani et al., *Attention is all you need* (2017), section 3.5.
    """
    angles = np.arange(length)[:, None] * np.exp(np.arange(0, width, 2) * (-math.log(10000.0) / max(width, 1)))
    table = np.empty((length, width))
    table[:, 0::2] = np.sin(angles)
    table[:, 1::2] = np.cos(angles)[:, : width // 2]
    return table


class PositionalEncoding(Module):
    """y = dropout(x + p), where p is the table of `sinusoids`: positions are sines and cosines, which are not learnt.

    x: (…, L, d_model), or with `batch_first=False` (L, N, d_model); y has the same shape.

    d_model: the width of x.
    dropout: the share of y that is dropped in training.
    max_len: the greatest L.
    batch_first: whether the axis of the places is the last but one; if not, it is the first.
    generator: draws the dropout; by default the generator that `tg.manual_seed` sets.
    dtype: the type of the table; by default `tg.get_default_dtype()`.

    Raises ValueError, when it is called, for a longer sequence, and for another width.

    Source: Vaswani et al., *Attention is all you need* (2017), section 3.5.

    >>> PositionalEncoding(2, dropout=0.0)(np.zeros((1, 2, 2))).numpy().round(3).tolist()
    [[[0.0, 1.0], [0.841, 0.54]]]
    """

    def __init__(
        self,
        d_model: int,
        dropout: float = 0.1,
        max_len: int = 5000,
        *,
        batch_first: bool = True,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        self.d_model = count(d_model, type(self).__name__, "d_model")
        self.max_len = count(max_len, type(self).__name__, "max_len")
        if self.d_model < 1 or self.max_len < 1:
            raise ValueError(
                f"{type(self).__name__} needs a width and a place at least, but got {d_model} and {max_len}"
            )
        self.batch_first = batch_first
        self.dropout = Dropout(dropout, generator=generator)
        self._make(generator, get_default_dtype() if dtype is None else dtype)

    def _make(self, generator: np.random.Generator | None, dtype: DType) -> None:
        self.table: Buffer | Parameter = Buffer(sinusoids(self.max_len, self.d_model).astype(dtype), persistent=False)

    def forward(self, x: ArrayLike, start: int = 0) -> Tensor:
        """Add the positions. start: the place of the first vector, where those before it were dealt with earlier."""
        shape = np.shape(x)  # type: ignore[arg-type]  # NumPy's stubs know lists of lists to a depth
        axis = -2 if self.batch_first or len(shape) == 2 else 0
        if len(shape) < 2 or shape[-1] != self.d_model:
            raise ValueError(f"{self._line()} takes x of shape (…, L, {self.d_model}), but got {shape}")
        if start < 0:
            raise ValueError(f"{self._line()} counts places from 0, but got start={start}")
        if start + shape[axis] > self.max_len:
            raise ValueError(f"{self._line()} has {self.max_len} places, but got a sequence of {start + shape[axis]}; make it with a larger max_len")  # fmt: skip
        rows: Any = self.table[start : start + shape[axis]]
        if axis == 0:
            rows = np.expand_dims(rows, 1)
        return self.dropout(rows + x)

    def extra_repr(self) -> str:
        return f"{self.d_model}, max_len={self.max_len}"


class PositionalEmbedding(PositionalEncoding):
    """y = dropout(x + w), where w is a table that is learnt, with a row for each place.

    w, (max_len, d_model), begins as normal numbers of deviation 0.02. x is as for `PositionalEncoding`, and the
    parameters are those of `PositionalEncoding`.

    >>> PositionalEmbedding(4, max_len=16)(np.zeros((3, 5, 4), np.float32)).shape
    (3, 5, 4)

    Source: Radford et al., *Improving language understanding by generative pre-training* (2018).
    """

    def __init__(
        self,
        d_model: int,
        dropout: float = 0.1,
        max_len: int = 512,
        *,
        batch_first: bool = True,
        generator: np.random.Generator | None = None,
        dtype: DType = None,
    ) -> None:
        super().__init__(d_model, dropout, max_len, batch_first=batch_first, generator=generator, dtype=dtype)

    def _make(self, generator: np.random.Generator | None, dtype: DType) -> None:
        self.table = Parameter(init.normal((self.max_len, self.d_model), 0.0, 0.02, generator=generator, dtype=dtype))
