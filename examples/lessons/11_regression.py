# %% [markdown]
# # 11. Linear and logistic regression, where they fail, and what a net does about it
#
# A net without hidden layers is the oldest of models: linear regression if its output is a number, logistic regression if
# it is a probability. Both draw a straight line. Where the world is bent, a hidden layer bends the line.
#
# Output and loss come in pairs, chosen so that the slope at the output is always $y - t$:
#
# | the answer is | output | loss |
# |---|---|---|
# | a number | as it is | squared error |
# | yes or no | sigmoid | binary cross-entropy |
# | one of several | softmax | cross-entropy |
#
# Source: Bishop, *Pattern Recognition and Machine Learning* (2006), chapters 3 and 4; Hornik, Stinchcombe and White (1989).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import datasets, train_test_split
from tinygrad_edu.train import Trainer, metrics

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/11")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Linear regression
#
# Descent on the squared error finds what the normal equations, $w = (X^\top X)^{-1} X^\top t$, give at once. (Columns that say
# nearly the same make a long flat valley; L-BFGS, which learns how the ground is curved, walks through it.) The data:
# ten measurements of 442 patients, and how far their diabetes had gone a year later.

# %%
table = datasets.diabetes()
x, t = table.x, ((table.y - table.y.mean()) / table.y.std()).astype(np.float32)
x = (x - x.mean(0)) / x.std(0)
tg.manual_seed(0)
line = nn.Linear(x.shape[1], 1)
optimizer = optim.LBFGS(line.parameters(), line_search_fn="strong_wolfe", max_iter=200)


def loss():
    optimizer.zero_grad()
    error = F.mse_loss(line(x), t[:, None])
    error.backward()
    return error


optimizer.step(loss)
with_one = np.column_stack([x, np.ones(len(x))]).astype(float)
solved = np.linalg.lstsq(with_one, t.astype(float), rcond=None)[0]
apart = float(np.abs(line.weight.numpy()[:, 0] - solved[:-1]).max())
r2 = metrics.r2_score(line(x).numpy()[:, 0], t)
print(f"linear regression: R² = {r2:.3f}; largest difference from the solved weights {apart:.4f}")
for name, weight in sorted(zip(table.feature_names, solved, strict=False), key=lambda pair: -abs(pair[1]))[:3]:
    print(f"   {name}: {weight:+.2f}")

# %% [markdown]
# ## Logistic regression
#
# Breast cancer, from thirty measurements of cells: a line in thirty dimensions divides nearly all.

# %%
cancer = datasets.breast_cancer()
x_train, x_test, y_train, y_test = train_test_split(
    cancer.x, cancer.y, test_size=0.3, stratify=cancer.y, random_state=0
)
mean, std = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std
logistic = nn.Linear(30, 1)
trainer = Trainer(
    logistic,
    optim.Adam(logistic.parameters(), lr=0.05, weight_decay=1e-3),
    nn.BCEWithLogitsLoss(),
    metrics=["accuracy"],
    seed=0,
)
trainer.fit((x_train, y_train[:, None].astype(np.float32)), epochs=20 if QUICK else 60, batch_size=64)
cancer_accuracy = trainer.evaluate((x_test, y_test[:, None].astype(np.float32)))["accuracy"]
print(f"logistic regression: {cancer_accuracy:.1%} of {len(x_test)} right")

# %% [markdown]
# ## The pairs
#
# For each pair, the gradient by the output before its activation is $(y - t) / N$: nothing of the activation's own slope is
# left, so that a unit that is wholly wrong learns fastest. With the squared error behind a sigmoid it hardly learns at all.

# %%
a = np.array([[2.0, -1.0, 0.5], [0.1, 3.0, -2.0]])
number, yes, classes = np.array([[1.0, 0, 2], [0, 1, 1]]), np.array([[1.0, 0, 1], [0, 0, 1]]), np.array([2, 0])
one_hot = np.eye(3)[classes]


def slope(loss):
    """∂loss/∂a."""
    leaf = tg.Tensor(a, requires_grad=True)
    return tg.grad(loss(leaf), leaf).numpy()


sigmoid, softmax = 1 / (1 + np.exp(-a)), np.exp(a) / np.exp(a).sum(1, keepdims=True)
pairs = {
    "identity and ½·squared error": np.abs(
        slope(lambda a: 0.5 * F.mse_loss(a, number, reduction="sum") / 6) - (a - number) / 6
    ).max(),
    "sigmoid and cross-entropy": np.abs(
        slope(lambda a: F.binary_cross_entropy_with_logits(a, yes)) - (sigmoid - yes) / 6
    ).max(),
    "softmax and cross-entropy": np.abs(slope(lambda a: F.cross_entropy(a, classes)) - (softmax - one_hot) / 2).max(),
}
wrong = tg.Tensor([-8.0], requires_grad=True)  # says no, and is wrong
behind_sigmoid = float(tg.grad(0.5 * (tg.sigmoid(wrong) - 1) ** 2, wrong).numpy()[0])
paired = float(tg.grad(F.binary_cross_entropy_with_logits(wrong, np.ones(1)), wrong).numpy()[0])
for name, difference in pairs.items():
    print(f"{name}: slope minus (y − t)/N is {difference:.0e}")
print(f"wholly wrong: slope {behind_sigmoid:.4f} with the squared error, {paired:.4f} with cross-entropy")

# %% [markdown]
# ## Where a line fails
#
# Two moons that reach into each other. A line is right for most, and can do no better; a net of two hidden layers is right
# for all. What the last hidden layer makes of the points **can** be divided by a line: it has found features.

# %%
x, y = datasets.moons(400, noise=0.1, generator=np.random.default_rng(0))
x = x.astype(np.float32)
tg.manual_seed(0)
straight = nn.Linear(2, 2)
deep = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2), nn.Tanh(), nn.Linear(2, 2))
scores = {}
for name, model in (("line", straight), ("net", deep)):
    trainer = Trainer(
        model, optim.Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss(), metrics=["accuracy"], seed=0
    )
    trainer.fit((x, y), epochs=60 if QUICK else 200, batch_size=50)
    scores[name] = trainer.evaluate((x, y))["accuracy"]
print("two moons:", {name: f"{score:.1%}" for name, score in scores.items()})

across, up = np.meshgrid(np.linspace(-1.5, 2.5, 200), np.linspace(-1, 1.5, 200))
plane = np.stack([across, up], -1).reshape(-1, 2).astype(np.float32)
figure, axes = plt.subplots(1, 3, figsize=(12, 3.4))
for axis, (name, model) in zip(axes, (("line", straight), ("net", deep)), strict=False):
    with tg.no_grad():
        side = model(plane).numpy().argmax(1).reshape(across.shape)
    axis.contourf(across, up, side, levels=[-0.5, 0.5, 1.5], colors=["#fde2d0", "#d6e6f5"])
    axis.scatter(*x.T, c=np.where(y, "#1f5fa8", "#d55e00"), s=8)
    axis.set_title(f"{name}: {scores[name]:.1%}")
with tg.no_grad():
    hidden = x
    for layer in deep[:-1]:
        hidden = layer(hidden)
axes[2].scatter(*hidden.numpy().T, c=np.where(y, "#1f5fa8", "#d55e00"), s=8)
axes[2].set_title("what the hidden layer makes of them")
figure.savefig(OUT / "moons.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Any function
#
# With enough hidden units one layer comes as near to any continuous function as one likes. Here a bent curve, by 1, 4 and 30.

# %%
x = np.linspace(-1, 1, 200, dtype=np.float32)[:, None]
curve = (np.sin(6 * x) + 0.5 * np.sign(x) * x**2).astype(np.float32)
figure, axis = plt.subplots(figsize=(5.5, 3.4))
axis.plot(x, curve, color="#bbbbbb", linewidth=4, label="the function")
nearness = {}
for units, style in ((1, ":"), (4, "--"), (30, "-")):
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, units), nn.Tanh(), nn.Linear(units, 1))
    with tg.no_grad():
        model[0].weight *= 6.0
    trainer = Trainer(model, optim.Adam(model.parameters(), lr=0.02), nn.MSELoss(), seed=0)
    trainer.fit((x, curve), epochs=400 if QUICK else 1500, batch_size=200)
    nearness[units] = trainer.evaluate((x, curve))["loss"]
    axis.plot(x, trainer.predict(x), style, label=f"{units} units")
axis.legend()
figure.savefig(OUT / "approximation.png", dpi=150, bbox_inches="tight")
print("squared error by units:", {units: f"{error:.1e}" for units, error in nearness.items()})

# %% [markdown]
# ## Tables
#
# Columns of texts become columns of 0 and 1, one for each text, by name.

# %%
frame = {"size": [50, 80, 65, 120], "town": ["Oslo", "Rome", "Oslo", "Bonn"], "price": [300.0, 280.0, 350.0, 410.0]}
flats = datasets.from_frame(frame, "price")
print(flats.feature_names, flats.x.tolist())

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "R² of the line": r2,
    "away from the solved weights": apart,
    "accuracy on breast cancer": cancer_accuracy,
    "pairs differ from (y − t)/N by": float(max(pairs.values())),
    "wholly wrong, squared error": behind_sigmoid,
    "wholly wrong, cross-entropy": paired,
    "moons by a line": scores["line"],
    "moons by a net": scores["net"],
    "error by 1 unit": nearness[1],
    "error by 30 units": nearness[30],
    "columns of the table": flats.feature_names,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
