"""What a figure can say besides numbers: how large derivatives are, the entries of matrices, shapes, one path among many.

The slope of a sigmoid is at most 1/4, so five of them in a row leave little of a derivative: its line becomes thin. A
bias is added to every row, so its derivative is the sum over the rows.
"""

import numpy as np

import tinygrad_edu as tg
from viz import draw


def leaf(number, name):
    """A number, or an array of them, by which something is to be differentiated."""
    return tg.Tensor(number, requires_grad=True, name=name)


y = leaf(1.0, "x")
for k, weight in enumerate((0.8, -1.2, 0.9, 1.5, -0.7), 1):
    y = tg.sigmoid(y * leaf(weight, f"w{k}"))
y.name = "y"

X = leaf(np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 1.0]]), "X")
W = leaf(np.array([[1.0, -1.0], [0.5, 0.0], [-1.0, 2.0]]), "W")
b = leaf(np.array([0.5, -0.5]), "b")
L = (tg.relu(X @ W + b) ** 2).sum()
L.name = "L"

figures = {
    "V-1 Derivatives that vanish": draw(
        y,
        weight="grad",
        legend=True,
        fit="16:9",
        title="Five sigmoids in a row",
        caption="The line of a derivative is as thick as it is large.",
    ),
    "V-2 A layer, in matrices": draw(L, show=("value", "grad"), title="Y = ReLU(XW + b)"),
    "V-3 The same layer, in shapes": draw(L, show="shape", sizes={4: "N"}),
    "V-4 One path among many": draw(L, highlight=("b", "L")),
}
