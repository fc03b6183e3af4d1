# %% [markdown]
# # 21. LSTM and GRU
#
# The gradient of a simple recurrent layer fades on its way back, because each step multiplies it by the same matrix and by
# the slope of tanh (lesson 20). A gate is a number between 0 and 1 that says how much of something passes. Layers with
# gates keep a state that is mostly carried on unchanged, so what happened long ago can still be learnt from.
#
# Sources: Hochreiter and Schmidhuber, *Long short-term memory* (1997); Gers, Schmidhuber and Cummins, *Learning to forget*
# (2000); Cho et al. (2014) for the GRU; Saito, *Deep Learning from Scratch 2*, chapter 6.

# %%
from __future__ import annotations

import os
import pydoc_data.topics
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import CharTokenizer
from tinygrad_edu.models import CharRNN
from viz import draw

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # smaller layers and fewer steps, for a look
OUT = Path("out/lessons/21")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The equations
#
# An LSTM has two states. c is the memory: at each step it is multiplied by the forget gate f, and what is new, g, is
# added through the input gate i. h is what the layer shows of it, through the output gate o:
#
# $$i, f, o = \sigma(\cdot),\quad g = \tanh(\cdot),\quad c_t = f \odot c_{t-1} + i \odot g,\quad h_t = o \odot \tanh c_t$$
#
# Each dot stands for $x_t W_{ih} + b_{ih} + h_{t-1} W_{hh} + b_{hh}$ with weights of its own; the library keeps the four
# side by side in one matrix, in the order i f g o. Back from $c_t$ to $c_{t-1}$ the gradient is multiplied by f, and by no
# matrix: where f is near 1, it does not fade.
#
# A GRU has one state and three blocks, r z n. The gate z mixes the old state with a new one, and r says how much of the
# old state the new one is made from:
#
# $$r, z = \sigma(\cdot),\quad n = \tanh(x W_n + b_n + r \odot (h W'_n + b'_n)),\quad h_t = (1 - z) \odot n + z \odot h_{t-1}$$


# %%
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, w_ih, w_hh, b_ih, b_hh):
    """h and c after one step: x (N, D), h and c (N, H), weights (D, 4H) and (H, 4H)."""
    i, f, g, o = np.split(x @ w_ih + b_ih + h @ w_hh + b_hh, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(x, h, w_ih, w_hh, b_ih, b_hh):
    """h after one step: x (N, D), h (N, H), weights (D, 3H) and (H, 3H)."""
    (r, z, n), (r_h, z_h, n_h) = np.split(x @ w_ih + b_ih, 3, axis=1), np.split(h @ w_hh + b_hh, 3, axis=1)
    r, z = sigmoid(r + r_h), sigmoid(z + z_h)
    return (1 - z) * np.tanh(n + r * n_h) + z * h


N, T, D, H = 2, 7, 4, 5
generator = np.random.default_rng(0)
tg.manual_seed(0)
x = generator.normal(size=(N, T, D))
differences = {}
layers = {"LSTM": nn.LSTM(D, H, batch_first=True).double(), "GRU": nn.GRU(D, H, batch_first=True).double()}
for name, layer in layers.items():
    weights = [w.numpy() for w in layer.parameters()]
    h, c = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T):
        h, c = lstm_step(x[:, t], h, c, *weights) if name == "LSTM" else (gru_step(x[:, t], h, *weights), c)
    differences[f"{name} by hand"] = float(np.abs(h - layer(x)[0].numpy()[:, -1]).max())

# %% [markdown]
# A figure shows one step, made by `nn.LSTMCell`. In the columns 0:5 are i, in 5:10 f, in 10:15 g and in 15:20 o. From c0
# to c there is one product and one sum: that is the path on which the gradient does not fade. (`nn.LSTM` computes all steps
# as one operation; with `unroll=True` it records every step like this one.)

# %%
x0 = tg.Tensor(generator.normal(size=(1, D)), name="x")
h0, c0 = (tg.Tensor(np.zeros((1, H)), name=name) for name in ("h0", "c0"))
h, c = nn.LSTMCell(D, H).double()(x0, (h0, c0))
draw([h, c], show="shape", direction="forward", collapse=None).save(OUT / "lstm_cell.svg")

unrolled = nn.LSTM(D, H, batch_first=True, unroll=True).double()
unrolled.load_state_dict(layers["LSTM"].state_dict())
differences["LSTM unrolled"] = float(np.abs(unrolled(x)[0].numpy() - layers["LSTM"](x)[0].numpy()).max())
print("differ from the library's layers by", differences)

# %% [markdown]
# ## Why gates: how far a gradient reaches
#
# How does the last state depend on the input of each step before? The last state is multiplied by random numbers, and the
# slope of that by each input is measured. Layers are as they begin, without training. Gates begin near σ(0) = ½, so an
# LSTM forgets half at each step, and gates alone do not help yet. With a bias of 5 the forget gate begins at σ(5) ≈ 0.99,
# and the memory lasts. The GRU's z keeps the old state in the same way, so the same bias serves it.

# %%
STEPS = 60


def reach(layer):
    """‖∂(last state · random)/∂x_t‖ for each t, mean of 16 sequences."""
    x = tg.Tensor(generator.normal(size=(STEPS, 16, 8)), requires_grad=True)
    y, _ = layer.double()(x)
    (y[-1] * generator.normal(size=y.shape[1:])).sum().backward()
    return np.linalg.norm(x.grad.numpy(), axis=2).mean(axis=1)


def remembering(layer, bias):
    """The layer with this bias at the gates that keep: f of an LSTM, z of a GRU, the second block of either."""
    size = layer.hidden_size
    with tg.no_grad():
        layer.bias_ih_l0[size : 2 * size], layer.bias_hh_l0[size : 2 * size] = bias, 0.0
    return layer


tg.manual_seed(0)
reaches = {
    "RNN": reach(nn.RNN(8, 32)),
    "LSTM": reach(nn.LSTM(8, 32)),
    "LSTM, bias 5": reach(remembering(nn.LSTM(8, 32), 5.0)),
    "GRU": reach(nn.GRU(8, 32)),
    "GRU, bias 5": reach(remembering(nn.GRU(8, 32), 5.0)),
}
figure, axis = plt.subplots(figsize=(5.5, 3.4))
for (name, norms), style in zip(reaches.items(), ("k-", "C0--", "C0-", "C1--", "C1-"), strict=True):
    axis.semilogy(range(STEPS), norms[::-1] / norms[-1], style, label=name)
axis.set(xlabel="steps back", ylabel="slope, relative to the last step", title="How far a gradient reaches")
axis.legend()
figure.savefig(OUT / "reach.png", dpi=150, bbox_inches="tight")
kept = {name: float(norms[-21] / norms[-1]) for name, norms in reaches.items()}
print("kept after 20 steps:", {name: f"{share:.1e}" for name, share in kept.items()})

# %% [markdown]
# ## Parameters, and how they are shared
#
# A recurrent layer has D·H + H·H weights and 2·H biases, an LSTM four times as many, a GRU three times. All steps share
# them: a sequence of 100 steps needs no more than one of 3, and what is learnt at one place holds at all of them. Were
# each step to have weights of its own, there would be 100 times as many. A convolution shares in the same way over the
# places of an image: a 3×3 kernel from 16 to 32 channels has 4,640 parameters, whatever the size; a fully connected layer
# between the same numbers of an image of 28×28 has some 315 million.

# %%
D, H, T = 100, 100, 100
counted, by_formula = [], []
for layer, blocks in ((nn.RNN(D, H), 1), (nn.LSTM(D, H), 4), (nn.GRU(D, H), 3)):
    counted.append(sum(w.size for w in layer.parameters()))
    by_formula.append(blocks * ((D + H) * H + 2 * H))
unshared = [T * count for count in counted]
convolution = sum(w.size for w in nn.Conv2d(16, 32, 3, padding=1).parameters())
connected = (16 * 28 * 28) * (32 * 28 * 28) + 32 * 28 * 28
print(f"RNN, LSTM, GRU: {counted}, by formula {by_formula}; a set for each of {T} steps: {unshared}")
print(f"convolution {convolution:,}, fully connected {connected:,}: {connected / convolution:,.0f} times as many")

# %% [markdown]
# ## A task that needs memory
#
# A sequence of random numbers between −1 and 1; the first one is marked, and is to be said at the end. Who says 0 has an
# error of 1/3, the variance of the numbers; errors are given as a share of that. Only a gradient that comes back over the
# whole length can teach this, and the number has to survive all the others.
#
# A simple RNN does not learn it. With luck and many more updates it learns the sign: a state that is driven to −1 or 1
# stays there, so one bit can be kept, and a quarter of the variance is left.

# %%
LENGTH = 30 if QUICK else 60


class Recall(nn.Module):
    """The first number: a recurrent layer, and a linear head on its last state."""

    def __init__(self, layer):
        self.layer, self.head = layer, nn.Linear(layer.hidden_size, 1)

    def forward(self, x):
        return self.head(self.layer(x)[0][-1])


def sequences(count):
    """(LENGTH, count, 2): numbers, and 1 beside the first of them, 0 beside the others."""
    x = np.zeros((LENGTH, count, 2), np.float32)
    x[:, :, 0], x[0, :, 1] = generator.uniform(-1, 1, (LENGTH, count)), 1
    return x


def recall(layer, updates):
    """The updates made, and after so many the squared error on new sequences as a share of the variance."""
    model, curve, test = Recall(layer), [], sequences(300)
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @tg.replay
    def step(x):
        loss = F.mse_loss(model(x), x[0, :, :1])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    for i in range(1, updates + 1):
        step(sequences(32))
        if i % (updates // 10) == 0:
            with tg.no_grad():
                curve.append((i, 3 * F.mse_loss(model(test), test[0, :, :1]).item()))
    return curve


UPDATES = 130 if QUICK else 800
tg.manual_seed(0)
learners = {
    "RNN": nn.RNN(2, 32),
    "LSTM, bias 5": remembering(nn.LSTM(2, 32), 5.0),
    "GRU, bias 5": remembering(nn.GRU(2, 32), 5.0),
}
recalled = {name: recall(layer, UPDATES) for name, layer in learners.items()}
figure, axis = plt.subplots(figsize=(5.5, 3.2))
for (name, curve), style in zip(recalled.items(), ("ko-", "C0s--", "C1^-."), strict=True):
    axis.semilogy(*zip(*curve, strict=True), style, markersize=3, label=name)
axis.axhline(1, color="gray", linestyle=":", label="saying 0")
axis.set(xlabel="update", ylabel="error, share of the variance", title=f"The first number, {LENGTH - 1} steps later")
axis.legend()
figure.savefig(OUT / "recall.png", dpi=150, bbox_inches="tight")
print(
    "error at the end, as a share of the variance:", {name: round(curve[-1][1], 4) for name, curve in recalled.items()}
)

# %% [markdown]
# ## A language model, by truncated backpropagation
#
# The text is that of Python's own documentation, which Python ships. It is cut into rows that are read side by side, and
# each row into blocks. The state goes on from block to block, so the layer knows what was said before; the gradient stops
# at each border, because `detach` cuts the graph there. A block's cost does not grow with the text.

# %%
text = "\n".join(pydoc_data.topics.topics.values())
common = {c for c in set(text) if text.count(c) >= 200}
text = "".join(c for c in text if c in common)
tokenizer = CharTokenizer(text)
tokens = tokenizer.encode(text)
train, test = np.split(tokens, [len(tokens) * 9 // 10])
V, ROWS, BLOCK = len(tokenizer), 32, 25 if QUICK else 50
print(f"{len(tokens):,} characters, {V} different ones")


def rows(tokens, count):
    """The text as `count` rows, and the same moved on by one character."""
    width = (len(tokens) - 1) // count
    return tokens[: width * count].reshape(count, width), tokens[1 : width * count + 1].reshape(count, width)


tg.manual_seed(0)
model = CharRNN(V, 32, 64, kind="LSTM") if QUICK else CharRNN(V, 64, 256, kind="LSTM", dropout=0.1)
optimizer = optim.Adam(model.parameters(), lr=0.01 if QUICK else 0.002)
zeros = tuple(tg.zeros(1, ROWS, model.rnn.hidden_size) for _ in range(2))


@tg.replay
def step(x, t, h, c):
    logits, (h, c) = model(x, (h, c))
    loss = F.cross_entropy(logits.reshape(-1, V), t.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss, h, c


held = [part[:, :500] for part in rows(test, 16)]


def loss_on_test(keep_state=True):
    """The mean loss on the text kept back, with the state carried on from block to block, or begun anew at each."""
    model.eval()
    x, t = held
    state, losses = None, []
    with tg.no_grad():
        for begin in range(0, x.shape[1], 25):
            logits, state = model(x[:, begin : begin + 25], state if keep_state else None)
            losses.append(F.cross_entropy(logits.reshape(-1, V), t[:, begin : begin + 25].reshape(-1)).item())
    model.train()
    return float(np.mean(losses))


first = loss_on_test()
x, t = rows(train, ROWS)
h, c = zeros
losses, last = [], x.shape[1] // BLOCK - 1
for update in range(120 if QUICK else 6 * last):
    begin = update % last * BLOCK
    h, c = (h, c) if begin else zeros  # each row begins again with no memory
    loss, h, c = step(x[:, begin : begin + BLOCK], t[:, begin : begin + BLOCK], h.detach(), c.detach())
    losses.append(loss.item())
carried, anew = loss_on_test(), loss_on_test(keep_state=False)

# %% [markdown]
# To compare: before it has learnt anything each character is as likely as any other, a loss of ln V. A table that counts
# which character follows which, the bigram model, sees one character back. And a state that is begun anew at each block
# of 25 characters costs something, because what came before is lost.

# %%
pairs = np.ones((V, V))
np.add.at(pairs, (train[:-1], train[1:]), 1)
pairs /= pairs.sum(axis=1, keepdims=True)
of_pairs = float(-np.log(pairs[held[0], held[1]]).mean())
print(f"ln V {np.log(V):.3f}, at first {first:.3f}, bigrams {of_pairs:.3f}, LSTM {carried:.3f}, begun anew {anew:.3f}")
figure, axis = plt.subplots(figsize=(5.5, 3.2))
axis.plot(np.convolve(losses, np.ones(20) / 20, "valid"), label="LSTM, training")
axis.axhline(np.log(V), color="gray", linestyle=":", label="ln V")
axis.axhline(of_pairs, color="gray", linestyle="--", label="bigrams")
axis.set(xlabel="update", ylabel="loss, nats a character")
axis.legend()
figure.savefig(OUT / "loss.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# Where the graph is cut, no gradient passes: the inputs of the first block have none by the loss of the second. The state
# has passed all the same, and without the cut there is a gradient.

# %%
slopes = {}
for cut in (True, False):
    embedded = tg.Tensor(model.embedding(x[:1, :40]).numpy(), requires_grad=True)
    _, state = model.rnn(embedded[:, :20])
    after, _ = model.rnn(embedded[:, 20:], tuple(s.detach() for s in state) if cut else state)
    F.cross_entropy(model.head(after[0]), t[0, 20:40]).backward()
    slopes[cut] = float(np.abs(embedded.grad.numpy()[0, :20]).max())
print(f"largest slope by the first block: cut {slopes[True]}, not cut {slopes[False]:.1e}")

# %% [markdown]
# ## Text
#
# A character is drawn from softmax(logits / temperature) and read again. A low temperature takes likely characters and
# repeats itself; at temperature 1 the model says what it believes, its mistakes too.

# %%
prompt, length, different = tokenizer.encode("The "), 100 if QUICK else 400, []
for temperature in (0.5, 1.0):
    made = model.generate(prompt, length, temperature, generator=np.random.default_rng(1))
    different.append(len(set(made[len(prompt) :].tolist())))
    print(f"--- temperature {temperature}\n{tokenizer.decode(made)}")

# %% [markdown]
# ## A curve, one step ahead and many
#
# Two seasons, of 12 and of 30 steps, and noise. A GRU reads the values and says the next one, trained by blocks as above.
# Two of its opponents learn nothing: *naive* says the last value again; *seasonal naive* says the value of 60 steps ago,
# where both seasons come round, and so has the noise twice. The third, *linear*, is the weighted sum of the last 60 values
# whose weights least squares finds.
#
# One step ahead the layer always sees the true values. *Free-running*, it reads what it said itself, so its errors come
# back to it. The noise cannot be foreseen: in the long run no forecast has an error below its variance, 0.0225 (that of
# these 120 steps is among the numbers below). A sum of seasons is a linear thing, so the linear forecast is as good as any:
# a network should be compared with it before one is proud.

# %%
time = np.arange(2401 + 120)
clean = np.sin(2 * np.pi * time / 12) + 0.8 * np.sin(2 * np.pi * time / 30 + 1)
series = (clean + 0.15 * generator.normal(size=len(time))).astype(np.float32)
known, future = series[:2401], series[2401:]
x, t = known[:-1].reshape(8, 300, 1), known[1:].reshape(8, 300, 1)
recurrent, readout = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 1)
optimizer = optim.Adam([*recurrent.parameters(), *readout.parameters()], lr=0.02)


@tg.replay
def follow(x, t, h):
    states, h = recurrent(x, h)
    loss = F.mse_loss(readout(states), t)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(recurrent.parameters(), 1.0)
    optimizer.step()
    return loss, h


EPOCHS = 50 if QUICK else 200
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for _ in range(EPOCHS):
    h = tg.zeros(1, 8, 32)
    for begin in range(0, 300, 50):
        _, h = follow(x[:, begin : begin + 50], t[:, begin : begin + 50], h.detach())
    schedule.step()

with tg.no_grad():
    states, h = recurrent(series[None, :-1, None])
    one_step = readout(states).numpy()[0, 2400:, 0]
    states, h = recurrent(known[None, -301:, None])
    said, free = readout(states[:, -1:]), []
    for _ in range(len(future)):
        free.append(said.item())
        states, h = recurrent(said, h)
        said = readout(states)

many, past = len(future), 60
windows = np.lib.stride_tricks.sliding_window_view(series, past)[:-1]  # the values before each of series[past:]
weights = np.linalg.lstsq(windows[:-many], known[past:], rcond=None)[0]
continued = list(known[-past:])
for _ in range(many):
    continued.append(float(np.dot(continued[-past:], weights)))
NAMES = ("GRU", "naive", "seasonal naive", "linear")
ahead = one_step, series[2400:-1], series[2401 - past : -past], windows[-many:] @ weights
on_its_own = np.array(free), np.full(many, known[-1]), np.resize(known[-past:], many), np.array(continued[past:])
errors, forecasts = {}, {"one step ahead": ahead, "free-running": on_its_own}
for way, those in forecasts.items():
    of_this = {name: float(np.mean((said - future) ** 2)) for name, said in zip(NAMES, those, strict=True)}
    print(f"{way}, squared error:", {name: round(error, 4) for name, error in of_this.items()})
    errors.update({f"{way}, {name}": error for name, error in of_this.items()})
figure, axes = plt.subplots(2, 1, figsize=(7, 4.6), sharex=True, layout="constrained")
for axis, (way, those) in zip(axes, forecasts.items(), strict=True):
    axis.plot(future, ".", color="gray", markersize=4, label="what came")
    axis.plot(those[0], label="GRU")
    axis.plot(those[2], "--", linewidth=1, label="seasonal naive")
    axis.set(ylabel=way)
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
axes[1].set(xlabel="steps after the last known value")
figure.savefig(OUT / "forecast.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    **{f"{name}, minus the library's": difference for name, difference in differences.items()},
    **{f"gradient kept after 20 steps, {name}": share for name, share in kept.items()},
    "parameters of RNN, LSTM, GRU": counted,
    "by formula": by_formula,
    "times as many with a set for each step": unshared[0] // counted[0],
    "convolution, and fully connected": [convolution, connected],
    **{f"error of the first number, {name}": curve[-1][1] for name, curve in recalled.items()},
    "loss at first, over ln V": first / float(np.log(V)),
    "test loss": carried,
    "test loss, minus that of bigrams": carried - of_pairs,
    "lost by a state begun anew": anew - carried,
    "slope beyond the cut": slopes[True],
    "slope without the cut": slopes[False],
    "different characters at temperatures 0.5 and 1": different,
    "noise of what came": float(np.mean((future - clean[2401:]) ** 2)),
    **errors,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
