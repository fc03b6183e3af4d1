# %% [markdown]
# # 22. Sentences, and what they say
#
# Many words go in, one answer comes out: does the sentence speak well of the thing, or ill? A network of this form is called
# many-to-one. Whether it must know the *order* of words can be tested with sentences that are made for it: "it was good,
# not bad" and "it was bad, not good" are the same words, and say the opposite.
#
# Sources: Schuster and Paliwal, *Bidirectional recurrent neural networks* (1997); Sundararajan, Taly and Yan, *Axiomatic
# attribution for deep networks* (2017), for what each word does.

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
from tinygrad_edu.models import SentimentRNN
from viz import plots

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer sentences and smaller layers, for a look
OUT = Path("out/lessons/22")
OUT.mkdir(parents=True, exist_ok=True)
generator = np.random.default_rng(0)

# %% [markdown]
# ## A small grammar
#
# There are four kinds of sentence. A plain one says one thing of one subject, and "not" turns it round. "A, not B" and "not
# A but B" say two opposite things, one of them denied. And of two clauses with "but" between them, the last one counts.
# Where a sentence says two things, the two are always opposite, and its *twin* says them the other way round: a twin has
# the same words and the opposite label.

# %%
GOOD = ["good", "great", "lovely", "fine", "superb", "charming", "clever", "warm"]
BAD = ["bad", "poor", "awful", "dull", "dreadful", "boring", "stupid", "cold"]
SUBJECTS = ["film", "food", "music", "room", "plot", "service", "song", "place"]
DEGREES = ["", "", "very", "really", "rather", "on the whole"]
VERBS = ["was", "is", "seemed"]
OPENINGS = ["", "", "I think", "we all found that"]


def clause(subject, word, denied=False):
    verb, degree = generator.choice(VERBS), generator.choice(DEGREES)
    return f"the {subject} {verb} {'not ' if denied else ''}{degree} {word}".split()


def swapped(sentence, one, other):
    """The sentence with these two words exchanged."""
    return [{one: other, other: one}.get(word, word) for word in sentence]


def sentence(kind):
    """A sentence of this kind, 1 if it speaks well and 0 if ill, and its twin, which a plain one lacks."""
    good, bad = generator.choice(GOOD), generator.choice(BAD)
    label = int(generator.integers(2))
    first, second = generator.choice(SUBJECTS, 2, replace=False)
    well, ill = (good, bad) if label else (bad, good)  # what is said, and its opposite
    opening = str(generator.choice(OPENINGS)).split()
    if kind == "plain":
        return opening + clause(first, well), label, None
    if kind == "denied":
        return opening + clause(first, ill, denied=True), label, None
    if kind == "A, not B":
        denies_first = generator.integers(2)
        words = [*clause(first, ill, True), "but", well] if denies_first else [*clause(first, well), ",", "not", ill]
    else:
        words = [*clause(first, ill), "but", *clause(second, well)]
    return opening + words, label, opening + swapped(words, good, bad)


KINDS = ["plain", "denied", "A, not B", "two clauses"]
MIXTURE = ["plain", *KINDS]  # as in life, more is said than denied
for kind in KINDS:
    words, label, twin = sentence(kind)
    print(f"{kind:12} {label} {' '.join(words)}" + (f"   | twin: {' '.join(twin)}" if twin else ""))

# %% [markdown]
# Training and test sentences differ: what occurs in the test, or whose twin does, is left out of training. More than half
# of the test sentences are pairs of twins. Words get numbers; 0 is the padding, which fills short sentences up so that all of them
# fit into one array.


# %%
def drawn(count, forbidden=frozenset()):
    """So many different sentences (words, label, kind, twin), two fifths of them plain, none of them forbidden."""
    found = {}
    while len(found) < count:
        kind = MIXTURE[len(found) % len(MIXTURE)]
        words, label, twin = sentence(kind)
        if not {tuple(words), tuple(twin or words)} & forbidden:
            found[tuple(words)] = (words, label, kind, twin)
    return list(found.values())


tests = drawn(400)
tests += [(twin, 1 - label, kind, words) for words, label, kind, twin in tests if twin]
kept_back = frozenset(tuple(words) for words, *_ in tests)
training = drawn(1500 if QUICK else 3000, kept_back)
vocabulary = ["<pad>", *sorted({word for words, *_ in [*training, *tests] for word in words})]
number = {word: k for k, word in enumerate(vocabulary)}
longest = max(len(words) for words, *_ in [*training, *tests])


def padded(sentences):
    """The numbers of the words, (N, longest), filled up with 0."""
    rows = np.zeros((len(sentences), longest), int)
    for row, words in zip(rows, sentences, strict=True):
        row[: len(words)] = [number[word] for word in words]
    return rows


x, t = padded([words for words, *_ in training]), np.array([label for _, label, *_ in training])
x_test, t_test = padded([words for words, *_ in tests]), np.array([label for _, label, *_ in tests])
kinds = np.array([kind for *_, kind, _ in tests])
paired = np.array([twin is not None for *_, twin in tests])
overlap = len(kept_back & {tuple(words) for words, *_ in training})
print(f"{len(x)} to learn from, {len(x_test)} to test, {len(vocabulary)} words, at most {longest} in a sentence")

# %% [markdown]
# ## A bag of words
#
# The simplest classifier counts how often each word occurs and gives each a weight: logistic regression. It cannot tell
# twins apart, since they have the same counts. Whatever it answers, it is right on one of the two: 50 % of the pairs
# exactly, and no weights can change that.
#
# ## A state that reads
#
# A recurrent layer reads word by word, and a linear layer classifies its last state. A bidirectional LSTM has a second
# state that reads from the end to the beginning, and the answer is drawn from both.


# %%
class Bag(nn.Module):
    """Logits of two classes from the counts of words: a row of weights for each word, added up."""

    def __init__(self, vocab_size):
        self.weights = nn.Embedding(vocab_size, 2, padding_idx=0)

    def forward(self, words):
        return self.weights(words).sum(axis=1)


def train(model, epochs, rate=0.01):
    """The mean loss of each epoch."""
    optimizer, curve = optim.Adam(model.parameters(), lr=rate), []

    @tg.replay
    def step(words, labels):
        loss = F.cross_entropy(model(words), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    for _ in range(epochs):
        order = generator.permutation(len(x))
        batches = [order[begin : begin + 50] for begin in range(0, len(x) - 49, 50)]
        curve.append(float(np.mean([step(x[rows], t[rows]).item() for rows in batches])))
    return curve


def scores(model, words):
    """For each sentence the logit of good minus that of bad: above 0 where the model says good."""
    with tg.no_grad():
        logits = model(words).numpy()
    return logits[:, 1] - logits[:, 0]


tg.manual_seed(0)
SIZE, EPOCHS = (24, 6) if QUICK else (48, 15)
models = {
    "bag of words": Bag(len(vocabulary)),
    "RNN": SentimentRNN(len(vocabulary), 2, 16, SIZE, kind="RNN", bidirectional=False),
    "bidirectional LSTM": SentimentRNN(len(vocabulary), 2, 16, SIZE, kind="LSTM"),
}
for name, model in models.items():
    if name != "bag of words":
        with tg.no_grad():
            model.embedding.weight *= 0.1  # begin close together, so that the places of the words are what was learnt
    curve = train(model, EPOCHS, 0.05 if name == "bag of words" else 0.01)
    print(name, "loss by epoch:", [round(loss, 3) for loss in curve])
score = {name: scores(model, x_test) for name, model in models.items()}
right = {name: (given > 0) == (t_test == 1) for name, given in score.items()}
by_kind = {name: [float(answers[kinds == kind].mean()) for kind in KINDS] for name, answers in right.items()}
on_twins = {name: float(answers[paired].mean()) for name, answers in right.items()}
for name, shares in by_kind.items():
    print(name, {kind: round(share, 3) for kind, share in zip(KINDS, shares, strict=True)}, "twins", on_twins[name])

figure, axis = plt.subplots(figsize=(6, 3.2))
for k, (name, shares) in enumerate(by_kind.items()):
    axis.bar(np.arange(len(KINDS)) + 0.26 * (k - 1), shares, 0.24, label=name)
axis.axhline(0.5, color="gray", linestyle=":")
axis.set_xticks(range(len(KINDS)), KINDS)
axis.set(ylabel="right answers", ylim=(0, 1.05))
axis.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=3, frameon=False)
figure.savefig(OUT / "by_kind.png", dpi=150, bbox_inches="tight")

figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for axis, (name, given) in zip(axes, score.items(), strict=True):
    plots.plot_roc(given[paired], t_test[paired], axes=axis)
    axis.set_title(f"{name}, twins")
figure.savefig(OUT / "roc.png", dpi=150)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), layout="constrained")
for axis, name in zip(axes, ("bag of words", "bidirectional LSTM"), strict=True):
    plots.plot_confusion((score[name] > 0).astype(int), t_test, names=["ill", "well"], axes=axis)
    axis.set_title(f"{name}: {right[name].mean():.1%} right")
figure.savefig(OUT / "confusion.png", dpi=150)

# %% [markdown]
# The bag fails on more than the twins. It learns from plain sentences which words are good, and then "not good" counts as
# good: a sum can add something for "not", but not turn round what another word says. The recurrent layers can, because
# what a word does to the state depends on the state. A simple RNN is enough here; these sentences are short.
#
# ## Padding changes nothing
#
# A sentence filled up with padding has to mean what it means alone. The model makes a mask, true where there is a word;
# where it is false, the state stays as it is. A packed sequence says the same in another form: all first words, all second
# words of the sentences that have one, and so on, and no padding at all. Without a mask the state goes on changing while it
# reads padding, and the answer with it.

# %%
model = models["bidirectional LSTM"].double()
few = x_test[:40]
lengths = (few > 0).sum(axis=1)
wider = np.pad(few, ((0, 0), (0, 10)))
with tg.no_grad():
    answers = model(few).numpy()
    padding_changes = float(np.abs(model(wider).numpy() - answers).max())
    embedded = model.embedding(few)
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
    _, (h, _) = model.rnn(packed)
    packing_changes = float(np.abs(model.head(np.concatenate([h[0], h[1]], axis=1)).numpy() - answers).max())
    _, (h, _) = model.rnn(embedded)
    no_mask_changes = float(np.abs(model.head(np.concatenate([h[0], h[1]], axis=1)).numpy() - answers).max())
print(
    f"{few.size} places, {lengths.sum()} words: packed {packed.data.shape}, at each step {packed.batch_sizes.tolist()}"
)
print(
    f"answers change by padding {padding_changes}, by packing {packing_changes}, without a mask {no_mask_changes:.2f}"
)

# %% [markdown]
# ## Words in a plane
#
# Each word became 16 numbers. The plane in which the words lie furthest apart is that of the first two principal components:
# the first two right singular vectors of the centred table. No one told the model which words are opposites. It found out,
# because it needed to.

# %%
table = model.embedding.weight.numpy()[1:]
centred = table - table.mean(axis=0)
_, singular, components = np.linalg.svd(centred, full_matrices=False)
plane = centred @ components[:2].T
explained = singular[:2] ** 2 / np.sum(singular**2)
place = {word: plane[k] for k, word in enumerate(vocabulary[1:])}
sides = [np.array([place[word] for word in words]) for words in (GOOD, BAD)]
between = sides[0].mean(axis=0) - sides[1].mean(axis=0)
middle = (sides[0].mean(axis=0) + sides[1].mean(axis=0)) / 2
apart = float(np.mean([*((sides[0] - middle) @ between > 0), *((sides[1] - middle) @ between < 0)]))
figure, axis = plt.subplots(figsize=(8, 5.6))
others = [word for word in place if word not in {*GOOD, *BAD}]
for name, color, words in (("good", "tab:green", GOOD), ("bad", "tab:red", BAD), ("others", "tab:gray", others)):
    points = np.array([place[word] for word in words])
    axis.plot(*points.T, ".", color=color, label=name)
    if name == "others":
        for word in ("not", "but"):
            axis.annotate(word, place[word], (4, -3), textcoords="offset points", fontsize=8, color=color)
        continue
    (across, up), right_hand = np.ptp(plane, axis=0), points[:, 0].mean() > 0
    column = points[:, 0].max() + 0.05 * across if right_hand else points[:, 0].min() - 0.05 * across
    for k, row in enumerate(np.argsort(-points[:, 1])):  # names in a column outside of the points, in the same order
        beside, line = (
            points[:, 1].mean() + 0.035 * up * (3.5 - k),
            {"arrowstyle": "-", "color": color, "linewidth": 0.4},
        )
        side = "left" if right_hand else "right"
        axis.annotate(
            words[row], points[row], (column, beside), fontsize=8, color=color, ha=side, va="center", arrowprops=line
        )
axis.margins(0.2, 0.1)
axis.set(xlabel=f"first component, {explained[0]:.0%} of the variance", ylabel=f"second, {explained[1]:.0%}")
axis.legend()
figure.savefig(OUT / "words.png", dpi=150, bbox_inches="tight")
print(f"good and bad words on different sides of a line: {apart:.0%}")

# %% [markdown]
# ## What each word does
#
# The slope of the score by a word's embedding, times the embedding, says what the score would lose if the word faded a
# little. That holds for small changes only, and where the model is sure of its answer, its gates are saturated and the
# slopes are small, sometimes of the wrong sign. The mean of the slopes on the way from nothing (all embeddings 0) to the
# sentence, times the embeddings, adds up to the score, less that of nothing. These are the integrated gradients; 200 points
# of the way are near enough to the integral. They show that "not" turns round what follows it: it outweighs "bad" in one
# sentence and "good" in the other.


# %%
def of_embeddings(embedded):
    """The scores of sentences given as embeddings, (N, L, 16)."""
    _, (h, _) = model.rnn(embedded)
    logits = model.head(np.concatenate([h[0], h[1]], axis=1))
    return logits[:, 1] - logits[:, 0]


def effects(words):
    """What each word of a sentence does to the score: gradient times input, integrated gradients; and both ends."""
    whole = model.embedding(np.array([[number[word] for word in words]])).numpy()
    way = (np.arange(200) + 0.5)[:, None, None] / 200
    here, along = (tg.Tensor(part, requires_grad=True) for part in (whole, way * whole))
    of_embeddings(here).sum().backward()
    of_embeddings(along).sum().backward()
    by_slope = (here.grad.numpy() * whole).sum(axis=2)[0]
    integrated = (along.grad.numpy().mean(axis=0, keepdims=True) * whole).sum(axis=2)[0]
    with tg.no_grad():
        ends = of_embeddings(np.concatenate([whole, 0 * whole])).numpy()
    return by_slope, integrated, float(ends[0] - ends[1]), float(ends[0])


pair = [["the", "film", "was", one, ",", "not", other] for one, other in (("good", "bad"), ("bad", "good"))]
said = [effects(words) for words in pair]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
for axis, words, (by_slope, integrated, _, total) in zip(axes, pair, said, strict=True):
    places = np.arange(len(words))
    axis.barh(places - 0.2, by_slope, 0.38, color="tab:blue", label="gradient times input")
    axis.barh(places + 0.2, integrated, 0.38, color="tab:orange", label="integrated gradients")
    axis.axvline(0, color="gray", linewidth=0.8)
    axis.set_yticks(places, words)
    axis.invert_yaxis()
    axis.set(title=f"score {total:+.1f}", xlabel="what the word does to the score")
axes[0].legend(fontsize=8)
figure.savefig(OUT / "effects.png", dpi=150)
for words, (by_slope, integrated, change, total) in zip(pair, said, strict=True):
    print(
        f"{' '.join(words)}: score {total:.2f}; by slopes {by_slope.sum():.2f}, integrated {integrated.sum():.4f} = {change:.4f}"
    )
misses = max(abs(float(integrated.sum()) - change) / abs(change) for _, integrated, change, _ in said)

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "sentences in training and test": overlap,
    "padding changes the answers by": padding_changes,
    "packing changes them by": packing_changes,
    "no mask changes them by": no_mask_changes,
    **{f"right on twins, {name}": share for name, share in on_twins.items()},
    **{f"right, {name}": float(answers.mean()) for name, answers in right.items()},
    "the bag on plain and on denied sentences": by_kind["bag of words"][:2],
    "good and bad words apart": apart,
    "scores of the pair": [round(total, 2) for *_, total in said],
    "integrated gradients miss the score by": misses,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
