"""What the tests of training share: a small problem, and models for it."""

import numpy as np
import pytest

from tinygrad_edu import nn


@pytest.fixture
def moons():
    """Two classes that no line separates: x (60, 2), y (60,)."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, np.pi, 60).astype(np.float32)
    y = np.arange(60) % 2
    x = np.stack([np.cos(angle) * (1 - 2 * y) + y, np.sin(angle) * (1 - 2 * y) + y / 2], axis=1)
    return x.astype(np.float32), y


@pytest.fixture
def net():
    """A network with all that has a state: dropout, batch normalization."""

    def make(seed=0, hidden=8, noise=None):
        g = np.random.default_rng(seed)
        return nn.Sequential(
            nn.Linear(2, hidden, generator=g),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Dropout(0.2, generator=noise),
            nn.Linear(hidden, 2, generator=g),
        )

    return make
