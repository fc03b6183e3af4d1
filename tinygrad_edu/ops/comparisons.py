"""Elementwise functions that compare, choose or round: steps, remainders, maxima, questions.

At kinks the conventions are PyTorch's: the derivative of |x| at 0 is 0, of a step 0 everywhere; tied maxima share
evenly. Where a function chooses between values, its rule *selects* gradients (`gate`, `np.where`) and never
multiplies them by a mask: ∞ · 0 would be NaN. What it drops is absent from there on (see `presence`).
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy

from tinygrad_edu.engine.example import Domain, Fixed, at, example, nonzero
from tinygrad_edu.engine.op import Op, composite, declare, op, ufunc
from tinygrad_edu.ops.agreed import quotient
from tinygrad_edu.ops.elementwise import BITS, PAIRS, SHAPES, binary, gate, unary, zero

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def step(function: Any, symbol: str, doc: str, **declaration: Any) -> Op:
    """A function that is constant between its jumps: its derivative is 0, also at them."""
    return unary(function, symbol, lambda g, y, x: zero(g), doc, presence="selects", analytic=False, **declaration)


def question(function: Any, symbol: str, doc: str, examples: Any = PAIRS) -> Op:
    """A function whose answers are booleans or integers: recorded, and without a derivative."""
    return ufunc(function, symbol, None, doc, examples=examples)


# ---------------------------------------------------------------------------------------------------
# Steps, signs and remainders

sign = step(np.sign, "sign", "y = −1, 0 or 1, the sign of x.", domain=nonzero, special=[at(0.0, gradient=0.0)])
floor = step(np.floor, "floor", "y = ⌊x⌋, the largest integer y ≤ x.")
ceil = step(np.ceil, "ceil", "y = ⌈x⌉, the smallest integer y ≥ x.")
trunc = step(np.trunc, "trunc", "y = x without its fraction, rounded towards 0.", answers=(np.trunc, np.fix))
rint = step(np.rint, "rint", "y = the nearest integer, of two the even one.")


@op(
    symbol="round",
    vjp=(lambda g, y, x, *, decimals: zero(g),),
    presence="selects",
    answers=(np.round, np.around),
    takes_out=True,
    examples=[example((3,)), example((2, 3), decimals=1), example((), 1), example((3,), decimals=-1)],
)
def round(x: Any, decimals: int = 0, *, out: Any = None) -> Any:
    """y = x rounded to so many decimals, halves to even.

    >>> round(numpy.array([0.5, 1.5, 2.25])).tolist()
    [0.0, 2.0, 2.0]
    """
    if out is not None and x.dtype.kind in "iu" and decimals < 0:  # NumPy's quotient by the way does not fit there
        np.copyto(out, np.round(x, decimals))
        return out
    return np.round(x, decimals, out=out)


def _absolute_rule(g: Any, y: Any, x: Any) -> Any:
    """∂L/∂y·sign(x); of even powers of |x|, where ∂L/∂y = k·|x|, that is k·x, which has a derivative at 0."""
    k = quotient(g, y)
    return g * np.sign(x) if k is None else k * x


absolute = unary(
    np.absolute, "abs", _absolute_rule, "y = |x|. Its derivative at 0 is 0.",
    domain=nonzero, analytic=False, special=[at(0.0, gradient=0.0)],
)  # fmt: skip
fabs = unary(
    np.fabs, "abs", _absolute_rule, "y = |x|, always floating. Its derivative at 0 is 0.",
    domain=nonzero, analytic=False, special=[at(0.0, gradient=0.0)],
)  # fmt: skip
copysign = binary(
    np.copysign, "copysign", lambda g, y, a, b: g * np.sign(a) * np.copysign(1, b), lambda g, y, a, b: zero(g),
    "y = |a| with the sign of b.", presence=("elementwise", "selects"), domain=nonzero, special=[at(0.0, -1.0, gradient=(0.0, 0.0))],
)  # fmt: skip
heaviside = binary(
    np.heaviside, "heaviside", lambda g, y, a, b: zero(g), lambda g, y, a, b: gate(g, a == 0),
    "y = 0 for a < 0, b for a = 0, 1 for a > 0.", presence="selects", domain=nonzero, special=[at(0.0, 0.5, gradient=(0.0, 1.0))],
)  # fmt: skip


def _near(size: float) -> Domain:
    """Numbers of about this size, of either sign."""
    return lambda rng, shape: rng.uniform(0.95 * size, 1.05 * size, shape) * rng.choice([-1, 1], shape)


_QUOTIENTS = (_near(2.5), _near(1.0))  # a / b is not near an integer, where the remainder jumps

floor_divide = binary(
    np.floor_divide,
    "//",
    lambda g, y, a, b: zero(g),
    lambda g, y, a, b: zero(g),
    "y = ⌊a / b⌋.",
    presence="selects",
    domain=_QUOTIENTS,
)
remainder = binary(
    np.remainder, "mod", lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(a, b),
    "y = a − b ⌊a / b⌋, which has the sign of b.", domain=_QUOTIENTS,
)  # fmt: skip
fmod = binary(
    np.fmod, "fmod", lambda g, y, a, b: g, lambda g, y, a, b: -g * np.trunc(a / b),
    "y = a − b trunc(a / b), which has the sign of a.", domain=_QUOTIENTS,
)  # fmt: skip


@composite(answers=(np.divmod,), examples=PAIRS, domain=_QUOTIENTS)
def divmod(a: Any, b: Any) -> Any:
    """y = (⌊a / b⌋, a − b ⌊a / b⌋): the quotient and the remainder.

    >>> divmod(numpy.array([5.0, -5.0]), 3)
    (array([ 1., -2.]), array([2., 1.]))
    """
    return floor_divide(a, b), remainder(a, b)


# ---------------------------------------------------------------------------------------------------
# Choosing


def _by_a(g: Any, y: Any, a: Any, b: Any) -> Any:
    """All of the gradient where y is a, half of it where y is b as well."""
    return gate(g / 2, a == y) + gate(g / 2, b != y)


def _by_b(g: Any, y: Any, a: Any, b: Any) -> Any:
    return _by_a(g, y, b, a)


_TIE = at(1.0, 1.0, gradient=(0.5, 0.5))
_FIRST = at(1.0, 1.0, gradient=(1.0, 0.0))
_NAN = at(math.nan, 1.0, gradient=(0.0, 1.0))

maximum = binary(
    np.maximum,
    "max",
    _by_a,
    _by_b,
    "y = max(a, b). Ties share the gradient evenly.",
    presence="selects",
    special=[_TIE],
)
minimum = binary(
    np.minimum,
    "min",
    _by_a,
    _by_b,
    "y = min(a, b). Ties share the gradient evenly.",
    presence="selects",
    special=[_TIE],
)
fmax = binary(
    np.fmax, "fmax", lambda g, y, a, b: gate(g, a == y), lambda g, y, a, b: gate(g, a != y),
    "y = max(a, b), but NaN only if both are. Of equals the first is chosen, as in PyTorch.", presence="selects", special=[_FIRST, _NAN],
)  # fmt: skip
fmin = binary(
    np.fmin, "fmin", lambda g, y, a, b: gate(g, a == y), lambda g, y, a, b: gate(g, a != y),
    "y = min(a, b), but NaN only if both are. Of equals the first is chosen, as in PyTorch.", presence="selects", special=[_FIRST, _NAN],
)  # fmt: skip


_BOOL = np.dtype(bool)


def _chosen(condition: Any, a: Any, b: Any, *, out: Any = None) -> Any:
    if out is None:
        return np.where(condition, a, b)
    bits = BITS.get(out.dtype) if a.dtype == b.dtype == out.dtype and out.size > 128 else None
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


where = declare(
    _Where(
        _chosen,
        name="where",
        symbol="where",
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

        >>> where(numpy.array([True, False]), numpy.array([1.0, 2.0]), 0.0)
        array([1., 0.])
        """,
    )
)


def _bounds(
    x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
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
def clip(x: Any, low: Any, high: Any, *, out: Any = None) -> Any:
    """y = min(max(x, low), high). Either bound may be left out, or be an array. At a bound the derivative by x is 1.

    >>> clip(numpy.array([-2.0, 0.5, 3.0]), 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    return np.clip(x, low, high, out=out)


def _replacements(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not copy:
        raise TypeError("nan_to_num(copy=False) would write into its argument; leave out copy=")
    return (x,), {"nan": nan, "posinf": posinf, "neginf": neginf}


@op(
    symbol="nan_to_num",
    vjp=(lambda g, y, x, *, nan, posinf, neginf: gate(g, np.isfinite(x)),),
    presence="selects",
    answers=(np.nan_to_num,),
    bind=_replacements,
    takes_out=True,
    examples=[example((3,)), example((2, 3), nan=1.0, posinf=9.0, neginf=-9.0), example(())],
    special=[at(math.nan, gradient=0.0, nan=1.0, posinf=None, neginf=None)],
    refuses={"copy": False},
)
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None, *, out: Any = None
) -> Any:
    """y = x, with `nan` for NaN and the largest numbers (or `posinf`, `neginf`) for ±∞; no gradient goes to those.

    >>> nan_to_num(numpy.array([1.0, numpy.nan]))
    array([1., 0.])
    """
    if out is None:
        return np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    np.copyto(out, x)
    np.nan_to_num(out, copy=False, nan=nan, posinf=posinf, neginf=neginf)
    return out


# ---------------------------------------------------------------------------------------------------
# Questions: recorded, so that a mask is computed anew when its record is run again; without a derivative

equal = question(np.equal, "=", "y = (a = b).")
not_equal = question(np.not_equal, "≠", "y = (a ≠ b).")
less = question(np.less, "<", "y = (a < b).")
less_equal = question(np.less_equal, "≤", "y = (a ≤ b).")
greater = question(np.greater, ">", "y = (a > b).")
greater_equal = question(np.greater_equal, "≥", "y = (a ≥ b).")

logical_and = question(np.logical_and, "and", "y = (a and b), where 0 is false and all else true.")
logical_or = question(np.logical_or, "or", "y = (a or b), where 0 is false and all else true.")
logical_xor = question(np.logical_xor, "xor", "y = (either a or b), where 0 is false and all else true.")
logical_not = question(np.logical_not, "not", "y = (not x), where 0 is false and all else true.", SHAPES)

_TRUTHS = (
    example(Fixed(np.array([True, True, False])), Fixed(np.array([[True], [False]]))),
    example(Fixed(np.array(5)), 3),
)
_SHIFTS = (example(Fixed(np.array([1, 2, 12])), Fixed(np.array([[0], [2]]))), example(Fixed(np.array(5)), 1))

bitwise_and = question(np.bitwise_and, "&", "y = a & b, bit by bit; of booleans: a and b.", _TRUTHS)
bitwise_or = question(np.bitwise_or, "|", "y = a | b, bit by bit; of booleans: a or b.", _TRUTHS)
bitwise_xor = question(np.bitwise_xor, "⊕", "y = a ⊕ b, bit by bit; of booleans: either a or b.", _TRUTHS)
invert = question(np.invert, "~", "y = ~x, bit by bit; of booleans: not x.", [example(Fixed(np.array([True, False])))])
left_shift = question(np.left_shift, "<<", "y = a·2ᵇ, of integers.", _SHIFTS)
right_shift = question(np.right_shift, ">>", "y = ⌊a / 2ᵇ⌋, of integers.", _SHIFTS)

_UNUSUAL = (*SHAPES, example(Fixed(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]))))

isnan = question(np.isnan, "isnan", "y = (x is NaN).", _UNUSUAL)
isinf = question(np.isinf, "isinf", "y = (x is ∞ or −∞).", _UNUSUAL)
isfinite = question(np.isfinite, "isfinite", "y = (x is neither infinite nor NaN).", _UNUSUAL)
signbit = question(np.signbit, "signbit", "y = (x has a minus sign), true of −0 too.", _UNUSUAL)

for _question in (isnan, isinf, isfinite, signbit):
    _question.takes_out = False  # NumPy 2.4 writes wrong answers into booleans that have gaps between them


@op(
    symbol="≈",
    arity=2,
    answers=(np.isclose,),
    may_raise=False,
    examples=[
        *PAIRS,
        example(Fixed(np.array([1.0, np.nan])), Fixed(np.array([1.1, np.nan])), atol=0.2, equal_nan=True),
        example(Fixed(np.array([1.0, 100.0])), Fixed(np.array([1.2, 101.0])), rtol=0.1),
    ],
)
def isclose(a: Any, b: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
    """y = (|a − b| ≤ atol + rtol·|b|).

    >>> isclose(numpy.array([1.0, 1.1]), 1.0)
    array([ True, False])
    """
    return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
