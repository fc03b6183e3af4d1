"""The training runs of chapters 4 to 6 of Saito, *Deep Learning from Scratch*, with the bands that right ones end in.

Each row gives its numbers by name, so that what a band says can be read beside what came out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from tinygrad_edu.data import datasets

Numbers = dict[str, float]


@dataclass(frozen=True)
class Row:
    """A training run: what is expected of its numbers, in words and as a test."""

    name: str
    expected: str
    run: Callable[[], Numbers]
    holds: Callable[[Numbers], bool]


mnist = cache(datasets.mnist)


def network(
    sizes: list[int],
    spread: Callable[[int], float],
    generator: np.random.Generator,
    *,
    activation: Callable[[], nn.Module] = nn.ReLU,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Layers of these sizes, whose weights begin as `spread(n)`·N(0, 1) and biases as 0."""
    layers: list[nn.Module] = []
    for n, m in itertools.pairwise(sizes):
        linear = nn.Linear(n, m)
        with tg.no_grad():
            linear.weight[...] = spread(n) * generator.normal(size=(n, m))
            linear.bias[...] = 0.0
        norm = [nn.BatchNorm1d(m)] if batch_norm else []
        layers += [linear, *norm, activation(), *([nn.Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers[: -1 - batch_norm - bool(dropout)])


def updates(
    model: nn.Module, optimizer: optim.Optimizer, x: Any, t: Any, batch: int, count: int, generator: Any
) -> Iterator[float]:
    """Train on batches drawn with replacement, as the book does, and give the loss of each."""

    @tg.replay
    def step(x: tg.Tensor, t: tg.Tensor) -> tg.Tensor:
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    for _ in range(count):
        places = generator.choice(len(x), batch)
        yield step(tg.Tensor(x[places]), tg.Tensor(t[places])).item()


def accuracy(model: nn.Module, x: Any, t: Any) -> float:
    """The share of right answers, in evaluation mode."""
    model.eval()
    with tg.no_grad():
        right = sum((model(x[i : i + 5000]).numpy().argmax(1) == t[i : i + 5000]).sum() for i in range(0, len(x), 5000))
    model.train()
    return float(right / len(x))


def he(n: int) -> float:
    """√(2/n)."""
    return float(np.sqrt(2 / n))


def xavier(n: int) -> float:
    """√(1/n)."""
    return float(np.sqrt(1 / n))


def small(n: int) -> float:
    """0.01."""
    return 0.01


# ---------------------------------------------------------------------------------------------------
# Chapters 4 and 5


def two_layers(activation: Callable[[], nn.Module]) -> Numbers:
    """784-50-10, weights 0.01·N, descent at 0.1, batches of 100, 10,000 updates."""
    (x, t), (x_test, t_test) = mnist()
    generator = np.random.default_rng(0)
    model = network([784, 50, 10], small, generator, activation=activation)
    for _ in updates(model, optim.SGD(model.parameters(), lr=0.1), x, t, 100, 10_000, generator):
        pass
    return {"train": accuracy(model, x, t), "test": accuracy(model, x_test, t_test)}


# ---------------------------------------------------------------------------------------------------
# Chapter 6


def late_loss(make: Callable[[Any], optim.Optimizer], spread: Callable[[int], float], seed: int = 0) -> float:
    """Four hidden layers of 100, batches of 128: the mean loss of updates 1,850 to 1,949."""
    (x, t), _ = mnist()
    generator = np.random.default_rng(seed)
    model = network([784, 100, 100, 100, 100, 10], spread, generator)
    losses = list(updates(model, make(model.parameters()), x, t, 128, 1950, generator))
    return float(np.mean(losses[1850:1950]))


def optimizers() -> Numbers:
    """Four rules on one net."""
    return {
        "SGD": late_loss(lambda p: optim.SGD(p, lr=0.01), he),
        "Momentum": late_loss(lambda p: optim.Momentum(p, lr=0.01, momentum=0.9), he),
        "AdaGrad": late_loss(lambda p: optim.AdaGrad(p, lr=0.01), he),
        "Adam": late_loss(lambda p: optim.Adam(p, lr=0.001), he),
    }


def initializations() -> Numbers:
    """Three spreads of the weights, by plain descent."""
    return {
        name: late_loss(lambda p: optim.SGD(p, lr=0.01), spread)
        for name, spread in (("std 0.01", small), ("Xavier", xavier), ("He", he))
    }


def epochs(model: nn.Module, optimizer: optim.Optimizer, x: Any, t: Any, count: int, generator: Any) -> None:
    """So many epochs of batches of 100, drawn with replacement."""
    for _ in updates(model, optimizer, x, t, min(100, len(x)), count * max(1, len(x) // 100), generator):
        pass


def batch_normalization() -> Numbers:
    """1,000 images, five hidden layers of 100, 20 epochs at 0.01, from 16 spreads of the weights: how many learn."""
    (x, t), _ = mnist()
    x, t = x[:1000], t[:1000]
    learnt = {"with": 0, "without": 0}
    for scale in np.logspace(0, -4, 16):
        for name in learnt:
            generator = np.random.default_rng(0)
            model = network([784, *[100] * 5, 10], lambda n, s=scale: s, generator, batch_norm=name == "with")
            epochs(model, optim.SGD(model.parameters(), lr=0.01), x, t, 20, generator)
            with tg.no_grad():  # by the statistics of the batch, as the book does
                learnt[name] += float((model(x).numpy().argmax(1) == t).mean()) >= 0.5
    return {name: float(count) for name, count in learnt.items()}


def over_fitting(decay: float, count: int, dropout: float = 0.0) -> Numbers:
    """300 images, six hidden layers of 100, descent at 0.01, with weight decay λ·w or dropout."""
    (x, t), (x_test, t_test) = mnist()
    x, t = x[:300], t[:300]
    generator = np.random.default_rng(0)
    tg.manual_seed(0)
    model = network([784, *[100] * 6, 10], he, generator, dropout=dropout)
    weights = [p for p in model.parameters() if p.ndim == 2]
    biases = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases}]
    epochs(model, optim.SGD(groups, lr=0.01), x, t, count, generator)
    return {"train": accuracy(model, x, t), "test": accuracy(model, x_test, t_test)}


def over_fitting_and_dropout() -> Numbers:
    """301 epochs without and with dropout of 0.2."""
    without, dropped = over_fitting(0.0, 301), over_fitting(0.0, 301, dropout=0.2)
    return {
        "train without": without["train"],
        "test without": without["test"],
        "train": dropped["train"],
        "test": dropped["test"],
    }


def random_search() -> Numbers:
    """500 images, a fifth of them to validate; 100 trials of 50 epochs, with rate and decay drawn on log scales."""
    (x, t), _ = mnist()
    generator = np.random.default_rng(0)
    order = generator.permutation(500)
    x, t = x[:500][order], t[:500][order]
    (x_val, t_val), (x, t) = (x[:100], t[:100]), (x[100:], t[100:])
    trials = []
    for _ in range(100):
        rate, decay = 10 ** generator.uniform(-6, -2), 10 ** generator.uniform(-8, -4)
        model = network([784, *[100] * 6, 10], he, generator)
        epochs(model, optim.SGD(model.parameters(), lr=rate, weight_decay=decay), x, t, 50, generator)
        trials.append((accuracy(model, x_val, t_val), rate))
    best = sorted(trials, reverse=True)[:5]
    return {"best": best[0][0], "lowest of the five best rates": min(rate for _, rate in best)}


def between(low: float, high: float, *names: str) -> Callable[[Numbers], bool]:
    """Whether each of these numbers lies there."""
    return lambda got: all(low <= got[name] <= high for name in names)


ROWS = [
    Row("two layers, ReLU", "test ≥ 0.965", lambda: two_layers(nn.ReLU), between(0.965, 1, "test")),
    Row("two layers, sigmoid", "test ≥ 0.94", lambda: two_layers(nn.Sigmoid), between(0.94, 1, "test")),
    Row(
        "optimizers",
        "loss of updates 1,850 to 1,949: SGD .20 to .27, the others ≤ .10",
        optimizers,
        lambda got: between(0.2, 0.27, "SGD")(got) and between(0, 0.1, "Momentum", "AdaGrad", "Adam")(got),
    ),
    Row(
        "initializations",
        "the same loss: std .01 about 2.30, Xavier .28 to .36, He .20 to .27",
        initializations,
        lambda got: (
            between(2.28, 2.32, "std 0.01")(got)
            and between(0.28, 0.36, "Xavier")(got)
            and between(0.2, 0.27, "He")(got)
        ),
    ),
    Row(
        "batch normalization",
        "train ≥ .5 at 12 or more of 16 spreads with it, at 3 or fewer without",
        batch_normalization,
        lambda got: got["with"] >= 12 and got["without"] <= 3,
    ),
    Row(
        "over-fitting",
        "train 1.0, test about .75",
        lambda: over_fitting(0.0, 201),
        lambda got: got["train"] == 1 and 0.7 <= got["test"] <= 0.82,
    ),
    Row(
        "weight decay",
        "train .83 to .95, test .66 to .75",
        lambda: over_fitting(0.1, 201),
        lambda got: between(0.83, 0.95, "train")(got) and between(0.66, 0.75, "test")(got),
    ),
    Row(
        "dropout",
        "train .93 to .995, test within .04 of the run without",
        over_fitting_and_dropout,
        lambda got: between(0.93, 0.995, "train")(got) and abs(got["test"] - got["test without"]) <= 0.04,
    ),
    Row(
        "random search",
        "best ≥ .65, the five best rates ≥ 3e-3",
        random_search,
        lambda got: got["best"] >= 0.65 and got["lowest of the five best rates"] >= 3e-3,
    ),
]
