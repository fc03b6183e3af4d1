"""Figures 5-2 and 5-14: two apples at 100 each, with 10% tax, and what the price depends on."""

import tinygrad_edu as tg
from viz import Drawing, draw


def figure() -> Drawing:
    """The price of the apples: 220, with its derivative by each number."""
    apple = tg.Tensor(100.0, requires_grad=True)
    count = tg.Tensor(2.0, requires_grad=True)
    tax = tg.Tensor(1.1, requires_grad=True)
    price = apple * count * tax
    return draw(price)


if __name__ == "__main__":
    figure().save("out/figures/5-14-apples.svg")
