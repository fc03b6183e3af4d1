"""Modules that several tests of nn look at."""

from __future__ import annotations

from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F


class Net(nn.Module):
    def __init__(self, rng=None):
        self.hidden = nn.Linear(4, 3, generator=rng)
        self.output = nn.Linear(3, 2, generator=rng)

    def forward(self, x):
        self.x = x
        self.out = self.output(F.relu(self.hidden(x)))
        return self.out
