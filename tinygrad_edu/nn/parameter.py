"""Parameter and Buffer: the tensors that make up a module's state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType


class Named(Tensor):
    """A tensor that is called by its place in a module (`layers.0.weight`) as long as it has no name of its own."""

    __slots__ = ("_path",)

    _path: str | None

    def place(self, path: str) -> None:
        """Call it by its path, unless it has a name of its own."""
        if self.name is None or self.name is getattr(self, "_path", None):
            self.name = self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        make, (kind, data, requires_grad, name, grad), attributes = super().__reduce__()
        name = None if name is getattr(self, "_path", None) else name
        return make, (kind, data, requires_grad, name, grad), attributes

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Hold the same numbers in another type, the gradient too."""
        gradient, self.held_grad = self.held_grad, None
        self.data = self.ndarray.astype(dtype)
        if gradient is not None:
            self.held_grad = self.constant(gradient.ndarray.astype(dtype))


class Parameter(Named):
    """A leaf that a module learns: it requires a gradient unless told not to.

    >>> w = Parameter([1.0, 2.0])
    >>> w.requires_grad
    True
    """

    __slots__ = ()

    def __init__(
        self, data: ArrayLike, requires_grad: bool = True, *, dtype: DType = None, name: str | None = None
    ) -> None:
        super().__init__(data, requires_grad, dtype=dtype, name=name)


class Buffer(Named):
    """A leaf that belongs to a module's state but is not learnt: a running mean, a mask.

    persistent: whether `state_dict()` has it; what can be computed anew need not be there.
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
        """A buffer is not learnt: raises TypeError if asked to be."""
        if value:
            raise TypeError(f"{self.describe()} is a buffer, which is not learnt; make it a Parameter")
        return self
