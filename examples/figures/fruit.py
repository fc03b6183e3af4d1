"""Two apples and three oranges, with 10 % tax: an addition among the multiplications, and an exercise.

The addition passes 1.1 on to both sides unchanged. Fill in the boxes of 5-15 from right to left; 5-17 has the answers.
"""

import tinygrad_edu as tg
from viz import draw

apple_count = tg.Tensor(2.0, requires_grad=True, name="count of apples")
apple = tg.Tensor(100.0, requires_grad=True)
orange = tg.Tensor(150.0, requires_grad=True)
orange_count = tg.Tensor(3.0, requires_grad=True, name="count of oranges")
tax = tg.Tensor(1.1, requires_grad=True)
price = (apple_count * apple + orange * orange_count) * tax

figures = {
    "5-3 Apples and oranges, forward": draw(price, direction="forward"),
    "5-15 Exercise: which derivatives belong into the boxes?": draw(price, grad="blank"),
    "5-17 The answers": draw(price),
}
