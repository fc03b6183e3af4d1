"""How errors and warnings are told: in whose line they arose, under which name, and how much of a traceback helps."""

from __future__ import annotations

import copy
import dis
import linecache
import os
import sys
import warnings
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any

import numpy as np


def here() -> str:
    """The innermost line of the caller's own code: outside this package and NumPy."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        frame = frame.f_back
    if frame is None:
        return "a line outside any file"
    name, line = frame.f_code.co_filename, frame.f_lineno
    return f"{name}:{line}: {linecache.getline(name, line).strip()}"


def warn(message: str) -> None:
    """Warn about the innermost line of the caller's own code: Python then says it once for each such line."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_LIBRARIES):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


_LIBRARIES = (
    os.path.dirname(os.path.dirname(__file__)) + os.sep,
    os.path.dirname(np.__file__) + os.sep,
    copy.__file__,
    "<frozen ",
)


def too_many(name: str, most: int, got: int, further: Iterable[str]) -> TypeError:
    """The error for more arguments by position than a function takes: the `further` ones are given by name."""
    named = "".join([f"; write {other}= by name" for other in further])
    return TypeError(f"{name}() takes {most} argument{'s' * (most != 1)} by position, but got {got}{named}")


def explained(error: Exception, message: str) -> Exception:
    """An error of the same type with another message, to be raised `from None`: it says all that the first does, whose
    traceback would only be between the reader and the answer. The first stays as its `__context__`."""
    try:
        return type(error)(message)
    except Exception:  # a type that takes other arguments
        return error


def users_own(error: Exception) -> TracebackType | None:
    """The traceback of an error without this package's and NumPy's frames, where the reader's own are what tells.

    That is so where the error was raised in the reader's code, or here on purpose, and so says what is wrong. A mistake of
    the package itself keeps all frames, and so does every error where the environment variable TINYGRAD_EDU_TRACEBACK is
    set.
    """
    steps = _steps(error)
    if "TINYGRAD_EDU_TRACEBACK" in os.environ or (_is_ours(steps[-1]) and not raised_on_purpose(error)):
        return error.__traceback__
    kept: TracebackType | None = None
    for step in reversed(steps):
        if not _is_ours(step):
            kept = TracebackType(kept, step.tb_frame, step.tb_lasti, step.tb_lineno)
    return kept


def raised_on_purpose(error: Exception) -> bool:
    """Whether it is this package that raised the error, by a `raise`: then its message is written for the reader."""
    last = _steps(error)[-1]
    return _is_ours(last) and last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]


def _steps(error: Exception) -> list[TracebackType]:
    """The frames that the error passed through, as its traceback lists them: the innermost last."""
    steps, step = [], error.__traceback__
    while step is not None:
        steps.append(step)
        step = step.tb_next
    return steps


def _is_ours(step: TracebackType) -> bool:
    return step.tb_frame.f_code.co_filename.startswith(_LIBRARIES)


def refuse_masked(value: Any, depth: int = 0) -> None:
    """Raise TypeError for a masked array, whose mask would be lost; also for one in lists nested `depth` deep."""
    if isinstance(value, np.ndarray):
        if value.__class__ is not np.ndarray and isinstance(value, np.ma.MaskedArray):
            raise TypeError(
                f"a masked array of shape {value.shape} meets a Tensor, which has no mask, so its mask would be lost; "
                "write a.filled(0) for its numbers, and np.where(np.ma.getmaskarray(a), 0, y) to leave elements out of a result"
            )
    elif depth and isinstance(value, list | tuple):
        for part in value:
            refuse_masked(part, depth - 1)


def has_nan(value: Any) -> bool:
    """Whether an array, or one of a tuple of them, holds a NaN."""
    if isinstance(value, tuple | list):
        return any(has_nan(part) for part in value)
    return value is not None and value.dtype.kind in "fc" and bool(np.isnan(value).any())
