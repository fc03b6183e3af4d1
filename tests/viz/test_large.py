"""Figures of large graphs."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.viz.figures import leaf, texts_of
from tinygrad_edu import nn
from viz import draw


def recurrent(steps=100):
    h, w, u, b = (
        leaf(np.zeros((1, 3)), "h"),
        leaf(np.ones((3, 3)), "W"),
        leaf(np.ones((2, 3)), "U"),
        leaf(np.ones(3), "b"),
    )
    for _ in range(steps):
        h = np.tanh(tg.Tensor(np.ones((1, 2))) @ u + h @ w + b)
    return h.sum()


def residual():
    h = leaf(np.ones((2, 4)), "x")
    for _ in range(34):
        inner = nn.functional.relu(h @ leaf(np.ones((4, 4))) + leaf(np.ones(4)))
        h = nn.functional.relu(inner @ leaf(np.ones((4, 4))) + leaf(np.ones(4)) + h)
    return h.mean()


def ten_thousand():
    values = [leaf(0.5, "x"), leaf(0.25, "y")]
    for k in range(10_000):
        values.append(np.tanh(values[-1 - k % 2]) if k % 3 else values[-1] * values[-2 - k % 7 % len(values[:-1])])
    return values[-1]


def tangled(operations=2000):
    rng = np.random.default_rng(0)
    values = [leaf(float(k), f"x{k}") for k in range(5)]
    for _ in range(operations):
        a, b = (values[k] for k in rng.integers(0, len(values), 2))
        values.append((a + b, a * b, np.sin(a), np.tanh(b))[rng.integers(4)])
    total = values[5]
    for value in values[6::7]:
        total = total + value
    return total


@pytest.mark.parametrize("make", [recurrent, residual, ten_thousand, tangled])
def test_large_graphs_are_drawn_small_and_can_be_read(make):
    figure = draw(make())
    svg = figure.svg()
    assert len(figure.graph.ops) <= 45  # so few take Graphviz no time
    assert len(figure.graph.uses) <= 200
    assert any("collapsed" in text for text in texts_of(svg))


def test_a_thousand_operations_in_full():
    values = [leaf((k + 1) / 7, f"x{k}") for k in range(4)]
    for k in range(500):
        values.append(values[-1 - k % 3] + values[-2 - k % 2] if k % 2 else np.tanh(values[-1]))
    figure = draw(values[-1], collapse=None)
    assert len(figure.scene.shapes) >= len(figure.graph.ops) > 250
