"""Finds the arrays among arguments and results, and says what they are called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tinygrad_edu.engine.example import Example
from tinygrad_edu.engine.tensor import Tensor


def arrays_in(arg: Any) -> Iterator[Any]:
    """The arrays among arguments, nested ones too, in order."""
    if isinstance(arg, np.ndarray):
        yield arg
    elif isinstance(arg, list | tuple):
        for part in arg:
            yield from arrays_in(part)


def filled(arg: Any, turn: Iterator[Any]) -> Any:
    """The argument with the next of `turn` in place of each array."""
    if isinstance(arg, np.ndarray):
        return next(turn)
    if isinstance(arg, list | tuple):
        return type(arg)([filled(part, turn) for part in arg])
    return arg


def flattened(result: Any) -> list[Any]:
    """A result, which may be several, as a list."""
    if isinstance(result, list | tuple):
        return [part for value in result for part in flattened(value)]
    return [result]


def tensors_in(result: Any) -> list[Any]:
    """Collect the tensors among results."""
    return [y for y in flattened(result) if isinstance(y, Tensor)]


def frozen(a: Any) -> Any:
    """A copy that nobody may write."""
    copy = np.array(a)
    copy.flags.writeable = False
    return copy


def share_memory(a: Any, b: Any) -> bool:
    """Whether two arrays have memory in common."""
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.size > 0 and np.shares_memory(a, b)


def node_of_results(y: Any) -> Any:
    """The node that a result is of: for one of several results, the one that has them all."""
    return y.inputs[0] if y.op is not None and y.op.selects else y


def _strided(a: Any) -> Any:
    wide = np.zeros((*a.shape, 2), a.dtype)
    wide[..., 0] = a
    return wide[..., 0]


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "Fortran-ordered": lambda a: np.asarray(a, order="F"),
    "strided": _strided,
    "reversed": lambda a: np.flip(np.flip(a).copy()),
}


def smaller(a: Any) -> list[Any]:
    """An array cut to shapes that broadcast to its own: without leading axes, and with axes of length one."""
    if a.ndim == 0 or a.size == 0:
        return []
    return [a[0], a[..., :1], a[(slice(1),) * a.ndim], np.asarray(a.flat[0])]


def described(example: Example) -> str:
    """An example as one would call the op with it."""

    def text(arg: Any) -> str:
        arg = getattr(arg, "value", arg)
        if hasattr(arg, "shape"):
            return f"array{tuple(arg.shape)}"
        if isinstance(arg, list):
            return f"[{', '.join(map(text, arg))}]"
        return str(arg)

    settings = [f"{key}={value!r}" for key, value in example.settings.items()]
    return ", ".join([*map(text, example.args), *settings])


def called(key: Any) -> str:
    """The name by which NumPy has a function."""
    if isinstance(key, tuple):
        return f"np.{key[0].__name__}.{key[1]}"
    module = (getattr(key, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module if module.startswith('np') else 'np'}.{key.__name__}"


def input_names(op: Any, args: Sequence[Any]) -> list[str]:
    """A name for each array: the parameter's, as the rule or else the function calls it."""
    vjp = getattr(op, "vjp", None)
    if isinstance(vjp, tuple) and any(vjp):
        parameters = list(inspect.signature(next(rule for rule in vjp if rule)).parameters.values())[2:]
    else:
        function = getattr(op, "forward", op)
        parameters = [] if isinstance(function, np.ufunc) else list(inspect.signature(function).parameters.values())
    known = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    names = []
    for i, arg in enumerate(args):
        base = known[i] if i < len(known) else f"argument {i}"
        count = len(list(arrays_in(arg)))
        names += [base] if count == 1 and isinstance(arg, np.ndarray) else [f"{base}[{k}]" for k in range(count)]
    return names
