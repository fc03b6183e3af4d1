"""Rounding, signs and remainders: functions that jump or bend between their steps.

At kinks the conventions are PyTorch's: the derivative of |x| at 0 is 0, of a step 0 everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Domain, at, example, nonzero
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.ops.agreed import quotient
from tinygrad_edu.ops.parts import PAIRS, binary, gate, step, unary, zero

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, ArrayLike, Out


sign = step(
    np.sign, "sign", "y = −1, 0 or 1, the sign of x.", "[-2.0, 0.0, 3.0] → [-1.0, 0.0, 1.0]", domain=nonzero,
    special=[at(0.0, gradient=0.0)],
)  # fmt: skip
floor = step(
    np.floor, "floor", "y = ⌊x⌋, the largest integer y ≤ x.", "[-1.5, 1.5] → [-2.0, 1.0]",
    spelled=lambda s, x: s.rounded(x, "⌊⌋"),
)  # fmt: skip
ceil = step(
    np.ceil, "ceil", "y = ⌈x⌉, the smallest integer y ≥ x.", "[-1.5, 1.5] → [-1.0, 2.0]",
    spelled=lambda s, x: s.rounded(x, "⌈⌉"),
)  # fmt: skip
trunc = step(
    np.trunc, "trunc", "y = x without its fraction, rounded towards 0.", "[-1.5, 1.5] → [-1.0, 1.0]",
    answers=(np.trunc, np.fix),
)  # fmt: skip
rint = step(np.rint, "rint", "y = the nearest integer, of two the even one.", "[0.5, 1.5, 2.6] → [0.0, 2.0, 3.0]")


@op(
    symbol="round",
    vjp=(lambda g, y, x, *, decimals: zero(g),),
    presence="selects",
    answers=(np.round, np.around),
    takes_out=True,
    examples=[example((3,)), example((2, 3), decimals=1), example((), 1), example((3,), decimals=-1)],
)
def round(x: Array, decimals: int = 0, *, out: Out = None) -> Array:
    """y = x rounded to so many decimals, halves to even. Its derivative is 0, as that of all steps.

    x: numbers, an array or a tensor.
    decimals: how many digits are kept behind the point; negative ones round to tens, hundreds and so on.

    >>> round(np.array([0.5, 1.5, 2.25])).tolist()
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
    np.absolute, "abs", _absolute_rule,
    "y = |x|. Its derivative is the sign of x, so at 0 it is 0. Of complex numbers y is real.",
    "[-2.0, 3.0] → [2.0, 3.0]",
    spelled=lambda s, x: abs(x), domain=nonzero, analytic=False, special=[at(0.0, gradient=0.0)],
)  # fmt: skip
fabs = unary(
    np.fabs, "abs", _absolute_rule,
    "y = |x|, always floating. Its derivative is the sign of x, so at 0 it is 0.",
    "[-2.0, 3.0] → [2.0, 3.0]",
    domain=nonzero, analytic=False, special=[at(0.0, gradient=0.0)],
)  # fmt: skip
copysign = binary(
    np.copysign, "copysign", lambda g, y, a, b: g * np.sign(a) * np.copysign(1, b), lambda g, y, a, b: zero(g),
    "y = |a| with the sign of b, which −0 has too. "
    "Its derivative by a is 1 where the sign stays and −1 where it turns; by b it is 0.",
    "[1.0, -2.0], -1.0 → [-1.0, -2.0]", presence=("elementwise", "selects"), domain=nonzero, special=[at(0.0, -1.0, gradient=(0.0, 0.0))],
)  # fmt: skip
heaviside = binary(
    np.heaviside, "heaviside", lambda g, y, a, b: zero(g), lambda g, y, a, b: gate(g, a == 0),
    "y = 0 for a < 0, b for a = 0, 1 for a > 0. Its derivative by a is 0; "
    "by b it is 1 where a = 0, else 0.",
    "[-1.0, 0.0, 1.0], 0.5 → [0.0, 0.5, 1.0]", presence="selects", domain=nonzero, special=[at(0.0, 0.5, gradient=(0.0, 1.0))],
)  # fmt: skip


def _near(size: float) -> Domain:
    """Numbers of about this size, of either sign."""
    return lambda rng, shape: rng.uniform(0.95 * size, 1.05 * size, shape) * rng.choice([-1, 1], shape)


_QUOTIENTS = (_near(2.5), _near(1.0))  # a / b is not near an integer, where the remainder jumps

floor_divide = binary(
    np.floor_divide, "//", lambda g, y, a, b: zero(g), lambda g, y, a, b: zero(g),
    "y = ⌊a / b⌋, so −5 by 3 gives −2. Both derivatives are 0. An integer by 0 gives 0, a float ±∞ or NaN.",
    "[5.0, -5.0], 3.0 → [1.0, -2.0]", spelled=lambda s, a, b: s.rounded(a / b, "⌊⌋"), presence="selects",
    domain=_QUOTIENTS,
)  # fmt: skip
remainder = binary(
    np.remainder, "mod", lambda g, y, a, b: g, lambda g, y, a, b: -g * np.floor_divide(a, b),
    "y = a − b ⌊a / b⌋, which has the sign of b. ∂y/∂a = 1, ∂y/∂b = −⌊a / b⌋. "
    "By 0, integers give 0, floats NaN.",
    "[5.0, -5.0], 3.0 → [2.0, 1.0]", domain=_QUOTIENTS,
)  # fmt: skip
fmod = binary(
    np.fmod, "fmod", lambda g, y, a, b: g, lambda g, y, a, b: -g * np.trunc(a / b),
    "y = a − b trunc(a / b), which has the sign of a. ∂y/∂a = 1, ∂y/∂b = −trunc(a / b). "
    "By 0, integers give 0, floats NaN.",
    "[5.0, -5.0], 3.0 → [2.0, -2.0]", domain=_QUOTIENTS,
)  # fmt: skip


@composite(answers=(np.divmod,), examples=PAIRS, domain=_QUOTIENTS)
def divmod(a: Array, b: ArrayLike) -> tuple[Array, Array]:
    """y = (⌊a / b⌋, a − b ⌊a / b⌋): the quotient and the remainder, which has the sign of b.

    a, b: numbers, arrays or tensors, whose shapes broadcast together. The derivatives are those of `floor_divide` and
        `remainder`.

    >>> divmod(np.array([5.0, -5.0]), 3)
    (array([ 1., -2.]), array([2., 1.]))
    """
    return floor_divide(a, b), remainder(a, b)  # type: ignore[return-value]  # tensors, where b is one
