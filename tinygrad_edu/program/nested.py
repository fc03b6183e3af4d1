"""Arguments and results: tensors, arrays and plain values, in tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.tensor import Tensor

PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype)


def mapped(f: Callable[[Any], Any], x: Any) -> Any:
    """`x`, with `f(part)` in place of each tensor and array in it."""
    if isinstance(x, Tensor | np.ndarray):
        return f(x)
    if isinstance(x, tuple | list):
        parts = [mapped(f, part) for part in x]
        return type(x)._make(parts) if hasattr(x, "_make") else type(x)(parts)
    if isinstance(x, dict):
        return {key: mapped(f, part) for key, part in x.items()}
    return x


def signature(x: Any, found: list[Any]) -> Any:
    """What a record depends on of an argument: of a tensor or array the shape and type, of anything else its value.

    The tensors and arrays in it are added to `found`.
    """
    if isinstance(x, Tensor):
        found.append(x)
        return x._data.shape, x._data.dtype, x._requires_grad
    if isinstance(x, np.ndarray):
        found.append(x)
        return x.shape, x.dtype
    if isinstance(x, tuple | list):
        return type(x), [signature(part, found) for part in x]
    if isinstance(x, dict):
        return dict, [(key, signature(part, found)) for key, part in x.items()]
    if x.__class__ is float:
        return float, x, repr(x)  # -0.0 == 0.0, but they do not compute alike
    try:
        hash(x)
    except TypeError:
        raise TypeError(
            f"a replayed function takes tensors, arrays, plain values, and tuples, lists and dicts of them, but got {type(x).__name__}"
        ) from None
    return type(x), x


def check_result(x: Any, name: str) -> None:
    """Raise TypeError for a result that a replay cannot give again."""
    if isinstance(x, (Tensor, np.ndarray, *PLAIN)):
        return
    if isinstance(x, tuple | list):
        parts = list(x)
    elif type(x) is dict:
        parts = list(x.values())
    else:
        raise TypeError(
            f"a replayed function returns tensors, plain values, and tuples, lists and dicts of them, but {name} returned "
            f"{type(x).__name__}"
        )
    for part in parts:
        check_result(part, name)
