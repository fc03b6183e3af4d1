# %% [markdown]
# # 12. Metrics, and where to draw the line
#
# A classifier gives scores; a decision needs a threshold. Accuracy hides what kind of mistakes are made, and with rare
# classes it hides nearly all: who never says "ill" is right for all who are well.
#
# Precision: of those called positive, how many are. Recall: of the positive, how many are called so. A threshold trades one
# for the other; the curves show all trades at once, and the area under the ROC curve is the chance that a positive
# scores above a negative.
#
# Source: Fawcett, *An introduction to ROC analysis*, Pattern Recognition Letters 27 (2006).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import datasets
from tinygrad_edu.train import Trainer, metrics
from viz.plots import plot_confusion, plot_precision_recall, plot_roc, plot_scores

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/12")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## A rare class
#
# Of the digits, the eights against all others: one in ten. A line, so that mistakes are left to look at.

# %%
(x, t), (x_test, t_test) = datasets.digits()
rare, rare_test = (t == 8).astype(np.float32), (t_test == 8).astype(int)
tg.manual_seed(0)
model = nn.Linear(64, 1)
trainer = Trainer(model, optim.Adam(model.parameters(), lr=0.02), nn.BCEWithLogitsLoss(), seed=0)
trainer.fit((x, rare[:, None]), epochs=10 if QUICK else 40, batch_size=50)
scores = 1 / (1 + np.exp(-np.asarray(trainer.predict(x_test))[:, 0]))

never = metrics.accuracy(np.zeros(len(rare_test)), rare_test)
accuracy = metrics.accuracy(scores, rare_test)
precision, recall = metrics.precision(scores, rare_test), metrics.recall(scores, rare_test)
f1, auroc = metrics.f1_score(scores, rare_test), metrics.auroc(scores, rare_test)
print(
    f"never saying 8: {never:.1%} right; the line: {accuracy:.1%} right, precision {precision:.2f}, recall {recall:.2f}"
)

plot_scores(scores, rare_test, names=["other", "8"]).savefig(OUT / "scores.png", dpi=150)
plot_roc(scores, rare_test).savefig(OUT / "roc.png", dpi=150)
plot_precision_recall(scores, rare_test).savefig(OUT / "precision_recall.png", dpi=150)

# %% [markdown]
# ## The area is a chance
#
# Draw one eight and one other digit: how often does the eight score higher? Counted over all pairs, that is AUROC.

# %%
positive, negative = scores[rare_test == 1], scores[rare_test == 0]
chance = float(((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean())
print(f"AUROC {auroc:.6f}; counted over {positive.size * negative.size} pairs {chance:.6f}")

# %% [markdown]
# ## Choosing the threshold
#
# What a mistake costs decides. If a missed eight costs ten times a false alarm, the threshold goes down.

# %%
thresholds = np.unique(scores)


def cost(threshold, missed, alarm):
    called = scores >= threshold
    return missed * np.sum(~called & (rare_test == 1)) + alarm * np.sum(called & (rare_test == 0))


cheapest = {
    ratio: float(thresholds[np.argmin([cost(threshold, ratio, 1) for threshold in thresholds])]) for ratio in (1, 10)
}
fpr, tpr, at = metrics.roc_curve(scores, rare_test)
youden = float(at[np.argmax(tpr - fpr)])
print("cheapest threshold, by what a miss costs:", {ratio: round(place, 3) for ratio, place in cheapest.items()})

# %% [markdown]
# ## Many classes
#
# Averages over classes: macro counts each class alike, weighted by how many it has, and micro is accuracy. The confusion
# matrix says what is taken for what.

# %%
tg.manual_seed(0)
ten = nn.Linear(64, 10)
trainer = Trainer(
    ten, optim.Adam(ten.parameters(), lr=0.01), nn.CrossEntropyLoss(), metrics=["accuracy", "f1_macro"], seed=0
)
trainer.fit((x, t), epochs=6 if QUICK else 20, batch_size=50)
logits = np.asarray(trainer.predict(x_test))
averages = {name: float(metrics.f1_score(logits, t_test, average=name)) for name in ("macro", "weighted", "micro")}
matrix = metrics.confusion_matrix(logits, t_test)
mixed = np.array(matrix)
np.fill_diagonal(mixed, 0)
most = np.unravel_index(mixed.argmax(), mixed.shape)
plot_confusion(matrix).savefig(OUT / "confusion.png", dpi=150)
print("F1:", averages, f"; most often mixed up: {most[0]} taken for {most[1]}, {mixed.max()} times")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "never saying 8 is right": float(never),
    "accuracy": float(accuracy),
    "precision": float(precision),
    "recall": float(recall),
    "F1 minus its formula": float(abs(f1 - 2 * precision * recall / (precision + recall))),
    "AUROC": float(auroc),
    "AUROC minus the chance": float(abs(auroc - chance)),
    "threshold where misses cost 10": cheapest[10],
    "threshold where they cost 1": cheapest[1],
    "micro F1 minus accuracy": float(abs(averages["micro"] - metrics.accuracy(logits, t_test))),
    "macro F1": averages["macro"],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
