"""Modules that hold other modules."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


class Sequential(Module):
    """y = fₙ(… f₂(f₁(x))): layers one after another.

    The layers are modules, or any functions; given as arguments they are named `0`, `1`, …, given as one mapping they
    keep its names. `model[i]`, `model[i] = layer`, `model[i:j]`, `len(model)` and `model.append(layer)` work as on a list.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), np.tanh, nn.Linear(4, 2))
    >>> model(np.ones((5, 3), np.float32)).shape, [name for name, _ in model.named_parameters()]
    ((5, 2), ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, *layers: Callable[..., Any] | Mapping[str, Callable[..., Any]]) -> None:
        named: dict[str, Any] = {str(i): layer for i, layer in enumerate(layers)}
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            named = dict(layers[0])
        for name, layer in named.items():
            _check_layer(layer, f"layer {name} is")
        self._layers: dict[str, Callable[..., Any]] = named

    def _named_members(self) -> list[tuple[str, Any]]:
        others = [(name, value) for name, value in vars(self).items() if name != "_layers"]
        return [*self._layers.items(), *others]

    def forward(self, x: ArrayLike) -> Tensor:
        """The layers, applied in turn."""
        y: Any = x
        for name, layer in self._layers.items():
            given, y = y, layer(y)
            if y is None and given is not None:
                raise TypeError(
                    f"layer {name} of Sequential, {type(layer).__name__}, returned None; end its forward with `return`"
                )
        return y

    def append(self, layer: Callable[..., Any]) -> Sequential:
        """Add a layer at the end; returns the model."""
        _check_layer(layer, "got")
        self._layers[str(len(self._layers))] = layer
        return self

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter(self._layers.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(*list(self)[index])
        return list(self)[index]

    def __setitem__(self, index: int, layer: Callable[..., Any]) -> None:
        _check_layer(layer, f"layer {index} is")
        self._layers[list(self._layers)[index]] = layer


def _check_layer(layer: Any, said: str) -> None:
    """Raise TypeError for what is no module or function."""
    if isinstance(layer, type):
        needed = [
            p
            for p in inspect.signature(layer).parameters.values()
            if p.default is p.empty and p.kind < p.VAR_POSITIONAL
        ]
        made = f"{layer.__name__}({', '.join(p.name for p in needed)})"
        raise TypeError(f"Sequential takes modules and functions, but {said} the class {layer.__name__}: write {made}")
    if not callable(layer):
        kind = type(layer).__name__
        cure = ": write Sequential(*layers)" if isinstance(layer, list | tuple) or hasattr(layer, "__next__") else ""
        raise TypeError(f"Sequential takes modules and functions, but {said} {kind}{cure}")
