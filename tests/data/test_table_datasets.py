"""Frames and CSV files as tables: texts become columns of 0 and 1; scikit-learn's small sets."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import datasets as theirs

from tinygrad_edu.data import DataLoader, datasets, random_split
from tinygrad_edu.data.datasets import from_csv, from_frame


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes"])
def test_scikit_learns_sets(name, monkeypatch):
    table, bunch = getattr(datasets, name)(), getattr(theirs, f"load_{name}")()
    assert np.array_equal(table.x, bunch.data.astype(np.float32))
    assert table.x.dtype == np.float32
    assert table.y.dtype == (np.float32 if name == "diabetes" else np.int64)
    assert np.array_equal(table.y, bunch.target)
    assert table.feature_names == list(map(str, bunch.feature_names))
    assert table.class_names == (None if name == "diabetes" else list(map(str, bunch.target_names)))
    x, y = next(iter(DataLoader(table, 7)))
    assert (x.shape, y.shape) == ((7, table.x.shape[1]), (7,))
    with pytest.raises(TypeError, match="this one was made of arrays"):
        table.encode(pd.DataFrame())
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ImportError, match=rf"data\.datasets\.{name}\(\) .* pip install scikit-learn"):
        getattr(datasets, name)()


COLUMNS = {
    "float": st.floats(-1e6, 1e6, width=32),
    "int": st.integers(-(2**20), 2**20),
    "bool": st.booleans(),
    "text": st.sampled_from(["red", "green", "blue"]),
    "category": st.sampled_from(["low", "high"]),
    "Int64": st.integers(-100, 100),
    "object": st.one_of(st.integers(-9, 9), st.floats(-9, 9, width=32)),
}


def column(kind, values):
    if kind == "category":
        return pd.Series(pd.Categorical(values, categories=["low", "middle", "high"]))
    return pd.Series(values, dtype={"text": "str", "float": "float32"}.get(kind, kind))


@given(st.data(), st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=5), st.integers(1, 8))
def test_columns_of_numbers_stay_and_texts_are_one_hot(data, kinds, n):
    values = {f"{kind}{i}": data.draw(st.lists(COLUMNS[kind], min_size=n, max_size=n)) for i, kind in enumerate(kinds)}
    labels = data.draw(st.permutations(range(n)))
    frame = pd.DataFrame({name: column(kind, values[name]) for name, kind in zip(values, kinds, strict=True)})
    frame.index = labels  # rows are taken by position
    table = from_frame(frame)
    assert table.x.dtype == np.float32
    assert table.y is table.class_names is None
    assert table.x.shape == (n, len(table.feature_names)) == (len(table), len(set(table.feature_names)))
    for (name, held), kind in zip(values.items(), kinds, strict=True):
        if kind not in ("text", "category"):
            place = table.feature_names.index(name)
            np.testing.assert_array_equal(table.x[:, place], np.array(held, np.float32))
            continue
        texts = ["low", "middle", "high"] if kind == "category" else sorted(set(held))
        start = table.feature_names.index(f"{name}={texts[0]}")
        assert table.feature_names[start : start + len(texts)] == [f"{name}={text}" for text in texts]
        hot = table.x[:, start : start + len(texts)]
        assert [texts[i] for i in hot.argmax(1)] == held
        assert set(hot.sum(1)) == {1}
    assert np.array_equal(table.encode(frame).x, table.x)


TARGETS = [
    (["no", "yes", "no"], [0, 1, 0], np.int64, ["no", "yes"]),
    ([True, False, True], [1, 0, 1], np.int64, ["False", "True"]),
    (pd.array([True, False, True], dtype="boolean"), [1, 0, 1], np.int64, ["False", "True"]),
    (pd.Categorical(["b", "a", "b"], categories=["b", "a"]), [0, 1, 0], np.int64, ["b", "a"]),
    ([3, 1, 2], [3, 1, 2], np.int64, None),
    ([0.5, 1.0, 1.5], [0.5, 1, 1.5], np.float32, None),
]


@pytest.mark.parametrize(("values", "y", "dtype", "names"), TARGETS)
def test_targets(values, y, dtype, names):
    table = from_frame(pd.DataFrame({"a": [1, 2, 3], "y": values}), "y")
    assert (table.y.tolist(), table.y.dtype, table.class_names) == (y, dtype, names)
    assert table.feature_names == ["a"]
    assert [part.shape for part in table.arrays] == [(3, 1), (3,)]
    again = table.encode(pd.DataFrame({"y": values, "other": [None, None, None], "a": [4, 5, 6]})[::-1])
    assert (again.y.tolist(), again.x.ravel().tolist()) == (y[::-1], [6, 5, 4])
    assert table.encode({"a": [1]}).y is None
    assert [len(part) for part in random_split(table, [2, 1])] == [2, 1]


def test_a_csv_file(tmp_path):
    path = tmp_path / "cars.csv"
    path.write_text("hp;make;price\n90;Fiat;1.5\n120;BMW;3\n")
    table = from_csv(path, "price", sep=";")
    assert table.feature_names == ["hp", "make=BMW", "make=Fiat"]
    assert table.x.tolist() == [[90, 0, 1], [120, 1, 0]]
    assert table.y.tolist() == [1.5, 3.0]
    path.write_text("hp;make;price\n90;;1.5\n120;BMW;\n")
    with pytest.raises(
        ValueError, match=r"cars\.csv: from_frame\(\): of 2 values, column 'make' lacks 1, 'price' lacks 1"
    ):
        from_csv(path, "price", sep=";")


def test_missing_values_are_counted_and_named():
    frame = pd.DataFrame({"age": [1.0, None, 3.0, None], "ok": [1, 2, 3, 4], "city": ["a", "b", None, "d"]})
    with pytest.raises(
        ValueError,
        match=r"of 4 values, column 'age' lacks 2, 'city' lacks 1 \(the first in row 1\); write df\.dropna\(\) .* df\.fillna",
    ):
        from_frame(frame)
    assert from_frame(frame.dropna()).x.tolist() == [[1, 1, 1]]
    table = from_frame(frame.fillna({"age": 0, "city": "?"}))
    assert table.feature_names == ["age", "ok", "city=?", "city=a", "city=b", "city=d"]
    with pytest.raises(ValueError, match=r"Table.*encode\(\): of 4 values, column 'age' lacks 2"):
        table.encode(frame)


def test_frames_refuse(monkeypatch):
    days = pd.to_datetime(["2020-01-01", "2021-01-01"])
    known = from_frame({"a": [1, 2], "city": ["Oslo", "Rome"]})
    for make, kind, message in (
        (lambda: from_frame({"a": [1, 2]}, "b"), ValueError, "no column 'b'; it has a"),
        (lambda: from_frame({"a": [1, 2]}, "a"), ValueError, "no column besides the target 'a'"),
        (lambda: from_frame([1, 2]), TypeError, "takes a data frame of pandas, or a dict of columns, but got list"),
        (lambda: from_frame({"when": days}), TypeError, r"column 'when' holds Timestamp .* row 0.*total_seconds"),
        (
            lambda: from_frame({"x": ["a", 1]}),
            TypeError,
            "column 'x' holds int 1 in row 1, but a column is of numbers or",
        ),
        (lambda: from_frame({"x": [1j]}), TypeError, "column 'x' holds complex"),
        (lambda: from_frame(pd.DataFrame([[1, 2]], columns=["a", "a"])), ValueError, "two columns are called 'a'"),
        (lambda: known.encode({"a": [1]}), ValueError, "no column 'city', which the table was made of"),
        (
            lambda: known.encode({"a": [1], "city": ["Bonn"]}),
            ValueError,
            r"'Bonn' in row 0, but the table knows \['Oslo'",
        ),
        (
            lambda: known.encode({"a": ["x"], "city": ["Oslo"]}),
            ValueError,
            "is of numbers in the table, but here holds 'x'",
        ),
    ):
        with pytest.raises(kind, match=message):
            make()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"from_csv\(\) reads tables with pandas: pip install pandas"):
        from_csv("a.csv")
