"""What the recurrent layers share: their order in time, their masks, and how a loop over arrays is differentiated.

Each layer is two ops. The forward one goes through the sequence, and keeps what it needs to go back. The other, its
`slopes`, goes back: backpropagation through time, by hand. Its own derivatives are those of the same loop written in ops,
recorded step by step; so there are derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from tinygrad_edu.engine.backward import pull
from tinygrad_edu.engine.derived import to_differentiate
from tinygrad_edu.engine.example import Fixed
from tinygrad_edu.engine.recording import recording
from tinygrad_edu.engine.rules import Joint
from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

MASK = Fixed(np.array([[True, True], [False, True], [True, False]]))
"""Which of three steps of two sequences count, in the examples of the layers."""


def alike(*arrays: Any) -> list[Any]:
    """The arrays, all in the one floating type that NumPy makes of them together."""
    dtype = np.result_type(*arrays)
    dtype = dtype if dtype.kind in "fc" else np.dtype(float)
    return [np.asarray(x, dtype) for x in arrays]


def in_time(reverse: bool, *sequences: Any) -> list[Any]:
    """The arrays in the order in which the layer goes through them: views."""
    return [x[::-1] for x in sequences] if reverse else list(sequences)


def flipped(reverse: bool, *sequences: Any) -> list[Any]:
    """Put sequences into the order of `in_time`, by `np.flip`, which is recorded for tensors."""
    return [np.flip(x, 0) for x in sequences] if reverse else list(sequences)


def before(first: Any, states: Any, reverse: bool) -> Any:
    """Return the states that the steps began with: the first state, and those after all steps but the last."""
    first = np.expand_dims(first, 0)
    return np.concatenate([states, first])[1:] if reverse else np.concatenate([first, states])[:-1]


def product(states: Any, slopes: Any) -> Any:
    """∂L/∂W of products h·W over all steps, as one product of matrices. states: (T, N, H), slopes: (T, N, G)."""
    rows = states.shape[0] * states.shape[1]
    return np.matmul(np.reshape(states, (rows, states.shape[2])).T, np.reshape(slopes, (rows, slopes.shape[2])))


def is_absent(g: Any) -> bool:
    """Whether the cotangent is one that a walk filled in for a result of which nothing was made: see `Joint.filled`."""
    return g.size > 0 and not any(g.strides) and not g.flat[0]


def left_out(mask: Sequence[Any], steps: int, reverse: bool) -> list[Any]:
    """Return for each step a mask (N, 1) of the rows that it leaves as they are, or None if there are none."""
    if not mask:
        return [None] * steps
    off = ~np.asarray(mask[0], bool)[:, :, None]
    off = off[::-1] if reverse else off
    return [rows if some else None for rows, some in zip(off, off.any(axis=(1, 2)).tolist(), strict=True)]


def masked(mask: Sequence[Any], t: int, slope: Any, *changes: tuple[Any, Any]) -> tuple[Any, list[Any]]:
    """A step backwards, written in ops: the slopes, and what the states have after it and had before, as the mask says.

    The slopes of steps that are left out are finite, since their gates are 0; so a product serves.
    """
    if not mask:
        return slope, [after for after, _ in changes]
    on = np.astype(mask[0][t], slope.dtype)[:, None]
    return slope * on, [old + on * (new - old) for new, old in changes]


def check(name: str, mask: Sequence[Any], **arrays: tuple[Any, tuple[Any, ...]]) -> None:
    """Raise ValueError for an array of another shape than is said; of a mask, than the steps and examples of the first."""
    steps = next(iter(arrays.values()))[0].shape[:2]
    found = {**arrays, **({"mask": (mask[0], steps)} if mask else {})}
    if any(np.shape(x) != shape for x, shape in found.values()):
        said = ", ".join([f"{key} {np.shape(x)}" for key, (x, _) in found.items()])
        takes = ", ".join([f"{key} {shape}" for key, (_, shape) in found.items()])
        raise ValueError(f"{name} got {said}, but takes {takes}")


def unrolled_rule(unrolled: Callable[..., Sequence[Any]], count: int) -> Joint:
    """The rules of an op that does what `unrolled` does, a function of tensors that is written in ops.

    It is run on the inputs and recorded, and the gradients are read off that record.
    """

    def rule(g: Any, y: Any, *xs: Any, **settings: Any) -> tuple[Any, ...]:
        recorded = any(isinstance(x, Tensor) for x in (*g, *xs))
        given = [to_differentiate(x) if i < count else x for i, x in enumerate(xs)]
        ys = recording(enabled=True).run(unrolled, *given, **settings)
        made = [
            (y, part) for y, part in zip(ys, g, strict=True) if isinstance(y, Tensor)
        ]  # without steps, some are zeros
        return tuple(pull([y for y, _ in made], given[:count], [part for _, part in made], recorded))

    return Joint(rule, count)
