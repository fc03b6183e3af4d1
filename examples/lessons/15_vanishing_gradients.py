# %% [markdown]
# # 15. Vanishing gradients
#
# Going back, each sigmoid multiplies by its slope, which is 1/4 at most. After ten layers a millionth is left, and the
# first layers of a deep net do not learn. ReLU multiplies by 1 or 0, and with weights of the right spread what arrives
# at the first layer is as large as what left the last.
#
# Source: Hochreiter (1991); Glorot, Bordes and Bengio, *Deep sparse rectifier neural networks* (2011).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer nets, for a look
OUT = Path("out/lessons/15")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Gradient norms by depth
#
# Nets of 100 units a layer; the norm of ∂L/∂W of each layer, over that of the last.

# %%
generator = np.random.default_rng(0)
x, t = generator.normal(size=(64, 100)), generator.integers(100, size=64)
NETS = {"sigmoid, Xavier": (tg.sigmoid, 1.0), "ReLU, He": (tg.relu, 2.0)}


def norms(activation, gain, depth):
    """The norm of the gradient of each layer's weights, first to last."""
    spread = np.sqrt(gain / 100)
    weights = [tg.Tensor(spread * generator.normal(size=(100, 100)), requires_grad=True) for _ in range(depth)]
    h = x
    for w in weights[:-1]:
        h = activation(h @ w)
    loss = F.cross_entropy(h @ weights[-1], t)
    return [float(np.linalg.norm(g.numpy())) for g in tg.grad(loss, weights)]


ratios = {
    name: {
        depth: float(np.median([(n := norms(*net, depth))[0] / n[-1] for _ in range(3 if QUICK else 15)]))
        for depth in (5, 10, 20)
    }
    for name, net in NETS.items()
}
for name, by_depth in ratios.items():
    print(f"{name}: first over last", {depth: f"{ratio:.1e}" for depth, ratio in by_depth.items()})

figure, axis = plt.subplots(figsize=(5.5, 3.4))
for (name, net), style in zip(NETS.items(), ("o--", "s-"), strict=True):
    axis.semilogy(range(1, 21), norms(*net, 20), style, markersize=3, label=name)
axis.set(xlabel="layer", ylabel="‖∂L/∂W‖", title="Twenty layers")
axis.legend()
figure.savefig(OUT / "norms.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Where it goes: the slopes
#
# The slope of the sigmoid is y(1 − y), 1/4 at the most and next to 0 where it saturates; ReLU's is 1 where it is open.

# %%
a = tg.linspace(-6, 6, 241).requires_grad_()
slopes = {
    name: tg.grad(f(a).sum(), a).numpy() for name, f in (("sigmoid", tg.sigmoid), ("tanh", np.tanh), ("ReLU", tg.relu))
}
figure, axis = plt.subplots(figsize=(5, 3))
for (name, slope), style in zip(slopes.items(), ("-", "--", "-."), strict=True):
    axis.plot(a.numpy(), slope, style, label=name)
axis.set(xlabel="a", ylabel="slope")
axis.legend()
figure.savefig(OUT / "slopes.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    **{f"{name}, depth {depth}": ratio for name, by_depth in ratios.items() for depth, ratio in by_depth.items()},
    "largest slope of the sigmoid": float(slopes["sigmoid"].max()),
    "a bound for ten sigmoids": 0.25**10,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
