"""The multiplication passes back what arrives times its other input: the inputs change places.

For z = x·y, ∂z/∂x = y and ∂z/∂y = x. So it needs the values of the forward pass again, which the addition does not.
"""

import tinygrad_edu as tg
from viz import draw

x = tg.Tensor(10.0, requires_grad=True)
y = tg.Tensor(5.0, requires_grad=True)
z = x * y

figures = {
    "5-12 Multiplication": draw(z, grad="symbol", loss="L", direction="side-by-side"),
    "5-13 Multiplication: 1.3 comes back": draw(z, gradient=1.3, direction="side-by-side"),
}
