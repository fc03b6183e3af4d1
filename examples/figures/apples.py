"""Two apples at 100 each, with 10 % tax: what does the price depend on, and how strongly?

Values go forward along the thin arrows, derivatives come back along the thick ones. A multiplication passes back what
arrives times its other input. So one apple dearer by 1 makes the bill dearer by 2.2; one apple more, by 110.
"""

import tinygrad_edu as tg
from viz import draw

apple = tg.Tensor(100.0, requires_grad=True)
count = tg.Tensor(2.0, requires_grad=True)
tax = tg.Tensor(1.1, requires_grad=True)
price = apple * count * tax

figures = {
    "5-2 The price of two apples, forward": draw(price, direction="forward"),
    "5-5 How the price depends on that of an apple": draw(price, wrt=apple),
    "5-14 How the price depends on everything": draw(price),
}
