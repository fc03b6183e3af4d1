# %% [markdown]
# # 10. Learning-rate schedules
#
# A large rate is good at first, when one is far away, and bad at last, when each step throws one to and fro across the
# bottom. So the rate is made to fall: in stairs, along a cosine, or when the loss stops falling. And at the very first,
# when nothing is known yet, a rate that rises (a **warm-up**) keeps the first steps from doing harm.
#
# Source: Loshchilov and Hutter, *SGDR* (2017); Goyal et al., *Accurate, large minibatch SGD* (2017).

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
from tinygrad_edu.optim import lr_scheduler

QUICK = "--quick" in sys.argv or "QUICK" in os.environ  # fewer epochs, for a look
OUT = Path("out/lessons/10")
OUT.mkdir(parents=True, exist_ok=True)

# %% [markdown]
# ## What they look like
#
# A schedule changes the rate that it finds, so several can be stepped on one optimizer: a warm-up and stairs multiply.

# %%
EPOCHS = 60


def rates(*schedules):
    """The rate of each epoch."""
    optimizer = optim.SGD([tg.Tensor([0.0], requires_grad=True)], lr=1.0)
    made = [schedule(optimizer) for schedule in schedules]
    found = []
    for _ in range(EPOCHS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for schedule in made:
            schedule.step()
    return found


def warm_up(optimizer):
    return lr_scheduler.LinearLR(optimizer, 0.1, total_iters=5)


shapes = {
    "step": rates(lambda o: lr_scheduler.StepLR(o, 20, 0.3)),
    "exponential": rates(lambda o: lr_scheduler.ExponentialLR(o, 0.95)),
    "cosine": rates(lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS)),
    "warm-up, then step": rates(warm_up, lambda o: lr_scheduler.MultiStepLR(o, [30, 45], 0.3)),
    "warm-up, then cosine": rates(
        lambda o: lr_scheduler.SequentialLR(o, [warm_up(o), lr_scheduler.CosineAnnealingLR(o, EPOCHS - 5)], [5])
    ),
}
figure, axes = plt.subplots(1, len(shapes), figsize=(13, 2.4), sharey=True)
for axis, (name, found) in zip(axes, shapes.items(), strict=True):
    axis.plot(found)
    axis.set_title(name, fontsize=9)
    axis.set_xlabel("epoch", fontsize=8)
axes[0].set_ylabel("rate / η₀")
figure.savefig(OUT / "shapes.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The noise at the bottom, and how it dies
#
# A bowl seen through noise: each gradient is off by a random part. At a constant rate the loss ends where noise and
# descent balance, in proportion to the rate; with a falling rate it goes on falling.


# %%
def noisy(schedule, steps=600):
    """The loss of each step, down a bowl of 50 dimensions whose gradients are noisy."""
    generator = np.random.default_rng(0)
    x = tg.Tensor(generator.normal(size=50), requires_grad=True)
    optimizer = optim.SGD([x], lr=0.3)
    made = schedule(optimizer) if schedule else None
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = 0.5 * (x**2).mean()
        loss.backward()
        x.grad = x.grad * 50 + generator.normal(size=50)
        optimizer.step()
        if made:
            made.step()
        losses.append(loss.item())
    return losses


bowls = {
    "constant": noisy(None),
    "step": noisy(lambda o: lr_scheduler.StepLR(o, 150, 0.3)),
    "cosine": noisy(lambda o: lr_scheduler.CosineAnnealingLR(o, 600)),
}
figure, axis = plt.subplots(figsize=(5.5, 3.2))
for (name, losses), style in zip(bowls.items(), (":", "--", "-"), strict=True):
    axis.semilogy(losses, style, linewidth=1, label=name)
axis.set(xlabel="step", ylabel="loss")
axis.legend()
figure.savefig(OUT / "noise.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## On digits
#
# The same net, with a rate that is too large to keep: constant, and with a warm-up and a cosine.

# %%
(x_train, t_train), (x_test, t_test) = datasets.digits()


def train(schedule, epochs):
    """Training loss by epoch, and the test accuracy at last."""
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    @tg.replay
    def step(x, t):
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    made, losses = schedule(optimizer), []
    for _ in range(epochs):
        batches = DataLoader((x_train, t_train), batch_size=50, shuffle=True)
        losses.append(float(np.mean([step(x, t).item() for x, t in batches])))
        if made:
            made.step()
    with tg.no_grad():
        return losses, float((model(x_test).numpy().argmax(1) == t_test).mean())


count = 15 if QUICK else 60
constant, constant_accuracy = train(lambda o: None, count)
cosine, cosine_accuracy = train(
    lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.CosineAnnealingLR(o, count - 3)], [3]
    ),
    count,
)
figure, axis = plt.subplots(figsize=(5.5, 3.2))
axis.semilogy(constant, "--", label=f"constant, test {constant_accuracy:.1%}")
axis.semilogy(cosine, label=f"warm-up and cosine, test {cosine_accuracy:.1%}")
axis.set(xlabel="epoch", ylabel="training loss")
axis.legend()
figure.savefig(OUT / "digits.png", dpi=150, bbox_inches="tight")

# %% [markdown]
# ## The numbers

# %%
numbers = {
    "rates of the stairs": sorted({round(rate, 9) for rate in shapes["step"]}, reverse=True),
    "cosine half way": shapes["cosine"][EPOCHS // 2],
    "warm-up begins at": shapes["warm-up, then step"][0],
    "warm-up and stairs end at": round(shapes["warm-up, then step"][-1], 9),
    "noise floor, constant": float(np.mean(bowls["constant"][-100:])),
    "noise floor, step": float(np.mean(bowls["step"][-100:])),
    "noise floor, cosine": float(np.mean(bowls["cosine"][-20:])),
    "last training loss, constant": constant[-1],
    "last training loss, cosine": cosine[-1],
    "test accuracy, constant": constant_accuracy,
    "test accuracy, cosine": cosine_accuracy,
}
for name, number in numbers.items():
    print(f"{name}: {number}")
