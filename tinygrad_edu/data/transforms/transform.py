"""The base of transforms: a function of a batch, whose random numbers come from a generator, or from one for each
sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu import random
from tinygrad_edu.engine.tensor import Tensor


class SampleGenerators:
    """A random stream for each sample of a batch, which follows only from the seed, the epoch and the number of the
    sample.

    So the same happens to a sample in whichever batch, thread or process it is, and after a training was resumed.
    `generators[i]` is a generator of its own for sample i of the batch. The streams are those of one Philox generator,
    keyed by the seed, at counters that are made of the epoch and the number.

    seed: a number, or a list of numbers.
    indices: whole numbers from 0, which tell the samples of an epoch apart.
    epoch: the number of the epoch, from 0.

    Source: Salmon et al., *Parallel random numbers: as easy as 1, 2, 3* (2011).

    >>> few, many = SampleGenerators(0, [7], epoch=2), SampleGenerators(0, range(10), epoch=2)
    >>> bool(few[0].random() == many[7].random())
    True
    """

    def __init__(self, seed: int | Sequence[int], indices: ArrayLike, epoch: int = 0) -> None:
        self.key = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self.indices, self.epoch, self._drawn = np.asarray(indices, np.uint64), epoch, 0

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, i: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self.key, counter=[0, 0, self.indices[i], self.epoch]))

    def draw(self, function: Callable[[np.random.Generator, int], NDArray[Any]]) -> NDArray[Any]:
        """Draw `function(generator, 1)` for each sample, one after the other; each call draws further numbers."""
        self._drawn += 1
        if not len(self):
            return function(np.random.default_rng(0), 0)
        return np.concatenate([function(generator, 1) for generator in self._streams()])

    def _streams(self) -> Iterator[np.random.Generator]:
        """Yield one generator, set to the stream of each sample in turn, which is ten times faster than making one for
        each.
        """
        bits = np.random.Philox(key=self.key)
        generator, state = np.random.Generator(bits), bits.state
        counter = np.array([0, self._drawn, 0, self.epoch], np.uint64)
        state["state"]["counter"] = counter
        for index in self.indices:
            counter[2] = index
            bits.state = state
            yield generator


Drawing = np.random.Generator | SampleGenerators | None
"""What a transform draws from: a generator, one for each sample, or None for the one that `manual_seed` sets."""


def drawn(generator: Drawing, n: int, function: Callable[[np.random.Generator, int], NDArray[Any]]) -> NDArray[Any]:
    """Random numbers for n samples: `function(generator, n)` for all, or `function(generator, 1)` for each."""
    if not isinstance(generator, SampleGenerators):
        return function(random.generator(generator), n)
    if len(generator) != n:
        raise ValueError(f"there are {n} samples, but generators for {len(generator)}")
    return generator.draw(function)


def whole(u: NDArray[Any], counts: ArrayLike) -> NDArray[np.intp]:
    """Turn numbers that are evenly spread from 0 to 1 into whole numbers from 0 to counts − 1, all equally likely."""
    return np.floor(u * np.asarray(counts)).astype(np.intp)


class Transform:
    """The base of transforms of batches. Write `apply(x, generator)`, which returns x transformed.

    `transform(x)` gives x transformed; `transform(x, y)` gives the labels too, which mostly stay as they are. x is an
    array whose first axis is that of the samples. It is not written into, and its shape and type are kept unless a
    transform says otherwise. `generator=` is what is drawn from: a generator, a `SampleGenerators`, or by default the
    generator that `tg.manual_seed` sets.

    >>> class Negative(Transform):
    ...     def apply(self, x, generator):
    ...         return 1 - x
    >>> Negative()(np.array([[0.0, 0.25]]))
    array([[1.  , 0.75]])
    """

    def __call__(self, x: Any, *rest: Any, generator: Drawing = None) -> Any:
        """Transform x, or with labels, both."""
        parts = self.batch(_array(x, type(self).__name__), rest, generator)
        if isinstance(x, Tensor):
            parts = (Tensor(parts[0]), *parts[1:])
        return parts if rest else parts[0]

    def batch(self, x: NDArray[Any], rest: tuple[Any, ...], generator: Drawing) -> tuple[Any, ...]:
        """The parts of the batch: x transformed, and the rest as it is."""
        return (self.apply(x, generator), *rest)

    def apply(self, x: NDArray[Any], generator: Drawing) -> NDArray[Any]:
        """Return x transformed; a subclass writes this method."""
        raise NotImplementedError(f"{type(self).__name__} transforms nothing; give it def apply(self, x, generator)")

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({options})"


class Compose(Transform):
    """Applies several transforms one after the other: `Compose([f, g])(x)` is `g(f(x))`.

    transforms: `Transform`s, which draw one after the other from the generator; or functions, which are called with all
        parts of the batch, and return them.

    Raises TypeError for what cannot be called, and for a class instead of a transform.

    >>> both = Compose([lambda x: x + 1, lambda x: x * 2])
    >>> both(np.array([1.0, 2.0]))
    array([4., 6.])
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        for transform in transforms:
            if not callable(transform) or isinstance(transform, type):
                cure = f"; write {transform.__name__}()" if isinstance(transform, type) else ""
                raise TypeError(f"Compose takes a list of transforms, but one is {transform!r:.60}{cure}")
        self.transforms = list(transforms)

    def __call__(self, x: Any, *rest: Any, generator: Drawing = None) -> Any:
        """Transform x by each, or with labels, both."""
        parts = (x, *rest)
        for transform in self.transforms:
            parts = transformed(transform, parts, generator)
        return parts if rest else parts[0]


def transformed(transform: Callable[..., Any], parts: tuple[Any, ...], generator: Drawing) -> tuple[Any, ...]:
    """The parts of a batch after a transform, or after a function, which draws its random numbers from elsewhere."""
    made = transform(*parts, generator=generator) if isinstance(transform, Transform) else transform(*parts)
    return made if isinstance(made, tuple) else (made,)


def _array(x: Any, who: str) -> NDArray[Any]:
    """The batch that is to be transformed, as an array. Raises ValueError for a recorded tensor, and for a single
    number.
    """
    if isinstance(x, Tensor):
        if x.requires_grad or x.op is not None:
            raise ValueError(f"{who} is not differentiated, but got a tensor that is recorded; write x.detach()")
        x = x.numpy()
    array = np.asarray(x)
    if not array.ndim:
        raise ValueError(
            f"{who} takes a batch, whose first axis is that of the samples, but got {x!r:.60}; write x[None]"
        )
    return array


def floating(x: NDArray[Any], who: str) -> NDArray[Any]:
    """Return x. Raises TypeError for whole numbers, which cannot hold a fraction."""
    if x.dtype.kind != "f":
        raise TypeError(
            f"{who} takes numbers with a fraction, but got {x.dtype}; write x.astype(np.float32) / 255 for pixels"
        )
    return x


def pictures(x: NDArray[Any], who: str) -> NDArray[Any]:
    """Pictures as (N, C, H, W), with one channel where x is (N, H, W). Raises ValueError for other shapes."""
    if x.ndim not in (3, 4):
        raise ValueError(
            f"{who} takes pictures (N, C, H, W) or (N, H, W), but got shape {x.shape}; write x.reshape(-1, 28, 28) for rows of "
            "784 pixels, or x[None] for one picture"
        )
    return x if x.ndim == 4 else x[:, None]


def probability(value: float, name: str) -> float:
    """Return the value as a float. Raises ValueError unless it is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a probability, from 0 to 1, but got {value!r}")
    return float(value)
