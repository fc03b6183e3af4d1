"""Sets: what is found in data is differentiated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy

from tinygrad_edu.engine.example import example, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.types import array

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array
    from tinygrad_edu.engine.tensor import Tensor

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Places


@op(
    symbol="first",
    domain=spread,
    examples=[example((5,)), example((3, 2), 0), example((3,), equal_nan=False, ordered=False)],
)
def first_places(x: Array, axis: int | None = None, *, equal_nan: bool = True, ordered: bool = True) -> Any:
    """Where each different element of x (in one row), or slice along `axis`, is first: in their rising order, or in NumPy's.

    >>> first_places(numpy.array([3.0, 1.0, 3.0]))
    array([1, 0])
    """
    places = np.unique(x, return_index=True, axis=axis, equal_nan=equal_nan)[1]
    return places if ordered else places[np.argsort(np.argsort(np.unique_values(x)))]


@op(symbol="once", domain=spread, examples=[example((5,))])
def single_places(x: Array) -> Array:
    """Where the elements are that x has once, in their rising order.

    >>> single_places(numpy.array([3.0, 1.0, 3.0]))
    array([1])
    """
    _, places, counts = np.unique(x, return_index=True, return_counts=True)
    return places[counts == 1]


@op(symbol="not in", arity=2, domain=spread, examples=[example((5,), (3,)), example((2, 2), (4,), True)])
def other_places(a: Array, b: Array, assume_unique: bool = False) -> Array:
    """Where a has elements that b has not; each once and in rising order, unless they are taken to be so (`assume_unique`).

    >>> other_places(numpy.array([3.0, 1.0, 3.0]), numpy.array([1.0]))
    array([0])
    """
    if assume_unique:
        return np.flatnonzero(np.isin(a, b, assume_unique=True, invert=True))
    values, places = np.unique(a, return_index=True)
    return places[np.isin(values, b, assume_unique=True, invert=True)]


@op(symbol="common", arity=2, outputs=2, domain=spread, examples=[example((5,), (3,)), example((4,), (2, 2), True)])
def common_places(a: Array, b: Array, assume_unique: bool = False) -> tuple[Array, Array]:
    """Where a, and where b, has the elements that both have, in their rising order.

    >>> common_places(numpy.array([3.0, 1.0]), numpy.array([2.0, 3.0]))
    (array([0]), array([1]))
    """
    return tuple(np.intersect1d(a, b, assume_unique, return_indices=True)[1:])


# ---------------------------------------------------------------------------------------------------
# Sets


def _values(x: Any, axis: int | None = None, **settings: bool) -> Any:
    x = np.ravel(x) if axis is None else x
    return np.take(x, first_places(x, axis, **settings), axis=0 if axis is None else axis)


_SETS = (example((5,)), example((2, 3)), example(np.array([2, 1, 2, 3])), example((0,)))


@composite(
    answers=(np.unique,),
    domain=spread,
    formulas=["∂L/∂x = 0 but ∂L/∂x[first places] = ∂L/∂y"],
    examples=[
        *_SETS,
        example((3, 2), axis=0),
        example((2, 3), True, True, True, axis=-1),
        example(np.array([1, 1]), equal_nan=False),
        example(np.array([2, 1]), sorted=False),
    ],
)
def unique(
    x: Array, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False,
    axis: int | None = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Array:  # fmt: skip
    """The different elements of x, rising; or its different slices along `axis`. Each has its gradient where it was first.

    With `return_index`, `return_inverse`, `return_counts` also where these are, which of them x[i] is, and how often
    they are there: integers, outside the graph.

    x: numbers, an array or a tensor.
    return_index: whether the place where each is first is returned too.
    return_inverse: whether it is returned too which of them each element of x is.
    return_counts: whether it is returned too how often each is in x.
    axis: the axis of the slices; None for elements.
    equal_nan: whether all NaN count as one.
    sorted: whether the elements have to rise. They do in either case.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, 1.0, 3.0], requires_grad=True)
    >>> unique(x).sum().backward()
    >>> x.grad.tolist()
    [1.0, 1.0, 0.0]
    """
    x = array(x)
    y = _values(x, axis, equal_nan=equal_nan)
    if not (return_index or return_inverse or return_counts):
        return y
    _, *counted = np.unique(
        numbers(x, "np.unique"), return_index, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
    return (y, *counted)  # type: ignore[return-value]  # where it is asked for


@composite(answers=(np.unique_values,), domain=spread, formulas=unique.formulas, examples=_SETS)
def unique_values(x: Array) -> Array:
    """The different elements of x, of which each NaN is one for itself, in no promised order: see `unique`.

    >>> sorted(unique_values(numpy.array([3.0, 1.0, 3.0])).tolist())
    [1.0, 3.0]
    """
    return _values(array(x), equal_nan=False, ordered=False)


class UniqueCounts(NamedTuple):
    """The results of `unique_counts`: the different elements, and how often each is there."""

    values: Tensor | Any
    counts: Tensor | Any


class UniqueInverse(NamedTuple):
    """The results of `unique_inverse`: the different elements, and which of them each element is."""

    values: Tensor | Any
    inverse_indices: Tensor | Any


class UniqueAll(NamedTuple):
    """The results of `unique_all`: the different elements, where each is first, which of them each element is, and how often."""

    values: Tensor | Any
    indices: Tensor | Any
    inverse_indices: Tensor | Any
    counts: Tensor | Any


@composite(answers=(np.unique_counts,), domain=spread, formulas=unique.formulas, examples=_SETS)
def unique_counts(x: Array) -> UniqueCounts:
    """The different elements of x, and how often they are there: see `unique`.

    >>> unique_counts(numpy.array([3.0, 1.0, 3.0])).counts
    array([1, 2])
    """
    return UniqueCounts(*unique(x, return_counts=True, equal_nan=False))


@composite(answers=(np.unique_inverse,), domain=spread, formulas=unique.formulas, examples=_SETS)
def unique_inverse(x: Array) -> UniqueInverse:
    """The different elements of x, and which of them each element is: see `unique`.

    >>> unique_inverse(numpy.array([3.0, 1.0, 3.0])).inverse_indices
    array([1, 0, 1])
    """
    return UniqueInverse(*unique(x, return_inverse=True, equal_nan=False))


@composite(answers=(np.unique_all,), domain=spread, formulas=unique.formulas, examples=_SETS)
def unique_all(x: Array) -> UniqueAll:
    """The different elements of x, where they are first, which of them each element is, and how often: see `unique`.

    >>> unique_all(numpy.array([3.0, 1.0, 3.0])).indices
    array([1, 0])
    """
    return UniqueAll(*unique(x, True, True, True, equal_nan=False))


@composite(
    answers=(np.union1d,),
    domain=spread,
    formulas=["∂L/∂a = 0 but ∂L/∂a[first places] = ∂L/∂y", "∂L/∂b = 0 but ∂L/∂b[places of what a has not] = ∂L/∂y"],
    examples=[example((3,), (4,)), example(np.array([[3, 2]]), np.array([1, 1, 2]))],
)
def union1d(a: Array, b: Array) -> Array:
    """The different elements of a and b, rising. What both have has its gradient in a.

    a, b: numbers, arrays or tensors of any shape.

    >>> union1d(numpy.array([3.0, 1.0]), numpy.array([2.0, 3.0])).tolist()
    [1.0, 2.0, 3.0]
    """
    return _values(np.concatenate([array(a), array(b)], axis=None))


_COMMON = np.array([2, 5, 1])  # integers, since floating numbers in common are a kink


@composite(
    answers=(np.intersect1d,),
    domain=spread,
    formulas=["∂L/∂a = 0 but ∂L/∂a[places] = ∂L/∂y / 2", "∂L/∂b = 0 but ∂L/∂b[places] = ∂L/∂y / 2"],
    examples=[
        example(np.array([1, 3, 2]), _COMMON),
        example(np.array([3, 1]), _COMMON, assume_unique=True),
        example(_COMMON, np.array([[1, 3], [2, 1]]), return_indices=True),
    ],
)
def intersect1d(a: Array, b: Array, assume_unique: bool = False, return_indices: bool = False) -> Array:
    """The elements that a and b have in common, rising, and with `return_indices` where each has them. Like a tie of
    `maximum`, they share the gradient evenly if both a and b have one.

    a, b: numbers, arrays or tensors of any shape.
    assume_unique: whether neither a nor b has an element twice, so that it need not be looked for.
    return_indices: whether the places in a and in b are returned too, in a tuple of three.

    >>> intersect1d(numpy.array([3.0, 1.0]), numpy.array([2.0, 3.0])).tolist()
    [3.0]
    """
    a, b = array(a), array(b)
    here, there = common_places(a, b, assume_unique)
    if not getattr(b, "requires_grad", False):
        y = np.take(np.ravel(a), here)
    else:
        y = np.take(np.ravel(b), there)
        y = (np.take(np.ravel(a), here) + y) / 2 if getattr(a, "requires_grad", False) else y
    y = np.astype(y, np.result_type(a, b), copy=False) if y.dtype != np.result_type(a, b) else y
    return (y, numbers(here, "np.intersect1d"), numbers(there, "np.intersect1d")) if return_indices else y  # type: ignore[return-value]  # where it is asked for


@composite(
    answers=(np.setdiff1d,),
    domain=spread,
    formulas=["∂L/∂a = 0 but ∂L/∂a[places of what b has not] = ∂L/∂y", "∂L/∂b = 0"],
    examples=[
        example((3,), (4,)),
        example(np.array([1, 3, 3, 2]), np.array([[1], [7]])),
        example((3,), (2,), assume_unique=True),
    ],
)
def setdiff1d(a: Array, b: Array, assume_unique: bool = False) -> Array:
    """The different elements of a that b has not, rising; in the order of a with `assume_unique`.

    a, b: numbers, arrays or tensors of any shape.
    assume_unique: whether neither a nor b has an element twice.

    >>> setdiff1d(numpy.array([3.0, 1.0]), numpy.array([2.0, 3.0])).tolist()
    [1.0]
    """
    a, b = array(a), array(b)
    return np.take(np.ravel(a), other_places(a, b, assume_unique))


@composite(
    answers=(np.setxor1d,),
    domain=spread,
    formulas=["∂L/∂a = 0 but ∂L/∂a[places of what b has not] = ∂L/∂y", "∂L/∂b = 0 but ∂L/∂b[places of what a has not] = ∂L/∂y"],
    examples=[
        example((3,), (4,)),
        example(np.array([1, 3, 3, 2]), np.array([[1], [7]])),
        example((3,), (2,), assume_unique=True),
    ],
)  # fmt: skip
def setxor1d(a: Array, b: Array, assume_unique: bool = False) -> Array:
    """The different elements that either a or b has, but not both, rising.

    The parameters are those of `setdiff1d`.

    >>> setxor1d(numpy.array([3.0, 1.0]), numpy.array([2.0, 3.0])).tolist()
    [1.0, 2.0]
    """
    a, b = [np.ravel(array(x)) if assume_unique else _values(array(x)) for x in (a, b)]
    both = np.concatenate([a, b])
    return np.take(both, single_places(both))
