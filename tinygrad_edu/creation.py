"""Making tensors: from data, of one value, of a range, at random.

What is made of data keeps NumPy's type for that data. What is made without (`zeros`, `ones`, `eye`, `linspace`,
`rand`, `randn`, and `full` and `arange` of floats) has the default type, float32 until `set_default_dtype` changes it.
Whole numbers stay whole: `arange(3)` and `full(2, 7)` are int64, as in NumPy and PyTorch.

All that is made here is a leaf. The numbers to make it of may be tensors, but not such as are part of a graph: these
would be cut from it, so they raise, and the error says what to compute instead.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, SupportsIndex

import numpy

from tinygrad_edu import random
from tinygrad_edu.engine.protocols import ungraphed
from tinygrad_edu.engine.refusals import refuse_masked
from tinygrad_edu.engine.tables import uneven
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import ArrayLike, DType, Number, Shape

np: Any = numpy  # values of any kind are passed on

_default: numpy.dtype[Any] = numpy.dtype(numpy.float32)


def set_default_dtype(dtype: DType) -> None:
    """Set the floating type of what is made without data: layers, `zeros`, `rand` and the like.

    >>> set_default_dtype("float64"); zeros(2).dtype
    dtype('float64')
    >>> set_default_dtype("float32"); zeros(2).dtype
    dtype('float32')
    """
    global _default
    given = np.dtype(dtype)
    if given.kind != "f":
        raise TypeError(f"set_default_dtype() takes a floating type such as 'float32' or 'float64', but got {given}")
    _default = given


def get_default_dtype() -> numpy.dtype[Any]:
    """The floating type of what is made without data, float32 unless `set_default_dtype` has changed it.

    >>> get_default_dtype()
    dtype('float32')
    """
    return _default


def _dtype(dtype: DType) -> numpy.dtype[Any]:
    return _default if dtype is None else np.dtype(dtype)


def _shape(sizes: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` mean the same shape."""
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    try:
        shape = tuple([operator.index(n) for n in sizes])
    except TypeError:
        raise TypeError(
            f"{what}() takes the lengths of the axes, as {what}(2, 3) or {what}((2, 3)), but got {sizes}"
        ) from None
    if any(n < 0 for n in shape):
        raise ValueError(f"{what}() cannot make an axis of negative length: {shape}")
    return shape


def count(value: SupportsIndex, what: str, name: str) -> int:
    """A whole number, such as how many elements to make."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{what}() takes a whole number for {name}, but got {value!r:.60}") from None


_P = ParamSpec("_P")
_MEMORY = frozenset(("device", "layout", "memory_format", "pin_memory"))


def _without_devices(make: Callable[_P, Tensor]) -> Callable[_P, Tensor]:
    """The function; of the options by which other libraries say where numbers are, its error says to leave them out."""

    @functools.wraps(make)
    def made(*args: _P.args, **options: _P.kwargs) -> Tensor:
        try:
            return make(*args, **options)
        except TypeError:
            for name in _MEMORY.intersection(options):
                raise TypeError(
                    f"{make.__name__}() takes no {name}=: leave it out; numbers are in the memory of this computer"
                ) from None
            raise

    return made


@_without_devices
def tensor(data: ArrayLike, requires_grad: bool = False, *, dtype: DType = None, name: str | None = None) -> Tensor:
    """A leaf with a copy of `data`: numbers, nested lists, an array, or a tensor.

    `Tensor(array)` shares the array's memory, this does not. A tensor that is part of a graph raises: write
    `t.detach()` for its numbers, or `t.clone()` for a recorded copy.

    data: numbers, nested lists of one length on each level, an array, or a tensor.
    requires_grad: whether `backward()` leaves ∂L/∂t in `.grad`; only floating numbers can.
    dtype: the type of the numbers; None leaves it to NumPy, so 1.5 is float64 and 1 is int64.
    name: what figures and errors call the tensor.

    >>> a = np.zeros(2)
    >>> t = tensor(a)
    >>> a[0] = 1.0
    >>> t
    Tensor([0., 0.])
    """
    try:
        array = np.array(data, dtype=dtype)
    except ValueError as error:
        raise uneven(error) from None
    refuse_masked(data, depth=array.ndim - 1)
    return Tensor(array, requires_grad, name=name)


@_without_devices
def zeros(*shape: Shape, dtype: DType = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor that is full of zeros: `zeros(2, 3)` or `zeros((2, 3))`.

    shape: the lengths of the axes, as several numbers or as one tuple; none for a single number.
    dtype: the type of the numbers; None takes the default type, float32 unless `set_default_dtype` has changed it.
    requires_grad: whether `backward()` leaves ∂L/∂t in `.grad`; only floating numbers can.
    name: what figures and errors call the tensor.

    >>> zeros(2, 3)
    Tensor([[0., 0., 0.],
            [0., 0., 0.]], dtype=float32)
    """
    return Tensor(np.zeros(_shape(shape, "zeros"), _dtype(dtype)), requires_grad, name=name)


@_without_devices
def ones(*shape: Shape, dtype: DType = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor that is full of ones: `ones(2, 3)` or `ones((2, 3))`.

    The parameters are those of `zeros`.

    >>> ones(3)
    Tensor([1., 1., 1.], dtype=float32)
    """
    return Tensor(np.ones(_shape(shape, "ones"), _dtype(dtype)), requires_grad, name=name)


@_without_devices
def full(
    shape: Shape, fill_value: ArrayLike, *, dtype: DType = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor that is full of `fill_value`; of the default type if that is a float.

    shape: the lengths of the axes, as one number or a tuple.
    fill_value: the number, or an array that broadcasts to the shape.
    The other parameters are those of `zeros`.

    >>> full((2, 2), 0.5)
    Tensor([[0.5, 0.5],
            [0.5, 0.5]], dtype=float32)
    """
    value = ungraphed(fill_value, "full", "t * tg.ones(shape)")
    if dtype is None and np.asarray(value).dtype.kind == "f":
        dtype = _default
    return Tensor(np.full(_shape((shape,), "full"), value, dtype), requires_grad, name=name)


@_without_devices
def zeros_like(x: ArrayLike, *, dtype: DType = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor of zeros that has the shape and the dtype of `x`.

    x: an array or a tensor; what it holds is not read.
    dtype: another type than x's; None keeps it.
    The other parameters are those of `zeros`.

    >>> zeros_like([1, 2])
    Tensor([0, 0])
    """
    return Tensor(np.zeros_like(x, dtype), requires_grad, name=name)


@_without_devices
def ones_like(x: ArrayLike, *, dtype: DType = None, requires_grad: bool = False, name: str | None = None) -> Tensor:
    """A tensor of ones that has the shape and the dtype of `x`.

    The parameters are those of `zeros_like`.

    >>> ones_like([0.5, 2.0])
    Tensor([1., 1.])
    """
    return Tensor(np.ones_like(x, dtype), requires_grad, name=name)


@_without_devices
def full_like(
    x: ArrayLike, fill_value: ArrayLike, *, dtype: DType = None, requires_grad: bool = False, name: str | None = None
) -> Tensor:
    """A tensor of `fill_value` that has the shape and the dtype of `x`, to which the number is cast.

    fill_value: the number, or an array that broadcasts to the shape.
    The other parameters are those of `zeros_like`.

    >>> full_like([1.0, 2.0], 7)
    Tensor([7., 7.])
    """
    return Tensor(np.full_like(x, fill_value, dtype), requires_grad, name=name)


@_without_devices
def arange(
    start: Number | Tensor,
    stop: Number | Tensor | None = None,
    step: Number | Tensor = 1,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """start, start + step, and so on, up to but without stop; the numbers begin at 0 if only one number is given.

    start: the first number, or with nothing behind it the one to stop before.
    stop: the number to stop before.
    step: the way from each to the next, negative to go down. With a fractional one, rounding decides about the last
        number: `linspace` says how many there are.
    dtype: the type of the numbers; None takes int64 for whole ones, for others the default type.
    The other parameters are those of `zeros`.

    >>> arange(3), arange(1.0, 2.0, 0.5)
    (Tensor([0, 1, 2]), Tensor([1. , 1.5], dtype=float32))
    """
    limits = (0, start, step) if stop is None else (start, stop, step)
    array = np.arange(*ungraphed(limits, "arange", "start + step * tg.arange(n)"))
    if dtype is None and array.dtype.kind == "f":
        dtype = _default
    return Tensor(array.astype(dtype or array.dtype, copy=False), requires_grad, name=name)


@_without_devices
def linspace(
    start: ArrayLike,
    stop: ArrayLike,
    num: int = 50,
    endpoint: bool = True,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`, which is the last of them unless `endpoint` is false.

    start, stop: the ends, numbers or arrays of one shape, before which stands the axis of the `num` numbers.
    num: how many there are.
    endpoint: whether `stop` is the last of them. If not, they stop a step before it.
    The other parameters are those of `zeros`.

    >>> linspace(0, 1, 5)
    Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ], dtype=float32)
    """
    ends = ungraphed((start, stop), "linspace", "start + (stop - start) * tg.linspace(0, 1, num)")
    array = np.linspace(*ends, count(num, "linspace", "num"), endpoint)
    return Tensor(array.astype(_dtype(dtype)), requires_grad, name=name)


@_without_devices
def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    *,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """The n×n identity, or an n×m matrix that has ones on its k-th diagonal and zeros elsewhere.

    n: the number of rows.
    m: the number of columns; None makes as many as rows.
    k: the diagonal: 0 the main one, above it positive, below it negative.
    The other parameters are those of `zeros`.

    >>> eye(2)
    Tensor([[1., 0.],
            [0., 1.]], dtype=float32)
    """
    columns = None if m is None else count(m, "eye", "m")
    array = np.eye(count(n, "eye", "n"), columns, count(k, "eye", "k"), _dtype(dtype))
    return Tensor(array, requires_grad, name=name)


@_without_devices
def rand(
    *shape: Shape,
    generator: numpy.random.Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Uniform numbers that lie in [0, 1), from `generator` or else from the one that `manual_seed` sets.

    generator: a NumPy generator, which the draw moves on; None takes the one of `manual_seed`.
    The other parameters are those of `zeros`, with a floating dtype.

    >>> x = rand(2, 3, generator=np.random.default_rng(0))
    >>> x.shape, bool((0 <= x).all() and (x < 1).all())
    ((2, 3), True)
    """
    return _draw(random.Uniform(), _shape(shape, "rand"), generator, dtype, requires_grad, name)


@_without_devices
def randn(
    *shape: Shape,
    generator: numpy.random.Generator | None = None,
    dtype: DType = None,
    requires_grad: bool = False,
    name: str | None = None,
) -> Tensor:
    """Normal numbers that have mean 0 and standard deviation 1, from `generator` or else from the one that
    `manual_seed` sets.

    The parameters are those of `rand`.

    >>> randn(2, 3, generator=np.random.default_rng(0)).shape
    (2, 3)
    """
    return _draw(random.Normal(), _shape(shape, "randn"), generator, dtype, requires_grad, name)


def _draw(
    what: random.Uniform | random.Normal,
    shape: tuple[int, ...],
    generator: numpy.random.Generator | None,
    dtype: DType,
    requires_grad: bool,
    name: str | None,
) -> Tensor:
    """A tensor of random numbers."""
    wanted = _dtype(dtype)
    if wanted.kind != "f":
        raise TypeError(f"random numbers of this kind are floating, but got dtype={wanted}")
    drawn = random.draw(
        what, shape, wanted, generator, name or ("random" if isinstance(what, random.Uniform) else "standard_normal")
    )
    return (drawn if isinstance(drawn, Tensor) else Tensor(drawn, name=name)).requires_grad_(requires_grad)
