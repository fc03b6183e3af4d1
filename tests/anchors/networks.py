"""The convolutional networks of chapters 7 and 8 of Saito, *Deep Learning from Scratch*, trained on MNIST as there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tests.anchors.rows import Numbers, Row, accuracy, between, mnist, updates
from tinygrad_edu import nn, optim

EPOCHS, BATCH = 20, 100


def begun(model: nn.Module, spread: Callable[[int], float], generator: np.random.Generator) -> nn.Module:
    """The model, with weights as `spread(n)`·N(0, 1), for n numbers that each output adds up, and biases as 0."""
    with tg.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter[...] = 0.0
            else:
                n = parameter.shape[0] if parameter.ndim == 2 else int(np.prod(parameter.shape[1:]))
                parameter[...] = spread(n) * generator.normal(size=parameter.shape)
    return model


def simple_convnet() -> nn.Module:
    """conv 30 of 5×5 · ReLU · pool 2 · 100 · ReLU · 10."""
    return nn.Sequential(
        nn.Conv2d(1, 30, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(30 * 12 * 12, 100), nn.ReLU(),
        nn.Linear(100, 10),
    )  # fmt: skip


def deep_convnet() -> nn.Module:
    """Six convolutions of 3×3 with 16, 16, 32, 32, 64, 64 kernels, pooled by twos; 50 · dropout · 10 · dropout."""

    def pair(before: int, width: int, padding: int = 1) -> list[nn.Module]:
        return [
            nn.Conv2d(before, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=padding), nn.ReLU(),
            nn.MaxPool2d(2),
        ]  # fmt: skip

    return nn.Sequential(
        *pair(1, 16), *pair(16, 32, padding=2), *pair(32, 64), nn.Flatten(),
        nn.Linear(64 * 4 * 4, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 10), nn.Dropout(0.5),
    )  # fmt: skip


def by_epoch(model: nn.Module, count: int = EPOCHS) -> tuple[list[float], Any, Any]:
    """Test accuracy after each epoch of 600 batches, by Adam at 0.001; and the training images and labels."""
    (x, t), (x_test, t_test) = mnist()
    x, x_test = x.reshape(-1, 1, 28, 28), x_test.reshape(-1, 1, 28, 28)
    generator = np.random.default_rng(0)
    tg.manual_seed(0)
    found = []
    for number, _ in enumerate(
        updates(model, optim.Adam(model.parameters(), lr=0.001), x, t, BATCH, count * len(x) // BATCH, generator), 1
    ):
        if number % (len(x) // BATCH) == 0:
            found.append(accuracy(model, x_test, t_test))
    return found, x, t


def simple() -> Numbers:
    """Weights begin as 0.01·N(0, 1)."""
    model = begun(simple_convnet(), lambda n: 0.01, np.random.default_rng(0))
    found, x, t = by_epoch(model)
    return {"train": accuracy(model, x, t), "test": found[-1]}


def deep() -> Numbers:
    """Weights begin as √(2/n)·N(0, 1)."""
    found, _, _ = by_epoch(begun(deep_convnet(), lambda n: float(np.sqrt(2 / n)), np.random.default_rng(0)))
    return {"best": max(found), "last": found[-1]}


ROWS = [
    Row(
        "simple ConvNet",
        "train > .998, test ≥ .985",
        simple,
        lambda got: got["train"] > 0.998 and between(0.985, 1, "test")(got),
    ),
    Row(
        "deep ConvNet",
        "best of 20 epochs ≥ .993, last ≥ .990",
        deep,
        lambda got: got["best"] >= 0.993 and got["last"] >= 0.99,
    ),
]
