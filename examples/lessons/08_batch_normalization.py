# %% [markdown]
# # 8. Batch normalization
#
# If the spread of what a layer gives matters so much, why not set it? Each channel of a batch is shifted and scaled to mean
# 0 and variance 1, then to a mean and a spread that are learnt:
#
# $$\hat x = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad y = \gamma \hat x + \beta$$
#
# Then it hardly matters how weights begin, and higher rates can be used.
#
# Source: Ioffe and Szegedy (2015); Saito, *Deep Learning from Scratch*, chapter 6.

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
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer scales, for a look
OUT = Path("out/lessons/08")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## What the layer does
#
# In training by the batch's own statistics, in evaluation by running ones, so that the answer for one example does not hang
# on its neighbours in the batch.

# %%
tg.manual_seed(0)
generator = np.random.default_rng(0)
layer = nn.BatchNorm1d(3)
batch = (generator.normal(size=(200, 3)) * [1, 10, 100] + [0, 5, -50]).astype(np.float32)
normal = layer(batch).numpy()
print("before: mean", batch.mean(0).round(1), "std", batch.std(0).round(1))
print("after:  mean", normal.mean(0).round(3) + 0.0, "std", normal.std(0).round(3))
for _ in range(100):
    layer(batch)
layer.eval()
one, among = layer(batch[:1]).numpy(), layer(batch).numpy()[:1]

x = tg.Tensor(batch[:4], name="x")
draw(nn.BatchNorm1d(3)(x), collapse=None).save(OUT / "graph.svg")

# %% [markdown]
# ## Sixteen ways to begin, with and without
#
# 1,000 digits, five hidden layers of 100, plain descent at 0.01, weights that begin with a spread from 1 to 10⁻⁴. Without
# normalization only the few near √(2/n) learn at all.

# %%
(x_train, t_train), _ = datasets.digits()
x_train, t_train = x_train.reshape(len(x_train), -1)[:1000], t_train[:1000]


def train(scale, normalized, epochs):
    """The training accuracy after each epoch."""
    tg.manual_seed(0)
    parts = []
    for n, m in itertools.pairwise([64, 100, 100, 100, 100, 100]):
        parts += [nn.Linear(n, m), *([nn.BatchNorm1d(m)] if normalized else []), nn.ReLU()]
    model = nn.Sequential(*parts, nn.Linear(100, 10))
    with tg.no_grad():
        for _, weight in model.named_parameters():
            if weight.ndim == 2:
                weight[...] = tg.randn(*weight.shape) * scale
    optimizer = optim.SGD(model.parameters(), lr=0.01)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    found = []
    for _ in range(epochs):
        with np.errstate(all="ignore"):  # weights of spread 1 overflow, which is the point
            for x, t in DataLoader((x_train, t_train), batch_size=100, shuffle=True):
                step(x, t)
        with tg.no_grad():  # as in the source, by the batch's own statistics
            found.append(float((model(x_train).numpy().argmax(1) == t_train).mean()))
    return found


scales = np.logspace(0, -4, 16)
scales = scales[[0, 3, 8]] if QUICK else scales
curves = {(s, bn): train(s, bn, 20) for s in scales for bn in (True, False)}
columns = 3 if QUICK else 4
figure, axes = plt.subplots(
    -(-len(scales) // columns), columns, figsize=(11, 3.5 if QUICK else 8), sharex=True, sharey=True, squeeze=False
)
for axis, s in zip(axes.flat, scales, strict=False):
    axis.plot(curves[s, True], label="batch norm")
    axis.plot(curves[s, False], "--", label="without")
    axis.set_title(f"std {s:.4f}", fontsize=9)
    axis.set_ylim(0, 1)
axes[0, 0].legend(fontsize=8)
figure.savefig(OUT / "scales.png", dpi=100, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
learnt = {bn: sum(curves[s, bn][-1] >= 0.5 for s in scales) for bn in (True, False)}
numbers = {
    "largest mean after it": float(np.abs(normal.mean(0)).max()),
    "spread after it": normal.std(0).round(3).tolist(),
    "one alone, minus the same among others": float(np.abs(one - among).max()),
    "scales": len(scales),
    "scales that learn with batch norm": learnt[True],
    "scales that learn without": learnt[False],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
