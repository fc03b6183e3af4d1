"""Sets and histograms: what is found in data is differentiated, what is counted is not."""

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import Tensor


def leaf(*values, name=None):
    return Tensor(np.array(values), requires_grad=True, name=name)


B = np.array([2.0, 7.0])
FOUND = {
    "unique": (np.unique, [1, 1, 1, 0]),
    "unique, counted": (lambda t: np.unique(t, return_counts=True)[0], [1, 1, 1, 0]),
    "unique, all": (lambda t: np.unique(t, True, True, True)[0], [1, 1, 1, 0]),
    "unique along an axis": (lambda t: np.unique(t[:, None], axis=0), [1, 1, 1, 0]),
    "unique_values": (np.unique_values, [1, 1, 1, 0]),
    "unique_counts": (lambda t: np.unique_counts(t).values, [1, 1, 1, 0]),
    "unique_inverse": (lambda t: np.unique_inverse(t).values, [1, 1, 1, 0]),
    "unique_all": (lambda t: np.unique_all(t).values, [1, 1, 1, 0]),
    "union1d": (lambda t: np.union1d(t, B), [1, 1, 1, 0]),
    "union1d, second": (lambda t: np.union1d(B, t), [1, 1, 0, 0]),
    "setdiff1d": (lambda t: np.setdiff1d(t, B), [1, 1, 0, 0]),
    "setdiff1d, second": (lambda t: np.setdiff1d(B, t[:1] * 2) * t[1], [0, 9, 0, 0]),
    "setxor1d": (lambda t: np.setxor1d(t, B), [1, 1, 0, 0]),
    "setxor1d, second": (lambda t: np.setxor1d(B, t), [1, 1, 0, 0]),
    "intersect1d": (lambda t: np.intersect1d(t, B), [0, 0, 1, 0]),
    "intersect1d, second": (lambda t: np.intersect1d(B, t), [0, 0, 1, 0]),
    "intersect1d, both": (lambda t: np.intersect1d(t[:3], t[3:]), [0, 0, 0.5, 0.5]),
    "intersect1d, placed": (lambda t: np.intersect1d(t, B, return_indices=True)[0], [0, 0, 1, 0]),
    "edges": (lambda t: np.histogram(t, 2)[1], [1.5, 1.5, 0, 0]),
    "bin edges": (lambda t: np.histogram_bin_edges(t, 2), [1.5, 1.5, 0, 0]),
    "edges of the bins that suit the data": (lambda t: np.histogram(t, "sturges")[1][[0, -1]], [1, 1, 0, 0]),
    "edges that are given": (lambda t: np.histogram(B, bins=np.sort(t[:3]))[1], [1, 1, 1, 0]),
    "heights of two bars": (lambda t: np.histogram(t, 2, density=True)[0], [-2 / 25, 2 / 25, 0, 0]),
    "heights": (lambda t: np.histogram(t, 1, density=True)[0], [-1 / 25, 1 / 25, 0, 0]),
}
"""Functions of the numbers 6, 1, 2, 2, and the gradients of their sums."""


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found_is_differentiated(name):
    f, expected = FOUND[name]
    t = leaf(6.0, 1.0, 2.0, 2.0)
    y = f(t)
    np.testing.assert_allclose(y.numpy(), f(t.numpy()))
    assert y.requires_grad
    (y.sum() + t.sum()).backward()
    np.testing.assert_allclose(t.grad.numpy(), 1 + np.array(expected))


@pytest.mark.parametrize(
    "name", ["unique", "unique_all", "union1d", "setdiff1d", "setxor1d", "intersect1d", "edges", "heights of two bars"]
)
def test_what_is_found_is_found_anew_in_other_numbers(name):
    f, _ = FOUND[name]
    t, new = leaf(6.0, 1.0, 2.0, 2.0), np.array([7.0, 3.0, 5.0, 3.0])
    np.testing.assert_allclose(tg.evaluate(f(t), {t: new}), f(new))


def test_what_is_counted_is_plain():
    t = leaf(6.0, 1.0, 2.0, 2.0)
    values, index, inverse, counts = np.unique(t, True, True, True)
    assert all(type(x) is np.ndarray for x in (index, inverse, counts, np.histogram(t, 2)[0]))
    assert (index.tolist(), inverse.tolist(), counts.tolist()) == ([1, 2, 0], [2, 0, 1, 1], [1, 2, 1])
    assert values.tolist() == [1, 2, 6]
    everything = np.unique_all(t)
    assert everything.indices.tolist() == [1, 2, 0]
    assert everything.counts.tolist() == [1, 2, 1]
    assert np.unique_inverse(t).inverse_indices.tolist() == inverse.tolist()


def test_nan_is_one_number_or_many_as_in_numpy():
    t = leaf(np.nan, 1.0, np.nan)
    assert len(np.unique(t)) == len(np.unique(t.numpy())) == 2
    assert len(np.unique(t, equal_nan=False)) == 3
    assert len(np.unique_values(t)) == 3
    np.unique(t)[0].backward()
    assert t.grad.tolist() == [0, 1, 0]


def test_second_derivatives_of_what_is_found():
    hessian = tg.hessian(lambda t: (np.unique(t) ** 3).sum(), np.array([2.0, 1.0, 2.0]))
    np.testing.assert_allclose(hessian.numpy(), np.diag([12.0, 6.0, 0.0]))


def test_a_histogram_of_one_number():
    t = leaf(2.0, 2.0)
    counts, edges = np.histogram(t, 2)
    assert (counts.tolist(), edges.tolist()) == ([0, 2], [1.5, 2.0, 2.5])
    edges.sum().backward()
    assert t.grad.tolist() == [1.5, 1.5]
    assert np.histogram(leaf(), 2)[1].tolist() == np.histogram([], 2)[1].tolist()


def test_sets_in_replay():
    sums = tg.replay(lambda t: np.unique(t).sum())
    assert [sums(Tensor(x)).item() for x in ([1.0, 2.0, 4.0], [7.0, 3.0, 5.0])] == [7.0, 15.0]
    with pytest.raises(RuntimeError, match="shape that depends on values"):
        sums(Tensor([1.0, 1.0, 4.0]))
