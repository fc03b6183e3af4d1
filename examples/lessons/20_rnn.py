# %% [markdown]
# # 20. A recurrent network by hand
#
# A sentence, a melody, a curve: what comes next depends on what came before. A recurrent layer reads one step at a time
# and keeps a state h, which it hands on to itself:
#
# $$h_t = \tanh(x_t W_x + h_{t-1} W_h + b)$$
#
# The same three parameters serve every step, so their gradient is a sum over time, and the gradient of the state passes
# through the same matrix again and again: it grows or it fades.
#
# Source: Saito, *Deep Learning from Scratch 2*, chapters 5 and 6; Pascanu, Mikolov and Bengio (2013).

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
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/20")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## One layer, unrolled
#
# A loop over time is an ordinary graph: the cell three times over, each time with the same weights. The drawing shows
# the three uses of each parameter, which is why its gradient is a sum of three.


# %%
def rnn(x, h, wx, wh, b):
    """The states after each step, stacked: x (N, T, D), h (N, H) to (N, T, H)."""
    states = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ wx + h @ wh + b)
        states.append(h)
    return np.stack(states, axis=1)


N, T, D, H = 2, 3, 4, 5
generator = np.random.default_rng(0)
x = tg.Tensor(generator.normal(size=(N, T, D)), name="x")
h0 = tg.Tensor(np.zeros((N, H)), name="h0")
wx = tg.Tensor(generator.normal(size=(D, H)) / np.sqrt(D), requires_grad=True, name="Wx")
wh = tg.Tensor(generator.normal(size=(H, H)) / np.sqrt(H), requires_grad=True, name="Wh")
b = tg.Tensor(np.zeros(H), requires_grad=True, name="b")
states = rnn(x, h0, wx, wh, b)
draw(states.sum()).save(OUT / "unrolled.svg")

# %% [markdown]
# ## Backward through time, by hand
#
# From the last step to the first, with dh the slope of the loss by the state. tanh multiplies by 1 − h²; the weights
# gather one term a step; what is left goes back through $W_h$ to the step before:
#
# $$da = (1 - h_t^2) \odot dh,\quad dW_x \mathrel{+}= x_t^T da,\quad dW_h \mathrel{+}= h_{t-1}^T da,\quad dh_{t-1} = da\,W_h^T$$


# %%
def backward(x, h0, states, wx, wh, slope):
    """The slopes by Wx, Wh and b, of a loss whose slope by the states is `slope`, (N, T, H)."""
    dwx, dwh, db, dh = np.zeros_like(wx), np.zeros_like(wh), np.zeros(wh.shape[0]), np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        before = states[:, t - 1] if t else h0
        da = (1 - states[:, t] ** 2) * (dh + slope[:, t])
        dwx, dwh, db = dwx + x[:, t].T @ da, dwh + before.T @ da, db + da.sum(axis=0)
        dh = da @ wh.T
    return dwx, dwh, db


slope = generator.normal(size=(N, T, H))
(states * slope).sum().backward()
by_hand = backward(*(a.numpy() for a in (x, h0, states, wx, wh)), slope)
minus_engine = max(float(np.abs(g - w.grad.numpy()).max()) for g, w in zip(by_hand, (wx, wh, b), strict=True))

# %% [markdown]
# The library's layer is the same loop written as one operation, with this rule. (It has two biases, as PyTorch's, one
# beside each matrix.)

# %%
layer = nn.RNN(D, H, batch_first=True).double()
with tg.no_grad():
    layer.weight_ih_l0[...], layer.weight_hh_l0[...] = wx, wh
    layer.bias_ih_l0[...], layer.bias_hh_l0[...] = b, 0.0
given, _ = layer(x)
(given * slope).sum().backward()
layer_differs = float(np.abs(given.numpy() - states.numpy()).max())
layer_slope_differs = float(np.abs(layer.weight_hh_l0.grad.numpy() - wh.grad.numpy()).max())
print(
    f"by hand and the engine: {minus_engine:.1e}; nn.RNN: states {layer_differs:.1e}, slopes {layer_slope_differs:.1e}"
)

# %% [markdown]
# ## It grows, or it fades
#
# Leave tanh out, and dh is multiplied by $W_h^T$ once a step. In the long run each step stretches it by the largest
# absolute eigenvalue of $W_h$: above 1 the gradient explodes, below 1 it vanishes, and the past cannot be learnt from.
# (The largest singular value is the most that one step can stretch. Below 1 it proves that the gradient vanishes; above 1
# it proves nothing, as the halved matrix shows.)


# %%
def norms(wh, steps=20):
    """‖dh‖ / N at each step back, from dh = ones."""
    dh, found = np.ones((N, wh.shape[0])), []
    for _ in range(steps):
        dh = dh @ wh.T
        found.append(float(np.sqrt(np.sum(dh**2)) / N))
    return found


drawn = np.random.RandomState(3).randn(3, 3)
grown, faded = norms(drawn), norms(0.5 * drawn)
stretch = float(np.abs(np.linalg.eigvals(drawn)).max())
most = float(np.linalg.svd(drawn, compute_uv=False)[0])
print(
    f"largest eigenvalue {stretch:.3f}, halved {stretch / 2:.3f}; largest singular value {most:.3f}, halved {most / 2:.3f}"
)
figure, axis = plt.subplots(figsize=(5.5, 3.4))
axis.semilogy(range(1, 21), grown, "o-", markersize=3, label="$W_h$")
axis.semilogy(range(1, 21), faded, "s--", markersize=3, label="$W_h$ / 2")
axis.set(xlabel="steps back", ylabel="‖dh‖ / N", title="A gradient on its way through time")
axis.legend()
figure.savefig(OUT / "norms.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# Against growing there is a simple remedy: if the norm of all gradients together is above a limit, scale them down to
# it. The direction stays. (Against fading there are gates: lesson 21.)

# %%
w = nn.Parameter(np.zeros(4))
w.grad = tg.Tensor(np.array([30.0, 0.0, -40.0, 0.0]))
before = float(nn.utils.clip_grad_norm_([w], 5.0))
clipped = w.grad.numpy().round(4).tolist()
print(f"a gradient of norm {before:.1f} becomes {clipped}")

# %% [markdown]
# ## Truncated backpropagation through time
#
# A long series need not be one graph. Cut it into blocks: the state flows on from block to block, the gradient stops at
# each border. `detach` is the cut. Here the layer learns to say the next value of two sines added up.

# %%
tg.manual_seed(0)
wave = np.sin(np.arange(1201) * 0.2) + 0.5 * np.sin(np.arange(1201) * 0.31)
wave = wave.astype(np.float32)
rows = wave[:1200].reshape(4, 300, 1), wave[1:].reshape(4, 300, 1)  # four places to begin at, and what follows
recurrent, readout = nn.RNN(1, 24, batch_first=True), nn.Linear(24, 1)
optimizer = optim.Adam([*recurrent.parameters(), *readout.parameters()], lr=0.005)
BLOCK = 25


@tg.replay
def step(x, t, h):
    states, h = recurrent(x, h)
    loss = F.mse_loss(readout(states), t)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(recurrent.parameters(), 1.0)
    optimizer.step()
    return loss, h


curve = []
for _ in range(15 if QUICK else 100):
    h, losses = tg.zeros(1, 4, 24, dtype=np.float32), []
    for begin in range(0, 300, BLOCK):
        x, t = (row[:, begin : begin + BLOCK] for row in rows)
        loss, h = step(x, t, h.detach())
        losses.append(loss.item())
    curve.append(float(np.mean(losses)))

with tg.no_grad():
    states, _ = recurrent(rows[0][:1])
    said = readout(states).numpy()[0, :, 0]
naive = float(np.mean((rows[1] - rows[0]) ** 2))  # who says that nothing will change
print(f"squared error {curve[-1]:.5f}; of saying the last value again {naive:.5f}")
figure, axis = plt.subplots(figsize=(7, 2.6))
axis.plot(rows[1][0, :, 0], label="the series")
axis.plot(said, "--", label="said one step ahead")
axis.set(xlabel="t")
axis.legend(loc="lower right")
figure.savefig(OUT / "series.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "by hand minus the engine": minus_engine,
    "nn.RNN differs by": max(layer_differs, layer_slope_differs),
    "norm after 1, 10, 20 steps": [round(grown[i], 5) for i in (0, 9, 19)],
    "norm after 20 steps, halved": faded[19],
    "largest eigenvalue": stretch,
    "stretched by a step, from 10 to 20": (grown[19] / grown[9]) ** 0.1,
    "largest singular value, halved": most / 2,
    "clipped": clipped,
    "error one step ahead": curve[-1],
    "error of saying the last value again": naive,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
