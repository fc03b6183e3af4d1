# %% [markdown]
# # 18. Deeper: 99.3 %, and the digits that are misread
#
# Six convolutions of 3 × 3, pooled by twos, then 50 units and dropout. Small kernels one after another see as far as one
# large kernel, with fewer weights and a ReLU more: two of 3 × 3 see 5 × 5, three see 7 × 7.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 8; Simonyan and Zisserman (2015).

# %%
from __future__ import annotations

import os
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.data import DataLoader, datasets
from tinygrad_edu.train import Trainer
from viz import draw, plots

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # the small digits that the package brings, for a look
OUT = Path("out/lessons/18")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## How far a stack of small kernels sees
#
# Ask the engine: which pixels have a slope for one output? That is the receptive field. For each pair of channels, two
# kernels of 3 × 3 have 18 weights where one of 5 × 5 has 25.

# %%
seen, weights = {}, {}
for count in (1, 2, 3):
    x = tg.Tensor(np.zeros((1, 1, 15, 15)), requires_grad=True)
    h = x
    for _ in range(count):
        h = tg.nn.functional.conv2d(h, np.ones((1, 1, 3, 3)), padding=1)
    h[0, 0, 7, 7].backward()
    seen[count] = int((x.grad.numpy()[0, 0, 7] != 0).sum())
    weights[count] = (9 * count, seen[count] ** 2)
print("kernels of 3 × 3 in a row, and how far they see:", seen, " weights beside those of one kernel:", weights)

# %% [markdown]
# ## The network
#
# 16, 16, pool, 32, 32, pool, 64, 64, pool, 50, 10. He's weights: the spread of what goes forward stays the same from
# layer to layer.

# %%
tg.manual_seed(0)
if QUICK:
    (x_train, t_train), (x_test, t_test) = datasets.digits(flatten=False)
else:
    (x_train, t_train), (x_test, t_test) = datasets.mnist(flatten=False)
side = x_train.shape[-1]
x_train, x_test = (x.reshape(-1, 1, side, side) for x in (x_train, x_test))


def block(before, width, padding=1):
    """Two convolutions and a pooling."""
    return [
        nn.Conv2d(before, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=padding),
        nn.ReLU(),
        nn.MaxPool2d(2),
    ]


# the second block widens the image by 2, so that 28 → 14 → 8 → 4 can be halved (and 8 → 4 → 3 → 1 in the quick run)
features = nn.Sequential(*block(1, 16), *block(16, 32, padding=2), *block(32, 64), nn.Flatten())
with tg.no_grad():
    width = features(x_test[:1]).shape[1]
classifier = [nn.Linear(width, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 10)]
model = nn.Sequential(*features, *classifier)
for layer in model:
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
print(nn.summary(model, (1, 1, side, side)))
draw(model(tg.Tensor(x_test[:1], name="x")), collapse="all").save(OUT / "network.svg")

# %% [markdown]
# ## Training
#
# Adam at 0.001, batches of 100, 20 epochs (6 in the quick run); the accuracy on new digits after each.

# %%
trainer = Trainer(model, optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss(), metrics=["accuracy"], seed=0)
trainer.fit(
    DataLoader((x_train, t_train), batch_size=100, shuffle=True), validation=(x_test, t_test), epochs=6 if QUICK else 20
)
plots.training_curves(trainer.history).savefig(OUT / "curves.png")
best = max(row["val_accuracy"] for row in trainer.history)

# %% [markdown]
# ## The digits that it misreads
#
# Above each: what it said, and what is right. Many of them are hard for people, too. The confusion matrix says which
# digits are taken for which.

# %%
model.eval()
with tg.no_grad():
    scores = np.concatenate([model(x_test[i : i + 500]).numpy() for i in range(0, len(x_test), 500)])
said = scores.argmax(axis=1)
wrong = np.flatnonzero(said != t_test)
shown = wrong[:20]
figure, axes = plt.subplots(2, 10, figsize=(10, 2.6))
for axis in axes.flat:
    axis.axis("off")
for axis, i in zip(axes.flat, shown, strict=False):
    axis.imshow(x_test[i, 0], cmap="gray_r")
    axis.set_title(f"{said[i]}, not {t_test[i]}", fontsize=8)
figure.savefig(OUT / "misread.png", dpi=150, bbox_inches="tight")
plots.plot_confusion(said, t_test).savefig(OUT / "confusion.png")
print(f"{len(wrong)} of {len(t_test)} misread, best accuracy {best:.4f}")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "two small kernels see": seen[2],
    "three small kernels see": seen[3],
    "weights of three, and of one as wide": list(weights[3]),
    "parameters": sum(p.size for p in model.parameters()),
    "accuracy": float((said == t_test).mean()),
    "best accuracy": best,
    "misread": len(wrong),
}
for name, number in numbers.items():
    print(f"{name}: {number}")
