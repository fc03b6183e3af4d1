"""A step of training in memory: 784 pixels, 50 hidden units, 10 classes, as `tg.replay` runs it.

A column is a line of the program, a bar is an array from the line that writes it to the last that reads it. What the
forward pass keeps for the backward pass is what is long; what no one needs any more is written over, or lends its
buffer to something else; and the update writes straight into the weights.
"""

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from viz import draw

rng = np.random.default_rng(0)
model = nn.Sequential(nn.Linear(784, 50, generator=rng), nn.ReLU(), nn.Linear(50, 10, generator=rng))
optimizer = optim.SGD(model.parameters(), lr=0.1)


@tg.replay
def step(x, t):
    """Forward, backward, update."""
    loss = F.cross_entropy(model(x), t)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


step(rng.random((100, 784), np.float32), rng.integers(0, 10, 100))
figures = {
    "R-1 A step of training in memory": draw(step.plan, sizes={100: "N"}),
}
