"""DeZero: its Variables, functions, MLP and SGD."""

# ruff: noqa: E402
from __future__ import annotations

import numpy

vars(numpy)["int"] = int  # DeZero 0.0.13 names it; NumPy dropped it in 1.24

import dezero
import dezero.functions as F
from dezero import optimizers
from dezero.models import MLP

from tests.benchmarks.peers import LR, problem, three_vectors


def expression():
    a, b, c = (dezero.Variable(v) for v in three_vectors())

    def step(value=False):
        a.cleargrad()
        b.cleargrad()
        c.cleargrad()
        y = F.sum(F.relu(a * b + c))
        y.backward()
        return float(y.data) if value else None

    return step


def net(widths):
    p = problem(widths)
    model = MLP(widths[1:], activation=F.relu)
    model(p.x)
    for layer, w, b in zip(model.layers, p.weights, p.biases, strict=True):
        layer.W.data, layer.b.data = w, b
    optimizer = optimizers.SGD(LR).setup(model)

    def step(value=False):
        loss = F.softmax_cross_entropy(model(p.x), p.labels)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data) if value else None

    return step
