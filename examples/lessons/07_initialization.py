# %% [markdown]
# # 7. How weights begin
#
# A signal that passes many layers is multiplied by many matrices. If they begin too large, activations saturate; too
# small, and all units say the same; all equal, and they stay equal for ever. The right size depends on how many inputs a
# unit adds up: $\sqrt{1/n}$ for sigmoid and tanh (Xavier), $\sqrt{2/n}$ for ReLU (He), which silences half of them.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 6; Glorot and Bengio (2010); He et al. (2015).

# %%
from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from viz.plots import activations

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/07")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## What five layers make of 1,000 inputs
#
# 1,000 examples of 100 numbers pass five layers of 100 units, in four nets that differ by the spread of their weights: 1,
# 0.01, Xavier's √(1/n) and He's √(2/n). What the units say is shown as a histogram, a row for each net, layer by layer.

# %%
generator = np.random.default_rng(0)
x = generator.normal(size=(1000, 100))
functions = {"sigmoid": tg.sigmoid, "tanh": np.tanh, "ReLU": tg.relu}
scales = {"one": 1.0, "hundredth": 0.01, "Xavier": np.sqrt(1 / 100), "He": np.sqrt(2 / 100)}


class Layer(nn.Module):
    """h = f(x·W), with weights of a given spread."""

    def __init__(self, function, scale):
        self.weight = nn.Parameter(scale * generator.normal(size=(100, 100)))
        self.function = function

    def forward(self, x):
        return self.function(x @ self.weight)


class Side(nn.Module):
    """Nets of five layers, side by side, each with its own spread."""

    def __init__(self, function):
        self.nets = {name: [Layer(function, scale) for _ in range(5)] for name, scale in scales.items()}

    def forward(self, x):
        self.found = {}
        for name, layers in self.nets.items():
            h, self.found[name] = x, []
            for layer in layers:
                h = layer(h)
                self.found[name].append(h.numpy())
        return h


spread, last = {}, {}
for name, function in functions.items():
    side = Side(function)
    if name == "tanh" or not QUICK:
        activations(side, x, bins=30, share=name != "ReLU").savefig(OUT / f"{name}.png", dpi=60 if QUICK else 110)
    else:
        side(x)
    for scale_name, found in side.found.items():
        spread[name, scale_name] = [float(h.std()) for h in found]
        last[name, scale_name] = found[-1]
for (name, scale_name), stds in spread.items():
    print(f"{name:>8} {scale_name:>9}: std by layer", [round(s, 3) for s in stds])

# %% [markdown]
# ## Equal weights stay equal
#
# If all units of a layer begin alike, each gets the same gradient, and they remain copies of one another, whatever
# they are shown: not nearly, but to the last bit. Random numbers break the tie; zeros are the same case.


# %%
def columns_after(column, updates=100):
    """The hidden weights, (inputs, units), of a net whose hidden units all begin with this column, after so many updates."""
    model = nn.Sequential(nn.Linear(8, 5), nn.Tanh(), nn.Linear(5, 3))
    with tg.no_grad():
        model[0].weight[...] = column[:, None]
        model[0].bias[...] = 0.0
        model[2].weight[...] = model[2].weight.numpy()[:1]  # and all are listened to alike
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    data, labels = generator.normal(size=(30, 8)).astype(np.float32), generator.integers(3, size=30)
    for _ in range(updates):
        optimizer.zero_grad()
        F.cross_entropy(model(data), labels).backward()
        optimizer.step()
    return model[0].weight.numpy()


begun = generator.normal(size=8).astype(np.float32)
equal, zero = columns_after(begun), columns_after(np.zeros(8))
moved = float(np.abs(equal[:, 0] - begun).max())
print(f"after 100 updates, which moved a weight by {moved:.2f}, equal columns differ by {np.ptp(equal, axis=1).max()}")

# %% [markdown]
# ## What it does to learning
#
# Four hidden layers of 100 ReLU units on handwritten digits, by plain gradient descent: with std 0.01 nothing is learnt.

# %%
(x_train, t_train), _ = datasets.digits()
x_train = x_train.reshape(len(x_train), -1)


def train(scale, epochs):
    """The loss of every update; `scale(n)` is the std of weights that add up n inputs."""
    tg.manual_seed(1)
    sizes = [64, 100, 100, 100, 100, 10]
    parts = []
    for n, m in itertools.pairwise(sizes):
        parts += [nn.Linear(n, m), nn.ReLU()]
        with tg.no_grad():
            parts[-2].weight[...] = scale(n) * generator.normal(size=(n, m))
            parts[-2].bias[...] = 0.0
    model = nn.Sequential(*parts[:-1])
    optimizer = optim.SGD(model.parameters(), lr=0.03)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    batches = DataLoader((x_train, t_train), batch_size=128, shuffle=True, drop_last=True)
    return [step(x, t).item() for _ in range(epochs) for x, t in batches]


rules = {"std 0.01": lambda n: 0.01, "Xavier": lambda n: np.sqrt(1 / n), "He": lambda n: np.sqrt(2 / n)}
curves = {name: train(rule, 10 if QUICK else 60) for name, rule in rules.items()}
figure, axis = plt.subplots(figsize=(5.5, 3.4))
for (name, curve), style in zip(curves.items(), (":", "--", "-"), strict=True):
    axis.plot(np.convolve(curve, np.ones(11) / 11, "valid"), style, label=name)
axis.set(xlabel="update", ylabel="loss", title="Four hidden layers of ReLU, by how weights begin")
axis.legend()
figure.savefig(OUT / "learning.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "sigmoid, std 1, share saturated": float(np.mean(np.abs(last["sigmoid", "one"] - 0.5) > 0.45)),
    "sigmoid, std 0.01, last layer's std": spread["sigmoid", "hundredth"][-1],
    "tanh, std 0.01, last layer's std": spread["tanh", "hundredth"][-1],
    "tanh, Xavier, last over first std": spread["tanh", "Xavier"][-1] / spread["tanh", "Xavier"][0],
    "ReLU, std 0.01, last layer's std": spread["ReLU", "hundredth"][-1],
    "ReLU, Xavier, last over first std": spread["ReLU", "Xavier"][-1] / spread["ReLU", "Xavier"][0],
    "ReLU, He, last over first std": spread["ReLU", "He"][-1] / spread["ReLU", "He"][0],
    "equal columns differ by": float(np.ptp(equal, axis=1).max()),
    "… and have moved by": moved,
    "zero columns differ by": float(np.ptp(zero, axis=1).max()),
    "last loss, std 0.01": float(np.mean(curves["std 0.01"][-20:])),
    "last loss, Xavier": float(np.mean(curves["Xavier"][-20:])),
    "last loss, He": float(np.mean(curves["He"][-20:])),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
