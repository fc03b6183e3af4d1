"""Written: an array that writes nodes of an ONNX graph instead of computing.

It speaks NumPy's protocols, so the forward functions of the ops run on it as they are: `np.exp(x)` leaves the node Exp.
Its shape and type are those of one run; what of a shape depends on the size of the batch is found later, by comparing the
graphs of two runs (`merging.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.mixins import NDArrayOperatorsMixin

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

Array = Any
"""A NumPy array, whose numbers are known when the file is written, or a `Written` one."""


class CannotWriteError(TypeError):
    """What ONNX has no counterpart for, or what the writer cannot say in it.

    place: the number of the event of the record, where it is known.
    """

    def __init__(self, message: str, place: int = -1) -> None:
        super().__init__(message)
        self.place = place


@dataclass(eq=False)
class Node:
    """One node of the graph.

    inputs: names of values, arrays for constants, and "" for an input that is left out.
    place: the number of the event of the record for which it was written.
    name: what the file calls it.
    """

    kind: str
    inputs: list[Any]
    outputs: list[str]
    attributes: dict[str, Any]
    place: int
    name: str = ""


@dataclass(eq=False)
class Graph:
    """The nodes that were written, in their order, and the named arrays that they read."""

    nodes: list[Node] = field(default_factory=list)
    initializers: dict[str, Any] = field(default_factory=dict)
    scope: str = ""
    place: int = -1
    makers: dict[str, Node] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    reserved: set[str] = field(default_factory=set)  # names of parameters, which no other value may have

    def initializer(self, name: str, array: Any) -> Written:
        """A named array that the file holds; of two that are called alike, the second has a number behind its name."""
        name = self._free(name)
        self.initializers[name] = array
        return Written(self, name, array.shape, array.dtype)

    def input(self, name: str, array: Any) -> Written:
        """An argument of the model, of the shape and type of this array."""
        return Written(self, self._free(name), array.shape, array.dtype)

    def _free(self, stem: str, taken: Container[str] = ()) -> str:
        """The name, or if another has it, the name with a number."""
        name = stem
        while name in self.names or name in taken:
            self.counts[stem] = self.counts.get(stem, 1) + 1
            name = f"{stem}_{self.counts[stem]}"
        self.names.add(name)
        return name

    def named(self, kind: str) -> str:
        """A name for a value that nothing else has: the layer that it is computed in, the kind of its node, a number."""
        return self._free("/".join([*self.scope.split("."), kind.lower()]).lstrip("/"), self.reserved)

    def add(self, kind: str, inputs: Sequence[Any], shape: Sequence[int], dtype: Any, **attributes: Any) -> Written:
        """Write a node that has one result."""
        return self.several(kind, inputs, [(shape, dtype)], **attributes)[0]

    def several(
        self, kind: str, inputs: Sequence[Any], results: Sequence[tuple[Sequence[int], Any] | None], **attributes: Any
    ) -> list[Any]:
        """Write a node that has several results, each given by its shape and type; None stands for one that is left out."""
        names = ["" if result is None else self.named(kind) for result in results]
        node = Node(kind, [part(x) for x in inputs], names, attributes, self.place, names[0])
        self.nodes.append(node)
        made = []
        for name, result in zip(names, results, strict=True):
            self.makers[name] = node
            made.append(None if result is None else Written(self, name, result[0], result[1]))
        return made


def part(x: Any) -> Any:
    """What stands for x among the inputs of a node."""
    return x.name if isinstance(x, Written) else "" if x is None else np.asarray(x)


def whole(*numbers: int) -> Any:
    """Whole numbers as the array that ONNX takes for axes, shapes and places."""
    return np.array(numbers, np.int64)


UFUNCS: dict[str, Callable[..., Any]] = {}
"""What NumPy's ufuncs write, by name: called with inputs of the types that NumPy computes in, and with the result's type."""

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""What NumPy's other functions write, by name."""

WHOLE: dict[str, Callable[..., Any]] = {}
"""Ops that are not written by their forward functions, by name."""

REDUCTIONS = {"add": "ReduceSum", "multiply": "ReduceProd", "maximum": "ReduceMax", "minimum": "ReduceMin"}


class Written(NDArrayOperatorsMixin):
    """A value of the graph: its name, and the shape and type that it has in this run."""

    def __init__(self, graph: Graph, name: str, shape: Sequence[int], dtype: Any) -> None:
        self.graph, self.name = graph, name
        self.shape, self.dtype = tuple(map(int, shape)), np.dtype(dtype)
        graph.shapes[name] = self.shape

    __hash__ = object.__hash__

    @property
    def ndim(self) -> int:
        """How many axes the array has: the length of `shape`."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def T(self) -> Written:
        """The axes in reverse order."""
        return self.transpose()

    @property
    def mT(self) -> Written:
        """The last two axes exchanged."""
        return self.swapaxes(-1, -2)

    @property
    def real(self) -> Written:
        """The numbers themselves: complex ones are not written."""
        return self

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        raise CannotWriteError("its forward function needs the numbers themselves")

    def __bool__(self) -> NoReturn:
        raise CannotWriteError("what it computes depends on the numbers, and a graph is one for all numbers")

    def __repr__(self) -> str:
        return f"<{self.name}: {self.dtype} {self.shape}>"

    # -- methods of arrays, as far as forward functions call them -------------------------------------

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Written:
        """The same numbers in another type."""
        dtype = np.dtype(dtype)
        if dtype == self.dtype:
            return self
        return self.graph.add("Cast", [self], self.shape, dtype, to=dtype)

    def reshape(self, *shape: Any, **_: Any) -> Written:
        """The elements, row by row, in another shape."""
        wanted = shape[0] if len(shape) == 1 else shape
        made = np.broadcast_to(np.int8(0), self.shape).reshape(wanted).shape
        if made == self.shape:
            return self
        zeros = {"allowzero": 1} if 0 in made else {}
        return self.graph.add("Reshape", [self, whole(*made)], made, self.dtype, **zeros)

    def ravel(self) -> Written:
        """All elements in one axis, row by row: (n, m) becomes (n·m,), written as a Reshape."""
        return self.reshape(-1)

    def squeeze(self, axis: Any = None) -> Written:
        """The array without axes of length 1: all of them, or those that `axis` names, an integer or several."""
        axes = (
            [i for i, n in enumerate(self.shape) if n == 1] if axis is None else normalize_axis_tuple(axis, self.ndim)
        )
        shape = np.squeeze(np.broadcast_to(np.int8(0), self.shape), tuple(axes)).shape
        return self.graph.add("Squeeze", [self, whole(*axes)], shape, self.dtype) if axes else self

    def transpose(self, *axes: Any) -> Written:
        """The axes in another order."""
        given = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = normalize_axis_tuple(given, self.ndim) if given else tuple(range(self.ndim))[::-1]
        if order == tuple(range(self.ndim)):
            return self
        return self.graph.add("Transpose", [self], [self.shape[a] for a in order], self.dtype, perm=list(order))

    def swapaxes(self, axis1: int, axis2: int) -> Written:
        """The array with two of its axes exchanged, written as a Transpose."""
        order = list(range(self.ndim))
        order[axis1], order[axis2] = order[axis2], order[axis1]
        return self.transpose(order)

    def __getitem__(self, index: Any) -> Any:
        from tinygrad_edu.ops.indexing import key_and_arrays

        key, arrays = key_and_arrays(index)
        return WHOLE["getitem"](self, *arrays, key=key)

    def reduced(self, kind: str, axis: Any, keepdims: bool, dtype: Any = None) -> Written:
        """One of ONNX's reductions along some axes."""
        axes = tuple(range(self.ndim)) if axis is None else normalize_axis_tuple(axis, self.ndim)
        x = self if dtype is None else self.astype(dtype)
        if not axes:
            return x
        shape = [1 if i in axes else n for i, n in enumerate(self.shape) if keepdims or i not in axes]
        return x.graph.add(kind, [x, whole(*axes)], shape, x.dtype, keepdims=int(bool(keepdims)))

    def sum(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """The sum along `axis`, one or several, or of all elements: what `np.add.reduce` writes."""
        return np.add.reduce(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """The mean along some axes."""
        floats = self if self.dtype.kind == "f" else self.astype(float)
        return floats.reduced("ReduceMean", axis, keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Written:
        """The place of the largest."""
        return self._place("ArgMax", axis, keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Written:
        """The place of the smallest."""
        return self._place("ArgMin", axis, keepdims)

    def _place(self, kind: str, axis: Any, keepdims: bool) -> Written:
        x = self.ravel() if axis is None else self
        along = 0 if axis is None else axis % x.ndim
        shape = [1 if i == along else n for i, n in enumerate(x.shape) if keepdims or i != along]
        found = x.graph.add(kind, [x], shape, np.int64, axis=along, keepdims=int(bool(keepdims)))
        return found.reshape((1,) * self.ndim) if axis is None and keepdims else found

    # -- NumPy's protocols ----------------------------------------------------------------------------

    def __apply_op__(self, op: Any, inputs: Sequence[Any], settings: Any) -> Any:
        return compute(op, inputs, settings) if op.outputs is None else compute(op, inputs, settings)[: op.outputs]

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **settings: Any) -> Any:
        if settings.pop("where", True) is not True:
            raise CannotWriteError(f"np.{ufunc.__name__} with where= has no counterpart")
        settings = {key: x for key, x in settings.items() if x is not np._NoValue and (key == "axis" or x is not None)}
        if method == "reduce":
            made = _reduced(ufunc, *inputs, **settings)
        elif method == "accumulate" and ufunc.__name__ in ("add", "multiply"):
            axis = settings.get("axis", inputs[1] if len(inputs) > 1 else 0)
            made = FUNCTIONS["cumsum" if ufunc.__name__ == "add" else "cumprod"](inputs[0], axis)
        elif method == "__call__":
            made = called(ufunc, inputs, **settings)
        else:
            raise CannotWriteError(f"np.{ufunc.__name__}.{method} has no counterpart")
        if out is None:
            return made
        place: Any = out[0]
        if not isinstance(place, Written) or place.shape != made.shape:
            raise CannotWriteError("it writes into an array")
        place.name = made.astype(place.dtype).name  # from now on it is the new value
        return place

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        write = FUNCTIONS.get(function.__name__)
        if write is None:
            raise CannotWriteError(f"np.{function.__name__} has no counterpart")
        return write(
            *args, **{key: x for key, x in kwargs.items() if x is not np._NoValue and not (key == "out" and x is None)}
        )


def compute(op: Any, values: Sequence[Any], settings: Any) -> Any:
    """Write an op; of arrays whose numbers are known, compute it."""
    from tinygrad_edu.engine.registry import OPS

    if not any(isinstance(part, Written) for x in values for part in (x if isinstance(x, tuple) else (x,))):
        return op.compute([x if isinstance(x, tuple) else np.asarray(x) for x in values], settings)
    own: Any = OPS.get(op.name)  # another's op may be called alike
    write = WHOLE.get(own.name) if own is not None and own is op else None
    return (write or op.forward)(*values, **settings)


def _reduced(ufunc: Any, x: Any, axis: Any = 0, keepdims: Any = False, initial: Any = None, dtype: Any = None) -> Any:
    name, keepdims = ufunc.__name__, bool(keepdims)
    if name in ("logical_or", "logical_and"):
        wanted = truth(x) if name == "logical_or" else np.logical_not(truth(x))
        found = wanted.reduced("ReduceSum", axis, keepdims, np.int64) > 0
        return found if name == "logical_or" else np.logical_not(found)
    if name in ("fmax", "fmin"):
        gone = np.isnan(x)
        found = np.where(gone, -math.inf if name == "fmax" else math.inf, x)
        found = found.reduced("ReduceMax" if name == "fmax" else "ReduceMin", axis, keepdims)
        return np.where(np.logical_and.reduce(gone, axis=axis, keepdims=keepdims), math.nan, found)
    if name not in REDUCTIONS:
        raise CannotWriteError(f"np.{name}.reduce has no counterpart")
    if initial is not None and not x.size:
        shape = ufunc.reduce(np.zeros(x.shape), axis=axis, keepdims=keepdims, initial=0).shape
        return np.full(shape, initial, x.dtype)
    kind = ufunc.reduce(np.zeros(1, x.dtype)).dtype if dtype is None else np.dtype(dtype)
    return x.reduced(REDUCTIONS[name], axis, keepdims, kind)


def truth(x: Any) -> Any:
    """Whether each element is not zero."""
    return x.astype(bool)


def called(ufunc: Any, inputs: Sequence[Any], dtype: Any = None, **settings: Any) -> Any:
    """What a ufunc writes, for inputs brought to the types in which NumPy would compute."""
    name = ufunc.__name__
    if name not in UFUNCS:
        raise CannotWriteError(f"np.{name} has no counterpart")
    if name in ("vecdot", "matmul", "vecmat", "matvec"):
        kinds = [np.result_type(*[x.dtype for x in inputs])] * (len(inputs) + 1)
    else:
        given = [x.dtype if hasattr(x, "dtype") else np.dtype(bool) if x.__class__ is bool else type(x) for x in inputs]
        kinds = list(ufunc.resolve_dtypes((*given, None)))
        if name.startswith("logical_"):
            kinds = [np.dtype(bool)] * len(kinds)
        elif dtype is not None:
            kinds = [np.dtype(dtype)] * len(kinds)
    xs = [
        x.astype(kind) if isinstance(x, Written) else np.asarray(x).astype(kind)
        for x, kind in zip(inputs, kinds, strict=False)
    ]
    return UFUNCS[name](*xs, dtype=kinds[-1], **settings)


def graph_of(*xs: Any) -> Graph:
    """The graph that the first written one of these is in."""
    return next(x.graph for x in xs if isinstance(x, Written))
