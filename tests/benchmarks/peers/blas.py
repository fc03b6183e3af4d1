"""The matrix products of a step and nothing else, into arrays made beforehand: what no NumPy program can go below."""

from __future__ import annotations

import itertools

import numpy as np

from tests.benchmarks.peers import problem


def net(widths):
    p = problem(widths)
    # what stands where values and gradients would: a width's array for each layer
    inputs = [p.x, *[np.maximum(np.ones((len(p.x), n), np.float32), 0) for n in widths[1:]]]
    slopes = [np.full((len(p.x), n), 1e-3, np.float32) for n in widths]
    products = [(x, w, np.empty_like(y)) for x, w, y in zip(inputs, p.weights, inputs[1:], strict=False)]
    for i, ((n, m), w) in reversed(list(enumerate(zip(itertools.pairwise(widths), p.weights, strict=True)))):
        products.append((inputs[i].T, slopes[i + 1], np.empty((n, m), np.float32)))
        if i:
            products.append((slopes[i + 1], w.T, np.empty((len(p.x), n), np.float32)))

    def step(value=False):
        for a, b, out in products:
            np.matmul(a, b, out)

    return step
