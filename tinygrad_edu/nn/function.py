"""Function: a layer that calls one function with its input, as all of `activation`, `loss` and `margins` do."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.functional.checks import truth
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import A
    from tinygrad_edu.engine.signatures import Unary


@dataclass_transform(eq_default=False)
class Function(Module):
    """y = function(x, **options). A subclass names its function, and declares the function's options as a dataclass
    does.

    `__init__` takes the options as declared, and keeps each as an attribute. A subclass that names no function is a
    class
    like any other: it has the options of the class that it is derived from. An option `inplace` is accepted, but is not
    given to the function.

    >>> from tinygrad_edu.nn import functional as F
    >>> class Leaky(Function):
    ...     function = F.leaky_relu
    ...     negative_slope: float = 0.2
    >>> Leaky(), float(Leaky(0.5)(-1.0))
    (Leaky(negative_slope=0.2), -0.5)
    """

    function: ClassVar[Callable[..., Any]]
    _names: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "function" in vars(cls):
            if inspect.get_annotations(cls):
                dataclass(eq=False, repr=False)(cls)
            cls._names = tuple([name for name in inspect.signature(cls).parameters if name != "inplace"])

    def __post_init__(self) -> None:
        truth(f"{type(self).__name__}'s inplace", getattr(self, "inplace", False))

    if TYPE_CHECKING:
        __call__: ClassVar[Unary[[]]]  # type: ignore[assignment]  # on arrays it gives arrays

    def forward(self, x: A) -> A:
        return type(self).function(x, **self._options()) if self._names else type(self).function(x)

    def _options(self) -> dict[str, Any]:
        """The values that the options have now: they are attributes, so the user may have changed them."""
        return {name: getattr(self, name) for name in self._names}

    def extra_repr(self) -> str:
        shown = {name: value for name, value in self._options().items() if not isinstance(value, Tensor | None)}
        return ", ".join([f"{name}={value!r}" for name, value in shown.items()])
