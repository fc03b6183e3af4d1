"""What rules and declarations are made of: `zero` and `gate`, numbers as arrays, and how a table of functions is declared."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example, real
from tinygrad_edu.engine.op import op, ufunc
from tinygrad_edu.engine.rules import Rule

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out
    from tinygrad_edu.engine.signatures import BinaryOp, Lifts, UnaryOp

SHAPES = (example((3,)), example((2, 3)), example(()))
PAIRS = (example((3,), (3,)), example((2, 3), (3,)), example((2, 1), (4,)), example((), (2,)), example((3,), 2.0))


def _itself(function: Any) -> Any:
    return function


lifted: Lifts = _itself
"""Above a function that is written for arrays, and is no op: it takes tensors too, which a type checker is told so."""


OF_ONE = """
x: numbers, an array or a tensor of any shape, which y has too. Integers give floats where y need not be whole, and NaN
    gives NaN.
"""
OF_TWO = """
a, b: numbers, arrays or tensors, whose shapes broadcast together to that of y; their types give y's by NumPy's rules.
"""
ASKED_OF_ONE = """
x: numbers, an array or a tensor of any shape. y has the same shape, and no derivative.
"""
ASKED_OF_TWO = """
a, b: numbers, arrays or tensors, whose shapes broadcast together to that of y. y has no derivative.
"""


def explained(function: Any, doc: str, inputs: str, shown: str, rounded: str = ".round(4)") -> str:
    """A docstring: the declaration's own text, what is said of the inputs of all such functions, and an example.

    shown: the arguments of the example and its result, "[0.0, 1.0] → [1.0, 2.7183]".

    >>> explained(np.sqrt, "y = √x.", "x: numbers.", "[4.0] → [2.0]").splitlines()
    ['y = √x.', 'x: numbers.', '>>> sqrt([4.0]).round(4).tolist()', '[2.0]']
    """
    given, gives = shown.split(" → ")
    return f"{doc}\n{inputs}\n>>> {function.__name__}({given}){rounded}.tolist()\n{gives}"


def unary(function: Any, symbol: str, rule: Rule, doc: str, shown: str, **declaration: Any) -> UnaryOp[[]]:
    """A function of one number; analytic unless it says otherwise. An example of it is `shown`."""
    usual = {"presence": "elementwise", "analytic": True, "examples": SHAPES}
    return ufunc(function, symbol, (rule,), explained(function, doc, OF_ONE, shown), **{**usual, **declaration})


def binary(
    function: Any, symbol: str, by_a: Rule, by_b: Rule, doc: str, shown: str, **declaration: Any
) -> BinaryOp[[]]:
    """A function of two numbers, with its rule for each."""
    usual = {"presence": "elementwise", "examples": PAIRS}
    return ufunc(function, symbol, (by_a, by_b), explained(function, doc, OF_TWO, shown), **{**usual, **declaration})


class _Constants(dict[Any, Any]):
    """A number as an array of no dimension, by dtype: beside an array it costs half of what a Python number does."""

    def __init__(self, number: float) -> None:
        self._number = number

    def __missing__(self, dtype: Any) -> Any:
        constant = self[dtype] = np.full((), self._number, dtype)
        return constant


ZERO = _Constants(0)
INFINITY = _Constants(math.inf)
ONE = _Constants(1)


# ---------------------------------------------------------------------------------------------------
# Two functions that rules are made of


@op(
    symbol="0",
    spelled=lambda s, x: 0,
    vjp=(lambda g, y, x: zero(g),),  # type: ignore[has-type]  # it follows
    presence="selects",
    takes_out=True,
    examples=SHAPES,
)
def zero(x: Array, *, out: Out = None) -> Array:
    """y = 0, whatever x, also for ∞ and NaN: what a step makes of a gradient.

    >>> zero(np.array([1.0, np.inf]))
    array([0., 0.])
    """
    if out is None:
        return np.zeros_like(x)
    out.fill(0)
    return out


MOST_COPIED_ONE_BY_ONE = 128
"""So many numbers are chosen sooner by copying each that is wanted than by calculating with the bits of all."""

BITS = {np.dtype(bool): np.dtype(bool), **{np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}}


@op(
    symbol="gate",
    spelled=lambda s, a, mask: s.where(1, a),
    vjp=(lambda g, y, a, mask: gate(g, mask), None),  # type: ignore[has-type]  # it follows
    presence="selects",
    broadcasts=True,
    takes_out=True,
    domain=real,
    examples=[
        example((3,), Fixed(np.array([True, False, True]))),
        example((2, 3), Fixed(np.array([True, False, True]))),
        example((), Fixed(np.array([True, False]))),
        example((3,), Fixed(np.array([[True], [False]]))),
        example((), Fixed(np.array(False))),
        example((2, 80), Fixed(np.arange(80) % 3 == 0)),
    ],
)
def gate(a: Array, mask: Array, *, out: Out = None) -> Array:
    """y = a where the mask is true, else 0, also for ∞ and NaN: what ReLU lets through of a gradient.

    >>> gate(np.array([np.inf, 2.0, 3.0]), np.array([False, False, True]))
    array([0., 0., 3.])
    """
    if mask.dtype.kind != "b":
        mask = mask != 0
    if out is None:
        if a.size <= MOST_COPIED_ONE_BY_ONE and a.shape == mask.shape:
            y = np.zeros(a.shape, a.dtype)
            np.copyto(y, a, where=mask)
            return y
    elif out.size <= MOST_COPIED_ONE_BY_ONE:
        out.fill(0)
        np.copyto(out, a, where=mask)
        return out
    if a.dtype not in BITS:
        y = np.where(mask, a, ZERO[a.dtype])
        if out is None:
            return y
        np.copyto(out, y)
        return out
    # times 0 or 1: it selects as np.where does, in a sixth of the time
    if out is None:
        return (bits_of(a) * mask).view(a.dtype)
    np.multiply(bits_of(a), mask, bits_of(out))
    return out


def bits_of(a: Any) -> Any:
    """The bits of floating numbers, read as integers, in the same memory."""
    return a.view(BITS[a.dtype])


def step(function: Any, symbol: str, doc: str, shown: str, **declaration: Any) -> UnaryOp[[]]:
    """A function that is constant between its jumps: its derivative is 0, also at them."""
    doc += " Its derivative is 0, also where it jumps."
    return unary(
        function, symbol, lambda g, y, x: zero(g), doc, shown, presence="selects", analytic=False, **declaration
    )


def question(
    function: Any,
    symbol: str,
    doc: str,
    shown: str,
    examples: Any = PAIRS,
    *,
    sign: str | None = None,
    **declaration: Any,
) -> BinaryOp[[]]:
    """A function of two numbers whose answers are booleans or integers: recorded, and without a derivative. In formulas it
    is spelled as the inputs with a sign between them, if it has one."""
    spelled = None if sign is None else lambda s, *xs: s.holds(sign, *xs)
    doc = explained(function, doc, ASKED_OF_TWO, shown, rounded="")
    return ufunc(function, symbol, None, doc, examples=examples, spelled=spelled, **declaration)


def question_of_one(
    function: Any, symbol: str, doc: str, shown: str, examples: Any, *, sign: str | None = None, **declaration: Any
) -> UnaryOp[[]]:
    """A function of one number whose answers are booleans or integers, as `question` is of two."""
    spelled = None if sign is None else lambda s, *xs: s.holds(sign, *xs)
    doc = explained(function, doc, ASKED_OF_ONE, shown, rounded="")
    return ufunc(function, symbol, None, doc, examples=examples, spelled=spelled, **declaration)
