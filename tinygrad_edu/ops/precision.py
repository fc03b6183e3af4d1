"""float16: a type too small to add up and to count in.

Its numbers end at 65,504, and from 2,048 on they are 2 apart: a sum of ones stands still there, and a count of 70,000
elements is ∞. So what adds up or counts is computed in float32 where it is given float16, and rounded once, at its end.
PyTorch does likewise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


F = TypeVar("F", bound=Callable[..., Any])


def in_float32(function: F) -> F:
    """`function`, a forward or a rule, computed in float32 where an argument is float16; its results are then float16.

    Results are of the type that the arguments would have given: a float32 weight beside float16 data gives float32.

    >>> halves = np.full(70000, 0.5, np.float16)
    >>> total = in_float32(lambda x: np.add.reduce(x) / len(x))
    >>> float(total(halves)), total(halves).dtype
    (0.5, dtype('float16'))
    """

    @functools.wraps(function)
    def computed(*args: Any, **settings: Any) -> Any:
        for x in args:  # what a tuple holds was computed from the others, and is float16 only if one of them is
            if getattr(x, "dtype", None) == _HALF:
                break
        else:
            return function(*args, **settings)
        if settings.get("dtype") is not None:
            return function(*args, **settings)
        dtype = np.result_type(*[x.dtype for x in _leaves(args) if x.dtype.kind == "f"])
        out = settings.pop("out", None)
        settings.pop("scratch", None)  # it is of the small type
        results = function(*[_converted(x, _HALF, _SINGLE) for x in args], **settings)
        results = _converted(results, _SINGLE, dtype)
        if out is None:
            return results
        for place, result in zip(_leaves([out]), _leaves([results]), strict=True):
            np.copyto(place, result)
        return out

    vars(computed)["not_in_float16"] = function  # for callers who know that no argument is
    return cast("F", computed)


def _leaves(values: Any) -> list[Any]:
    """The arrays among the values, and in the tuples among them: the cotangents of an op with several results."""
    parts = [part for x in values for part in (x if isinstance(x, tuple) else (x,))]
    return [part for part in parts if hasattr(part, "dtype")]


def _converted(x: Any, old: Any, new: Any) -> Any:
    """x, and the parts of a tuple, in the type `new` where they are of the type `old`."""
    if isinstance(x, tuple):
        return tuple([_converted(part, old, new) for part in x])
    return np.astype(x, new) if old != new and getattr(x, "dtype", None) == old else x
