"""Twenty computations that make figures hard, and networks of images as block diagrams.

They show what a figure does where a chapter's are easy: long chains, values that fork often, loops, layers with
shortcuts, cells of recurrent networks. `python -m examples.sheet` draws them beside the chapter's, on one page, with the
height that their letters have on a slide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import models, nn
from tinygrad_edu.models.googlenet import Inception
from viz import Picture, draw, draw_backward


def leaf(x: Any, name: str) -> Any:
    """An input that is differentiated by."""
    return tg.Tensor(np.array(x, float), requires_grad=True, name=name)


class Residual(nn.Module):
    """ReLU(x + f(x)), with f two layers of neurons."""

    def __init__(self, n: int) -> None:
        self.first, self.second = nn.Linear(n, n), nn.Linear(n, n)

    def forward(self, x: Any) -> Any:
        """(N, n) to (N, n)."""
        return tg.relu(x + self.second(tg.relu(self.first(x))))


def xor() -> Any:
    """Two inputs, two neurons, one output."""
    x1, x2 = tg.Tensor(1.0, name="x1"), tg.Tensor(0.0, name="x2")
    h = [tg.sigmoid(x1 * leaf(0.3 + k, f"w{k}") + x2 * leaf(k - 0.3, f"u{k}") + leaf(0.1, f"b{k}")) for k in (1, 2)]
    return tg.sigmoid(h[0] * leaf(0.5, "v1") + h[1] * leaf(0.7, "v2") + leaf(0.1, "c"))


def two_by_two() -> Any:
    """Two values that fork in one column."""
    h1, h2 = tg.sigmoid(leaf(0.05, "h1")), tg.sigmoid(leaf(0.1, "h2"))
    v = [leaf(x, f"v{k}") for k, x in enumerate((0.4, 0.45, 0.5, 0.55))]
    return [h1 * v[0] + h2 * v[1], h1 * v[2] + h2 * v[3]]


def micrograd() -> Any:
    """The expression of micrograd's introduction."""
    a, b = leaf(-4, "a"), leaf(2, "b")
    c, d = a + b, a * b + b**3
    c = c + c + 1
    c = c + 1 + c + (-a)
    d = d + d * 2 + tg.relu(b + a)
    d = d + 3 * d + tg.relu(b - a)
    f = (c - d) ** 2
    return f / 2.0 + 10.0 / f


def layer_norm() -> Any:
    """A layer normalization in operations."""
    x = leaf(np.arange(8.0).reshape(2, 4), "x")
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * leaf(np.ones(4), "gamma") + leaf(np.zeros(4), "beta")


def attention() -> Any:
    """Scaled dot products, softmax, and what is attended to."""
    q, k, v = (leaf(np.random.default_rng(0).standard_normal((4, 8)), name) for name in "QKV")
    weights = F.softmax(q @ k.T / np.sqrt(8.0), axis=-1)
    weights.name = "A"
    return weights @ v


def lstm_cell() -> Any:
    """One step of an LSTM."""
    x, h, c = (tg.Tensor(np.ones((2, n)), name=name) for name, n in (("x", 3), ("h", 4), ("c", 4)))
    gates = x @ leaf(np.ones((3, 16)), "Wx") + h @ leaf(np.ones((4, 16)), "Wh") + leaf(np.zeros(16), "b")
    f, g, i, o = (gates[:, k : k + 4] for k in range(0, 16, 4))
    c = tg.sigmoid(f) * c + tg.sigmoid(i) * np.tanh(g)
    return (tg.sigmoid(o) * np.tanh(c)).sum()


def recurrent(steps: int) -> Any:
    """A recurrent network of single numbers, in steps."""
    w, u, h = leaf(0.5, "Wx"), leaf(0.9, "Wh"), tg.Tensor(0.0, name="h0")
    for k in range(steps):
        h = np.tanh(tg.Tensor(k + 1.0, name=f"x{k + 1}") * w + h * u)
    return h


def fruit() -> Any:
    """Two kinds of fruit, and tax."""
    price = (leaf(2, "apples") * leaf(100, "apple") + leaf(150, "orange") * leaf(3, "oranges")) * leaf(1.1, "tax")
    price.name = "price"
    return price


def blocks(count: int) -> Any:
    """Residual blocks, one behind the other."""
    return nn.Sequential(*[Residual(4) for _ in range(count)])(tg.Tensor(np.ones((2, 4), np.float32), name="x"))


def joined() -> Any:
    """Parts of arrays that are taken and joined."""
    a, b = leaf(np.arange(4.0).reshape(2, 2), "a"), leaf(np.arange(4.0).reshape(2, 2), "b")
    return np.concatenate([a[:, 1:], b[::-1, :1], a[[0, 0]][:, :1]])


def network() -> Any:
    """Two layers, and the loss."""
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    return F.cross_entropy(net(tg.Tensor(np.ones((2, 4), np.float32), name="x")), np.zeros(2, int))


def graphs() -> Mapping[str, Callable[..., Picture]]:
    """The twenty, by number and title: each takes the options of `draw`."""
    x, y, w = leaf(2, "x"), leaf(3, "y"), leaf([[1, -1], [0.5, 2]], "W")
    ends = np.linalg.slogdet(leaf([[2, 1], [1, 3]], "M"))

    def of(_y: Any, **own: Any) -> Callable[..., Picture]:
        return lambda **options: draw(_y, **{**own, **options})

    return {
        "S-1 XOR, two neurons": of(xor()),
        "S-2 Two forks in a column": of(two_by_two()),
        "S-3 micrograd's expression": of(micrograd()),
        "S-4 Layer normalization": of(layer_norm()),
        "S-5 Attention": of(attention(), loss="L"),
        "S-6 Attention in formulas": of(attention(), loss="L", grad="symbol"),
        "S-7 An LSTM cell": of(lstm_cell()),
        "S-8 Three steps of a recurrent network": of(recurrent(3)),
        "S-9 Six steps": of(recurrent(6)),
        "S-10 Three residual blocks": of(blocks(3)),
        "S-11 A residual block": of(blocks(1)),
        "S-12 A network with its loss": of(network()),
        "S-13 The same in layers": of(network(), collapse="all"),
        "S-14 A polynomial": of(3 * x**3 - 2 * x**2 + 5 * x),
        "S-15 A leaf in four places": of(x * x * x * x),
        "S-16 Parts joined": of(joined()),
        "S-17 Matrices in numbers": of((tg.relu(leaf([1, 2], "u") @ w) ** 2).sum(), show=("value", "grad")),
        "S-18 Two results": of([ends[0] * ends[1], x * y]),
        "S-19 The backward pass itself": lambda **options: draw_backward(fruit(), **options),
        "S-20 Derivatives by size and sign": of(micrograd(), weight="grad"),
    }


def networks() -> Mapping[str, Callable[..., Picture]]:
    """Networks as block diagrams: each takes the options of `draw`."""

    def of(make: Callable[[], Any], *shape: int) -> Callable[..., Picture]:
        net = make()
        net.eval()
        x = tg.Tensor(np.zeros(shape, np.float32), name="x", requires_grad=True)
        return lambda **options: draw(net(x), style="blocks", **options)

    noise = models.DCGAN(100, size=32, features=32)
    return {
        "C-1 LeNet-5": of(models.LeNet5, 1, 1, 28, 28),
        "C-2 A simple network for digits": of(models.SimpleConvNet, 1, 1, 28, 28),
        "C-3 A deep one": of(models.DeepConvNet, 1, 1, 28, 28),
        "C-4 AlexNet": of(models.AlexNet, 1, 3, 224, 224),
        "C-5 VGG-16": of(lambda: models.VGG16(hidden=256), 1, 3, 64, 64),
        "C-6 Inception": of(lambda: Inception(192, 64, (96, 128), (16, 32), 32), 1, 192, 28, 28),
        "C-7 GoogLeNet": of(models.GoogLeNet, 1, 3, 64, 64),
        "C-8 ResNet-34": of(models.ResNet34, 1, 3, 64, 64),
        "C-9 MobileNetV2": of(models.MobileNetV2, 1, 3, 64, 64),
        "C-10 U-Net": of(lambda: models.UNet(width=16, depth=3), 1, 1, 64, 64),
        "C-11 DeepLabV3": of(lambda: models.DeepLabV3(depths=(1, 1, 1, 1)), 1, 3, 64, 64),
        "C-12 An autoencoder": of(lambda: models.Autoencoder(784, 32), 1, 784),
        "C-13 DCGAN's discriminator": of(lambda: noise, 2, 1, 32, 32),
        "C-14 DCGAN's generator": lambda **options: draw(noise.sample(2), style="blocks", **options),
    }
