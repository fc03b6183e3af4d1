"""Arguments and results: tensors, arrays and plain values, in tuples, lists and dicts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tinygrad_edu.engine.tables import is_table
from tinygrad_edu.engine.tensor import Tensor

PLAIN = (type(None), bool, int, float, complex, str, bytes, np.generic, np.dtype, slice, range)


def mapped(f: Callable[[Any], Any], x: Any) -> Any:
    """`x`, with `f(part)` in place of each tensor and array in it."""
    if isinstance(x, Tensor | np.ndarray):
        return f(x)
    if isinstance(x, tuple | list):
        parts = [mapped(f, part) for part in x]
        return type(x)._make(parts) if hasattr(x, "_make") else type(x)(parts)
    if isinstance(x, dict):
        mapping = {} if type(x) is dict else copy.copy(x)  # a defaultdict keeps its default
        for key, part in x.items():
            mapping[key] = mapped(f, part)
        return mapping
    return x


def signature(x: Any, found: list[Any]) -> Any:
    """Return what a record depends on in an argument; a call with the same signature may run the same record.

    For a tensor or array it is the shape, the type, the strides if it does not lie in memory row by row (sums are taken in
    the order of memory), and, if it requires a gradient, which of the tensors before it is the same. Anything else stands
    for itself. The tensors and arrays in it are added to `found`.
    """
    if x.__class__ is np.ndarray or isinstance(x, np.ndarray):
        if not x.dtype.isnative:
            x = x.astype(x.dtype.newbyteorder("="))
        found.append(x)
        return x.shape, x.dtype, None if x.flags.c_contiguous else x.strides, None
    if isinstance(x, Tensor):
        found.append(x)
        # gradients by one tensor that is given twice are added up, by two tensors they are not
        place = next(i for i, y in enumerate(found) if y is x) if x.needs_grad else None
        array = x.ndarray
        return array.shape, array.dtype, None if array.flags.c_contiguous else array.strides, place
    if isinstance(x, tuple | list):
        return type(x), [signature(part, found) for part in x]
    if isinstance(x, dict):
        return type(x), [(identity(key), signature(part, found)) for key, part in x.items()]
    return identity(x)


def identity(x: Any) -> Any:
    """Return a key that tells `x` from all that may compute otherwise: a plain value itself, else the object's id.

    Equal objects may hold other tensors; and 1 == True == 1.0, 0.0 == -0.0, but they do not compute alike.
    """
    if isinstance(x, float | complex | np.generic | slice | range):
        return type(x), repr(x)
    if isinstance(x, PLAIN):
        return type(x), x
    if isinstance(x, tuple):
        return type(x), [identity(part) for part in x]
    if x.__hash__ is None:
        cure = f"; write {'x.to_numpy()' if hasattr(x, 'to_numpy') else 'np.asarray(x)'}" if is_table(x) else ""
        raise TypeError(
            f"a replayed function takes tensors, arrays, plain values, and tuples, lists and dicts of them, but got {type(x).__name__}{cure}"
        )
    return type(x), id(x)


def objects(x: Any) -> Iterator[Any]:
    """What is in an argument besides tensors, arrays and plain values."""
    if isinstance(x, dict):
        x = [*x, *x.values()]
    if isinstance(x, tuple | list):
        for part in x:
            yield from objects(part)
    elif not isinstance(x, (Tensor, np.ndarray, *PLAIN)):
        yield x


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
