# %% [markdown]
# # 23. From a sequence to a sequence
#
# An encoder reads a question and ends in a state; a decoder begins with that state and writes the answer, character by
# character, each fed back to it as the next input. Nobody tells it what a sum is: it sees `16+75` and `91`, 45,000 times.
#
# Source: Sutskever, Vinyals and Le (2014); Saito, *Deep Learning from Scratch 2*, chapters 7 and 8.

# %%
from __future__ import annotations

import datetime
import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import models, nn, optim
from viz import plots

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # smaller numbers and fewer dates, for a look
OUT = Path("out/lessons/23")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Questions and answers of one length
#
# Short ones are filled up with blanks, so that a batch is an array. `_` begins every answer.

# %%
generator = np.random.default_rng(0)


def encoded(pairs):
    """Questions and answers as arrays of character numbers, and the characters."""
    widths = [max(len(pair[k]) for pair in pairs) for k in (0, 1)]
    lines = [(question.ljust(widths[0]), "_" + answer.ljust(widths[1])) for question, answer in pairs]
    characters = sorted({character for line in lines for text in line for character in text})
    number = {character: k for k, character in enumerate(characters)}
    questions, answers = (np.array([[number[c] for c in line[k]] for line in lines]) for k in (0, 1))
    return questions, answers, characters


largest, count = (9, 1000) if QUICK else (999, 50_000)
sums = [(f"{a}+{b}", str(a + b)) for a, b in generator.integers(0, largest, size=(count, 2), endpoint=True)]
questions, answers, characters = encoded(sums)
print(sums[:3], questions.shape, answers.shape, "characters:", "".join(characters))

# %% [markdown]
# ## Learning, and what counts as right
#
# In training the decoder gets the right answer, one character late. When it is tested it gets what it wrote itself, and
# only an answer that is right in every character counts. Every tenth question is kept for the test.


# %%
def train(way, questions, answers, characters, epochs, rate=0.001):
    """The share of exact answers to the questions kept back after each epoch, and the model."""
    tg.manual_seed(0)
    model = models.Seq2Seq(len(characters), 16, 64 if QUICK else 128, way)
    with tg.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.01 if "embedding" in name else 1 / np.sqrt(parameter.shape[0])
            parameter[...] = 0.0 if parameter.ndim == 1 else spread * generator.normal(size=parameter.shape)
    optimizer = optim.Adam(model.parameters(), lr=rate)

    @tg.replay
    def step(source, answer):
        loss = F.cross_entropy(model(source, answer[:, :-1]).reshape(-1, len(characters)), answer[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return loss

    cut, batch, found = len(questions) * 9 // 10, 50 if QUICK else 128, []
    for _ in range(epochs):
        order = generator.permutation(cut)
        for begin in range(0, cut - batch + 1, batch):
            step(questions[order[begin : begin + batch]], answers[order[begin : begin + batch]])
        said = model.generate(questions[cut:], start=characters.index("_"), length=answers.shape[1] - 1)
        found.append(float((said == answers[cut:, 1:]).all(axis=1).mean()))
    return found, model


# %% [markdown]
# ## Reversed, and peeky
#
# Read backwards, the first digit of the question comes last, next to where the answer begins: the way for the gradient
# is shorter. A peeky decoder sees the encoder's last state at every step, not only at the first.

# %%
EPOCHS = 12 if QUICK else 25
RATE = 0.01 if QUICK else 0.001
curves = {
    "as it is": train("plain", questions, answers, characters, EPOCHS, RATE)[0],
    "reversed": train("plain", questions[:, ::-1], answers, characters, EPOCHS, RATE)[0],
    "reversed, peeky": train("peeky", questions[:, ::-1], answers, characters, EPOCHS, RATE)[0],
}
figure, axis = plt.subplots(figsize=(5.5, 3.4))
for (name, curve), style in zip(curves.items(), ("o-", "s--", "^-."), strict=True):
    axis.plot(range(1, EPOCHS + 1), curve, style, markersize=3, label=name)
axis.set(xlabel="epoch", ylabel="exact answers", ylim=(0, 1.02), title="Sums of two numbers")
axis.legend()
figure.savefig(OUT / "addition.png", dpi=150, bbox_inches="tight")
print({name: round(max(curve), 3) for name, curve in curves.items()})

# %% [markdown]
# ## Attention
#
# One state for a whole question is a narrow door. With attention the encoder keeps the states of all steps, and the
# decoder weighs them anew for each character that it writes: softmax(h_decoder · h_encoder). Dates in many spellings are
# to become one; the map shows where the decoder looked. (No one told it which part of a date is the year.)

# %%
SPELLINGS = ["{:%B} {d}, {:%Y}", "{:%d}.{:%m}.{:%Y}", "{:%A}, {:%B} {d}, {:%Y}", "{d} {:%b} {:%Y}", "{:%Y}/{:%m}/{:%d}"]
SPELLINGS = SPELLINGS[1:2] if QUICK else SPELLINGS


def spelt(day, spelling):
    """The day in this spelling."""
    return spelling.replace("{d}", str(day.day)).format(*[day] * spelling.count("{:")).lower()


days = [
    datetime.date(1950, 1, 1) + datetime.timedelta(int(k))
    for k in generator.integers(0, 25_000, 1200 if QUICK else 20_000)
]
dates = [
    (spelt(day, SPELLINGS[k]), f"{day:%Y-%m-%d}")
    for day, k in zip(days, generator.integers(len(SPELLINGS), size=len(days)), strict=True)
]
questions, answers, characters = encoded(dates)
by_epoch, model = train(
    "attention", questions[:, ::-1], answers, characters, 16 if QUICK else 10, 0.02 if QUICK else 0.001
)
print("exact dates by epoch:", [round(a, 3) for a in by_epoch])

weights = model.attention(questions[-2:, ::-1], answers[-2:, :-1])[:, :, ::-1]
said = model.generate(questions[-2:, ::-1], start=characters.index("_"), length=10)
for k, (one, row) in enumerate(zip(weights, said, strict=True)):
    question, answer = dates[k - 2]
    print(repr(question), "→", "".join(characters[c] for c in row), " right:", answer)
    shown = question.ljust(questions.shape[1])
    plots.attention_map(one, keys=shown, queries=answer).savefig(OUT / f"attention_{k}.png")

# %% [markdown]
# ## The numbers

# %%
with tg.no_grad():
    right = model(questions[:, ::-1], answers[:, :-1]).numpy().argmax(axis=2) == answers[:, 1:]
numbers = {
    **{f"exact sums, {name}": max(curve) for name, curve in curves.items()},
    "exact dates": max(by_epoch),
    "characters of dates": float(right.mean()),
    "weights of attention add up to": [round(float(w), 6) for w in weights.sum(axis=2)[0]],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
