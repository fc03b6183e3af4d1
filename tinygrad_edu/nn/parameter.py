"""Parameter and Buffer: the tensors that make up a module's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_edu.engine.protocols import AT_ONCE
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType


class Named(Tensor):
    """A tensor that is called by its path in a module (`layers.0.weight`) as long as it has no name of its own."""

    __slots__ = ("_path",)

    _path: str | None

    def place(self, path: str) -> None:
        """Take `path` as the name, unless there is a name of its own."""
        if self.name is None or self.name is getattr(self, "_path", None):
            self.name = self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        make, (kind, data, requires_grad, name, grad), attributes = super().__reduce__()
        name = None if name is getattr(self, "_path", None) else name
        return make, (kind, data, requires_grad, name, grad), attributes

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Change the type of the numbers, and of the gradient, while the tensor stays the same object."""
        gradient, self.held_grad = self.held_grad, None
        self.data = self.ndarray.astype(dtype)
        if gradient is not None:
            self.held_grad = self.constant(gradient.ndarray.astype(dtype))


class Parameter(Named):
    """A tensor that a module learns: `parameters()` finds it where it is an attribute, and optimizers change it.

    data: its first value, in the type that it has.
    requires_grad: False freezes it, so that it keeps its value.
    dtype: the type to convert the data to.
    name: how errors and figures call it; by default its path in the module.

    >>> w = Parameter([1.0, 2.0])
    >>> w.requires_grad
    True
    """

    __slots__ = ()

    def __init__(
        self, data: ArrayLike, requires_grad: bool = True, *, dtype: DType = None, name: str | None = None
    ) -> None:
        super().__init__(data, requires_grad, dtype=dtype, name=name)


AT_ONCE.add(Parameter)


class Buffer(Named):
    """A tensor that belongs to a module's state but is not learnt, such as a running mean or a mask.

    data: its first value, in the type that it has.
    persistent: whether `state_dict()` has it; what can be computed anew need not be there.
    dtype: the type to convert the data to.
    name: how errors and figures call it; by default its path in the module.

    >>> from tinygrad_edu import nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> layer.steps = Buffer(0)
    >>> list(layer.state_dict())
    ['weight', 'steps']
    """

    __slots__ = ("persistent",)

    def __init__(
        self, data: ArrayLike, *, persistent: bool = True, dtype: DType = None, name: str | None = None
    ) -> None:
        super().__init__(data, dtype=dtype, name=name)
        self.persistent = persistent

    def __reduce__(self) -> tuple[Any, ...]:
        make, parts, _ = super().__reduce__()
        return make, parts, (None, {"persistent": self.persistent})

    def requires_grad_(self, value: bool = True) -> Self:
        """Refuse to be learnt: raises TypeError unless `value` is False, because a buffer that is learnt is a
        `Parameter`.
        """
        if value:
            raise TypeError(f"{self.describe()} is a buffer, which is not learnt; make it a Parameter")
        return self
