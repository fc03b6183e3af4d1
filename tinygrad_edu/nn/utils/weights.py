"""Weights that are computed from other parameters each time they are read: divided by their length, or by their norm.

A module whose `weight` is computed has those other parameters instead of it, and the record of each call begins with
them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn.module import Module
from tinygrad_edu.nn.parameter import Buffer, Parameter

M = TypeVar("M", bound=Module)


def weight_norm(module: M, name: str = "weight", axis: int | None = None) -> M:
    """w = g·v/‖v‖: the direction v and the length g of a weight are learnt apart, as `weight_v` and `weight_g`.

    It returns the module.

    module: a layer with this parameter.
    name: the name of the parameter.
    axis: the axis whose indices have a length each, taken over all other axes; by default the axis of the outputs,
        which is 1 for a linear layer's (in, out), else 0. −1 is the last; with `axis=()` there is one length for all.

    Raises ValueError where the module has no such parameter, or has it normalized already.

    Source: Salimans and Kingma, *Weight normalization* (2016).

    >>> from tinygrad_edu import nn
    >>> layer = weight_norm(nn.Linear(3, 2))
    >>> [(name, p.shape) for name, p in layer.named_parameters()]
    [('bias', (2,)), ('weight_g', (1, 2)), ('weight_v', (3, 2))]
    """
    w = _parameter(module, name, "weight_norm")
    kept = _axes(w, axis)
    over = tuple([a for a in range(w.ndim) if a not in kept])
    delattr(module, name)
    setattr(module, f"{name}_g", Parameter(_length(w.ndarray, over)))
    setattr(module, f"{name}_v", w)
    w.name = None
    _compute(module, name, WeightNorm(name, over))
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, with the value that it has now, and return the module.

    module: a layer to which `weight_norm` was applied.
    name: the name of the parameter.

    Raises ValueError where it was not.

    >>> from tinygrad_edu import nn
    >>> layer = remove_weight_norm(weight_norm(nn.Linear(3, 2)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    return _settle(module, name, WeightNorm, ("_g", "_v"))


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, axis: int | None = None
) -> M:
    """w = v/σ(v), where σ is the largest singular value of v as a matrix: multiplying by w makes no vector longer.

    v is learnt, as `weight_orig`. σ is estimated as u·v·v′, with vectors u and v′ that are kept in the state, as
    `weight_u` and `weight_v`. They come nearer to the singular vectors each time that the weight is read in training
    mode. It returns the module.

    module: a layer with this parameter.
    name: the name of the parameter.
    n_power_iterations: how many steps u and v′ take each time, at least 1.
    eps: the least length that u and v′ are divided by.
    axis: the axis that becomes the rows of the matrix; by default that of the outputs, which is 1 for a linear layer's
        (in, out), else 0.

    Raises ValueError where the module has no such parameter, or has it normalized already, and for no iterations.

    Source: Miyato et al., *Spectral normalization for generative adversarial networks* (2018).

    >>> from tinygrad_edu import nn
    >>> layer = spectral_norm(nn.Linear(20, 10), n_power_iterations=50)
    >>> round(float(np.linalg.norm(layer.weight.numpy(), 2)), 3)
    1.0
    """
    w = _parameter(module, name, "spectral_norm")
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm() takes 1 or more iterations, but got n_power_iterations={n_power_iterations}")
    (row,) = _axes(w, axis)
    made = SpectralNorm(name, row, n_power_iterations, eps)
    delattr(module, name)
    setattr(module, f"{name}_orig", w)
    w.name = None
    own = random.generator()
    for letter, length in zip("uv", (w.shape[row], math.prod(w.shape) // w.shape[row]), strict=True):
        start = own.standard_normal(length).astype(w.dtype)
        setattr(module, f"{name}_{letter}", Buffer(start / np.maximum(np.linalg.norm(start), eps)))
    no_grad().run(made.step, module, 15)
    _compute(module, name, made)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again, with the value that it has now, and return the module.

    module: a layer to which `spectral_norm` was applied.
    name: the name of the parameter.

    Raises ValueError where it was not.

    >>> from tinygrad_edu import nn
    >>> layer = remove_spectral_norm(spectral_norm(nn.Linear(3, 2)))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'weight']
    """
    return _settle(module, name, SpectralNorm, ("_orig", "_u", "_v"))


# ---------------------------------------------------------------------------------------------------
# How they are computed


@dataclass(frozen=True)
class WeightNorm:
    """The rule w = g·v/‖v‖, with the norm taken over the axes `over`."""

    name: str
    over: tuple[int, ...]

    def __call__(self, module: Any) -> Any:
        """The weight of the module as it is now."""
        return self.now(module)

    def now(self, module: Any) -> Any:
        """The weight of the module as it is now, as calling the rule gives it."""
        v = getattr(module, f"{self.name}_v")
        return v * (getattr(module, f"{self.name}_g") / _length(v, self.over))

    def __str__(self) -> str:
        return f"write {self.name}_g and {self.name}_v, of which it is made, or call remove_weight_norm() before"


@dataclass(frozen=True)
class SpectralNorm:
    """The rule w = v/σ(v), with the axis `row` as the rows of the matrix."""

    name: str
    row: int
    iterations: int
    eps: float

    def __call__(self, module: Any) -> Any:
        """The weight of the module, after the vectors took their steps if it is in training mode."""
        if module.training:
            no_grad().run(self.step, module, self.iterations)
        return self.now(module)

    def now(self, module: Any) -> Any:
        """The weight, without any step of the vectors."""
        u, v = (
            np.copy(getattr(module, f"{self.name}_{letter}")) for letter in "uv"
        )  # copies, because the next step writes them
        w = getattr(module, f"{self.name}_orig")
        return w / np.dot(u, np.matmul(self._matrix(w), v))

    def step(self, module: Any, iterations: int) -> None:
        """Move u and v′ towards the singular vectors, in place."""
        m = self._matrix(getattr(module, f"{self.name}_orig").detach())
        u, v = (getattr(module, f"{self.name}_{letter}") for letter in "uv")
        for _ in range(iterations):
            v[...] = self._of_length_1(np.matmul(m.T, u))
            u[...] = self._of_length_1(np.matmul(m, v))

    def _matrix(self, w: Any) -> Any:
        return np.reshape(np.moveaxis(w, self.row, 0), (w.shape[self.row], -1))

    def _of_length_1(self, x: Any) -> Any:
        return x / np.maximum(np.linalg.norm(x), self.eps)

    def __str__(self) -> str:
        return f"write {self.name}_orig, of which it is made, or call remove_spectral_norm() before"


def _length(v: Any, over: tuple[int, ...]) -> Any:
    """‖v‖ over these axes, which stay, of length 1."""
    return np.sqrt(np.sum(np.square(v), axis=over, keepdims=True))


def _parameter(module: Module, name: str, what: str) -> Parameter:
    if not isinstance(module, Module):
        raise TypeError(f"{what}() takes a module, but got {type(module).__name__}")
    if name in vars(module).get("_computed", ()):
        raise ValueError(f"{type(module).__name__}.{name} is computed already: {module._computed[name]}")
    found = vars(module).get(name)
    if not isinstance(found, Parameter) or not found.ndim:
        names = ", ".join(key for key, value in vars(module).items() if isinstance(value, Parameter)) or "none"
        raise ValueError(f"{what}() takes a parameter of {type(module).__name__}, which has {names}, but got {name!r}")
    return found


def _axes(w: Tensor, axis: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """The axes along which each index has a length of its own: those of the outputs, unless others are named."""
    if axis is None:
        return (1,) if w.ndim == 2 else (0,)
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple([np.lib.array_utils.normalize_axis_index(a, w.ndim) for a in axes])


def _compute(module: Module, name: str, how: Callable[[Any], Any]) -> None:
    """Compute the attribute `name` by this rule whenever it is read."""
    module._computed = {**vars(module).get("_computed", {}), name: how}


def _settle(module: M, name: str, kind: type[Any], parts: tuple[str, ...]) -> M:
    """Make a computed attribute a parameter again."""
    computed = vars(module).get("_computed", {})
    if not isinstance(computed.get(name), kind):
        raise ValueError(f"{type(module).__name__}.{name} is not computed by a {kind.__name__}")
    value = no_grad().run(computed[name].now, module)
    for part in parts:
        delattr(module, name + part)
    left = {key: how for key, how in computed.items() if key != name}
    if left:
        module._computed = left
    else:
        del module._computed
    setattr(module, name, Parameter(value.numpy().copy()))
    return module
