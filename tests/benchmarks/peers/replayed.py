"""tinygrad_edu, the same steps under `replay`."""

from __future__ import annotations

import tinygrad_edu as tg
from tests.benchmarks.peers import three_vectors
from tests.benchmarks.peers.ours import modern_step, training_step
from tinygrad_edu.program import replay


def expression():
    a, b, c = (tg.Tensor(v, requires_grad=True) for v in three_vectors())

    @replay
    def run():
        a.grad = b.grad = c.grad = None
        y = tg.relu(a * b + c).sum()
        y.backward()
        return y

    def step(value=False):
        y = run()
        return y.item() if value else None

    return step


def net(widths):
    learn, x, labels = training_step(widths)
    learn = replay(learn)

    def step(value=False):
        loss = learn(x, labels)
        return loss.item() if value else None

    return step


def modern_net():
    learn, x, labels = modern_step()
    learn = replay(learn)

    def step(value=False):
        loss = learn(x, labels)
        return loss.item() if value else None

    return step
