"""Examples: how an op may be called, for tests to draw inputs from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Domain = Callable[["np.random.Generator", tuple[int, ...]], Any]


def real(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Any real numbers, of a size near 1."""
    return rng.standard_normal(shape)


def interval(low: float, high: float) -> Domain:
    """Numbers between `low` and `high`."""
    return lambda rng, shape: rng.uniform(low, high, shape)


def away_from(*points: float, by: float = 0.1) -> Domain:
    """Real numbers at least `by` away from each of `points`: where a function has kinks or poles."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
        x = np.asarray(rng.standard_normal(shape) * 2)
        for point in sorted(points):
            x = np.where(np.abs(x - point) < by, point + by * np.where(x >= point, 1.5, -1.5), x)
        return x

    return draw


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Distinct numbers, no two within 0.1 of each other: for orders, maxima and medians."""
    size = int(np.prod(shape))
    return ((rng.permutation(size) - size / 2) * 0.4 + rng.uniform(-0.1, 0.1, size)).reshape(shape)


positive = interval(0.3, 3.0)


unit = interval(-0.8, 0.8)


nonzero = away_from(0.0, by=0.3)


# These are plain classes, since a dataclass takes as long to make as ten ops, and all of them are made on import.


class Fixed:
    """An argument of an example that is passed as it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Drawn:
    """An argument of an example drawn from a domain of its own."""

    def __init__(self, shape: tuple[int, ...], domain: Domain) -> None:
        self.shape, self.domain = shape, domain


class Example:
    """One way to call an op. A tuple of ints among `args` is the shape of an array to be drawn from the op's
    domain; a list is a list of such; arrays, strings, numbers, None and Fixed(value) are passed as they are."""

    def __init__(self, args: tuple[Any, ...], settings: Mapping[str, Any] | None = None) -> None:
        self.args, self.settings = args, settings or {}

    def draw(self, rng: np.random.Generator, domains: Sequence[Domain]) -> tuple[list[Any], dict[str, Any]]:
        """Arguments to call the op with; float64 arrays where shapes stood, from `domains` in turn."""
        turn = iter([*domains, *[domains[-1]] * 100])

        def value(arg: Any) -> Any:
            if isinstance(arg, Drawn):
                next(turn)
                return np.asarray(arg.domain(rng, arg.shape), dtype=float)
            if isinstance(arg, Fixed):
                return arg.value
            if isinstance(arg, tuple):
                return np.asarray(next(turn)(rng, arg), dtype=float)
            if isinstance(arg, list):
                return [value(part) for part in arg]
            return arg

        return [value(arg) for arg in self.args], dict(self.settings)


def example(*args: Any, **settings: Any) -> Example:
    """An example call: `example((2, 3), axis=0)` is the op on a 2×3 array with axis=0. See `Example`."""
    return Example(args, settings)


class At:
    """A point where the derivative is a convention: at `inputs` (numbers), the gradients are exactly these."""

    def __init__(
        self, inputs: tuple[float, ...], gradients: tuple[float | None, ...], settings: Mapping[str, Any] | None = None
    ) -> None:
        self.inputs, self.gradients, self.settings = inputs, gradients, settings or {}


def at(*inputs: float, gradient: float | tuple[float | None, ...], **settings: Any) -> At:
    """The derivative agreed on at a kink: `at(0.0, gradient=0.0)` says relu′(0) = 0."""
    return At(inputs, gradient if isinstance(gradient, tuple) else (gradient,), settings)
