"""Embedding: rows of a table, their gradients, padding and length."""

from __future__ import annotations

import numpy as np
import pytest

from tests.measuring import peak_bytes
from tinygrad_edu import nn
from tinygrad_edu.nn import functional as F


def test_a_word_s_gradient_adds_up_and_padding_has_none():
    layer = nn.Embedding(4, 2, padding_idx=3, dtype=float)
    assert layer.weight.numpy()[3].tolist() == [0, 0]
    y = layer([[0, 0, 3], [1, 3, 0]])
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[3, 3], [1, 1], [0, 0], [0, 0]]
    layer.weight.data[3] = 7  # is shown all the same
    assert layer(3).tolist() == [7, 7]
    assert repr(layer) == "Embedding(4, 2, padding_idx=3)"
    assert repr(nn.Embedding(4, 2, max_norm=1)) == "Embedding(4, 2, max_norm=1, norm_type=2.0)"


def test_no_one_hot_matrix_is_made():
    layer, numbers = nn.Embedding(20_000, 4), np.arange(1000)
    layer(numbers).sum().backward()
    layer.zero_grad()
    peak = peak_bytes(lambda: layer(numbers).sum().backward())
    assert peak < 20 * layer.weight.nbytes  # the matrix of 1000 × 20,000 floats would be 250 times as large


@pytest.mark.parametrize(
    ("numbers", "kind", "words"),
    [
        ([[0, 1], [5, 2]], IndexError, r"numbers\[1, 0\] is 5, but the table has 4 words, 0 to 3"),
        ([-1], IndexError, r"numbers\[0\] is -1, but the table has 4 words"),
        (4, IndexError, r"numbers is 4, but"),
        ([0.0, 1.0], TypeError, r"words are looked up by whole numbers, but got float64; write numbers\.astype\(int\)"),
        ([True], TypeError, "whole numbers, but got bool"),
    ],
)
def test_words_that_the_table_does_not_have(numbers, kind, words):
    model = nn.Sequential(nn.Embedding(4, 2))
    with pytest.raises(kind, match=words) as caught:
        model(np.array(numbers))
    assert str(caught.value).startswith("Sequential.0: ")
    with pytest.raises(ValueError, match=r"a table of shape \(words, width\), but got \(3,\)"):
        F.embedding([0], np.ones(3))


def test_long_vectors_are_shortened_in_place_where_they_are_looked_up():
    layer = nn.Embedding.from_pretrained(np.array([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]]), freeze=False, max_norm=1.0)
    np.testing.assert_allclose(layer([0, 1, 0]).numpy(), [[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]], rtol=1e-6)
    assert layer.weight.numpy()[2].tolist() == [6, 8]
    earlier = (layer.weight * 2).sum()
    layer([1])  # short enough, so nothing is written
    earlier.backward()
    earlier = (layer.weight * 2).sum()
    layer([2])
    with pytest.raises(RuntimeError, match="was written after"):
        earlier.backward()
    sums = nn.Embedding.from_pretrained(np.array([[3.0, 4.0]]), max_norm=1.0, norm_type=1.0)
    np.testing.assert_allclose(np.abs(sums([0]).numpy()).sum(), 1, rtol=1e-6)


def test_a_table_that_is_given_is_copied_and_frozen():
    table = np.eye(3, dtype=np.float32)
    layer = nn.Embedding.from_pretrained(table, padding_idx=1)
    table[...] = 9
    assert layer([2]).tolist() == [[0, 0, 1]]
    assert not layer.weight.requires_grad
    assert layer([1]).tolist() == [[0, 1, 0]]  # as given
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match="a table of shape"):
        nn.Embedding.from_pretrained(np.ones(3))
