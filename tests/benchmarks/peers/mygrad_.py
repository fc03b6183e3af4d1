"""MyGrad: NumPy's functions on its tensors, with its own layers and losses."""

from __future__ import annotations

import mygrad as mg
from mygrad.nnet.activations import relu
from mygrad.nnet.losses import softmax_crossentropy

from tests.benchmarks.peers import LR, problem, three_vectors


def expression():
    a, b, c = (mg.tensor(v) for v in three_vectors())

    def step(value=False):
        y = relu(a * b + c).sum()
        y.backward()
        return y.item() if value else None

    return step


def net(widths):
    p = problem(widths)
    state = [(mg.tensor(w), mg.tensor(b)) for w, b in zip(p.weights, p.biases, strict=True)]

    def step(value=False):
        h = p.x
        for w, b in state[:-1]:
            h = relu(mg.matmul(h, w) + b)
        w, b = state[-1]
        loss = softmax_crossentropy(mg.matmul(h, w) + b, p.labels)
        loss.backward()
        for pair in state:
            for parameter in pair:
                parameter.data -= LR * parameter.grad
        return loss.item() if value else None

    return step
