"""NumPy's protocols: how its functions find the op that stands for them.

A NumPy function called on a tensor is looked up in `ANSWERS`, which the ops fill in as they are declared (`op.py`).
Operators come from NumPy's mixin, those of arithmetic find their op by themselves, and methods are NumPy calls
(`methods.py`); so no page before `op.py` imports an op. A few functions only ask about an array, and are answered on its
numbers; all others raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.node import Node
from tinygrad_edu.engine.recording import watched
from tinygrad_edu.engine.refusals import refuse_masked
from tinygrad_edu.engine.registry import ANSWERS, UFUNCS, answer_to

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike
    from tinygrad_edu.engine.signatures import Operators as NDArrayOperatorsMixin
    from tinygrad_edu.engine.tensor import Tensor
else:
    from numpy.lib.mixins import NDArrayOperatorsMixin

# Functions that only ask about an array: answered on the numbers, outside the graph.
ASKS: set[Any] = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.min_scalar_type, np.common_type,
    np.iscomplexobj, np.isrealobj, np.iscomplex, np.isreal, np.allclose, np.array_equal, np.array_equiv,
    np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.shares_memory, np.may_share_memory,
    np.isin, np.histogram2d, np.histogramdd, np.digitize, np.searchsorted, np.bincount,
    np.array2string, np.array_repr, np.array_str, np.save, np.savez, np.savez_compressed, np.savetxt,
    np.lexsort, np.argpartition, np.argwhere, np.flatnonzero, np.isneginf, np.isposinf, np.linalg.matrix_rank,
}  # fmt: skip


# Those of them that ask about its shape and type alone, which are the same in every replay.
SHAPES: set[Any] = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj,
    np.zeros_like, np.ones_like, np.empty_like, np.shares_memory, np.may_share_memory,
}  # fmt: skip


def _unsupported(name: str) -> TypeError:
    return TypeError(
        f"{name} is not an operation that tensors record; to compute it outside the graph, pass the numbers: t.numpy()"
    )


_WEIGHTS = {np.bincount: 1, np.histogram2d: 5, np.histogramdd: 4}
"""At which position functions of counts, whose derivative is 0, take weights: in these they are linear."""


def _refuse_weights(function: Any, args: Any, kwargs: Any) -> None:
    """Raise if the weights of a histogram are to be differentiated: answered on the numbers, they would be cut off."""
    at = _WEIGHTS.get(function)
    weights = None if at is None else kwargs.get("weights", args[at] if len(args) > at else None)
    if isinstance(weights, NumPyProtocols) and weights.needs_grad:
        raise TypeError(
            f"np.{function.__name__} is not recorded, so the gradient of its weights, {weights.describe()}, would be "
            "lost; write tg.scatter_add(np.zeros(n), bins, weights), or pass weights.numpy()"
        )


_BINNED = {np.histogram2d: 2, np.histogramdd: 1}
"""How many arguments, before `bins` and `range`, the edges of bins are computed from."""


def _refuse_edges(function: Any, args: Any, kwargs: Any) -> None:
    """Raise if the edges of a histogram in several dimensions are to be differentiated."""
    if function not in _BINNED:
        return
    at = _BINNED[function]
    bins, range = [kwargs.get(name, args[i] if len(args) > i else None) for i, name in enumerate(("bins", "range"), at)]
    given = isinstance(bins, list | tuple) and all(np.ndim(numbers(part)) for part in bins)
    data = [] if given or range is not None else [*args[:at], *[kwargs.get(name) for name in ("x", "y", "sample")]]
    for t in tensors_in([*data, bins]):
        if t.needs_grad:
            raise TypeError(
                f"np.{function.__name__} computes the edges of its bins from {t.describe()}, and their gradient would be "
                "lost; write range=, or pass the numbers: t.numpy()"
            )


def tensors_in(value: Any) -> list[Any]:
    """The tensors in lists, tuples and dicts."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [t for part in value for t in tensors_in(part)]
    return [value] if isinstance(value, NumPyProtocols) else []


@watched
def numbers(value: Any, what: str = "the numbers") -> Any:
    """Arguments with every tensor in them replaced by its array, to look at the numbers: `what` is how an error calls this."""
    return arrays(value)


def arrays(value: Any) -> Any:
    """Arguments with every tensor in them replaced by its array, to look at shapes alone, of which a replay need not know."""
    if isinstance(value, NumPyProtocols):
        return value.ndarray
    if isinstance(value, list | tuple):
        return type(value)([arrays(part) for part in value])
    if isinstance(value, dict):
        return {key: arrays(part) for key, part in value.items()}
    refuse_masked(value)
    return value


def read_only(array: Any) -> Any:
    """The numbers as a view that cannot be written."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def ungraphed(value: Any, name: str, cure: str) -> Any:
    """The numbers that the function `name` makes a leaf of; raises RuntimeError if one is part of a graph."""
    given = numbers(value)
    for part in value if isinstance(value, list | tuple) else (value,):
        if isinstance(part, NumPyProtocols) and (part.needs_grad or part.op is not None):
            raise RuntimeError(
                f"{name}() makes a leaf, and would silently cut off {part.describe()}, which is part of a graph; "
                f"to keep it in, write {cure}, or to leave the graph, pass .item()"
            )
        if isinstance(part, list | tuple):
            ungraphed(part, name, cure)
    return given


AT_ONCE: set[Any] = {float, int, np.ndarray}
"""The classes between which an operator need not ask NumPy whose it is: these, and those of tensors."""


class NumPyProtocols(NDArrayOperatorsMixin, Node):
    """What makes NumPy's functions and operators work on tensors."""

    __slots__ = ()

    def __add__(self, other: ArrayLike) -> Tensor:
        if self.__class__ in AT_ONCE and other.__class__ in AT_ONCE:
            return UFUNCS[np.add]((self, other))
        return super().__add__(other)

    def __sub__(self, other: ArrayLike) -> Tensor:
        if self.__class__ in AT_ONCE and other.__class__ in AT_ONCE:
            return UFUNCS[np.subtract]((self, other))
        return super().__sub__(other)

    def __mul__(self, other: ArrayLike) -> Tensor:
        if self.__class__ in AT_ONCE and other.__class__ in AT_ONCE:
            return UFUNCS[np.multiply]((self, other))
        return super().__mul__(other)

    def __truediv__(self, other: ArrayLike) -> Tensor:
        if self.__class__ in AT_ONCE and other.__class__ in AT_ONCE:
            return UFUNCS[np.true_divide]((self, other))
        return super().__truediv__(other)

    def __matmul__(self, other: ArrayLike) -> Tensor:
        if self.__class__ in AT_ONCE and other.__class__ in AT_ONCE:
            return UFUNCS[np.matmul]((self, other))
        return super().__matmul__(other)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if method == "__call__":
            if not settings and ufunc in UFUNCS:
                return UFUNCS[ufunc](inputs)
            answer = ANSWERS.get(ufunc) or ANSWERS.get(getattr(np, ufunc.__name__, None))  # ndarray.clip has its own
        else:
            answer = answer_to((ufunc, method))
        if answer is None:
            raise _unsupported(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"))
        return answer(*inputs, **settings)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        answer = answer_to(function)
        if answer is not None:
            return answer(*args, **kwargs)
        if function in SHAPES:
            return function(*arrays(args), **arrays(kwargs))
        if function is np.full_like:
            ungraphed([*args[1:2], kwargs.get("fill_value")], "full_like", "t * tg.ones_like(x)")
        if function in ASKS:
            _refuse_weights(function, args, kwargs)
            _refuse_edges(function, args, kwargs)
            what = f"np.{function.__name__}"
            return function(
                *(arrays(args[:1]) if function is np.full_like else numbers(args[:1], what)),
                *numbers(args[1:], what),
                **numbers(kwargs, what),
            )
        raise _unsupported(f"{function.__module__.replace('numpy', 'np')}.{function.__name__}")
