"""Choosing between values: the larger, the one within bounds, the one that a condition says.

Tied maxima share evenly. A rule *selects* gradients (`gate`, `np.where`) and never multiplies them by a mask: ∞ · 0
would be NaN. What it drops is absent from there on (see `presence`).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu.engine.example import Fixed, at, example
from tinygrad_edu.engine.op import Op, composite, declare, op
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.ops.parts import BITS, MOST_COPIED_ONE_BY_ONE, binary, gate
from tinygrad_edu.ops.taking import take_along_axis
from tinygrad_edu.ops.types import array
from tinygrad_edu.ops.writing import index_update

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Number, Out
    from tinygrad_edu.engine.signatures import ChoiceOp

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _by_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    """Send a all of the gradient where y is a, and half of it where y is b as well."""
    return gate(g / 2, a == y) + gate(g / 2, b != y)


def _by_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return _by_a(g, y, b, a)


_TIE = at(1.0, 1.0, gradient=(0.5, 0.5))
_FIRST = at(1.0, 1.0, gradient=(1.0, 0.0))
_NAN = at(math.nan, 1.0, gradient=(0.0, 1.0))

maximum = binary(
    np.maximum, "max", _by_a, _by_b,
    "y = max(a, b). Ties share the gradient evenly; otherwise the larger has it. If either is NaN, so is y.",
    "[1.0, 5.0], 3.0 → [3.0, 5.0]", presence="selects", special=[_TIE],
)  # fmt: skip
minimum = binary(
    np.minimum, "min", _by_a, _by_b,
    "y = min(a, b). Ties share the gradient evenly; otherwise the smaller has it. If either is NaN, so is y.",
    "[1.0, 5.0], 3.0 → [1.0, 3.0]", presence="selects", special=[_TIE],
)  # fmt: skip
fmax = binary(
    np.fmax, "fmax", lambda g, y, a, b: gate(g, a == y), lambda g, y, a, b: gate(g, a != y),
    "y = max(a, b), but NaN only if both are. "
    "Of equals the first is chosen, as in PyTorch, and has the gradient.",
    "[1.0, 5.0], 3.0 → [3.0, 5.0]", presence="selects", special=[_FIRST, _NAN],
)  # fmt: skip
fmin = binary(
    np.fmin, "fmin", lambda g, y, a, b: gate(g, a == y), lambda g, y, a, b: gate(g, a != y),
    "y = min(a, b), but NaN only if both are. "
    "Of equals the first is chosen, as in PyTorch, and has the gradient.",
    "[1.0, 5.0], 3.0 → [1.0, 3.0]", presence="selects", special=[_FIRST, _NAN],
)  # fmt: skip


_BOOL = np.dtype(bool)


def _chosen(condition: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    if out is None:
        return np.where(condition, a, b)
    bits = BITS.get(out.dtype) if a.dtype == b.dtype == out.dtype and out.size > MOST_COPIED_ONE_BY_ONE else None
    if bits is None:
        np.copyto(out, b)
        np.copyto(out, a, where=condition)
        return out
    # the bits in which a and b differ, times 0 or 1, change b into a where the condition holds: in a quarter of the time
    b, y = b.view(bits), out.view(bits)
    np.bitwise_xor(np.multiply(np.bitwise_xor(a.view(bits), b, out=y), condition, out=y), b, out=y)
    return out


class _Where(Op):
    """A choice: its condition may be any numbers, of which 0 is false, and the branches may be left out."""

    def __call__(self, *args: Any, **settings: Any) -> Any:
        return self._own(*args, **settings) if self._call is None else self._call(*args, **settings)

    def _own(self, condition: Any, *branches: Any) -> Any:
        if not branches:
            return np.nonzero(condition)
        if len(branches) != 2:
            raise TypeError(f"where() takes a condition and two branches, or none, but got {len(branches)}")
        if getattr(condition, "dtype", None) is not _BOOL:
            condition = np.not_equal(condition, 0)
        return self.apply((condition, *branches))

    _own.__qualname__ = "where"  # for Python's own errors about arguments

    def parameters(self) -> list[inspect.Parameter]:
        """The condition, and the branches, which may be left out."""
        condition, *branches = super().parameters()
        return [condition, *[branch.replace(default=np._NoValue) for branch in branches]]


where: ChoiceOp = declare(  # type: ignore[assignment]  # so it is called
    _Where(
        _chosen,
        name="where",
        symbol="where",
        spelled=lambda s, c, a, b: s.where(0, a) if s.is_zero(b) else s.call(c, a, b),
        vjp=(None, lambda g, y, c, a, b: gate(g, c), lambda g, y, c, a, b: gate(g, np.logical_not(c))),
        presence="selects",
        answers=(np.where,),
        broadcasts=True,
        takes_out=True,
        examples=[
            example(Fixed(np.array([True, False, True])), (3,), (2, 3)),
            example(Fixed(np.array([[True], [False]])), (3,), 2.0),
            example(Fixed(np.array(True)), (), (2,)),
            example(Fixed(np.array([-1, 0, 2])), (3,), (3,)),
        ],
        doc="""y = a where the condition holds, else b. Without a and b, the indices at which it holds: np.nonzero.

        The gradient goes to the branch taken, and nothing at all to the other nor out of it, whatever is computed there:
        `np.where(x > 0, np.sqrt(x), 0)` has the derivative 0 at x = 0 and below. No second `where` has to keep the
        argument of the root safe.

        condition: booleans, or numbers of which 0 is false; it has no derivative.
        a, b: numbers, arrays or tensors; all three shapes broadcast together.

        >>> where(numpy.array([True, False]), numpy.array([1.0, 2.0]), 0.0)
        array([1., 0.])
        """,
    )
)


def _bounds(
    x: Array,
    a_min: ArrayLike | None = None,
    a_max: ArrayLike | None = None,
    *,
    min: ArrayLike | None = None,
    max: ArrayLike | None = None,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of `clip`; a bound left out becomes the end of the numbers."""
    low, high = a_min if min is None else min, a_max if max is None else max
    if low is None or high is None:
        kind = getattr(x, "dtype", np.dtype(float))
        if kind.kind == "b" and low is high:
            raise TypeError("clip() of booleans takes a bound")
        ends = np.iinfo(kind) if kind.kind in "iu" else None
        low = (ends.min if ends else kind.kind != "b" and -math.inf) if low is None else low
        high = (ends.max if ends else kind.kind == "b" or math.inf) if high is None else high
    return (x, low, high), {}


@op(
    symbol="clip",
    vjp=(
        lambda g, y, x, low, high: gate(g, x == y),
        lambda g, y, x, low, high: gate(g, (low == y) & (x != y) & (high != y)),
        lambda g, y, x, low, high: gate(g, (high == y) & (x != y)),
    ),
    presence="selects",
    answers=(np.clip,),
    bind=_bounds,
    broadcasts=True,
    takes_out=True,
    examples=[
        example((3,), -0.5, 0.5),
        example((2, 3), None, 0.3),
        example((2, 3), min=-0.2),
        example((2, 3), max=0.4),
        example((3,)),
        example((3,), (3,), (3,)),
        example((2, 3), (3,), (2, 1)),
        example((), -1, (2,)),
    ],
    special=[
        at(1.0, 1.0, 2.0, gradient=(1.0, 0.0, 0.0)),
        at(2.0, 1.0, 2.0, gradient=(1.0, 0.0, 0.0)),
        at(0.0, 1.0, 2.0, gradient=(0.0, 1.0, 0.0)),
        at(3.0, 1.0, 2.0, gradient=(0.0, 0.0, 1.0)),
        at(0.0, 2.0, 1.0, gradient=(0.0, 0.0, 1.0)),
    ],
)
def clip(x: Array, low: Any, high: Any, *, out: Out = None) -> Array:
    """y = min(max(x, low), high). Either bound may be left out, or be an array. At a bound the derivative by x is 1.

    x: numbers, an array or a tensor. NaN stays NaN.
    a_min, a_max: the bounds low and high, as NumPy names them first; None for no bound. Where low > high, y is high.
    min, max: other names for the same bounds.

    >>> clip(numpy.array([-2.0, 0.5, 3.0]), 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    return np.clip(x, low, high, out=out)


@composite(
    formulas=["∂L/∂xᵢ = ∂L/∂y ⊙ [choice = i]"],
    answers=(np.choose,),
    examples=[example(np.array([[0, 1], [1, 0]]), [(2, 2), (2, 1)]), example(np.array([1, 0]), [(), (2,)])],
    analytic=True,
)
def choose(which: Array, choices: Array | Sequence[Array]) -> Array:
    """yᵢ = choices[whichᵢ]ᵢ: from several arrays, broadcast together, the element of the one that `which` names. The
    gradient goes to the element that was chosen.

    which: integers from 0 to the number of choices − 1; others raise ValueError.
    choices: arrays or tensors, as a list.

    >>> choose([0, 1, 0], [np.array([1, 2, 3]), np.array([10, 20, 30])])
    array([ 1, 20,  3])
    """
    which, n = array(which), len(choices)
    if which.size and not ((numbers(which) >= 0) & (numbers(which) < n)).all():
        raise ValueError(f"choose() picks among {n} arrays by the integers 0 to {n - 1}, but got others")
    first, *arrays = np.broadcast_arrays(which, *choices)
    return take_along_axis(np.stack(arrays), np.expand_dims(first, 0), axis=0)[0]


@composite(
    formulas=["∂L/∂xᵢ = ∂L/∂y where condition i is the first that holds, else 0"],
    answers=(np.select,),
    examples=[example([np.array([True, False, False]), np.array([True, True, False])], [(3,), (3,)], default=0.5)],
    analytic=True,
)
def select(conditions: Array | Sequence[Array], choices: Array | Sequence[Array], default: ArrayLike = 0) -> Array:
    """y = the element of the first choice whose condition is true, or else the default; all broadcast together.

    conditions: boolean arrays, as a list. The first that is true counts.
    choices: as many arrays or tensors, or numbers.
    default: what stands where no condition is true.

    >>> x = np.array([-2, 1, 5])
    >>> select([x < 0, x > 3], [-x, 3])
    array([2, 0, 3])
    """
    if len(conditions) != len(choices) or not len(conditions):
        raise ValueError(f"select() needs a choice for each condition, but got {len(choices)} for {len(conditions)}")
    y: Any = default
    for condition, choice in zip(reversed(conditions), reversed(choices), strict=True):
        y = np.where(condition, choice, y)
    return y


@composite(
    formulas=["∂L/∂x = ∂L/∂y ⊙ fᵢ′(x) where condition i is the last that holds"],
    answers=(np.piecewise,),
    examples=[
        example(Fixed(np.array([-2.0, 0.5, 3.0])), [np.array([True, False, False])], [lambda t: t * t, np.sin]),
        example((3,), [np.array([True, False, False]), np.array([False, True, False])], [np.exp, -1.0]),
    ],
    analytic=True,
)
def piecewise(
    x: Array,
    conditions: Array | Sequence[Array],
    functions: Sequence[Callable[..., Any] | Number],
    *args: Any,
    **kwargs: Any,
) -> Array:
    """y = fₖ(x) where conditionₖ holds; each function sees only its own elements, and may also be a number.

    One function more than conditions is for where none holds; without it y is 0 there.

    x: numbers, an array or a tensor.
    conditions: boolean arrays of x's shape; of several that are true, the last counts.
    functions: one for each condition, called as `f(elements, *args, **kwargs)`.

    >>> x = np.array([-2.0, 1.0])
    >>> piecewise(x, [x < 0], [lambda t: -t, np.sqrt])
    array([2., 1.])
    """
    x = array(x)
    conditions = [conditions] if np.ndim(conditions[0]) == 0 and x.ndim else list(conditions)  # type: ignore[list-item]  # one
    conditions = [np.astype(array(condition), bool) for condition in conditions]
    if len(functions) == len(conditions) + 1:
        conditions.append(~np.any(np.stack(conditions), axis=0))
    elif len(functions) != len(conditions):
        raise ValueError(
            f"piecewise() needs {len(conditions)} functions, or one more for elsewhere, but got {len(functions)}"
        )
    y: Any = np.zeros_like(x)
    for condition, function in zip(conditions, functions, strict=True):
        value = function(x[condition], *args, **kwargs) if callable(function) else function
        value = np.astype(value, y.dtype, copy=False) if hasattr(value, "dtype") else np.asarray(value, y.dtype)
        y = index_update(y, condition, value)
    return y
