# %% [markdown]
# # 6. Four ways downhill
#
# Plain gradient descent takes the steepest way, which in a long narrow valley zigzags. Momentum gathers speed along the
# valley, AdaGrad takes smaller steps where it has been steep, Adam does both.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 6; Duchi et al. (2011); Kingma and Ba (2015).

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
from viz.plots import landscape

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/06")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## A narrow valley
#
# $f(x, y) = x^2/20 + y^2$ is twenty times as steep across as along. From (−7, 2), thirty steps each.


# %%
def valley(x, y):
    return x**2 / 20 + y**2


RACERS = {
    "SGD": (optim.SGD, {"lr": 0.95}),
    "Momentum": (optim.Momentum, {"lr": 0.1, "momentum": 0.9}),
    "AdaGrad": (optim.AdaGrad, {"lr": 1.5}),
    "Adam": (optim.Adam, {"lr": 0.3}),
}


def descend(kind, settings, steps=30):
    """The places passed."""
    x, y = tg.Tensor(-7.0, requires_grad=True), tg.Tensor(2.0, requires_grad=True)
    optimizer = kind([x, y], **settings)
    path = [(x.item(), y.item())]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(x, y).backward()
        optimizer.step()
        path.append((x.item(), y.item()))
    return np.array(path)


paths = {name: descend(*racer) for name, racer in RACERS.items()}
landscape(valley, paths, x=(-10, 10), y=(-5, 5)).savefig(OUT / "trajectories.png", dpi=150)
for name, path in paths.items():
    print(f"{name:>8} after 30 steps at ({path[-1, 0]:.6f}, {path[-1, 1]:.6f})")

# %% [markdown]
# ## The race on digits
#
# Four hidden layers of 100 ReLU units. Which one wins depends on the problem and on the rates; that plain descent is the
# slowest here does not.

# %%
(x_train, t_train), _ = datasets.digits()
x_train = x_train.reshape(len(x_train), -1)


def train(kind, settings, epochs):
    """The loss of every update."""
    tg.manual_seed(0)
    sizes = [64, 100, 100, 100, 100]
    hidden = [layer for n, m in itertools.pairwise(sizes) for layer in (nn.Linear(n, m), nn.ReLU())]
    model = nn.Sequential(*hidden, nn.Linear(100, 10))
    with tg.no_grad():
        for _, weight in model.named_parameters():
            if weight.ndim == 2:
                weight[...] = tg.randn(*weight.shape) * np.sqrt(2 / weight.shape[0])
    optimizer = kind(model.parameters(), **settings)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    batches = DataLoader((x_train, t_train), batch_size=128, shuffle=True, drop_last=True)
    return [step(x, t).item() for _ in range(epochs) for x, t in batches]


rates = {"SGD": {"lr": 0.01}, "Momentum": {"lr": 0.01, "momentum": 0.9}, "AdaGrad": {"lr": 0.01}, "Adam": {"lr": 0.001}}
losses = {name: train(RACERS[name][0], settings, 12 if QUICK else 100) for name, settings in rates.items()}
figure, axis = plt.subplots(figsize=(5.5, 3.4))
for (name, curve), style in zip(losses.items(), ("-", "--", "-.", ":"), strict=True):
    axis.plot(np.convolve(curve, np.ones(11) / 11, "valid"), style, label=name)
axis.set(xlabel="update", ylabel="loss", ylim=(0, 2.5))
axis.legend()
figure.savefig(OUT / "race.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    **{f"{name} at": path[-1].round(6).tolist() for name, path in paths.items()},
    **{f"last loss of {name}": float(np.mean(curve[-20:])) for name, curve in losses.items()},
}
for name, number in numbers.items():
    print(f"{name}: {number}")
