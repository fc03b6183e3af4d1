"""The sigmoid, y = 1 / (1 + exp(−x)), as four operations and as one.

Its derivative comes out one node at a time: the reciprocal gives −y², the addition changes nothing, the exponential
multiplies by its own result, and the last node by −1. Together that is y²·exp(−x), which is y·(1 − y): a node that
does it all at once needs nothing but its own output.
"""

import numpy as np

import tinygrad_edu as tg
from viz import draw

x = tg.Tensor(1.0, requires_grad=True)
y = np.reciprocal(1 + np.exp(x * -1))
steps = draw(y, grad="symbol", loss="L")

y = tg.sigmoid(x)

figures = {
    "5-19 The sigmoid, step by step": steps.frames(),
    "5-20 The sigmoid in operations": steps,
    "5-21 The sigmoid as one node": draw(y, grad="symbol", loss="L", annotate={x: "∂L/∂y·y²·exp(−x)"}),
    "5-22 The sigmoid as one node, by its output": draw(y, grad="symbol", loss="L"),
}
