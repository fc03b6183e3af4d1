"""An array that speaks NumPy's protocols and computes by jax.numpy: on it the ops' forward functions run as they are.

JAX traces a function by calling it with values that stand for arrays of any numbers. An `XlaArray` is a box round such a
value. NumPy's functions, ufuncs and operators come to it by `__array_function__` and `__array_ufunc__`, are looked up by
their names in `jax.numpy`, and give boxes again. Three things are NumPy's here and not JAX's:

- types: what types are computed in, and what type comes out, is what the ufunc's own loops say;
- writing: `y[i] = v`, `out=` and `+=` change the box, for the value inside cannot change;
- views: what `y[2:5]` gives shows y, and writing into either shows in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import jax
import jax.numpy
import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

jnp: Any = jax.numpy


class DependsOnValues(TypeError):
    """The shape of a result, or which way a program goes, depends on numbers that are not there when it is compiled."""


def unboxed(x: Any) -> Any:
    """`x`, with the values in place of the boxes in it."""
    if isinstance(x, XlaArray):
        return x.value
    if isinstance(x, tuple | list):
        return type(x)([unboxed(part) for part in x])
    if isinstance(x, slice):
        return slice(unboxed(x.start), unboxed(x.stop), unboxed(x.step))
    return x


def boxed(x: Any) -> Any:
    """`x`, with boxes in place of JAX's values in it."""
    if isinstance(x, jax.Array):
        return XlaArray(x)
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(boxed, x))
    return type(x)([boxed(part) for part in x]) if isinstance(x, tuple | list) else x


def held(dtype: Any) -> Any:
    """The type in which JAX holds numbers of this one: the same, or without x64 that of half the bits."""
    return jax.dtypes.canonicalize_dtype(dtype)


def _kind(x: Any) -> Any:
    """What a ufunc asks of an input to choose its types: its type, or of a Python number that of the number."""
    return x.__class__ if x.__class__ in (int, float, complex) else np.dtype(getattr(x, "dtype", bool))


def alike(values: Any) -> list[Any]:
    """The values in the one type that NumPy makes of them together."""
    dtype = held(np.result_type(*[x if x.__class__ in (int, float, complex, bool) else x.dtype for x in values]))
    return [jnp.asarray(x, dtype) for x in values]


_NAMES = {"conjugate": "conj", "absolute": "abs"}
_REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_or": "any", "logical_and": "all",
    "fmax": "nanmax", "fmin": "nanmin",
}  # fmt: skip
_AT = {"add": "add", "multiply": "multiply", "maximum": "max", "minimum": "min"}
_RUNNING = {"add": "cumsum", "multiply": "cumprod"}
_SAY_NOTHING = ("order", "subok", "copy", "out")
_BASIC = (int, np.integer, slice, type(None), type(Ellipsis))


class XlaArray(NDArrayOperatorsMixin):
    """A box round a JAX value, or a view of another box.

    value: the value. shows, key: of a view, the box that it shows, and the index by which it does.
    """

    __slots__ = ("_value", "key", "shows")

    def __init__(self, value: Any, shows: XlaArray | None = None, key: Any = None) -> None:
        self._value, self.shows, self.key = value, shows, key

    # -- what it is ---------------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        """The value as it is now; of a view, that part of it which the view shows."""
        return self._value if self.shows is None else self.shows.value[self.key]

    @value.setter
    def value(self, new: Any) -> None:
        if self.shows is None:
            self._value = new
        else:
            self.shows.value = self.shows.value.at[self.key].set(new)

    @property
    def dtype(self) -> Any:
        """The type of the numbers as NumPy names it: forwards compare it with `np.float32` and ask for its `kind`."""
        return np.dtype(self.value.dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes, known while a program is compiled: `if` on them chooses once, for all runs."""
        return tuple(self.value.shape)

    @property
    def ndim(self) -> int:
        """How many axes the value has, known while a program is compiled."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many numbers the value has: the product of `shape`, as a Python integer."""
        return int(self.value.size)

    @property
    def itemsize(self) -> int:
        """How many bytes one number takes in `dtype`."""
        return int(self.dtype.itemsize)

    @property
    def nbytes(self) -> int:
        """How many bytes all numbers take: `size` times `itemsize`."""
        return self.size * self.itemsize

    @property
    def T(self) -> XlaArray:
        """The value with its axes in reverse order, a box of its own: writing into it does not show here."""
        return XlaArray(self.value.T)

    @property
    def mT(self) -> XlaArray:
        """The value with its last two axes exchanged, a box of its own, as `T`."""
        return XlaArray(jnp.matrix_transpose(self.value))

    @property
    def real(self) -> XlaArray:
        """The real parts of the numbers, in a box of their own; of real ones they themselves."""
        return XlaArray(self.value.real)

    @property
    def imag(self) -> XlaArray:
        """The imaginary parts of the numbers, in a box of their own; of real ones zeros."""
        return XlaArray(self.value.imag)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[XlaArray]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        raise DependsOnValues("Python asks whether numbers are true that are not there when a program is compiled")

    __int__ = __float__ = __index__ = __complex__ = __bool__

    def __array__(self, *args: Any, **settings: Any) -> NoReturn:
        raise DependsOnValues("NumPy asks for numbers that are not there when a program is compiled")

    # -- its parts ----------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> XlaArray:
        parts = key if isinstance(key, tuple) else (key,)
        if all(isinstance(part, _BASIC) and not isinstance(part, bool) for part in parts):
            return XlaArray(None, self, key)
        return XlaArray(self.value[_index(key)])

    def __setitem__(self, key: Any, given: Any) -> None:
        value, index = self.value, _index(key)
        new = jnp.asarray(unboxed(given)).astype(value.dtype)
        self.value = jnp.broadcast_to(new, value.shape) if key is Ellipsis else value.at[index].set(new)

    def fill(self, given: Any) -> None:
        """Set all numbers to the given one, as `y[...] = given` does; the box then holds another value of the same type."""
        self[...] = given

    def filled(self, result: Any) -> XlaArray:
        """Write a result here, as `out=` asks for."""
        value = self.value
        self.value = jnp.broadcast_to(jnp.asarray(result), value.shape).astype(value.dtype)
        return self

    # -- NumPy's functions --------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **settings: Any) -> Any:
        place = out[0] if isinstance(out, tuple) else out
        if place is not None and not isinstance(place, XlaArray):
            _nowhere()
        where, dtype = settings.pop("where", True), settings.pop("dtype", None)
        values = [unboxed(x) for x in inputs]
        if method == "__call__":
            result = _called(ufunc, values)
            if where is not True:
                result = jnp.where(unboxed(where), result, unboxed(place))
        elif method == "reduce":
            result = _reduced(ufunc, values, where, settings)
        elif method == "accumulate":
            axis = settings.get("axis", values[1] if len(values) > 1 else 0)
            name = _RUNNING.get(ufunc.__name__)
            x = _summable(values[0]) if name else values[0]
            result = getattr(jnp, name)(x, axis=axis) if name else _named(ufunc).accumulate(x, axis)
        elif method == "at":
            box, value = inputs[0], inputs[0].value
            box.value = getattr(value.at[_index(inputs[1])], _AT[ufunc.__name__])(
                jnp.asarray(values[2]).astype(value.dtype)
            )
            return None
        else:
            result = getattr(_named(ufunc), method)(*values, **settings)
        if dtype is not None:
            result = result.astype(held(dtype))
        return boxed(result) if place is None else place.filled(result)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        own = _OWN.get(function)
        if own is not None:
            return own(*args, **kwargs)
        place = kwargs.get("out")
        settings = {key: unboxed(x) for key, x in kwargs.items() if key not in _SAY_NOTHING and x is not np._NoValue}
        home: Any = jnp.linalg if function.__module__ == "numpy.linalg" else jnp
        values = unboxed(args)
        if function in _TOGETHER:
            values = _TOGETHER[function](*values)
        if function in _FLOATING or home is jnp.linalg:
            values = tuple(map(_floating, values))
        if not hasattr(home, function.__name__):
            raise NotImplementedError(f"jax.numpy has no {function.__name__}")
        result = boxed(getattr(home, function.__name__)(*values, **settings))
        return result if place is None else place.filled(result.value)


def _index(key: Any) -> Any:
    """An index without boxes. One of truths chooses as many elements as are true, which nobody knows beforehand."""
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, XlaArray | jax.core.Tracer) and part.dtype == bool:
            raise DependsOnValues(
                "an index of truths chooses as many elements as are true, which is not known when a program is compiled"
            )
    return unboxed(key)


def _nowhere() -> NoReturn:
    raise TypeError("a value that stands for an array was to be written into an array of NumPy")


def _named(ufunc: np.ufunc) -> Any:
    name = _NAMES.get(ufunc.__name__, ufunc.__name__)
    if not hasattr(jnp, name):
        raise NotImplementedError(f"jax.numpy has no {name}")
    return getattr(jnp, name)


def _called(ufunc: np.ufunc, values: list[Any]) -> Any:
    """The ufunc on values, in the types that NumPy's own loop has for inputs of theirs."""
    function = _named(ufunc)
    kinds = ufunc.resolve_dtypes((*map(_kind, values), *[None] * ufunc.nout))
    results = function(*[jnp.asarray(x, held(kind)) for x, kind in zip(values, kinds, strict=False)])
    if ufunc.nout == 1:
        return results.astype(held(kinds[-1]))
    return tuple([r.astype(held(kind)) for r, kind in zip(results, kinds[ufunc.nin :], strict=True)])


def _floating(x: Any) -> Any:
    """Whole numbers and truths as floating ones."""
    return x.astype(held(np.float64)) if isinstance(x, jax.Array) and np.dtype(x.dtype).kind in "biu" else x


def _summable(x: Any) -> Any:
    """Numbers in the type in which NumPy adds and multiplies them up: small integers and truths in that of Python's."""
    kind = np.dtype(x.dtype)
    if kind.kind in "bi" and kind.itemsize < 8:
        return x.astype(held(np.int64))
    return x.astype(held(np.uint64)) if kind.kind == "u" and kind.itemsize < 8 else x


def _reduced(ufunc: np.ufunc, values: list[Any], where: Any, settings: dict[str, Any]) -> Any:
    settings = {key: unboxed(x) for key, x in settings.items() if x is not np._NoValue}
    axis = settings.pop("axis", values[1] if len(values) > 1 else 0)
    name = _REDUCTIONS.get(ufunc.__name__)
    x = _summable(values[0]) if ufunc in (np.add, np.multiply) else values[0]
    if where is not True:
        settings["where"] = unboxed(where)
    return getattr(jnp, name)(x, axis=axis, **settings) if name else _named(ufunc).reduce(x, axis=axis, **settings)


# ---------------------------------------------------------------------------------------------------
# Functions that write, ask, or choose types by what they are given


def _copyto(place: Any, source: Any, casting: str = "same_kind", where: Any = True) -> None:
    if not isinstance(place, XlaArray):
        _nowhere()
    new = unboxed(source)
    place.filled(new if where is True else jnp.where(unboxed(where), new, place.value))


def _put_along_axis(x: Any, places: Any, values: Any, axis: Any) -> None:
    x.value = jnp.put_along_axis(x.value, unboxed(places), unboxed(values), axis, inplace=False)


def _result_type(*given: Any) -> Any:
    return np.result_type(*[x.dtype if isinstance(x, XlaArray) else x for x in given])


def _where(condition: Any, *choices: Any) -> list[Any]:
    if not choices:
        raise DependsOnValues("np.where of a condition alone gives as many places as are true")
    return [condition, *alike(choices)]


_OWN: dict[Any, Callable[..., Any]] = {
    np.copyto: _copyto,
    np.put_along_axis: _put_along_axis,
    np.result_type: _result_type,
    np.may_share_memory: lambda *_: False,
    np.shares_memory: lambda *_: False,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.ascontiguousarray: lambda x: x,
    np.asarray: lambda x, dtype=None, **_: x if dtype is None else x.astype(dtype),
}
"""What NumPy's functions do here that are not JAX's of the same name."""

_TOGETHER: dict[Any, Callable[..., Any]] = {
    np.where: _where,
    np.concatenate: lambda xs, *rest: [alike(xs), *rest],
    np.stack: lambda xs, *rest: [alike(xs), *rest],
    np.einsum: lambda subscripts, *xs: [subscripts, *alike(xs)],
    np.dot: lambda *xs: alike(xs),
    np.tensordot: lambda a, b, *rest: [*alike((a, b)), *rest],
    np.cross: lambda a, b, *rest: [*alike((a, b)), *rest],
    np.linalg.solve: lambda *xs: alike(xs),
}
"""Functions that compute in the type that their arrays make together, which JAX may choose otherwise: their arguments, so."""

_FLOATING = {np.mean, np.var, np.std, np.median, np.nanmean, np.nanvar, np.nanstd, np.nanmedian, np.sinc}
"""Functions that compute in float64 of whole numbers, which JAX may do in float32; and so do those of linear algebra."""

_METHODS = """
    reshape transpose astype ravel sum prod max min mean any all cumsum squeeze swapaxes copy argsort argmax argmin repeat
    flatten diagonal clip round conj view take
"""


def _method(name: str) -> Callable[..., Any]:
    def method(self: XlaArray, *args: Any, **settings: Any) -> Any:
        kept = {key: unboxed(x) for key, x in settings.items() if key not in _SAY_NOTHING}
        args = (held(args[0]), *args[1:]) if name == "astype" else args
        value = _floating(self.value) if name == "mean" else self.value
        return boxed(getattr(value, name)(*unboxed(args), **kept))

    method.__name__, method.__doc__ = name, f"As NumPy's `{name}`."
    return method


for _name in _METHODS.split():
    setattr(XlaArray, _name, _method(_name))
