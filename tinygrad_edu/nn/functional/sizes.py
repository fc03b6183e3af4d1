"""The sizes that functions of images and sequences are given, looked at: a number for each dimension, paddings, batches."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from tinygrad_edu.ops.network.convolution.windows import Pairs

Numbers = int | Sequence[int]
Padding = str | int | Sequence[int | Sequence[int]]


def each(who: str, name: str, value: Numbers, dimensions: int, least: int = 1) -> tuple[int, ...]:
    """A setting as one number for each dimension. Raises for what is no whole number, or below `least`."""
    given = (value,) * dimensions if not isinstance(value, Sequence) else tuple(value)
    if len(given) == 1:
        given *= dimensions
    try:
        numbers = tuple([operator.index(part) for part in given])
    except TypeError:
        several = f", or {dimensions} of them" * (dimensions > 1)
        raise TypeError(f"{who}'s {name} is a whole number{several}, but got {value!r:.60}") from None
    if len(numbers) != dimensions or min(numbers) < least:
        several = f", or {dimensions} of them" * (dimensions > 1)
        raise ValueError(f"{who}'s {name} is a number of at least {least}{several}, but got {value!r:.60}")
    return numbers


def pairs(
    who: str, padding: Padding, dimensions: int, kernel: Sequence[int], dilation: Sequence[int], stride: Sequence[int]
) -> Pairs:
    """The padding as pairs (before, after) for each dimension."""
    if isinstance(padding, str):
        if padding == "valid":
            return ((0, 0),) * dimensions
        if padding != "same":
            raise ValueError(f"{who}'s padding is a number, pairs, 'valid' or 'same', but got {padding!r}")
        if any(step != 1 for step in stride):
            raise ValueError(
                f"{who} with padding='same' has as many positions as places, so its stride is 1, not {stride}"
            )
        spare = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple([(n // 2, n - n // 2) for n in spare])
    if isinstance(padding, Sequence) and any(isinstance(part, Sequence) for part in padding):
        given = [each(who, "padding", part, 2, 0) for part in padding]  # type: ignore[arg-type]
        if len(given) == dimensions:
            return tuple([(before, after) for before, after in given])
        raise ValueError(f"{who}'s padding is a pair for each of {dimensions} dimensions, but got {padding!r:.60}")
    return tuple([(n, n) for n in each(who, "padding", padding, dimensions, 0)])  # type: ignore[arg-type]


def check_border(who: str, mode: str, border: Sequence[Sequence[int]], shape: Sequence[int]) -> None:
    """Raise ValueError for a border that an image of this shape does not have, which np.pad is to fill by this mode from it.

    border: how many places before and after, for each of the last dimensions.
    """
    spare = {"reflect": 1, "wrap": 0}.get(mode)
    size = shape[len(shape) - len(border) :]
    if mode != "constant" and min(size) < 1 and any(map(any, border)):
        raise ValueError(f"{who} makes a border of what x has, but got {tuple(shape)}, which has nothing")
    if spare is not None and any(max(pair) > n - spare for pair, n in zip(border, size, strict=True)):
        most = tuple([n - spare for n in size])
        raise ValueError(
            f"{who} makes a border of what x has, but got {tuple(shape)}, which has less; take a padding of at most {most}"
        )


def batched(who: str, x: Any, dimensions: int) -> tuple[Any, bool]:
    """x as a batch, and whether it was a single example."""
    if x.ndim == dimensions + 1:
        return x[None], True
    if x.ndim != dimensions + 2:
        size = ", ".join("DHW"[-dimensions:] if dimensions > 1 else "L")
        cure = "; write x[None] for one example of one channel" if x.ndim == dimensions else ""
        raise ValueError(f"{who} takes x of shape (N, C, {size}) or (C, {size}), but got {x.shape}{cure}")
    return x, False


def check_channels(who: str, x: tuple[int, ...], weight: tuple[int, ...], groups: int) -> None:
    """Raise ValueError where x has other channels than a weight takes, or the groups do not divide what it gives."""
    if x[1] != weight[1] * groups or weight[0] % groups:
        raise ValueError(
            f"{who} of x {x} with a weight {weight} in {groups} group{'s' * (groups > 1)}: the weight takes "
            f"{weight[1] * groups} channels and gives {weight[0]}, and x has {x[1]}"
        )
