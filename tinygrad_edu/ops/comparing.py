"""Questions about numbers: recorded, so that a mask is computed anew when its record is run again; without a derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.parts import PAIRS, SHAPES, question, question_of_one

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array


equal = question(np.equal, "=", "y = (a = b).", sign="=")
not_equal = question(np.not_equal, "≠", "y = (a ≠ b).", sign="≠")
less = question(np.less, "<", "y = (a < b).", sign="<")
less_equal = question(np.less_equal, "≤", "y = (a ≤ b).", sign="≤")
greater = question(np.greater, ">", "y = (a > b).", sign=">")
greater_equal = question(np.greater_equal, "≥", "y = (a ≥ b).", sign="≥")

logical_and = question(np.logical_and, "and", "y = (a and b), where 0 is false and all else true.", sign="∧")
logical_or = question(np.logical_or, "or", "y = (a or b), where 0 is false and all else true.", sign="∨")
logical_xor = question(np.logical_xor, "xor", "y = (either a or b), where 0 is false and all else true.", sign="⊕")
logical_not = question_of_one(
    np.logical_not, "not", "y = (not x), where 0 is false and all else true.", SHAPES, sign="¬"
)

_TRUTHS = (
    example(Fixed(np.array([True, True, False])), Fixed(np.array([[True], [False]]))),
    example(Fixed(np.array(5)), 3),
)
_SHIFTS = (example(Fixed(np.array([1, 2, 12])), Fixed(np.array([[0], [2]]))), example(Fixed(np.array(5)), 1))

bitwise_and = question(np.bitwise_and, "&", "y = a & b, bit by bit; of booleans: a and b.", _TRUTHS, sign="∧")
bitwise_or = question(np.bitwise_or, "|", "y = a | b, bit by bit; of booleans: a or b.", _TRUTHS, sign="∨")
bitwise_xor = question(np.bitwise_xor, "⊕", "y = a ⊕ b, bit by bit; of booleans: either a or b.", _TRUTHS, sign="⊕")
invert = question_of_one(
    np.invert, "~", "y = ~x, bit by bit; of booleans: not x.", [example(Fixed(np.array([True, False])))], sign="¬"
)
left_shift = question(np.left_shift, "<<", "y = a·2ᵇ, of integers.", _SHIFTS)
right_shift = question(np.right_shift, ">>", "y = ⌊a / 2ᵇ⌋, of integers.", _SHIFTS)

_GAPS: Any = {"takes_out": False}  # NumPy 2.4 writes wrong answers into booleans that have gaps between them
_UNUSUAL = (*SHAPES, example(Fixed(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]))))

isnan = question_of_one(np.isnan, "isnan", "y = (x is NaN).", _UNUSUAL, **_GAPS)
isinf = question_of_one(np.isinf, "isinf", "y = (x is ∞ or −∞).", _UNUSUAL, **_GAPS)
isfinite = question_of_one(np.isfinite, "isfinite", "y = (x is neither infinite nor NaN).", _UNUSUAL, **_GAPS)
signbit = question_of_one(np.signbit, "signbit", "y = (x has a minus sign), true of −0 too.", _UNUSUAL, **_GAPS)


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
def isclose(a: Array, b: Array, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Array:
    """y = (|a − b| ≤ atol + rtol·|b|).

    >>> isclose(np.array([1.0, 1.1]), 1.0)
    array([ True, False])
    """
    return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
