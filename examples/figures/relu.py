"""ReLU is a switch: where x > 0 it lets everything pass, forward and backward; elsewhere nothing."""

import tinygrad_edu as tg
from viz import draw

on = tg.Tensor(2.0, requires_grad=True, name="x")
off = tg.Tensor(-2.0, requires_grad=True, name="x")
y_on, y_off = tg.relu(on), tg.relu(off)
y_on.name = y_off.name = "y"

figures = {
    "5-18 ReLU": draw(
        [y_on, y_off],
        values={on: "x", off: "x", y_on: "x", y_off: 0},
        annotate={on: "∂L/∂y", off: 0, y_on: "∂L/∂y", y_off: "∂L/∂y"},
        panels=True,
        titles=("x > 0", "x ≤ 0"),
    ),
}
