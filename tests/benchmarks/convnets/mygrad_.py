"""MyGrad: its layers and losses, with Adam and dropout by hand."""

from __future__ import annotations

import mygrad as mg
import numpy as np
from mygrad.nnet.activations import relu
from mygrad.nnet.layers import conv_nd, max_pool
from mygrad.nnet.losses import softmax_crossentropy

from tests.benchmarks.convnets import LR, problem
from tests.benchmarks.convnets.book import Adam


def step(network):
    p = problem(network)
    pairs = [(mg.tensor(w), mg.tensor(b)) for w, b in zip(p.weights, p.biases, strict=True)]
    adam, rng = Adam(LR), np.random.default_rng(0)

    def learn():
        given, h = iter(pairs), p.x
        for kind, *options in network:
            if kind == "conv":
                w, b = next(given)
                h = conv_nd(h, w, stride=1, padding=options[2]) + b.reshape(1, -1, 1, 1)
            elif kind == "pool":
                h = max_pool(h, (2, 2), 2)
            elif kind == "affine":
                w, b = next(given)
                h = mg.matmul(h.reshape(len(p.x), -1), w) + b
            elif kind == "relu":
                h = relu(h)
            else:
                h = h * (rng.random(h.shape, np.float32) > 0.5).astype(np.float32) * np.float32(2)
        loss = softmax_crossentropy(h, p.labels)
        loss.backward()
        parameters = [part for pair in pairs for part in pair]
        adam.update([part.data for part in parameters], [part.grad for part in parameters])
        return loss.item()

    return learn
