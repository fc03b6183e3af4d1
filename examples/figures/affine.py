"""Y = X·W + B: derivatives of matrices have the shapes of the matrices, and that says how to multiply.

∂L/∂X must have the shape of X; of ∂L/∂Y and W only one product has it. In a batch of N rows B is added to each row,
so its derivative is the sum over all rows.
"""

import numpy as np

import tinygrad_edu as tg
from viz import draw

rng = np.random.default_rng(0)
W = tg.Tensor(rng.standard_normal((2, 3)), requires_grad=True)
B = tg.Tensor(rng.standard_normal(3), requires_grad=True)

X = tg.Tensor(rng.standard_normal(2), requires_grad=True)
XW = X @ W
Y = XW + B
names = {"X·W": XW}
said = {
    X: "∂L/∂X (2,) = ∂L/∂Y (3,) · Wᵀ (3, 2)",
    W: "∂L/∂W (2, 3) = Xᵀ (2, 1) · ∂L/∂Y (1, 3)",
    B: "∂L/∂B (3,) = ∂L/∂Y (3,)",
}
figures = {
    "5-24 An affine layer, forward": draw(Y, names=names, direction="forward"),
    "5-25 An affine layer, backward": draw(Y, names=names, loss="L", legend=said),
    "5-26 The product of matrices alone": draw(XW, names={"Y": XW}, loss="L", legend={X: said[X], W: said[W]}),
}

X = tg.Tensor(rng.standard_normal((32, 2)), requires_grad=True)
Y = X @ W + B
figures["5-27 An affine layer of a batch"] = draw(Y, loss="L", sizes={32: "N"}, legend=[X, W, B])
