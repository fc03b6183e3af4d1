"""NumPy as deep-learning books for beginners write it: layers with forward and backward, images unrolled into columns."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.convnets import LR, problem


def unrolled(x, kernel, stride, pad):
    """Columns: a row for each window of each image."""
    n, c, h, w = x.shape
    down, across = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    padded = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)], "constant")
    columns = np.zeros((n, c, kernel, kernel, down, across), x.dtype)
    for i in range(kernel):
        for j in range(kernel):
            columns[:, :, i, j] = padded[:, :, i : i + stride * down : stride, j : j + stride * across : stride]
    return columns.transpose(0, 4, 5, 1, 2, 3).reshape(n * down * across, -1)


def rolled(columns, shape, kernel, stride, pad):
    """Columns put back into images, and added up."""
    n, c, h, w = shape
    down, across = (h + 2 * pad - kernel) // stride + 1, (w + 2 * pad - kernel) // stride + 1
    columns = columns.reshape(n, down, across, c, kernel, kernel).transpose(0, 3, 4, 5, 1, 2)
    images = np.zeros((n, c, h + 2 * pad + stride - 1, w + 2 * pad + stride - 1), columns.dtype)
    for i in range(kernel):
        for j in range(kernel):
            images[:, :, i : i + stride * down : stride, j : j + stride * across : stride] += columns[:, :, i, j]
    return images[:, :, pad : h + pad, pad : w + pad]


class Convolution:
    def __init__(self, w, b, pad):
        self.w, self.b, self.pad = w, b, pad

    def forward(self, x):
        outputs, _, kernel, _ = self.w.shape
        self.shape, self.columns = x.shape, unrolled(x, kernel, 1, self.pad)
        size = x.shape[2] + 2 * self.pad - kernel + 1
        y = self.columns @ self.w.reshape(outputs, -1).T + self.b
        return y.reshape(len(x), size, size, -1).transpose(0, 3, 1, 2)

    def backward(self, g):
        outputs, _, kernel, _ = self.w.shape
        g = g.transpose(0, 2, 3, 1).reshape(-1, outputs)
        self.grads = [(self.columns.T @ g).T.reshape(self.w.shape), g.sum(axis=0)]
        return rolled(g @ self.w.reshape(outputs, -1), self.shape, kernel, 1, self.pad)


class Pooling:
    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        columns = unrolled(x, 2, 2, 0).reshape(-1, 4)
        self.best = columns.argmax(axis=1)
        return columns.max(axis=1).reshape(n, h // 2, w // 2, c).transpose(0, 3, 1, 2)

    def backward(self, g):
        g = g.transpose(0, 2, 3, 1)
        columns = np.zeros((g.size, 4), g.dtype)
        columns[np.arange(g.size), self.best] = g.ravel()
        n, down, across, _ = g.shape
        return rolled(columns.reshape(n * down * across, -1), self.shape, 2, 2, 0)


class Affine:
    def __init__(self, w, b):
        self.w, self.b = w, b

    def forward(self, x):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        return self.x @ self.w + self.b

    def backward(self, g):
        self.grads = [self.x.T @ g, g.sum(axis=0)]
        return (g @ self.w.T).reshape(self.shape)


class Relu:
    def forward(self, x):
        self.off = x <= 0
        y = x.copy()
        y[self.off] = 0
        return y

    def backward(self, g):
        g[self.off] = 0
        return g


class Dropout:
    def __init__(self):
        self.rng = np.random.default_rng(0)

    def forward(self, x):
        self.on = (self.rng.random(x.shape) > 0.5) * np.float32(2)
        return x * self.on

    def backward(self, g):
        return g * self.on


class Adam:
    """The update of all parameters, in place."""

    def __init__(self, lr):
        self.lr, self.t, self.m, self.v = lr, 0, None, None

    def update(self, parameters, grads):
        if self.m is None:
            self.m, self.v = [np.zeros_like(p) for p in parameters], [np.zeros_like(p) for p in parameters]
        self.t += 1
        rate = self.lr * (1 - 0.999**self.t) ** 0.5 / (1 - 0.9**self.t)
        for p, g, m, v in zip(parameters, grads, self.m, self.v, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g**2 - v)
            p -= rate * m / (np.sqrt(v) + 1e-7)


def step(network):
    p = problem(network)
    weights, biases = iter(p.weights), iter(p.biases)
    plain = {"relu": Relu, "dropout": Dropout, "pool": Pooling}
    layers = []
    for kind, *options in network:
        if kind == "conv":
            layers.append(Convolution(next(weights), next(biases), options[2]))
        else:
            layers.append(Affine(next(weights), next(biases)) if kind == "affine" else plain[kind]())
    learned = [layer for layer in layers if hasattr(layer, "w")]
    adam, rows = Adam(LR), np.arange(len(p.x))

    def learn():
        h = p.x
        for layer in layers:
            h = layer.forward(h)
        e = np.exp(h - h.max(axis=1, keepdims=True))
        y = e / e.sum(axis=1, keepdims=True)
        loss = -np.log(y[rows, p.labels] + 1e-7).mean()
        y[rows, p.labels] -= 1
        g = y / len(rows)
        for layer in reversed(layers):
            g = layer.backward(g)
        adam.update(
            [part for layer in learned for part in (layer.w, layer.b)], [g for layer in learned for g in layer.grads]
        )
        return float(loss)

    return learn
