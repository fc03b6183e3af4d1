# %% [markdown]
# # 1. The perceptron and logic gates
#
# A perceptron weighs its inputs, adds a bias, and fires if the sum is positive:
#
# $$y = h(w_1 x_1 + w_2 x_2 + b), \qquad h(a) = 1 \text{ if } a > 0 \text{ else } 0$$
#
# Three of the gates that computers are built of are perceptrons. The fourth, XOR, is not, and the reason why is the
# reason why networks have layers.
#
# Source: Rosenblatt, *The perceptron*, Psychological Review 65 (1958); Minsky and Papert, *Perceptrons* (1969).

# %%
from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/01")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Gates with weights set by hand
#
# AND fires if both inputs are 1, OR if one is, NAND unless **all** are.

# %%
INPUTS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def perceptron(x, w, b):
    """Fires where w·x + b is positive."""
    return np.heaviside(x @ np.array(w) + b, 0.0)


def AND(x):
    return perceptron(x, w=[0.5, 0.5], b=-0.7)


def NAND(x):
    return perceptron(x, w=[-0.5, -0.5], b=0.7)


def OR(x):
    return perceptron(x, w=[0.5, 0.5], b=-0.2)


for gate in (AND, NAND, OR):
    print(f"{gate.__name__:>5}", gate(INPUTS).astype(int))

# %% [markdown]
# ## Why one line cannot make XOR
#
# A perceptron divides the plane by one straight line, $w_1 x_1 + w_2 x_2 + b = 0$. For XOR it would have to be negative
# or 0 at (0, 0) and at (1, 1), positive at (0, 1) and at (1, 0):
#
# $$b \le 0, \quad w_1 + w_2 + b \le 0, \quad w_2 + b > 0, \quad w_1 + b > 0$$
#
# The last two add up to $w_1 + w_2 + 2b > 0$, the first two to $w_1 + w_2 + 2b \le 0$: both cannot be. No weights will
# do, and a search over many of them finds none. Two layers will: XOR = AND(NAND, OR).

# %%
XOR = np.array([0.0, 1.0, 1.0, 0.0])
grid = np.linspace(-2, 2, 9 if QUICK else 41)
found = dict.fromkeys(("AND", "OR", "XOR"), 0)
for w1, w2, b in itertools.product(grid, grid, grid):
    y = perceptron(INPUTS, [w1, w2], b)
    for name, truth in (("AND", AND(INPUTS)), ("OR", OR(INPUTS)), ("XOR", XOR)):
        found[name] += bool((y == truth).all())
print("settings of", len(grid) ** 3, "that make each gate:", found)


def xor(x):
    return AND(np.stack([NAND(x), OR(x)], axis=-1))


print("  XOR", xor(INPUTS).astype(int))

figure, axes = plt.subplots(1, 4, figsize=(12, 3), sharex=True, sharey=True)
x1, x2 = np.meshgrid(np.linspace(-0.5, 1.5, 200), np.linspace(-0.5, 1.5, 200))
plane = np.stack([x1, x2], axis=-1)
for axis, (name, f) in zip(axes, {"AND": AND, "NAND": NAND, "OR": OR, "XOR": xor}.items(), strict=True):
    axis.contourf(x1, x2, f(plane), levels=[-0.5, 0.5, 1.5], colors=["#ffffff", "#cfe3f7"])
    y = f(INPUTS)
    axis.scatter(*INPUTS[y == 1].T, marker="^", s=80, color="#1f5fa8")
    axis.scatter(*INPUTS[y == 0].T, marker="o", s=80, facecolor="none", edgecolor="#555555")
    axis.set_title(name)
    axis.set_aspect("equal")
figure.savefig(OUT / "gates.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Why a step has no useful slope
#
# To learn weights, one asks how the error changes as they do. Under a step it does not: the slope is 0 wherever there is
# one. Gradient descent would stand still. A sigmoid is a step with its corner rounded, and everywhere has a slope.

# %%
a = tg.linspace(-4, 4, 9).requires_grad_()
flat = tg.grad(np.heaviside(a, 0.0).sum() + 0 * a.sum(), a)
slope = tg.grad(tg.sigmoid(a).sum(), a)
print("slope of the step:   ", flat.tolist())
print("slope of the sigmoid:", [round(float(s), 3) for s in slope.numpy()])

# %% [markdown]
# Rosenblatt's rule learns without a slope: where the answer is wrong, move the weights towards the input. It finds AND,
# since a line exists; on XOR it goes round for ever.


# %%
def rosenblatt(x, t, epochs=100):
    """w ← w + (t − y)·x, b ← b + (t − y) for one example after another, until all are right."""
    w, b = np.zeros(2), 0.0
    for epoch in range(1, epochs + 1):
        wrong = 0
        for row, truth in zip(x, t, strict=True):
            error = truth - perceptron(row, w, b)
            w, b, wrong = w + error * row, b + error, wrong + (error != 0)
        if not wrong:
            return epoch
    return None


epochs = {name: rosenblatt(INPUTS, t) for name, t in (("AND", AND(INPUTS)), ("XOR", XOR))}
print("epochs until nothing is wrong:", epochs)

# %% [markdown]
# ## Features by hand, and features that are learnt
#
# If the inputs are described well, a line is enough: give the perceptron the product $x_1 x_2$ too, and XOR is
# $x_1 + x_2 - 2 x_1 x_2$. Before networks this was the craft: features made by hand, then a simple classifier, such as
# the nearest neighbour or a support vector machine. A net with one hidden layer finds features of its own.

# %%
generator = np.random.default_rng(0)
x = INPUTS[generator.integers(4, size=400)] + generator.normal(0, 0.15, (400, 2))
t = (x.round().clip(0, 1)[:, 0] != x.round().clip(0, 1)[:, 1]).astype(int)
x_train, x_test, t_train, t_test = x[:200], x[200:], t[:200], t[200:]


def by_hand(x):
    return np.column_stack([x, x[:, 0] * x[:, 1]])


scores = {}
for name, classifier in {"line": SVC(kernel="linear"), "k-NN": KNeighborsClassifier(5)}.items():
    for features in (None, by_hand):
        see = features or (lambda x: x)
        fitted = classifier.fit(see(x_train), t_train)
        scores[name + (" on features by hand" if features else "")] = fitted.score(see(x_test), t_test)

tg.manual_seed(3)
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
optimizer = optim.Adam(model.parameters(), lr=0.05)


@tg.replay
def step(x, t):
    loss = F.cross_entropy(model(x), t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


for _ in range(300):
    step(tg.Tensor(x_train.astype(np.float32)), tg.Tensor(t_train))
scores["net of 4 hidden units"] = float((model(x_test.astype(np.float32)).numpy().argmax(1) == t_test).mean())
for name, score in scores.items():
    print(f"{score:6.1%}  {name}")

drawn = draw(
    nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 1))(tg.Tensor(INPUTS.astype(np.float32), name="x"))
)
drawn.save(OUT / "two_layers.svg")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "AND": AND(INPUTS).astype(int).tolist(),
    "NAND": NAND(INPUTS).astype(int).tolist(),
    "OR": OR(INPUTS).astype(int).tolist(),
    "XOR": xor(INPUTS).astype(int).tolist(),
    "lines that make XOR": found["XOR"],
    "largest slope of a step": float(np.abs(flat.numpy()).max()),
    "epochs to learn AND": epochs["AND"],
    "epochs to learn XOR": epochs["XOR"],
    "a line on XOR": scores["line"],
    "a line on features by hand": scores["line on features by hand"],
    "the net on XOR": scores["net of 4 hidden units"],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
