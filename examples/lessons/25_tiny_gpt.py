# %% [markdown]
# # 25. A tiny GPT
#
# A GPT reads characters and says, at every place, which one comes next. Each place asks all places before it what they
# know, by attention; layers of this, and a table of characters at both ends, are the whole model.
#
# Sources: Vaswani et al., *Attention is all you need* (2017); Radford et al., *Language models are unsupervised multitask
# learners* (2019).

# %%
from __future__ import annotations

import os
import pydoc_data.topics
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import optim
from tinygrad_edu.data import CharTokenizer
from tinygrad_edu.models import GPT

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # a smaller model and fewer steps, for a look
OUT = Path("out/lessons/25")
OUT.mkdir(parents=True, exist_ok=True)
tg.manual_seed(0)

# %% [markdown]
# ## Text as numbers
#
# Python ships the text of its own documentation. Rare characters are left out, so that the vocabulary is small.

# %%
text = "\n".join(pydoc_data.topics.topics.values())
common = {c for c in set(text) if text.count(c) >= 200}
text = "".join(c for c in text if c in common)
tokenizer = CharTokenizer(text)
tokens = tokenizer.encode(text)
train, test = np.split(tokens, [len(tokens) * 9 // 10])
print(f"{len(tokens):,} characters, {len(tokenizer)} different ones: {tokenizer.vocabulary!r}")
print(tokenizer.encode("def f"), repr(tokenizer.decode(tokenizer.encode("def f"))))

# %% [markdown]
# ## Attention, by hand
#
# Each place has a query q, a key k and a value v. What a place gets is the mean of the values, weighed by how well its
# query fits each key: softmax(q kᵀ/√E)·v. A mask keeps it from looking at what comes later.

# %%
generator = np.random.default_rng(0)
q, k, v = generator.standard_normal((3, 6, 4))
scores = q @ k.T / np.sqrt(4)
scores[np.triu_indices(6, 1)] = -np.inf  # what comes later
weights = np.exp(scores - scores.max(axis=1, keepdims=True))
weights /= weights.sum(axis=1, keepdims=True)
difference = np.abs(weights @ v - F.scaled_dot_product_attention(q, k, v, is_causal=True)).max()
print(weights.round(2), f"differs from the library's by {difference:.1e}", sep="\n")

# %% [markdown]
# ## The model
#
# Before it has learnt anything, every character is as likely as any other: the loss is ln V.

# %%
LENGTH = 32 if QUICK else 64
model = GPT(len(tokenizer), LENGTH, *((2, 2, 32) if QUICK else (4, 4, 128)))
print(f"{sum(p.size for p in model.parameters()):,} parameters")


def batch(data, n):
    """n pieces of the text, and the same moved on by one character."""
    places = generator.integers(0, len(data) - LENGTH, n)[:, None] + np.arange(LENGTH)
    return data[places], data[places + 1]


def loss_of(x, y):
    return F.cross_entropy(model(x).reshape(-1, len(tokenizer)), y.reshape(-1))


held = batch(test, 64)  # the same each time
with tg.no_grad():
    first = loss_of(*held).item()
print(f"loss at first {first:.3f}, ln V = {np.log(len(tokenizer)):.3f}")

# %% [markdown]
# ## Training
#
# The step is recorded once and replayed. To compare: the loss of a table that counts which character follows which.

# %%
STEPS = 220 if QUICK else 3000
optimizer = optim.AdamW(model.parameters(), lr=3e-3 if QUICK else 1e-3)
schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)


@tg.replay
def step(x, y):
    loss = loss_of(x, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


losses = []
for i in range(STEPS):
    losses.append(float(step(*batch(train, 16))))
    schedule.step()
    if i % (STEPS // 5) == 0:
        print(f"step {i}: {losses[-1]:.3f}")
with tg.no_grad():
    last = loss_of(*held).item()

pairs = np.ones((len(tokenizer), len(tokenizer)))
np.add.at(pairs, (train[:-1], train[1:]), 1)
pairs /= pairs.sum(axis=1, keepdims=True)
of_pairs = -np.log(pairs[held[0], held[1]]).mean()
print(f"test loss {last:.3f}; of counted pairs {of_pairs:.3f}")

figure, axis = plt.subplots(figsize=(5.5, 3.2))
axis.plot(np.convolve(losses, np.ones(20) / 20, "valid"), label="GPT")
axis.axhline(of_pairs, color="gray", linestyle="--", label="counted pairs")
axis.set(xlabel="step", ylabel="loss, nats a character")
axis.legend()
figure.savefig(OUT / "loss.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Text
#
# A character is drawn from softmax(logits / temperature), written down, and read again. Keys and values of what was read
# do not change, so they are kept: each further character costs as much as one place, not as all of them.

# %%
prompt, n = tokenizer.encode("The "), LENGTH - 4
times, made = {}, {}
for cache in (True, False):
    begun = time.process_time()
    made[cache] = model.generate(prompt, n, generator=np.random.default_rng(0), cache=cache)
    times[cache] = time.process_time() - begun
print(f"{n} characters take {times[False] / times[True]:.1f} times as long without a cache")
for temperature in (0.0, 0.7, 1.2):
    written = model.generate(prompt, 60 if QUICK else 300, temperature, top_k=20, generator=np.random.default_rng(1))
    print(f"--- temperature {temperature}\n{tokenizer.decode(written)}")

# %% [markdown]
# ## Where it looks
#
# The weights of the first layer's heads, for a line of the text: a row is a place, and what it looks at lies left of it.

# %%
line = tokenizer.encode("the function returns the value"[:LENGTH])
block = model.h[0]
with tg.no_grad():
    heads = np.split(block.attn.c_attn(block.ln_1(model.wte(line) + model.wpe.weight[: len(line)])).numpy(), 3, axis=-1)
queries, keys = [x.reshape(len(line), block.attn.n_head, -1).swapaxes(0, 1) for x in heads[:2]]
looks = np.where(np.tri(len(line), dtype=bool), queries @ keys.mT / np.sqrt(keys.shape[-1]), -np.inf)
looks = F.softmax(looks, axis=-1)
figure, axes = plt.subplots(1, len(looks), figsize=(4 * len(looks), 4))
for axis, look in zip(axes, looks, strict=True):
    axis.imshow(look, cmap="Greys")
    axis.set_xticks(range(len(line)), tokenizer.decode(line))
    axis.set_yticks(range(len(line)), tokenizer.decode(line))
figure.savefig(OUT / "attention.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "attention by hand, minus the library's": float(difference),
    "loss at first, over ln V": first / float(np.log(len(tokenizer))),
    "test loss": last,
    "test loss, minus that of counted pairs": last - float(of_pairs),
    "tokens that a cache changes": int((made[True] != made[False]).sum()),
    "weight on what comes later": float(np.triu(looks, 1).sum()),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
