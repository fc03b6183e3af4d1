"""The model's arguments for batches of several sizes, and the comparison of its numbers with onnxruntime's."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.node import array_of
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.export.onnx_files.packages import session
from tinygrad_edu.export.onnx_files.writing.written import CannotWriteError
from tinygrad_edu.program.nested import mapped

SIZES = (2, 3)
"""The sizes of the batch for which the graph is written, to find out what depends on it."""

CHECKED_SIZES = (1, 4)
"""Further sizes for which onnxruntime's results are compared with the model's."""

TOLERANCES = {"f": 1e-4, "d": 1e-8, "e": 1e-2}
"""How far onnxruntime's results may be from the model's, as a share of the largest, by the type of the numbers."""


def as_arrays(x: Any) -> Any:
    """The arguments, with numbers and lists as arrays."""
    if isinstance(x, tuple):
        return tuple([as_arrays(part) for part in x])
    made = x if isinstance(x, Tensor | np.ndarray) else np.asarray(x)
    if made.dtype.kind not in "biufc":
        raise TypeError(f"x is an example of the input, of numbers, but got {type(x).__name__} of {made.dtype}")
    return made


def axes_of(batch: Any, arrays: Sequence[Any]) -> list[int | None]:
    """The axis of the batch for each array."""
    given = list(batch) if isinstance(batch, tuple | list) else [batch] * len(arrays)
    if len(given) != len(arrays):
        raise ValueError(f"batch= has an axis for each input, of which there are {len(arrays)}, but got {batch}")
    found: list[int | None] = []
    for axis, a in zip(given, arrays, strict=True):
        if axis is not None and not -a.ndim <= axis < a.ndim:
            raise ValueError(
                f"batch={axis} is no axis of an input of shape {a.shape}; give the axis along which examples lie, or None"
            )
        if axis is not None and not a.shape[axis]:
            raise ValueError(f"x is an example of the input, so it needs one example at least, but got shape {a.shape}")
        found.append(None if axis is None else axis % a.ndim)
    return found


def resized(arguments: Any, arrays: Sequence[Any], axes: Sequence[int | None], n: int) -> tuple[Any, list[Any]]:
    """The arguments with n examples, which are repeated or left out; as they are for n = 0. And their arrays."""
    sized = [
        a if axis is None or not n else np.take(a, np.arange(n) % a.shape[axis], axis)
        for a, axis in zip(arrays, axes, strict=True)
    ]
    turn = iter(sized)

    def one(x: Any) -> Any:
        return Tensor(next(turn), requires_grad=True) if isinstance(x, Tensor) and x.requires_grad else next(turn)

    return mapped(one, as_arrays(arguments)), sized


def compare(
    content: bytes,
    model: Any,
    arguments: Any,
    arrays: Any,
    axes: Any,
    inputs: Sequence[str],
    outputs: Sequence[str],
    known: Sequence[Sequence[Any]],
    tolerance: float | None,
    said: Callable[[str], str],
) -> None:
    """Raise ValueError unless onnxruntime gives the model's numbers, for batches of several sizes.

    inputs, outputs: what the file calls them. known: the outputs of the model for each of `SIZES`. said: what recorded the
    node of a name, and where.
    """
    try:
        running = session(content)
    except Exception as error:  # onnxruntime's errors have no common base that it documents
        node = re.search(r"node with name '([^']+)'", str(error))
        line = said(node.group(1)) if node else ""
        raise CannotWriteError(
            f"{line}{', ' if line else ''}onnxruntime does not run this file: {error}; it has most operations for float32: try model.float()"
        ) from error
    free = any(axis is not None for axis in axes)
    for n in (*SIZES, 0, *CHECKED_SIZES) if free else (0,):
        given, sized = resized(arguments, arrays, axes, n)
        if n in SIZES:
            expected = known[SIZES.index(n)]
        else:
            try:
                expected = _results(model(*mapped(_tensor, given)))
            except ValueError:
                if n in CHECKED_SIZES:  # a model need not take one example
                    continue
                raise
        feeds = {name: np.ascontiguousarray(a).reshape(a.shape) for name, a in zip(inputs, sized, strict=True)}
        read = {i.name for i in running.get_inputs()}
        got = running.run(None, {name: a for name, a in feeds.items() if name in read})
        for name, a, b in zip(outputs, expected, got, strict=True):
            _refuse_difference(name, a, b, [np.shape(x) for x in sized], tolerance)


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else Tensor(x)


def _results(result: Any) -> Sequence[Any]:
    found: list[Any] = []
    mapped(lambda y: found.append(array_of(y)), result)
    return found


def _refuse_difference(name: str, expected: Any, got: Any, shapes: Any, tolerance: float | None) -> None:
    said = f"for inputs of shapes {shapes}, output {name}"
    if expected.shape != got.shape or expected.dtype != got.dtype:
        raise ValueError(
            f"{said} is {got.dtype} {got.shape} in onnxruntime, but {expected.dtype} {expected.shape} in the model, which thus "
            "depends on its batch in a way that a file cannot say; fix the lengths, by batch=None"
        )
    if expected.dtype.kind != "f":
        if np.array_equal(expected, got):
            return
        raise ValueError(f"{said} differs in {np.sum(expected != got)} of {expected.size} places from the model's")
    share = TOLERANCES[expected.dtype.char] if tolerance is None else tolerance
    finite = np.abs(expected[np.isfinite(expected)])
    with np.errstate(invalid="ignore"):
        close = np.abs(expected - got) <= share * max(float(finite.max(initial=0)), 1e-6)
    close |= (expected == got) | (np.isnan(expected) & np.isnan(got))
    if not close.all():
        worst = np.unravel_index(int(np.argmin(close)), close.shape)
        raise ValueError(
            f"{said} is {got[worst]} at {tuple(map(int, worst))} in onnxruntime, but {expected[worst]} in the model; if that is near "
            "enough, give a larger tolerance=, and if it depends on the batch, fix the lengths, by batch=None"
        )
