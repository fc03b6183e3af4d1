"""DeZero: its functions and its Adam."""

# ruff: noqa: E402
from __future__ import annotations

import numpy

vars(numpy)["int"] = int  # DeZero 0.0.13 names it; NumPy dropped it in 1.24

import dezero
import dezero.functions as F
from dezero import optimizers

from tests.benchmarks.convnets import LR, problem


def step(network):
    p = problem(network)
    holder = dezero.Layer()
    pairs = []
    for i, (w, b) in enumerate(zip(p.weights, p.biases, strict=True)):
        pair = dezero.Parameter(w), dezero.Parameter(b)
        setattr(holder, f"w{i}", pair[0])
        setattr(holder, f"b{i}", pair[1])
        pairs.append(pair)
    optimizer = optimizers.Adam(alpha=LR).setup(holder)

    def learn():
        given, h, flat = iter(pairs), p.x, False
        for kind, *options in network:
            if kind == "conv":
                h = F.conv2d(h, *next(given), 1, options[2])
            elif kind == "pool":
                h = F.pooling(h, 2, 2, 0)
            elif kind == "affine":
                h, flat = h if flat else F.reshape(h, (len(p.x), -1)), True
                h = F.linear(h, *next(given))
            elif kind == "relu":
                h = F.relu(h)
            else:
                h = F.dropout(h)
        loss = F.softmax_cross_entropy(h, p.labels)
        holder.cleargrads()
        loss.backward()
        optimizer.update()
        return float(loss.data)

    return learn
