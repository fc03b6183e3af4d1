"""autograd (HIPS): a function of NumPy code, differentiated."""

from __future__ import annotations

import autograd
import autograd.numpy as anp

from tests.benchmarks.peers import LR, problem, three_vectors


def expression():
    vectors = three_vectors()
    run = autograd.value_and_grad(lambda v: anp.maximum(v[0] * v[1] + v[2], 0).sum())

    def step(value=False):
        y, _ = run(vectors)
        return float(y) if value else None

    return step


def net(widths):
    p = problem(widths)
    rows = anp.arange(len(p.x))
    state = list(zip(p.weights, p.biases, strict=True))

    def loss_of(parameters):
        h = p.x
        for w, b in parameters[:-1]:
            h = anp.maximum(anp.dot(h, w) + b, 0)
        w, b = parameters[-1]
        h = anp.dot(h, w) + b
        h = h - anp.max(h, axis=1, keepdims=True)
        return anp.mean(anp.log(anp.sum(anp.exp(h), axis=1)) - h[rows, p.labels])

    run = autograd.value_and_grad(loss_of)

    def step(value=False):
        loss, gradients = run(state)
        for (w, b), (gw, gb) in zip(state, gradients, strict=True):
            w -= LR * gw
            b -= LR * gb
        return float(loss) if value else None

    return step
