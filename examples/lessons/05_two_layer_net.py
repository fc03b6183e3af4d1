# %% [markdown]
# # 5. A two-layer net, by numerical and by analytic gradient
#
# The same net is trained twice: with gradients from small changes of each weight, and with gradients from the rules of the
# operations. The first needs two runs of the net for **each** weight; the second one run, and one walk back. That they
# agree is the check that every engine is held to.
#
# Source: Saito, *Deep Learning from Scratch*, chapters 4 and 5.

# %%
from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from viz import draw
from viz.plots import training_curves

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/05")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The net
#
# 64 pixels, 50 units, 10 classes. Weights begin small and random, 0.01·N(0, 1), in float64 so that a small change is seen.

# %%
(x_train, t_train), (x_test, t_test) = datasets.digits()
x_train, x_test = x_train.reshape(len(x_train), -1).astype(float), x_test.reshape(len(x_test), -1).astype(float)
generator = np.random.default_rng(0)
tg.set_default_dtype(np.float64)


class TwoLayerNet(nn.Module):
    def __init__(self, inputs, hidden, classes, scale=0.01):
        self.W1 = nn.Parameter(scale * generator.normal(size=(inputs, hidden)))
        self.b1 = nn.Parameter(np.zeros(hidden))
        self.W2 = nn.Parameter(scale * generator.normal(size=(hidden, classes)))
        self.b2 = nn.Parameter(np.zeros(classes))

    def forward(self, x):
        return F.relu(x @ self.W1 + self.b1) @ self.W2 + self.b2

    def loss(self, x, t):
        return F.cross_entropy(self(x), t)


# %% [markdown]
# ## The gradient, twice
#
# Numerically: each of the weights a little up, a little down, and the loss at both.


# %%
def numerical_gradient(f, w, h=1e-4):
    """(f(w + h) − f(w − h)) / 2h for each element of the array w, which f reads."""
    g = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        kept = w[i]
        w[i] = kept + h
        above = f()
        w[i] = kept - h
        g[i] = (above - f()) / (2 * h)
        w[i] = kept
    return g


small = TwoLayerNet(64, 5 if QUICK else 50, 10, scale=0.3)
x, t = x_train[:3], t_train[:3]

begun = time.perf_counter()
small.loss(x, t).backward()
analytic_time = time.perf_counter() - begun

differences, begun = {}, time.perf_counter()
for name, parameter in small.named_parameters():
    with tg.no_grad():
        numerical = numerical_gradient(lambda: small.loss(x, t).item(), parameter.data)
    differences[name] = float(np.abs(numerical - parameter.grad.numpy()).mean())
numerical_time = time.perf_counter() - begun
for name, difference in differences.items():
    print(f"{name}: mean difference {difference:.1e}")
count = sum(p.size for p in small.parameters())
print(f"{count} weights: numerically {numerical_time:.2f} s, analytically {analytic_time * 1e3:.1f} ms")

# %% [markdown]
# ## Learning
#
# In batches of 100, with the mean loss of every epoch, and the accuracy after it on both sets, the test set for validation. If the two
# accuracies go apart, the net learns by heart; here they do not.

# %%
tg.manual_seed(0)
model = TwoLayerNet(64, 50, 10)
optimizer = optim.SGD(model.parameters(), lr=0.1)
draw(model.loss(tg.Tensor(x, name="x"), t), sizes={3: "N"}).save(OUT / "graph.svg")


def accuracy(x, t):
    with tg.no_grad():
        return float((model(x).numpy().argmax(axis=1) == t).mean())


@tg.replay
def step(x, t):
    loss = model.loss(x, t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses, accuracies = [], []
for _ in range(60 if QUICK else 150):
    losses += [step(x, t).item() for x, t in DataLoader((x_train, t_train), batch_size=100, shuffle=True)]
    accuracies.append((accuracy(x_train, t_train), accuracy(x_test, t_test)))

history = {
    "loss": np.reshape(losses, (len(accuracies), -1)).mean(axis=1),
    "accuracy": [training for training, _ in accuracies],
    "val_accuracy": [test for _, test in accuracies],
}
training_curves(history).savefig(OUT / "learning.png", dpi=150)
tg.set_default_dtype(np.float32)

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "mean difference of the gradients": max(differences.values()),
    "times as long, numerically": round(numerical_time / analytic_time),
    "loss at first": losses[0],
    "loss at last": float(np.mean(losses[-14:])),
    "training accuracy": accuracies[-1][0],
    "test accuracy": accuracies[-1][1],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
