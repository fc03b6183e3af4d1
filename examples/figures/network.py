"""A network as a row of layers: each knows how to go forward, and how to go back.

What the last one passes back is as simple as can be: the probabilities less the targets.
"""

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn
from viz import draw


class Affine(nn.Linear):
    """A linear layer by its geometrical name."""


class Network(nn.Module):
    """Affine, ReLU, Affine, and the loss."""

    def __init__(self, generator):
        self.affine1 = Affine(4, 8, generator=generator, dtype=float)
        self.relu = nn.ReLU()
        self.affine2 = Affine(8, 3, generator=generator, dtype=float)
        self.last = nn.CrossEntropyLoss(reduction="sum")

    def forward(self, x, t):
        """The loss."""
        self.scores = self.affine2(self.relu(self.affine1(x)))
        return self.last(self.scores, t)


rng = np.random.default_rng(0)
network = Network(rng)
x = tg.Tensor(rng.standard_normal((32, 4)))
t = tg.Tensor(np.eye(3)[rng.integers(3, size=32)])
L = network(x, t)

figures = {
    "5-28 A network of two layers": draw(
        L,
        collapse="all",
        names={"Softmax with loss": network.last, "a": network.scores},
        annotate={network.scores: "y − t"},
        sizes={32: "N"},
    ),
}
