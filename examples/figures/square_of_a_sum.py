"""z = (x + y)²: the chain rule, read off the arrows.

Each node multiplies what arrives by its own derivative, so the product along a path is the chain rule:
∂z/∂x = ∂z/∂z · ∂z/∂t · ∂t/∂x, with ∂z/∂t = 2t and ∂t/∂x = 1.
"""

import tinygrad_edu as tg
from viz import draw

x = tg.Tensor(2.0, requires_grad=True)
y = tg.Tensor(3.0, requires_grad=True)
t = x + y
z = t**2

figures = {
    "5-7 The chain rule of z = (x + y)²": draw(z, grad="symbol", simplify=False),
    "5-8 The same with numbers": draw(z, show=("value", "grad", "formula")),
}
