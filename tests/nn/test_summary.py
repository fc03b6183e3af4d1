"""summary: what it counts, against what is known, and that it leaves the model as it was."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.nn.nets import Net
from tinygrad_edu import nn


def rows(made):
    return [(row.path, row.kind, row.depth, row.shapes, row.parameters, row.multiply_adds) for row in made.rows]


def test_a_table_of_layers():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Sequential(nn.ReLU(), nn.Linear(5, 2, bias=False)))
    made = nn.summary(model, (7, 3, 4))
    assert rows(made) == [
        ("", "Sequential", 0, [(7, 2)], 0, 0),
        ("0", "Flatten", 1, [(7, 12)], 0, 0),
        ("1", "Linear", 1, [(7, 5)], 65, 7 * 12 * 5),
        ("2", "Sequential", 1, [(7, 2)], 0, 0),
        ("2.0", "ReLU", 2, [(7, 5)], 0, 0),
        ("2.1", "Linear", 2, [(7, 2)], 10, 7 * 5 * 2),
    ]
    assert [row.nbytes for row in made.rows] == [
        0,
        0,
        2 * 7 * 5 * 4,
        0,
        7 * 5 * 4,
        7 * 2 * 4,
    ]  # a reshaped view takes none
    assert (made.parameters, made.trainable, made.parameter_bytes) == (75, 75, 300)
    assert made.multiply_adds == 490
    text = str(made)
    assert text.splitlines()[0].split() == ["layer", "output", "parameters", "multiply-adds", "bytes"]
    assert "    1: Linear" in text  # by depth
    assert len({len(line) for line in text.splitlines() if "Linear" in line}) == 1  # columns end together
    assert text.endswith("the state takes 300 bytes")


COUNTED = [
    (nn.Linear(6, 4), (2, 3, 6), 2 * 3 * 6 * 4),
    (nn.Bilinear(3, 4, 5), (2, 3), 2 * 5 * 3 * 4),
    (nn.Conv2d(3, 8, 3), (2, 3, 6, 5), 2 * 8 * 4 * 3 * 3 * 9),
    (nn.Conv2d(4, 8, 3, stride=2, groups=2), (1, 4, 7, 7), 8 * 3 * 3 * 2 * 9),
    (nn.Conv2d(1, 1, 3, padding=1), (1, 1, 2, 2), 4 * 4),  # zeros around it are no products
    (nn.LayerNorm(6), (2, 6), 0),
    (nn.Embedding(5, 3), (2, 4), 0),
]


@pytest.mark.parametrize(
    ("layer", "shape", "count"), COUNTED, ids=lambda v: repr(v) if isinstance(v, nn.Module) else ""
)
def test_multiply_adds(layer, shape, count):
    if isinstance(layer, nn.Bilinear):
        made = nn.summary(layer, shape, (2, 4))
    else:
        made = nn.summary(layer, shape, dtype=int if isinstance(layer, nn.Embedding) else None)
    assert made.multiply_adds == count


class Shared(nn.Module):
    """A layer that is called twice, weights in a list, and several results."""

    def __init__(self):
        self.layer = nn.Linear(4, 4)
        self.scales = nn.ParameterList([np.ones(4, np.float32), np.ones(4, np.float32)])
        self.more = [nn.Parameter(np.ones(3, np.float32), requires_grad=False)]

    def forward(self, x):
        y = self.layer(self.layer(x) * self.scales[0]) * self.scales[1]
        return {"y": y, "parts": (y[:1], np.exp(y) @ np.ones((4, 2), np.float32))}


def test_what_is_shared_counts_once_and_what_is_computed_counts_each_time():
    made = nn.summary(Shared(), (3, 4))
    assert rows(made) == [
        ("", "Shared", 0, [(3, 4), (1, 4), (3, 2)], 11, 3 * 4 * 2),
        ("layer", "Linear", 1, [(3, 4)], 20, 48),
        ("layer", "Linear", 1, [(3, 4)], 0, 48),
    ]
    assert (made.parameters, made.trainable) == (31, 28)
    assert "3 of the parameters are frozen" in str(made)


def test_the_model_is_left_as_it_was():
    tg.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5), Net())
    model[3].hidden = nn.Linear(3, 3)
    model[1].eval()
    model(np.ones((5, 4), np.float32))
    before, state, seen = model.state_dict(), tg.random.get_state(), []
    model[0].register_forward_hook(lambda *called: seen.append(1))
    nn.summary(model, (1, 4))
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert [module.training for module in model.modules()] == [True, True, False, True, True, True, True]
    assert seen == [1]
    assert [bool(vars(module).get("_hooks")) for module in model.modules()] == [False, True, *[False] * 5]
    assert tg.random.get_state()["state"] == state["state"]
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match=r"Linear\(4, 3\) takes x of shape"):
        nn.summary(model, (1, 5))
    assert model.training
    assert "_hooks" not in vars(model)


def test_the_type_of_the_input_is_that_of_the_weights():
    assert nn.summary(nn.Linear(3, 2).double(), (1, 3)).nbytes == 2 * 2 * 8


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nn.summary(np.tanh, (1, 2)), "takes a module, but got ufunc"),
        (lambda: nn.summary(nn.ReLU(), 3), r"the shape of each input, as \(1, 784\), but got 3"),
        (lambda: nn.summary(nn.ReLU(), np.ones((2, 2))), "the shape of each input"),
    ],
)
def test_what_it_does_not_take(call, words):
    with pytest.raises(TypeError, match=words):
        call()
