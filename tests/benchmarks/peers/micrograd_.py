"""micrograd: a graph of single numbers, so only the expression of ten."""

from __future__ import annotations

from micrograd.engine import Value

from tests.benchmarks.peers import three_vectors


def expression():
    a, b, c = ([Value(float(x)) for x in v] for v in three_vectors())

    def step(value=False):
        for v in (*a, *b, *c):
            v.grad = 0
        y = sum((x * w + z).relu() for x, w, z in zip(a, b, c, strict=True))
        y.backward()
        return y.data if value else None

    return step
