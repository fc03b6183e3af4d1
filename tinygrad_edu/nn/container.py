"""Sequential: a model of layers that are called one after another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

from tinygrad_edu.nn.answers import named
from tinygrad_edu.nn.module import Module

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.tensor import Tensor


class Sequential(Module):
    """y = fₙ(… f₂(f₁(x))): layers are called one after another, each with what the one before it gave.

    The layers are modules, or any functions. Given as arguments, they are named `0`, `1`, …; given as one mapping, they
    keep its names. `model[i]`, `model[i] = layer`, `del model[i]`, `model[i:j]`, `len(model)`, `append`, `insert`,
    `extend` and `pop` work as on a list; a layer that is put in or taken out in the middle gives those behind it new
    numbers.

    Raises TypeError for what cannot be called, for a class instead of a layer, and, when it is called, for a layer that
    returns None.

    >>> import numpy as np
    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), np.tanh, nn.Linear(4, 2))
    >>> model(np.ones((5, 3), np.float32)).shape, [name for name, _ in model.named_parameters()]
    ((5, 2), ['0.weight', '0.bias', '2.weight', '2.bias'])
    """

    def __init__(self, *layers: Callable[..., Any] | Mapping[str, Callable[..., Any]]) -> None:
        by_name: dict[str, Any] = {str(i): layer for i, layer in enumerate(layers)}
        if len(layers) == 1 and isinstance(layers[0], Mapping):
            by_name = dict(layers[0])
        for name, layer in by_name.items():
            _check_layer(layer, f"layer {name} is")
        self._layers: dict[str, Callable[..., Any]] = by_name

    def _named_members(self) -> list[tuple[str, Any]]:
        others = [(name, value) for name, value in vars(self).items() if name != "_layers"]
        return [*self._layers.items(), *others]

    def forward(self, x: ArrayLike) -> Tensor:
        """Call the layers one after another, and return what the last one gives."""
        y: Any = x
        for name, layer in self._layers.items():
            given, y = y, layer(y)
            if y is None and given is not None:
                raise TypeError(
                    f"layer {name} of Sequential, {type(layer).__name__}, returned None; end its forward with `return`"
                )
        return y

    def append(self, layer: Callable[..., Any]) -> Self:
        """Add a layer at the end, and return the model."""
        return self.insert(len(self), layer)

    def extend(self, layers: Iterable[Callable[..., Any]]) -> Self:
        """Add several layers at the end, and return the model."""
        for layer in list(layers):
            self.append(layer)
        return self

    def insert(self, index: int, layer: Callable[..., Any]) -> Self:
        """Put a layer before the one at `index`, and return the model."""
        _check_layer(layer, "got")
        names, layers = list(self._layers), list(self)
        at = len(range(len(layers))[:index])
        layers.insert(at, layer)
        names.insert(at, str(at))
        self._layers = _named(names, layers)
        return self

    def pop(self, index: int = -1) -> Callable[..., Any]:
        """Take the layer at `index` out, and return it."""
        layer: Callable[..., Any] = self[index]
        del self[index]
        return layer

    def add_module(self, name: str, module: Callable[..., Any] | None) -> None:
        """Add a layer of this name at the end, or put it in place of the one that has the name."""
        _check_layer(module, f"layer {name} is")
        self._layers[named("layer", name, self)] = module  # type: ignore[assignment]  # it was looked at

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Callable[..., Any]]:
        return iter(self._layers.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(*list(self)[index])
        try:
            return list(self)[index]
        except IndexError:
            raise IndexError(f"this Sequential has {len(self)} layers, but got the index {index}") from None

    def __setitem__(self, index: int, layer: Callable[..., Any]) -> None:
        _check_layer(layer, f"layer {index} is")
        self._layers[list(self._layers)[index]] = layer

    def __delitem__(self, index: int | slice) -> None:
        names, layers = list(self._layers), list(self)
        del names[index], layers[index]
        self._layers = _named(names, layers)

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *other)


def _named(names: list[str], layers: list[Any]) -> dict[str, Any]:
    """The layers by name. Those named by a number are named by the place that they have now."""
    return {
        str(i) if name.isdecimal() else name: layer for i, (name, layer) in enumerate(zip(names, layers, strict=True))
    }


def _check_layer(layer: Any, said: str) -> None:
    """Raise TypeError for what is neither a module nor a function."""
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
