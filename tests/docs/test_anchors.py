"""The rows of `make anchors`: names, bands that can be missed, and rows that are kept once they are finished."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

import tinygrad_edu as tg
from tests.anchors import __main__ as anchors
from tests.anchors import rows
from tinygrad_edu import optim


def test_rows_have_names_of_their_own_and_bands_that_can_be_missed():
    assert len({row.name for row in rows.ROWS}) == len(rows.ROWS)
    everything = {"train", "test", "SGD", "Momentum", "AdaGrad", "Adam", "std 0.01", "Xavier", "He", "with", "without"}
    everything |= {"test without", "train without", "best", "lowest of the five best rates"}
    for row in rows.ROWS:
        assert not row.holds(dict.fromkeys(everything, -1.0)), row.name


@pytest.mark.parametrize("count", [1, 40])
def test_a_run_learns_from_the_batches_that_the_generator_draws(count):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 5)).astype(np.float32)
    t = (x[:, 0] > 0).astype(int)
    model = rows.network([5, 20, 2], rows.he, generator, batch_norm=True, dropout=0.1)
    losses = list(rows.updates(model, optim.SGD(model.parameters(), lr=0.5), x, t, 50, count, generator))
    assert len(losses) == count
    if count > 1:
        assert losses[-1] < 0.6 * losses[0]
        assert rows.accuracy(model, x, t) > 0.9
    assert model.training


def test_networks_begin_with_the_spread_that_they_are_given():
    model = rows.network([784, 100, 10], rows.he, np.random.default_rng(0))
    assert model[0].weight.numpy().std() == pytest.approx(rows.he(784), rel=0.02)
    assert not model[0].bias.numpy().any()
    assert [type(layer).__name__ for layer in model] == ["Linear", "ReLU", "Linear"]


def test_finished_rows_are_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runs = []
    row = rows.Row("a row", "x ≥ 1", lambda: runs.append(1) or {"x": 2.0}, lambda got: got["x"] >= 1)
    missed = rows.Row("b row", "x ≥ 1", lambda: {"x": 0.0}, lambda got: got["x"] >= 1)
    monkeypatch.setattr(anchors, "ROWS", [row])
    monkeypatch.setattr(sys, "argv", ["anchors"])
    assert anchors.main() == 0
    assert anchors.main() == 0
    assert len(runs) == 1
    assert "expected x ≥ 1" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "anchors.json").read_text())["a row"]["got"] == {"x": 2.0}
    monkeypatch.setattr(anchors, "ROWS", [row, missed])
    assert anchors.main() == 1
    assert tg.is_grad_enabled()
