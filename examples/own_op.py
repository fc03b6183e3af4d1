"""An operation of one's own: declared once, then computed, differentiated to any order, printed, checked and drawn.

python examples/own_op.py
"""

from __future__ import annotations

from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu.op import at, away_from, example, op
from tinygrad_edu.testing import check_op
from viz import draw


@op(
    symbol="square⁺",
    vjp=(lambda g, y, x: g * 2 * np.maximum(x, 0),),  # the derivative: one NumPy expression
    examples=[example((3,)), example((2, 4)), example(())],  # shapes to test it with
    domain=away_from(0.0),  # numbers to test it with: not at the kink of the second derivative
    special=[at(0.0, gradient=0.0)],  # what holds exactly there
)
def squared_relu(x: Any) -> Any:
    """y = max(x, 0)²."""
    return np.square(np.maximum(x, 0))


def main() -> None:
    """Use it, print its rule, check it, draw it."""
    x = tg.Tensor([-1.0, 2.0, 3.0], requires_grad=True, name="x")
    y = squared_relu(x).sum()
    (slope,) = tg.grad(y, [x], create_graph=True)
    (curvature,) = tg.grad(slope.sum(), [x])
    print(f"y = {y:.0f}, dy/dx = {slope.tolist()}, d²y/dx² = {curvature.tolist()}")

    # the same rule that has just computed (on arrays) and recorded (on tensors) also prints
    print(squared_relu.formula(0))
    print(squared_relu.formula(0, latex=True))

    # from the examples: values, first and second derivatives, types, aliasing, empty and strided inputs, …
    report = check_op(squared_relu)
    print(f"checked: {report}")

    print("drawn:", draw(y).save("out/own_op.svg"))


if __name__ == "__main__":
    main()
