# %% [markdown]
# # 4. The graph, and the chain rule read off it
#
# A computation is a graph: each circle is an operation, each arrow a value. Going back along the arrows, each operation
# multiplies what arrives by its own derivative. That is the chain rule, and all there is to backpropagation.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 5.

# %%
from __future__ import annotations

from pathlib import Path

import numpy as np

import tinygrad_edu as tg
from viz import draw

OUT = Path("out/lessons/04")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Shopping
#
# Two apples at 100, with 10 % tax. If an apple costs 1 more, the price rises by 2.2.

# %%
apple, count, tax = (
    tg.Tensor(v, requires_grad=True, name=n) for v, n in ((100.0, "apple"), (2.0, "count"), (1.1, "tax"))
)
price = apple * count * tax
by_apple, by_count, by_tax = (g.item() for g in tg.grad(price, [apple, count, tax]))
draw(price).save(OUT / "apples.svg")

orange, oranges = (
    tg.Tensor(150.0, requires_grad=True, name="orange"),
    tg.Tensor(3.0, requires_grad=True, name="oranges"),
)
fruit = (apple * count + orange * oranges) * tax
by_fruit = [round(g.item(), 9) for g in tg.grad(fruit, [apple, count, orange, oranges, tax])]
draw(fruit).save(OUT / "fruit.svg")
print("apples:", round(price.item(), 9), "by apple, count, tax:", by_apple, by_count, by_tax)
print("with oranges:", round(fruit.item(), 9), "by each:", by_fruit)

# %% [markdown]
# ## Two outputs, worked by hand
#
# Two inputs, two sigmoid units, two sigmoid outputs, and the error $E = \frac12 \sum_k (y_k - t_k)^2$. E is the sum over
# both outputs, and each counts once. A weight of the first layer reaches E by two paths, one through each output, and its
# derivative is the sum over both.

# %%
inputs, targets = np.array([0.05, 0.10]), np.array([0.01, 0.99])
hidden_weights, hidden_bias = np.array([[0.15, 0.25], [0.20, 0.30]]), 0.35  # a column a unit: w₁ w₂ | w₃ w₄
output_weights, output_bias = np.array([[0.40, 0.50], [0.45, 0.55]]), 0.60  # w₅ w₆ | w₇ w₈


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# forward, by hand
h = sigmoid(inputs @ hidden_weights + hidden_bias)
y = sigmoid(h @ output_weights + output_bias)
error = 0.5 * ((y - targets) ** 2).sum()

# backward, by hand: for w₅, from h₁ to y₁, one path …
slope_of_output = (y - targets) * y * (1 - y)  # ∂E/∂(sum of each output unit)
by_w5 = slope_of_output[0] * h[0]
# … and for w₁, from x₁ to h₁, a path through each output
slope_of_hidden = (output_weights @ slope_of_output) * h * (1 - h)
by_w1 = slope_of_hidden[0] * inputs[0]
print(f"by hand:       E = {error:.9f}, ∂E/∂w₅ = {by_w5:.9f}, ∂E/∂w₁ = {by_w1:.9f}")

# %% [markdown]
# ## The same by the engine
#
# The record is made as the numbers are computed, and read backwards once.

# %%
W1 = tg.Tensor(hidden_weights, requires_grad=True, name="W1")
W2 = tg.Tensor(output_weights, requires_grad=True, name="W2")


def net(W1, W2):
    return 0.5 * ((tg.sigmoid(tg.sigmoid(inputs @ W1 + hidden_bias) @ W2 + output_bias) - targets) ** 2).sum()


E = net(W1, W2)
E.backward()
print(f"by the engine: E = {E.item():.9f}, ∂E/∂w₅ = {W2.grad[0, 0].item():.9f}, ∂E/∂w₁ = {W1.grad[0, 0].item():.9f}")

# %% [markdown]
# ## The same by formulas
#
# The rules of the operations print themselves: the figure carries ∂E/∂… in symbols instead of numbers. The one for a
# single weight is drawn of scalars, as one writes it on the board.

# %%
x1 = tg.Tensor(0.05, name="x1")
w1, w5 = tg.Tensor(0.15, requires_grad=True, name="w1"), tg.Tensor(0.40, requires_grad=True, name="w5")
y1 = tg.sigmoid(w5 * tg.sigmoid(w1 * x1 + 0.35) + 0.60)
E1 = 0.5 * (y1 - 0.01) ** 2
draw(E1, grad="symbol").save(OUT / "one_path.svg")
draw(E, grad="symbol").save(OUT / "two_outputs.svg")
print("σ's rule:", tg.sigmoid.formula(0))
print("a product's rules:", tg.multiply.formula(0), "and", tg.multiply.formula(1))

# %% [markdown]
# ## And by nobody: the numerical derivative
#
# Whoever does not believe it moves a weight a little, and looks.

# %%
moved = np.zeros((2, 2))
moved[0, 0] = 1e-5
numerical = float((net(hidden_weights + moved, output_weights) - net(hidden_weights - moved, output_weights)) / 2e-5)
print(f"numerically:   ∂E/∂w₁ = {numerical:.9f}")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "apples": round(price.item(), 9),
    "by apple, count, tax": [round(by_apple, 9), round(by_count, 9), round(by_tax, 9)],
    "with oranges": round(fruit.item(), 9),
    "by apple, count, orange, oranges, tax": by_fruit,
    "error": round(E.item(), 9),
    "by w5": round(W2.grad[0, 0].item(), 9),
    "by w1": round(W1.grad[0, 0].item(), 9),
    "by hand minus the engine": float(max(abs(by_w5 - W2.grad[0, 0].item()), abs(by_w1 - W1.grad[0, 0].item()))),
    "numerically by w1": round(numerical, 9),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
