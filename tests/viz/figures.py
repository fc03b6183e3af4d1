"""Computations that the tests of figures draw."""

import xml.etree.ElementTree as ET

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn

SVG = "{http://www.w3.org/2000/svg}"


def leaf(x, name=None):
    return tg.Tensor(x, requires_grad=True, name=name)


def apples():
    price = leaf(100.0, "apple") * leaf(2.0, "count") * leaf(1.1, "tax")
    price.name = "price"
    return price


def fruit():
    price = (leaf(2.0, "apples") * leaf(100.0, "apple") + leaf(150.0, "orange") * leaf(3.0, "oranges")) * leaf(
        1.1, "tax"
    )
    price.name = "price"
    return price


def fan_out():
    x = leaf(3.0, "x")
    return x * x + x


def affine():
    return leaf(np.ones((5, 2)), "X") @ leaf(np.ones((2, 3)), "W") + leaf(np.ones(3), "B")


def attention():
    q, k, v = (leaf(np.random.default_rng(0).standard_normal((4, 8)), name) for name in "QKV")
    a = nn.functional.softmax(q @ k.T / np.sqrt(8.0), axis=-1)
    a.name = "A"
    return a @ v


class Soft(nn.Module):
    def forward(self, a):
        e = [np.exp(x) for x in a]
        total = e[0] + e[1] + e[2]
        return [x / total for x in e]


def layered():
    """Two layers and a number that comes of them."""
    model = nn.Sequential(nn.Linear(2, 2, dtype=float), nn.Linear(2, 1, dtype=float))
    with tg.no_grad():
        for parameter, x in zip(model.parameters(), (0.5, 0.25, -1.0, 2.0), strict=True):
            parameter[...] = x
    return (model(leaf(np.array([[1.0, 2.0]]), "x")) ** 2).sum()


def polynomial():
    x = leaf(2.0, "x")
    return 3 * x**3 - 2 * x**2 + 5 * x


def groups_of(svg):
    """The elements of an SVG by their ids."""
    return {group.get("id"): group for group in ET.fromstring(svg).iter(f"{SVG}g")}


def texts_of(svg):
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter(f"{SVG}text")]
