"""Batch normalization in operations: mean and variance depend on x too, so derivatives come back on three ways.

Each derivative was compared with a numerical one, of a random L: ✓ means that they agree.
"""

import numpy as np

import tinygrad_edu as tg
from viz import draw

rng = np.random.default_rng(0)
x = tg.Tensor(rng.standard_normal((32, 4)), requires_grad=True)
γ = tg.Tensor(rng.standard_normal(4), requires_grad=True)
β = tg.Tensor(rng.standard_normal(4), requires_grad=True)

μ = np.mean(x, axis=0)
xc = x - μ
var = np.mean(xc**2, axis=0)
std = np.sqrt(var + 1e-7)
xn = xc * np.reciprocal(std)
y = γ * xn + β

sizes = {32: "N", 4: "D"}
figures = {
    "6-17 Batch normalization": draw(y, loss="L", check=True, sizes=sizes),
}
