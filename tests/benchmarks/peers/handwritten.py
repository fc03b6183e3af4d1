"""NumPy by hand: the gradient derived on paper, one line a layer."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.peers import LR, problem, three_vectors


def expression():
    a, b, c = three_vectors()

    def step(value=False):
        z = a * b + c
        y = np.maximum(z, 0).sum()
        g = (z > 0).astype(z.dtype)
        grads = g * b, g * a, g
        return float(y) if value else grads

    return step


def net(widths):
    p = problem(widths)
    rows = np.arange(len(p.x))

    def step(value=False):
        h, inputs = p.x, []
        for i, (w, b) in enumerate(zip(p.weights, p.biases, strict=True)):
            inputs.append(h)
            h = h @ w + b
            if i + 1 < len(p.weights):
                h = np.maximum(h, 0)
        h -= h.max(axis=1, keepdims=True)
        e = np.exp(h)
        y = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(y[rows, p.labels]).mean()
        y[rows, p.labels] -= 1
        g = y / len(rows)
        gradients = []
        for i in reversed(range(len(p.weights))):
            gradients.append((i, inputs[i].T @ g, g.sum(axis=0)))
            if i:
                g = (g @ p.weights[i].T) * (inputs[i] > 0)
        for i, gw, gb in gradients:
            p.weights[i] -= LR * gw
            p.biases[i] -= LR * gb
        return float(loss) if value else None

    return step
