"""NumPy's protocols: how its functions find the op that stands for them.

A NumPy function called on a tensor is looked up in `ANSWERS`, which the ops fill in as they are declared
(`op.py`). Operators come from NumPy's mixin, and methods are NumPy calls; so neither this file nor
`tensor.py` imports an op. A few functions only ask about an array, and are answered on its numbers; all
others raise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinygrad_edu.engine.refusals import refuse_masked

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

ANSWERS: dict[Any, Callable[..., Any]] = {}
"""What each NumPy function does to a tensor. Keys: a function, a ufunc, (ufunc, method), or an op's name."""

UFUNCS: dict[Any, Callable[[tuple[Any, ...]], Any]] = {}
"""The short way for ufuncs without settings, which operators call: `Op.apply` of the op that answers."""

NO_SETTINGS: Any = MappingProxyType({})

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


def _any_order(name: str, order: Any) -> None:
    """How a result lies in memory is decided by the op that computes it: by rows, or as its input does."""
    if order not in ("K", "A", "C"):
        raise TypeError(
            f"{name}() of a Tensor takes order='K', 'A' or 'C', but got {order!r}; for columns write t.T.copy().T"
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
    for t in _tensors([*data, bins]):
        if t.needs_grad:
            raise TypeError(
                f"np.{function.__name__} computes the edges of its bins from {t.describe()}, and their gradient would be "
                "lost; write range=, or pass the numbers: t.numpy()"
            )


def _tensors(value: Any) -> list[Any]:
    """The tensors in lists and tuples."""
    if isinstance(value, list | tuple):
        return [t for part in value for t in _tensors(part)]
    return [value] if isinstance(value, NumPyProtocols) else []


def numbers(value: Any, what: str | None = "the numbers") -> Any:
    """Arguments with every tensor in them replaced by its array.

    In a function that is being recorded for replay, the numbers are not to be looked at, and errors say so of `what`;
    None is for those who look at shapes alone.
    """
    if isinstance(value, NumPyProtocols):
        if what is not None:
            value._refuse_taped(what)
        return value.ndarray
    if isinstance(value, list | tuple):
        return type(value)([numbers(part, what) for part in value])
    if isinstance(value, dict):
        return {key: numbers(part, what) for key, part in value.items()}
    refuse_masked(value)
    return value


def ungraphed(value: Any, name: str, cure: str) -> Any:
    """The numbers that the function `name` makes a leaf of; raises RuntimeError if one is part of a graph."""
    for part in value if isinstance(value, list | tuple) else (value,):
        if isinstance(part, NumPyProtocols) and (part.needs_grad or part.op is not None):
            part._refuse_taped("the numbers")
            raise RuntimeError(
                f"{name}() makes a leaf, and would silently cut off {part.describe()}, which is part of a graph; "
                f"to keep it in, write {cure}, or to leave the graph, pass .item()"
            )
        if isinstance(part, list | tuple):
            ungraphed(part, name, cure)
    return numbers(value)


class NumPyProtocols(NDArrayOperatorsMixin):
    """What makes NumPy's functions, operators and methods work on tensors."""

    __slots__ = ()

    ndarray: Any
    describe: Callable[[], str]
    needs_grad: bool
    _refuse_taped: Callable[[str], None]
    _reorder: Callable[..., None]
    op: Any

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **settings: Any) -> Any:
        if method == "__call__":
            if not settings and ufunc in UFUNCS:
                return UFUNCS[ufunc](inputs)
            answer = ANSWERS.get(ufunc) or ANSWERS.get(getattr(np, ufunc.__name__, None))  # ndarray.clip has its own
        else:
            answer = ANSWERS.get((ufunc, method))
        if answer is None:
            raise _unsupported(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"))
        return answer(*inputs, **settings)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        answer = ANSWERS.get(function)
        if answer is not None:
            return answer(*args, **kwargs)
        if function in SHAPES:
            return function(*numbers(args, None), **numbers(kwargs, None))
        if function is np.full_like:
            ungraphed([*args[1:2], kwargs.get("fill_value")], "full_like", "t * tg.ones_like(x)")
        if function in ASKS:
            _refuse_weights(function, args, kwargs)
            _refuse_edges(function, args, kwargs)
            what = f"np.{function.__name__}"
            return function(
                *numbers(args[:1], None if function is np.full_like else what),
                *numbers(args[1:], what),
                **numbers(kwargs, what),
            )
        raise _unsupported(f"{function.__module__.replace('numpy', 'np')}.{function.__name__}")

    # -- methods: what ndarray has, with its arguments, and torch's for neural networks; each is a NumPy call --
    # What few calls give, a type or a place to write, is looked for first: the way without it is the shorter.

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any
    ) -> Any:
        if dtype is None and out is None and not others and not options:
            return ANSWERS["sum"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.sum](self, axis, dtype, out, keepdims, *others, **options)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any
    ) -> Any:
        if dtype is None and out is None and not others and not options:
            return ANSWERS["prod"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.prod](self, axis, dtype, out, keepdims, *others, **options)

    def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        if dtype is None and out is None and not options:
            return ANSWERS["mean"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.mean](self, axis, dtype, out, keepdims, **options)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any) -> Any:
        if out is None and not others and not options:
            return ANSWERS["max"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.max](self, axis, out, keepdims, *others, **options)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False, *others: Any, **options: Any) -> Any:
        if out is None and not others and not options:
            return ANSWERS["min"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.min](self, axis, out, keepdims, *others, **options)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        if out is None and not options:
            return ANSWERS["any"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.any](self, axis, out, keepdims, **options)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False, **options: Any) -> Any:
        if out is None and not options:
            return ANSWERS["all"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.all](self, axis, out, keepdims, **options)

    def var(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Any:
        if dtype is None and out is None and not options:
            return ANSWERS["var"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.var](self, axis, dtype, out, ddof, keepdims, **options)

    def std(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: Any = 0,
        keepdims: bool = False,
        **options: Any,
    ) -> Any:
        if dtype is None and out is None and not options:
            return ANSWERS["std"](self, axis=axis, ddof=ddof, keepdims=keepdims)
        return ANSWERS[np.std](self, axis, dtype, out, ddof, keepdims, **options)

    def argmax(self, axis: int | None = None, out: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        if out is None and not options:
            return ANSWERS["argmax"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmax](self, axis, out, keepdims=keepdims, **options)

    def argmin(self, axis: int | None = None, out: Any = None, *, keepdims: bool = False, **options: Any) -> Any:
        if out is None and not options:
            return ANSWERS["argmin"](self, axis=axis, keepdims=keepdims)
        return ANSWERS[np.argmin](self, axis, out, keepdims=keepdims, **options)

    def cumsum(self, axis: int | None = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        if dtype is None and out is None and not options:
            return ANSWERS["cumsum"](self, axis)
        return ANSWERS[np.cumsum](self, axis, dtype, out, **options)

    def cumprod(self, axis: int | None = None, dtype: Any = None, out: Any = None, **options: Any) -> Any:
        if dtype is None and out is None and not options:
            return ANSWERS["cumprod"](self, axis)
        return ANSWERS[np.cumprod](self, axis, dtype, out, **options)

    def logsumexp(self, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
        return ANSWERS["logsumexp"](self, axis=axis, keepdims=keepdims, **options)

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        return ANSWERS[np.reshape](self, shape[0] if len(shape) == 1 else shape, order=order, copy=copy)

    def ravel(self, order: str = "C") -> Any:
        return np.ravel(self, order)

    def flatten(self, order: str = "C", **options: Any) -> Any:
        """y holds the elements of the tensor as one row: `np.reshape(t, -1)`."""
        if options or not isinstance(order, str):
            raise TypeError(
                "flatten() of a Tensor makes one row of all axes; to keep the first, write t.reshape(len(t), -1)"
            )
        row = np.reshape(self, -1, order=order)
        return row if row.op is not None else row.copy()  # as NumPy's, it may be written without writing this one

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) if axes else None)

    def permute(self, *axes: Any) -> Any:
        """y has the axes of the tensor in the order `axes`: `np.transpose(t, axes)`."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        return np.swapaxes(self, axis1, axis2)

    def squeeze(self, axis: Any = None, **options: Any) -> Any:
        return ANSWERS["squeeze"](self, axis=axis, **options)

    def unsqueeze(self, *axis: int, **options: Any) -> Any:
        """y has one more axis, of length 1, at the place `axis`: `np.expand_dims(t, axis)`."""
        return ANSWERS["expand_dims"](self, *axis, **options)

    def repeat(self, repeats: Any, axis: int | None = None) -> Any:
        return np.repeat(self, repeats, axis=axis)

    def take(self, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Any:
        if out is None:
            return ANSWERS[np.take](self, indices, axis, mode=mode)
        return ANSWERS[np.take](self, indices, axis, out, mode)

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Any:
        return ANSWERS[np.compress](condition, self, axis, out)

    def choose(self, choices: Any, out: Any = None, mode: str = "raise") -> Any:
        return ANSWERS[np.choose](self, choices, out, mode)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return np.diagonal(self, offset, axis1, axis2)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Any:
        if dtype is None and out is None:
            return ANSWERS[np.trace](self, offset, axis1, axis2)
        return ANSWERS[np.trace](self, offset, axis1, axis2, dtype, out)

    def sort(self, axis: int = -1, kind: Any = None, *, stable: bool | None = None) -> None:
        """Sort the tensor in place along `axis`, NaN last. `np.sort(t)` gives another tensor, and has a gradient.

        Refused, as every write in place is, where the graph needs the old numbers.
        """
        self._reorder(np.sort, axis, kind=kind, stable=stable)

    def argsort(self, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
        if order is None:
            return ANSWERS[np.argsort](self, axis, kind, stable=stable)
        return ANSWERS[np.argsort](self, axis, kind, order, stable=stable)

    def partition(self, kth: Any, axis: int = -1) -> None:
        """Move, in place, the kth smallest element along `axis` to where sorting puts it, none before it being greater.

        `np.partition(t, kth)` gives another tensor, and has a gradient.
        """
        self._reorder(np.partition, axis, kth=kth)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **options: Any) -> Any:
        if out is None and not options:
            return ANSWERS[np.clip](self, min, max)
        return ANSWERS[np.clip](self, min, max, out, **options)

    def round(self, decimals: int = 0, out: Any = None) -> Any:
        return ANSWERS[np.round](self, decimals) if out is None else ANSWERS[np.round](self, decimals, out)

    def dot(self, other: Any, out: Any = None) -> Any:
        return ANSWERS[np.dot](self, other) if out is None else ANSWERS[np.dot](self, other, out)

    def matmul(self, other: Any) -> Any:
        return np.matmul(self, other)

    def astype(
        self, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
    ) -> Any:
        _any_order("astype", order)
        wanted = np.dtype(dtype)
        if casting != "unsafe" and not np.can_cast(self.ndarray.dtype, wanted, casting):
            raise TypeError(f"astype() got casting={casting!r}, which does not cast {self.ndarray.dtype} to {wanted}")
        return np.astype(self, wanted, copy=copy)

    def copy(self, order: str = "C") -> Any:
        _any_order("copy", order)
        return np.copy(self)

    def conj(self) -> Any:
        return np.conjugate(self)

    def conjugate(self) -> Any:
        return np.conjugate(self)

    def exp(self) -> Any:
        return np.exp(self)

    def log(self) -> Any:
        return np.log(self)

    def sqrt(self) -> Any:
        return np.sqrt(self)

    def abs(self) -> Any:
        return np.absolute(self)

    def sin(self) -> Any:
        return np.sin(self)

    def cos(self) -> Any:
        return np.cos(self)

    def tanh(self) -> Any:
        return np.tanh(self)

    def pow(self, exponent: Any) -> Any:
        return np.power(self, exponent)

    def relu(self) -> Any:
        return ANSWERS["relu"](self)

    def sigmoid(self) -> Any:
        return ANSWERS["sigmoid"](self)

    def softmax(self, axis: int = -1, **options: Any) -> Any:
        return ANSWERS["softmax"](self, axis=axis, **options)

    def log_softmax(self, axis: int = -1, **options: Any) -> Any:
        return ANSWERS["log_softmax"](self, axis=axis, **options)

    def nonzero(self) -> tuple[Any, ...]:
        return np.nonzero(self)


for _method in vars(NumPyProtocols).values():
    if inspect.isfunction(_method):
        _method.__qualname__ = f"Tensor.{_method.__name__}"  # as Python's own errors about arguments call it


def explain_methods() -> None:
    """Give each method without a docstring that of the function which it calls, up to its examples. The ops must be
    declared by then."""
    for name, method in vars(NumPyProtocols).items():
        if name[0] != "_" and inspect.isfunction(method) and not method.__doc__:
            answer: Any = ANSWERS.get(name) or ANSWERS[getattr(np, name)]
            function = getattr(answer, "answer", answer)
            text = (function.__doc__ or "").partition(">>>")[0].rstrip()
            method.__doc__ = (
                f"{text}\n\n    The method is `tg.{function.name}` of the tensor, whose help has examples.\n    "
            )
