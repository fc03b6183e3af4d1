"""Questions about numbers: recorded, so that a mask is computed anew when its record is run again; without a derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Fixed, example
from tinygrad_edu.engine.op import op
from tinygrad_edu.ops.parts import PAIRS, SHAPES, question, question_of_one

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array


equal = question(
    np.equal, "=", "y = (a = b), false where one is NaN, even of two NaN.", "[1.0, 2.0], 2.0 → [False, True]", sign="="
)
not_equal = question(
    np.not_equal, "≠", "y = (a ≠ b), true where one is NaN, even of two NaN.", "[1.0, 2.0], 2.0 → [True, False]",
    sign="≠",
)  # fmt: skip
less = question(np.less, "<", "y = (a < b), false where one is NaN.", "[1.0, 2.0], 2.0 → [True, False]", sign="<")
less_equal = question(
    np.less_equal, "≤", "y = (a ≤ b), false where one is NaN.", "[1.0, 2.0], 2.0 → [True, True]", sign="≤"
)
greater = question(np.greater, ">", "y = (a > b), false where one is NaN.", "[2.0, 3.0], 2.0 → [False, True]", sign=">")
greater_equal = question(
    np.greater_equal, "≥", "y = (a ≥ b), false where one is NaN.", "[1.0, 2.0], 2.0 → [False, True]", sign="≥"
)

logical_and = question(
    np.logical_and, "and", "y = (a and b), where 0 is false and all else true, NaN too.",
    "[0.0, 2.0], [1.0, 1.0] → [False, True]", sign="∧",
)  # fmt: skip
logical_or = question(
    np.logical_or, "or", "y = (a or b), where 0 is false and all else true, NaN too.",
    "[0.0, 2.0], [0.0, 1.0] → [False, True]", sign="∨",
)  # fmt: skip
logical_xor = question(
    np.logical_xor, "xor", "y = (either a or b, not both), where 0 is false and all else true, NaN too.",
    "[0.0, 2.0], [1.0, 1.0] → [True, False]", sign="⊕",
)  # fmt: skip
logical_not = question_of_one(
    np.logical_not, "not", "y = (not x), where 0 is false and all else true, NaN too.", "[0.0, 2.0] → [True, False]",
    SHAPES, sign="¬",
)  # fmt: skip

_TRUTHS = (
    example(Fixed(np.array([True, True, False])), Fixed(np.array([[True], [False]]))),
    example(Fixed(np.array(5)), 3),
)
_SHIFTS = (example(Fixed(np.array([1, 2, 12])), Fixed(np.array([[0], [2]]))), example(Fixed(np.array(5)), 1))

bitwise_and = question(
    np.bitwise_and, "&", "y = a & b, bit by bit; of booleans: a and b. Floats raise TypeError.", "[6, 5], 3 → [2, 1]",
    _TRUTHS, sign="∧",
)  # fmt: skip
bitwise_or = question(
    np.bitwise_or, "|", "y = a | b, bit by bit; of booleans: a or b. Floats raise TypeError.", "[6, 5], 3 → [7, 7]",
    _TRUTHS, sign="∨",
)  # fmt: skip
bitwise_xor = question(
    np.bitwise_xor, "⊕", "y = a ⊕ b, bit by bit; of booleans: either a or b. Floats raise TypeError.",
    "[6, 5], 3 → [5, 6]", _TRUTHS, sign="⊕",
)  # fmt: skip
invert = question_of_one(
    np.invert, "~", "y = ~x, bit by bit, so −x − 1 of signed integers; of booleans: not x. Floats raise TypeError.",
    "[0, 5] → [-1, -6]", [example(Fixed(np.array([True, False])))], sign="¬",
)  # fmt: skip
left_shift = question(
    np.left_shift, "<<",
    "y = a·2ᵇ, of integers. Bits that leave the type at its upper end are lost; floats raise TypeError.",
    "[1, 3], 2 → [4, 12]", _SHIFTS,
)  # fmt: skip
right_shift = question(
    np.right_shift, ">>", "y = ⌊a / 2ᵇ⌋, of integers. Floats raise TypeError.", "[12, -3], 1 → [6, -2]", _SHIFTS
)

_GAPS: Any = {"takes_out": False}  # NumPy 2.4 writes wrong answers into booleans that have gaps between them
_UNUSUAL = (*SHAPES, example(Fixed(np.array([0.0, -0.0, np.inf, -np.inf, np.nan]))))

isnan = question_of_one(
    np.isnan, "isnan", "y = (x is NaN).", "[1.0, np.inf, np.nan] → [False, False, True]", _UNUSUAL, **_GAPS
)
isinf = question_of_one(
    np.isinf, "isinf", "y = (x is ∞ or −∞).", "[1.0, np.inf, np.nan] → [False, True, False]", _UNUSUAL, **_GAPS
)
isfinite = question_of_one(
    np.isfinite, "isfinite", "y = (x is neither infinite nor NaN).", "[1.0, np.inf, np.nan] → [True, False, False]",
    _UNUSUAL, **_GAPS,
)  # fmt: skip
signbit = question_of_one(
    np.signbit, "signbit", "y = (x has a minus sign), true of −0 too.", "[1.0, -0.0] → [False, True]", _UNUSUAL, **_GAPS
)


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
    """y = (|a − b| ≤ atol + rtol·|b|), which is true of equal infinities too.

    a, b: numbers, arrays or tensors, whose shapes broadcast together. y has no derivative.
    rtol: how much they may differ as a share of b, which is thus not to be exchanged with a.
    atol: how much they may differ besides: it decides where b is 0.
    equal_nan: whether NaN is close to NaN.

    >>> isclose(np.array([1.0, 1.1]), 1.0)
    array([ True, False])
    """
    return np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)
