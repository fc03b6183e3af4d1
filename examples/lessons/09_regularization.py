# %% [markdown]
# # 9. Too little, too much: capacity, and what holds it back
#
# A model that is too small **under-fits**: it is wrong on what it was shown. One that is too large for its data **over-fits**:
# right on what it was shown, wrong on the rest. The gap is closed by more data, or by anything that makes learning by heart
# harder: smaller weights, units that drop out, stopping in time, data that are never twice the same.
#
# Source: Saito, *Deep Learning from Scratch*, chapter 6; Goodfellow, Bengio and Courville, *Deep Learning*, chapter 7.

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
from tinygrad_edu.data import DataLoader, datasets
from tinygrad_edu.data.transforms import Compose, GaussianNoise, RandomRotation
from tinygrad_edu.train import EarlyStopping, Trainer
from viz.plots import training_curves

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/09")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## Capacity
#
# Twelve noisy points of a curve, and polynomials of degree 1, 4 and 11. The straight line cannot bend; the eleventh degree
# goes through every point, and between them anywhere.

# %%
generator = np.random.default_rng(1)
x = np.sort(generator.uniform(-1, 1, 12))
t = np.sin(3 * x) + generator.normal(0, 0.2, 12)
xs = np.linspace(-1, 1, 300)
degrees, errors = (1, 4, 11), {}
figure, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True)
for axis, degree in zip(axes, degrees, strict=True):
    w = np.linalg.lstsq(np.vander(x, degree + 1), t, rcond=None)[0]
    here = float(np.mean((np.vander(x, degree + 1) @ w - t) ** 2))
    beyond = float(np.mean((np.vander(xs, degree + 1) @ w - np.sin(3 * xs)) ** 2))
    errors[degree] = (here, beyond)
    axis.plot(xs, np.sin(3 * xs), color="#bbbbbb", linewidth=3)
    axis.plot(x, t, "o", color="#222222", markersize=4)
    axis.plot(xs, np.vander(xs, degree + 1) @ w, color="#d55e00")
    axis.set(ylim=(-2, 2), title=f"degree {degree}: error {here:.2g} on them, {beyond:.2g} beyond")
figure.savefig(OUT / "capacity.png", dpi=150, bbox_inches="tight")
print("error on the points, and beyond:", {d: (round(a, 4), round(b, 4)) for d, (a, b) in errors.items()})

# %% [markdown]
# ## A net that learns by heart
#
# 100 digits, and three hidden layers of 100: right on all of them, and wrong on one in six others.

# %%
(x, t), (x_test, t_test) = datasets.digits(flatten=False)
x, t = x[:100], t[:100]
EPOCHS = 40 if QUICK else 200


def net(dropout=0.0):
    """Three hidden layers of 100, He's weights."""
    layers = [nn.Flatten()]
    for inputs in (64, 100, 100):
        layers += [nn.Linear(inputs, 100), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(100, 10))


def train(model, loss=None, decay=0.0, transform=None, callbacks=(), epochs=EPOCHS):
    """The trainer, after training."""
    rule = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=decay)
    trainer = Trainer(model, rule, loss or nn.CrossEntropyLoss(), metrics=["accuracy"], callbacks=callbacks, seed=0)
    loader = DataLoader((x, t), batch_size=25, shuffle=True, transform=transform)
    trainer.fit(loader, validation=(x_test, t_test), epochs=epochs)
    return trainer


def gap(trainer):
    """Accuracy on the training data, and on the others."""
    return trainer.evaluate((x, t))["accuracy"], trainer.evaluate((x_test, t_test))["accuracy"]


tg.manual_seed(0)
plain = train(net())
results = {"nothing": gap(plain)}
training_curves(plain.history).savefig(OUT / "by_heart.png", dpi=150)

# %% [markdown]
# ## Smaller weights: L2 and L1
#
# L2, or weight decay, adds $\frac{\lambda}{2} \sum w^2$ to the loss, whose gradient is λw: all weights shrink in proportion.
# L1 adds $\lambda \sum |w|$: all shrink by as much, and many end at zero. Both in the loss; the first in the optimizer as well.

# %%
tg.manual_seed(0)
model = net()
results["L2"] = gap(train(model, decay=3e-3))

tg.manual_seed(0)
sparse = net()
weights = [p for p in sparse.parameters() if p.ndim == 2]
results["L1"] = gap(train(sparse, lambda y, t: F.cross_entropy(y, t) + 3e-4 * F.l1_penalty(weights)))


def near_zero(model):
    """The share of weights that hardly count."""
    return float(np.mean(np.concatenate([np.abs(p.numpy().ravel()) < 1e-3 for p in model.parameters() if p.ndim == 2])))


print(
    f"weights below 0.001: {near_zero(plain.model):.0%} with nothing, {near_zero(model):.0%} with L2, {near_zero(sparse):.0%} with L1"
)

# %% [markdown]
# ## Activity: what a layer gives, kept small
#
# A penalty may as well be on what the units say: few of them then speak at a time.


# %%
class Quiet(nn.Module):
    """A net that keeps what its first hidden layer gave, so that a loss can ask for little of it."""

    def __init__(self):
        self.hidden, self.output = nn.Linear(64, 100), nn.Linear(100, 10)

    def forward(self, x):
        self.activity = F.relu(self.hidden(F.flatten(x)))
        return self.output(self.activity)


def speaking(penalty):
    """The share of units that speak, after training with this penalty on their activity."""
    tg.manual_seed(0)
    model = Quiet()
    rule = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for _ in range(EPOCHS):
        rule.zero_grad()
        loss = F.cross_entropy(model(x), t) + penalty * np.abs(model.activity).mean()
        loss.backward()
        rule.step()
    return float((model.activity.numpy() > 0).mean())


spoke = {penalty: speaking(penalty) for penalty in (0.0, 2.0)}
print("units that speak, by the penalty:", {penalty: f"{share:.0%}" for penalty, share in spoke.items()})

# %% [markdown]
# ## Dropout, stopping in time, and augmentation
#
# Dropout: every step trains another net, with a part of the units gone. Early stopping: keep the weights of the best epoch on
# data held out. Augmentation: a digit that is turned a little, or noisy, is still that digit.

# %%
tg.manual_seed(0)
results["dropout"] = gap(train(net(0.3)))
tg.manual_seed(0)
stopping = EarlyStopping(patience=15, restore_best=True)
stopped = train(net(), callbacks=[stopping])
results["early stopping"] = gap(stopped)
tg.manual_seed(0)
changes = Compose([RandomRotation(15), GaussianNoise(sigma=0.15)])
results["augmentation"] = gap(train(net(), transform=changes, epochs=2 * EPOCHS))
tg.manual_seed(0)
results["augmentation, dropout, L2"] = gap(train(net(0.1), decay=1e-3, transform=changes, epochs=2 * EPOCHS))

figure, axis = plt.subplots(figsize=(7, 3.4))
places = np.arange(len(results))
axis.barh(places - 0.2, [a for a, _ in results.values()], 0.4, color="#bbbbbb", label="training")
axis.barh(places + 0.2, [b for _, b in results.values()], 0.4, color="#0072b2", label="others")
axis.set_yticks(places, list(results))
axis.set(xlim=(0.7, 1), xlabel="accuracy")
axis.invert_yaxis()
axis.legend(loc="lower left")
figure.savefig(OUT / "compared.png", dpi=150, bbox_inches="tight")
for name, (seen, other) in results.items():
    print(f"{name:>26}: {seen:6.1%} on what it was shown, {other:6.1%} on the rest")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "degree 1, on the points": errors[1][0],
    "degree 4, beyond": errors[4][1],
    "degree 11, on the points": errors[11][0],
    "degree 11, beyond": errors[11][1],
    "training accuracy, nothing": results["nothing"][0],
    "test accuracy, nothing": results["nothing"][1],
    "training accuracy, L2": results["L2"][0],
    "weights near zero, nothing": near_zero(plain.model),
    "weights near zero, L1": near_zero(sparse),
    "units that speak": spoke[0.0],
    "units that speak, penalized": spoke[2.0],
    "stopped after epochs": stopped.epoch,
    "test accuracy, augmentation": results["augmentation"][1],
    "test accuracy, all": results["augmentation, dropout, L2"][1],
}
for name, number in numbers.items():
    print(f"{name}: {number}")
