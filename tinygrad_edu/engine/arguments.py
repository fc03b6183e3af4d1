"""What callers may pass, by name: the types that signatures are written in.

They stand in annotations alone, so no page of the package loads this one; a script may, to annotate its own functions:

>>> from tinygrad_edu import Tensor
>>> from tinygrad_edu.engine.arguments import ArrayLike
>>> def centred(x: ArrayLike) -> Tensor:
...     x = Tensor(x)
...     return x - x.mean()
>>> centred([1.0, 3.0])
Tensor([-1.,  1.])
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

if TYPE_CHECKING:
    from tinygrad_edu.engine.tensor import Tensor

Array: TypeAlias = NDArray[Any]
"""NumPy's array, of any type: what the function of an op computes on."""

Number: TypeAlias = int | float | complex | np.number[Any] | np.bool
"""A number, Python's or NumPy's; a truth value is one too."""


class Table(Protocol):
    """A data frame or a series: what can give its numbers as an array."""

    def to_numpy(self) -> Any:
        """The numbers of the table, as an array."""

    def __array__(self) -> NDArray[Any]: ...


Plain: TypeAlias = "Array | Number | Table | Sequence[Plain]"
"""Numbers in any form but a tensor: an array, a number, a data frame, lists of them."""

ArrayLike: TypeAlias = "Tensor | Plain | Sequence[ArrayLike]"
"""What becomes a tensor, or is one: whatever `Tensor` can be made of."""

A = TypeVar("A", "Tensor", Array)
B = TypeVar("B", "Tensor", Array)
C = TypeVar("C", "Tensor", Array)
"""A tensor where tensors come in, an array where arrays do; three for those that come together."""

Axis: TypeAlias = "int | Sequence[int] | None"
"""An axis, several of them, or None for all."""

Shape: TypeAlias = "int | Sequence[int]"
"""The length of each axis; of a single one, the number alone."""

DType: TypeAlias = "DTypeLike | None"
"""A type of numbers as NumPy takes it, such as np.float32 or "float32"; None for the usual one."""

Out: TypeAlias = "Array | None"
"""Where to write a result; None for memory of its own."""

Index: TypeAlias = "SupportsIndex | slice | EllipsisType | Tensor | Array | Sequence[Any] | tuple[Any, ...] | None"
"""What may stand in brackets behind a tensor: t[0], t[1:, ...], t[t > 0], t[[0, 2]]."""
