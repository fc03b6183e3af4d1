"""Small networks and steps of training, to be compared between eager calls and XLA. For test_xla_steps and its like."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import models, nn, optim
from tinygrad_edu.nn import functional as F

BATCH, STEPS = 16, 50


def at_night(names, *slow):
    """The names as parameters of a test, of which the slow ones are for the night."""
    return [pytest.param(name, marks=[pytest.mark.nightly] if name in slow else []) for name in names]


class Training:
    """A model, its optimizer, a step, and batches for it."""

    def __init__(self, name, dtype="float64"):
        before = tg.get_default_dtype()
        tg.set_default_dtype(dtype)
        tg.manual_seed(0)
        self.model = NETS[name]()
        tg.set_default_dtype(before)
        self.optimizer = optim.Adam(self.model.parameters(), lr=3e-3)
        rng = np.random.default_rng(1)
        self.batches = [BATCHES[name](rng, dtype) for _ in range(STEPS)]
        tg.manual_seed(7)

    def step(self, x, y):
        out = self.model(x)
        out = out[0] if isinstance(out, tuple) else out
        if out.ndim == 3:
            out, y = out.reshape(-1, out.shape[-1]), y.reshape(-1)
        loss = F.cross_entropy(out, y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def run(self, step, steps=STEPS):
        """The losses of a step that does what `self.step` does."""
        return [step(x, y).item() for x, y in self.batches[:steps]]

    def state(self):
        """All numbers that the training has changed, by name."""
        found = {name: np.array(x) for name, x in self.model.state_dict().items()}
        for i, kept in self.optimizer.state_dict()["state"].items():
            found.update({f"{i}.{key}": np.array(x) for key, x in kept.items()})
        return found


def _mlp():
    # no bias before batch normalization: its gradient is rounding, which Adam would divide by its own size
    return nn.Sequential(
        nn.Linear(12, 24, bias=False), nn.BatchNorm1d(24), nn.ReLU(), nn.Dropout(0.3), nn.Linear(24, 5)
    )


def _convnet():
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, stride=2), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(8, 5),
    )  # fmt: skip


def _lstm():
    return models.CharRNN(11, 6, 12, dropout=0.1)


def _gpt():
    return models.GPT(11, 8, 2, 2, 16, dropout=0.1)


NETS = {"mlp": _mlp, "convnet": _convnet, "lstm": _lstm, "gpt": _gpt}
BATCHES = {
    "mlp": lambda rng, dtype: (rng.standard_normal((BATCH, 12)).astype(dtype), rng.integers(0, 5, BATCH)),
    "convnet": lambda rng, dtype: (rng.standard_normal((BATCH, 2, 12, 12)).astype(dtype), rng.integers(0, 5, BATCH)),
    "lstm": lambda rng, dtype: tuple(rng.integers(0, 11, (2, BATCH, 7))),
    "gpt": lambda rng, dtype: tuple(rng.integers(0, 11, (2, BATCH, 8))),
}
