"""Splits into parts to learn from and to be judged by: partitions, shares of classes, scikit-learn's own folds."""

from __future__ import annotations

import math
import sys
from itertools import chain

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn import model_selection

import tinygrad_edu as tg
from tinygrad_edu import data
from tinygrad_edu.data import train_test_split

sizes = st.one_of(st.floats(0.01, 0.7), st.integers(1, 20))


def part(n, size):
    return math.ceil(n * size) if isinstance(size, float) else size


@given(st.integers(2, 60), sizes, st.none() | sizes, st.integers(0, 99), st.booleans())
def test_a_split_is_a_partition_into_parts_of_the_sizes_asked_for(n, test, validation, seed, shuffle):
    counts = [part(n, size) for size in (validation, test) if size is not None]
    assume(sum(counts) < n)
    x, y = np.arange(2 * n).reshape(n, 2), [f"{i}" for i in range(n)]
    options = {"test_size": test, "validation_size": validation, "shuffle": shuffle, "random_state": seed}
    parts = train_test_split(x, y, **options)
    assert len(parts) == 2 * (len(counts) + 1)
    xs, ys = parts[: len(parts) // 2], parts[len(parts) // 2 :]
    assert [len(p) for p in xs] == [n - sum(counts), *counts]
    assert sorted(chain(*[p[:, 0] for p in xs])) == x[:, 0].tolist()
    for a, b in zip(xs, ys, strict=True):
        assert [f"{i // 2}" for i in a[:, 0]] == b.tolist()
    assert all(np.array_equal(a, b) for a, b in zip(parts, train_test_split(x, y, **options), strict=True))
    if not shuffle:
        assert list(chain(*ys)) == y


@given(
    st.lists(st.integers(2, 30), min_size=1, max_size=6),
    st.floats(0.05, 0.5),
    st.none() | st.floats(0.05, 0.4),
    st.none() | st.floats(0.1, 1),
    st.integers(0, 99),
)
def test_each_class_has_its_share_within_one(classes, test, validation, train, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(classes)), classes))
    n = len(y)
    counts = [part(n, size) for size in (validation, test) if size is not None]
    counts = [n - sum(counts) if train is None else math.floor(n * train), *counts]
    assume(sum(counts) <= n and min(counts) >= len(classes))
    places = train_test_split(
        np.arange(n),
        test_size=test,
        validation_size=validation,
        train_size=train,
        stratify=y,
        random_state=seed,
    )
    assert [len(p) for p in places] == counts
    assert len(set(chain(*places))) == sum(counts)
    for p, count in zip(places, counts, strict=True):
        held = np.bincount(y[p], minlength=len(classes))
        assert np.all(np.abs(held - np.array(classes) * count / n) <= 1 + 1e-9)


@given(st.lists(st.integers(2, 30), min_size=2, max_size=6, unique=True), st.floats(0.1, 0.5), st.integers(0, 99))
def test_two_parts_have_the_counts_that_scikit_learn_gives(classes, test, seed):
    y = np.repeat(np.arange(len(classes)), classes)
    n = len(y)
    share = np.array(classes) * math.ceil(n * test) / n
    off = np.sort(share % 1)
    assume(math.ceil(n * test) >= len(classes) <= n - math.ceil(n * test))
    assume(np.all(np.diff(off) > 1e-9))  # else ties are drawn for
    ours = train_test_split(y, test_size=test, stratify=y, random_state=seed)[1]
    theirs = model_selection.train_test_split(y, test_size=test, stratify=y, random_state=seed)[1]
    assert np.bincount(ours).tolist() == np.bincount(theirs).tolist()


@given(st.integers(2, 50), st.none() | sizes, st.none() | sizes)
def test_the_sizes_are_scikit_learns(n, test, train):
    def lengths(split):
        try:
            return [len(p) for p in split(np.arange(n), test_size=test, train_size=train)]
        except ValueError:
            return "refused"

    assert lengths(train_test_split) == lengths(model_selection.train_test_split)


def test_rows_of_a_class_are_spread_over_a_part():
    y = np.repeat([0, 1], 500)
    for p in train_test_split(y, stratify=y, random_state=0):
        assert abs(p[: len(p) // 2].mean() - 0.5) < 0.15


@pytest.mark.parametrize(
    "kind", [np.asarray, list, tg.Tensor, pd.Series, lambda y: pd.Series(y, range(99, 99 - len(y), -1))]
)
def test_what_is_split_and_what_stratifies_can_be_of_any_kind(kind):
    y = np.repeat([0, 1, 2], [20, 30, 50])
    train, test = train_test_split(kind(y), test_size=0.2, stratify=kind(y), random_state=0)
    assert np.bincount(np.asarray(test)).tolist() == [4, 6, 10]
    assert type(train) is type(test) is (tg.Tensor if kind is tg.Tensor else np.ndarray)
    texts = np.array(["a", "b", "c"])[y]
    assert sorted(train_test_split(texts, test_size=10, stratify=texts)[1]) == ["a"] * 2 + ["b"] * 3 + ["c"] * 5


def test_what_draws():
    x = np.arange(50)
    for one, two in (
        ({"random_state": 3}, {"random_state": np.int64(3)}),
        ({"random_state": 3}, {"random_state": np.random.default_rng(3)}),
        ({"random_state": 3}, {"generator": np.random.default_rng(3)}),
    ):
        assert np.array_equal(train_test_split(x, **one)[1], train_test_split(x, **two)[1])
    seeded = [(tg.manual_seed(0), train_test_split(x)[1])[1].tolist() for _ in range(2)]
    assert seeded[0] == seeded[1] != train_test_split(x)[1].tolist()


def test_splits_refuse():
    x, y = np.arange(10), np.array([0] * 9 + [1])
    for make, kind, message in (
        (lambda: train_test_split(), TypeError, "at least one array"),
        (lambda: train_test_split(x, x[1:]), ValueError, r"one length, but got \[10, 9\]"),
        (lambda: train_test_split(x, test_size=0.0), ValueError, "test_size=0.0 of 10 rows leaves nothing"),
        (lambda: train_test_split(x, test_size=10), ValueError, "leaves nothing to train"),
        (lambda: train_test_split(x, test_size=-1), ValueError, "leaves nothing"),
        (
            lambda: train_test_split(x, test_size=5, validation_size=0.5),
            ValueError,
            "validation_size=0.5, test_size=5 of",
        ),
        (lambda: train_test_split(x, test_size="a"), TypeError, "how many they are, but got 'a'"),
        (lambda: train_test_split(x, stratify=x, shuffle=False), ValueError, "contradicts shuffle=False"),
        (lambda: train_test_split(x, stratify=y), ValueError, "class 1 has 1 row"),
        (lambda: train_test_split(x, stratify=y[1:]), ValueError, r"the 10 rows, but got shape \(9,\)"),
        (lambda: train_test_split(x, stratify=x // 2, test_size=2), ValueError, "a part of 2 rows .* 5 classes"),
        (
            lambda: train_test_split(x, random_state=np.random.RandomState(0)),
            TypeError,
            r"a seed, such as 0, .* RandomState",
        ),
        (lambda: train_test_split(x, random_state=0, generator=np.random.default_rng(0)), ValueError, "two names"),
    ):
        with pytest.raises(kind, match=message):
            make()


# -- folds -------------------------------------------------------------------------------------------


def test_folds_are_scikit_learns_own(monkeypatch):
    assert data.KFold is model_selection.KFold
    assert data.StratifiedKFold is model_selection.StratifiedKFold
    x, y = tg.Tensor(np.arange(12.0)), tg.Tensor(np.repeat([0, 1], [8, 4]))
    for train, test in data.StratifiedKFold(4, shuffle=True, random_state=0).split(x, y):
        assert np.bincount(y[test].numpy()).tolist() == [2, 1]
        assert sorted([*train, *test]) == list(range(12))
    with pytest.raises(AttributeError, match=r"did you mean KFold"):
        data.kFold  # noqa: B018
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        data.KFold  # noqa: B018
