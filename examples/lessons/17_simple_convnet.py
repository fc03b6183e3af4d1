# %% [markdown]
# # 17. A convolutional network reads digits
#
# convolution · ReLU · pooling · two layers of weights: the smallest network that treats an image as an image. It is trained
# on MNIST, 60,000 digits of 28 × 28 pixels, and laid beside a fully connected net: both learn the digits where they are,
# but only one of them is not disturbed when they move.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 7.

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
OUT = Path("out/lessons/17")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## The network
#
# 30 kernels of 5 × 5 look at 24 × 24 places; pooling by twos leaves 12 × 12. The 8 × 8 digits of the quick run have kernels
# of 3 × 3.

# %%
tg.manual_seed(0)
if QUICK:
    (x_train, t_train), (x_test, t_test) = datasets.digits(flatten=False)
else:
    (x_train, t_train), (x_test, t_test) = datasets.mnist(flatten=False)
side = x_train.shape[-1]
x_train, x_test = (x.reshape(-1, 1, side, side) for x in (x_train, x_test))
kernel = 3 if QUICK else 5
after = (side - kernel + 1) // 2
convolutional = nn.Sequential(
    nn.Conv2d(1, 30, kernel),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(30 * after**2, 100),
    nn.ReLU(),
    nn.Linear(100, 10),
)
connected = nn.Sequential(nn.Flatten(), nn.Linear(side**2, 100), nn.ReLU(), nn.Linear(100, 10))
print(nn.summary(convolutional, (1, 1, side, side)))
draw(convolutional(tg.Tensor(x_test[:1], name="x")), collapse="all").save(OUT / "network.svg")
kernels_before = convolutional[0].weight.numpy().copy()

# %% [markdown]
# ## Training
#
# Adam, batches of 100. The trainer replays each step as a flat program.


# %%
def train(model, epochs):
    """The trainer, after training."""
    trainer = Trainer(
        model, optim.Adam(model.parameters(), lr=0.001), nn.CrossEntropyLoss(), metrics=["accuracy"], seed=0
    )
    loader = DataLoader((x_train, t_train), batch_size=100, shuffle=True)
    trainer.fit(loader, validation=(x_test, t_test), epochs=epochs)
    return trainer


EPOCHS = 10 if QUICK else 20
trainers = {"convolutional": train(convolutional, EPOCHS), "fully connected": train(connected, EPOCHS)}
accuracy = {name: trainer.evaluate((x_test, t_test))["accuracy"] for name, trainer in trainers.items()}
on_training = trainers["convolutional"].evaluate((x_train, t_train))["accuracy"]
plots.training_curves(trainers["convolutional"].history).savefig(OUT / "curves.png")
print({name: round(a, 4) for name, a in accuracy.items()})

# %% [markdown]
# ## What the first layer has learnt
#
# Its kernels, before and after; and what they make of one digit. Each feature map is bright where its kernel's pattern is.

# %%
plots.filters(kernels_before, columns=10).savefig(OUT / "kernels_before.png")
plots.filters(convolutional[0], columns=10).savefig(OUT / "kernels_after.png")
maps = convolutional[1](convolutional[0](x_test[:1])).numpy()[0]
figure, axes = plt.subplots(2, 6, figsize=(8, 2.8))
for axis, shown in zip(axes.flat, [x_test[0, 0], *maps], strict=False):
    axis.imshow(shown, cmap="gray_r")
    axis.axis("off")
axes[0, 0].set_title("the digit", fontsize=9)
figure.savefig(OUT / "feature_maps.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## Digits that move
#
# The test digits, shifted to the right by one, two, three pixels, which neither network has ever seen.

# %%
shifts = range(2 if QUICK else 5)
moved = {}
for name, model in (("convolutional", convolutional), ("fully connected", connected)):
    model.eval()
    with tg.no_grad():
        moved[name] = [
            float((model(np.roll(x_test, k, axis=3)).numpy().argmax(axis=1) == t_test).mean()) for k in shifts
        ]
    print(f"{name}, by shift:", [round(a, 3) for a in moved[name]])
figure, axis = plt.subplots(figsize=(5, 3))
for (name, line), style in zip(moved.items(), ("o-", "s--"), strict=True):
    axis.plot(shifts, line, style, label=name)
axis.set(xlabel="shifted by, in pixels", ylabel="accuracy", ylim=(0, 1.02), xticks=list(shifts))
axis.legend()
figure.savefig(OUT / "shifted.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "parameters of the convolution": sum(p.size for p in convolutional[0].parameters()),
    "accuracy on training digits": on_training,
    "accuracy": accuracy["convolutional"],
    "accuracy, fully connected": accuracy["fully connected"],
    "accuracy, one pixel to the right": moved["convolutional"][1],
    "accuracy, one pixel to the right, fully connected": moved["fully connected"][1],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
