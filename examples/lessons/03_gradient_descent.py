# %% [markdown]
# # 3. Derivatives, and going downhill
#
# The derivative says how much the result changes when the input does. With it one can walk downhill, step after step:
#
# $$x \leftarrow x - \eta \, \frac{\partial f}{\partial x}$$
#
# Source: Saito, *Deep Learning from Scratch*, chapter 4.

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import optim
from viz.plots import landscape

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer steps, for a look
OUT = Path("out/lessons/03")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The numerical derivative
#
# Take a small step h to both sides: $f'(x) \approx (f(x + h) - f(x - h)) / 2h$. To both sides, since the error of that is
# of the order of h², and to one side of the order of h. Not too small either: at h = 10⁻⁵⁰ the computer sees no step.


# %%
def numerical(f, x, h=1e-4):
    """The central difference of f at x."""
    return (f(x + h) - f(x - h)) / (2 * h)


def parabola(x):
    return 0.01 * x**2 + 0.1 * x


at_5, at_10 = numerical(parabola, 5.0), numerical(parabola, 10.0)
x = tg.Tensor(5.0, requires_grad=True)
exact = tg.grad(parabola(x), x).item()
print("central differences:", at_5, at_10, "  the engine's, exact to rounding:", exact)

h = 10.0 ** -np.arange(0, 16)
true = 1 - np.tanh(0.7) ** 2
errors = {
    "one side, (f(x+h) − f(x)) / h": [abs((np.tanh(0.7 + s) - np.tanh(0.7)) / s - true) for s in h],
    "both sides": [abs(numerical(np.tanh, 0.7, s) - true) for s in h],
}
figure, axis = plt.subplots(figsize=(5, 3.4))
for name, error in errors.items():
    axis.loglog(h, error, "o-", markersize=3, label=name)
axis.set(xlabel="h", ylabel="error", title="The error of a difference quotient: rounding left, curvature right")
axis.legend()
figure.savefig(OUT / "step_size.png", dpi=150, bbox_inches="tight")
best = float(h[np.argmin(errors["both sides"])])

# %% [markdown]
# ## The gradient
#
# Of several inputs, the derivative by each: it points uphill, and its length says how steep.


# %%
def bowl(x):
    return np.sum(x**2)


def gradient(f, x):
    """The gradient of f at an array."""
    leaf = tg.Tensor(x, requires_grad=True)
    return tg.grad(f(leaf), leaf).numpy()


places = [(3.0, 4.0), (0.0, 2.0), (3.0, 0.0)]
gradients = [gradient(bowl, np.array(place)).tolist() for place in places]
print("gradients of x₀² + x₁² at", places, "are", gradients)

grid = np.stack(np.meshgrid(np.linspace(-2, 2, 13), np.linspace(-2, 2, 13)), axis=-1).reshape(-1, 2)
slopes = -np.array([gradient(bowl, place) for place in grid])
figure, axis = plt.subplots(figsize=(4, 4))
axis.quiver(*grid.T, *slopes.T, color="#1f5fa8", angles="xy")
axis.set(xlabel="x₀", ylabel="x₁", title="Downhill: −∂f/∂x", aspect="equal")
figure.savefig(OUT / "gradient_field.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Descent, and the learning rate
#
# Too small a rate, and one hardly leaves; too large, and each step overshoots further than the last.


# %%
def descend(f, start, lr, steps, optimizer=optim.SGD, **settings):
    """The places passed from `start` on."""
    x = tg.Tensor(np.array(start, float), requires_grad=True)
    rule = optimizer([x], lr=lr, **settings)
    path = [x.numpy().copy()]
    for _ in range(steps):
        rule.zero_grad()
        f(x).backward()
        rule.step()
        path.append(x.numpy().copy())
    return np.array(path)


ends = {lr: descend(bowl, (-3.0, 4.0), lr, 100)[-1] for lr in (1e-10, 0.1, 1.1)}
twenty = descend(bowl, (-3.0, 4.0), 0.1, 20)[-1]
for lr, end in ends.items():
    print(f"rate {lr:g}: after 100 steps at {end}")
ways = {f"rate {lr}": descend(bowl, (-3.0, 4.0), lr, 10) for lr in (0.02, 0.1, 0.9, 1.05)}
landscape(lambda x, y: x**2 + y**2, ways, x=(-7, 7), y=(-5, 5)).savefig(OUT / "rates.png", dpi=150)

# %% [markdown]
# ## Where the slope is zero, and yet not the bottom
#
# A **plateau** has next to no slope: one stands still although far from the bottom. A **saddle** goes down to both sides,
# but who comes along its ridge meets slope 0. A **local minimum** is a hollow with a deeper valley behind it. Momentum
# rolls on: what has gathered speed crosses the hump that plain descent is caught by.


# %%
def hollow(x):
    """A hollow at about 1.3, and the deepest valley at about −1.4."""
    return np.sum(0.25 * x**4 - x**2 + 0.3 * x)


def plateau(x):
    return np.sum(1 / (1 + np.exp(-4 * x)))


def saddle(x):
    return x[0] ** 2 - x[1] ** 2


steps = 100 if QUICK else 200
caught = descend(hollow, [2.2], 0.02, steps)
rolled = descend(hollow, [2.2], 0.02, steps, momentum=0.95)
stuck = descend(plateau, [3.0], 0.5, steps)
ridge, beside = descend(saddle, (1.0, 0.0), 0.1, 30), descend(saddle, (1.0, 1e-3), 0.1, 30)
print(f"from 2.2, plain descent ends at {caught[-1, 0]:.2f}, with momentum at {rolled[-1, 0]:.2f}")

xs = np.linspace(-2.4, 2.6, 200)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
axes[0].plot(xs, [hollow(np.array([x])) for x in xs], color="#888888")
axes[0].plot(caught, [hollow(x) for x in caught], "o", markersize=3, label="plain")
axes[0].plot(rolled, [hollow(x) for x in rolled], ".", markersize=4, label="momentum 0.95")
axes[0].set(xlabel="x", title="A local minimum that momentum leaves")
axes[0].legend()
axes[1].plot(xs * 1.5, [plateau(np.array([x])) for x in xs * 1.5], color="#888888")
axes[1].plot(stuck, [plateau(x) for x in stuck], "o", markersize=3)
axes[1].set(xlabel="x", title="A plateau: no slope, no progress")
figure.savefig(OUT / "hollow_and_plateau.png", dpi=150, bbox_inches="tight")
ways = {"on the ridge of a saddle": ridge, "a hair beside it": beside}
landscape(lambda x, y: x**2 - y**2, ways, x=(-1.5, 1.5), y=(-1, 1)).savefig(OUT / "saddle.png", dpi=150)

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "central difference at 5": at_5,
    "central difference at 10": at_10,
    "the engine at 5": exact,
    "the best h for both sides": best,
    "gradients": gradients,
    "after 20 steps": twenty.tolist(),
    "after 100 steps": ends[0.1].tolist(),
    "rate too small stays at": ends[1e-10].round(3).tolist(),
    "rate too large goes beyond": float(np.abs(ends[1.1]).min()),
    "plain descent ends at": float(caught[-1, 0]),
    "momentum ends at": float(rolled[-1, 0]),
    "the plateau is left by": float(abs(stuck[-1, 0] - 3)),
    "on the ridge of the saddle": float(ridge[-1, 1]),
    "a hair beside the ridge": float(beside[-1, 1]),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
