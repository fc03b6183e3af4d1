# %% [markdown]
# # 2. A network by hand
#
# A layer of perceptrons is a product of matrices. With a smooth activation in place of the step, layers are stacked into
# a network, and the last one gives numbers, or probabilities. Here the weights are given; learning them comes later.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 3.

# %%
from __future__ import annotations

import itertools
import os
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu.data import datasets
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/02")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Activations
#
# The step says yes or no. The sigmoid, $1 / (1 + e^{-a})$, says how much. ReLU, $\max(0, a)$, lets what is positive pass.
# The same function takes arrays and tensors.


# %%
def step(a):
    return np.heaviside(a, 0.0)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def relu(a):
    return np.maximum(a, 0)


a = np.linspace(-5, 5, 201)
figure, axis = plt.subplots(figsize=(5, 3.2))
for f, style in ((step, "--"), (sigmoid, "-"), (relu, "-.")):
    axis.plot(a, f(a), style, label=f.__name__)
axis.set(xlabel="a", ylim=(-0.1, 2), title="Three activations")
axis.legend()
figure.savefig(OUT / "activations.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Three layers
#
# Two inputs, three units, two units, two outputs. `X @ W + b`: row after row of X is an example, column after column of W
# a unit.

# %%
weights = [
    np.array([[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]),
    np.array([[0.1, 0.4], [0.2, 0.5], [0.3, 0.6]]),
    np.array([[0.1, 0.3], [0.2, 0.4]]),
]
biases = [np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.2]), np.array([0.1, 0.2])]


def forward(x):
    """Sigmoid after the first two layers; the last gives its numbers as they are."""
    (w1, w2, w3), (b1, b2, b3) = weights, biases
    z1 = sigmoid(x @ w1 + b1)
    z2 = sigmoid(z1 @ w2 + b2)
    return z2 @ w3 + b3


y = forward(np.array([1.0, 0.5]))
print("forward:", y)

x = tg.Tensor([[1.0, 0.5]], name="x")
w, b = (tg.Tensor(given[0], requires_grad=True, name=name) for given, name in ((weights, "W1"), (biases, "b1")))
drawn = draw(tg.sigmoid(x @ w + b), show="value", direction="forward")
drawn.save(OUT / "one_layer.svg")

# %% [markdown]
# ## Why the activation must not be a line
#
# Two layers without an activation between them are one: $(x W_1) W_2 = x (W_1 W_2)$. Depth is worth something only if
# something bends in between.

# %%
generator = np.random.default_rng(0)
w1, w2, rows = generator.normal(size=(3, 5)), generator.normal(size=(5, 2)), generator.normal(size=(10, 3))
same = float(np.abs((rows @ w1) @ w2 - rows @ (w1 @ w2)).max())
bent = float(np.abs(relu(rows @ w1) @ w2 - rows @ (w1 @ w2)).max())
print(f"two linear layers are one, to {same:.1e}; with ReLU between them they differ by {bent:.1f}")

# %% [markdown]
# ## Softmax, and numbers that are too large
#
# Probabilities are positive and add up to 1: $y_k = e^{a_k} / \sum_i e^{a_i}$. As it stands, $e^{1010}$ is infinite, and
# ∞ / ∞ is no number. A constant added to every $a_k$ changes nothing, so the largest is taken away first.


# %%
def naive_softmax(a):
    return np.exp(a) / np.exp(a).sum()


def softmax(a):
    e = np.exp(a - a.max())
    return e / e.sum()


large = np.array([1010.0, 1000.0, 990.0])
with np.errstate(all="ignore"):
    naive = naive_softmax(large)
print("naive: ", naive)
print("stable:", softmax(large))

# %% [markdown]
# ## A batch at once
#
# A batch of images is one matrix, and the network one product a layer for all of them: the same answers, and much sooner
# than one after another.

# %%
(images, labels), _ = datasets.digits()
images = images[: 200 if QUICK else len(images)].reshape(-1, 64)
sizes = [64, 50, 100, 10]
ws = [generator.normal(0, 0.3, (n, m)).astype(np.float32) for n, m in itertools.pairwise(sizes)]


def predict(x):
    for w in ws[:-1]:
        x = sigmoid(x @ w)
    return (x @ ws[-1]).argmax(-1)


begun = time.perf_counter()
one_by_one = np.array([predict(image) for image in images])
between = time.perf_counter()
together = predict(images)
ended = time.perf_counter()
print(f"{len(images)} images: a batch is {(between - begun) / (ended - between):.0f} times as fast as one by one")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "three layers of (1.0, 0.5)": y.round(8).tolist(),
    "softmax of (0.3, 2.9, 4.0)": softmax(np.array([0.3, 2.9, 4.0])).round(8).tolist(),
    "softmax of (1010, 1000, 990)": [float(f"{p:.4e}") for p in softmax(large)],
    "the library's softmax differs by": float(np.abs(F.softmax(tg.Tensor(large), -1).numpy() - softmax(large)).max()),
    "naive softmax has NaN": bool(np.isnan(naive).any()),
    "answers that a batch changes": int((one_by_one != together).sum()),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
