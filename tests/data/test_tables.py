"""Data frames and series: where they become arrays, by position, and what is said where they cannot."""

from __future__ import annotations

import operator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.data import DataLoader, TensorDataset, train_test_split
from tinygrad_edu.nn import functional as F


def shuffled(n=6):
    """Rows whose labels are not their places; the label is the number of the row in each column."""
    order = np.random.default_rng(0).permutation(n)
    return pd.DataFrame({"x": np.arange(n) * 1.0, "z": np.arange(n) * 10.0, "y": np.arange(n)}).iloc[order]


# -- data --------------------------------------------------------------------------------------------


def test_a_loader_pairs_rows_by_position():
    df = shuffled()
    kinds = [
        (df[["x", "z"]], df["y"]),
        (df[["x", "z"]].to_numpy(), df["y"]),
        (df[["x", "z"]].to_numpy().tolist(), df["y"].tolist()),
        (df[["x", "z"]], df["y"].array),
        (df[["x", "z"]], pd.Index(df["y"])),
    ]
    for x, y in kinds:
        batches = list(DataLoader((x, y), 4, shuffle=True, generator=np.random.default_rng(1)))
        assert [a.shape for a, _ in batches] == [(4, 2), (2, 2)]
        for a, b in batches:
            assert type(a) is type(b) is np.ndarray
            assert np.array_equal(a[:, 0], b)
            assert np.array_equal(a[:, 1], 10 * b)


def test_a_frame_alone_gives_its_rows():
    df = pd.DataFrame(np.arange(12.0).reshape(4, 3))
    assert [batch.tolist() for batch in DataLoader(df, 3)] == [df.to_numpy()[:3].tolist(), df.to_numpy()[3:].tolist()]
    assert next(iter(DataLoader(shuffled()["y"], 3))).tolist() == shuffled()["y"].to_numpy()[:3].tolist()


@pytest.mark.parametrize(
    "kind", [lambda s: s, lambda s: s.to_numpy(), lambda s: s.tolist(), lambda s: tg.Tensor(s.to_numpy())]
)
def test_a_split_pairs_rows_by_position(kind):
    df = shuffled(20)
    parts = train_test_split(df[["x", "z"]], kind(df["y"]), test_size=0.25)
    for x, y in (parts[::2], parts[1::2]):
        assert np.array_equal(x[:, 0], np.asarray(y))
    assert [len(part) for part in parts] == [15, 5, 15, 5]
    assert len(train_test_split(["a.png", "b.png"], [0, 1], test_size=1)[0]) == 1  # texts can be split as well


def test_series_after_another_split():
    from sklearn.model_selection import train_test_split as split

    df = shuffled(20)
    x, _, y, _ = split(df[["x"]], df["y"], random_state=0)
    for a, b in DataLoader((x, y), 4):
        assert np.array_equal(a[:, 0], b)


COLUMNS = {
    "numbers": [1.0, 2.0],
    "whole": pd.array([1, 2], dtype="Int64"),
    "truth": [True, False],
    "flag": pd.array([True, False], dtype="boolean"),
    "objects": pd.Series([1, 2.5], dtype=object),
}
WRONG = {
    "city": (
        ["Oslo", "Rome"],
        r"str 'Oslo' in row 0, .* write pd\.get_dummies\(df, columns=\['city'\]\) .* df\.drop\(columns=\['city'\]\)",
    ),
    "text": (["1", "2"], r"str '1' in row 0, .* write df\['text'\]\.astype\(float\)"),
    "date": (
        pd.to_datetime(["2020-01-01", "2021-01-01"]),
        r"write \(df\['date'\] - df\['date'\]\.min\(\)\)\.dt\.total_seconds\(\)",
    ),
    "kind": (pd.Categorical(["b", "a"]), r"write df\['kind'\]\.cat\.codes"),
    "gone": (pd.Series([1.0, None], dtype=object), r"NoneType None in row 1, .* write df\['gone'\]\.fillna\(0\)"),
    "list": (pd.Series([[1, 2], [3]], dtype=object), r"list \[1, 2\] in row 0"),
}


@given(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, unique=True))
def test_columns_of_several_types_become_one_array(names):
    df = pd.DataFrame({name: COLUMNS[name] for name in names})
    expected = np.stack([np.asarray([float(x) for x in COLUMNS[name]]) for name in names], 1)
    for array in (
        DataLoader(df).dataset,
        TensorDataset(df).arrays[0],
        tg.Tensor(df).numpy(),
        (tg.Tensor([0.0]) + df).numpy(),
    ):
        assert array.dtype.kind in "biuf"
        assert np.array_equal(array.astype(float), expected)


@pytest.mark.parametrize("name", WRONG)
def test_a_column_that_is_no_number_is_named_with_what_to_write(name):
    values, message = WRONG[name]
    df = pd.DataFrame({"x": [1.0, 2.0], name: values})
    uses = [
        (lambda: DataLoader((df, [0, 1])), "TensorDataset"),
        (lambda: DataLoader(df), "DataLoader"),
        (lambda: train_test_split(df), r"train_test_split\(\)"),
        (lambda: tg.Tensor(df), r"Tensor\(\)"),
        (lambda: tg.Tensor([1.0]) * df, r"multiply\(\)"),
        (lambda: nn.Linear(2, 1)(df), r"matmul\(\)"),
        (lambda: F.mse_loss(tg.Tensor(np.ones((2, 2))), df), "loss"),
    ]
    for use, who in uses:
        with pytest.raises(TypeError, match=f"{who}.*: column '{name}' holds .*{message}"):
            use()
    with pytest.raises(TypeError, match=f"TensorDataset: column '{name}' holds .*; write .*series"):
        TensorDataset(df[name])


# -- tensors -----------------------------------------------------------------------------------------

OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne,
]  # fmt: skip


@pytest.mark.parametrize("f", OPERATORS)
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("left", ["series", "frame", "tensor", "tensor and frame"])
def test_operators_take_frames_and_series_on_both_sides(f, recorded, left):
    df = shuffled(3)[["x", "z"]] + 1
    table = df if "frame" in left else df["x"]
    w = tg.Tensor(np.arange(1.0, 1 + table.shape[-1]), requires_grad=recorded)
    a, b = (w, table) if left.startswith("tensor") else (table, w)
    y = f(a, b)
    assert type(y) is tg.Tensor
    expected = f(*[x.numpy() if isinstance(x, tg.Tensor) else x.to_numpy() for x in (a, b)])
    assert np.array_equal(y.numpy(), expected)
    if y.requires_grad:
        y.sum().backward()
        assert w.grad.shape == w.shape


def test_functions_take_frames_and_series():
    s = shuffled(3)["x"] + 1
    w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
    for y, expected in (
        (np.multiply(s, w), s.to_numpy() * w.numpy()),
        (np.where(s > 1, w, 0), np.where(s.to_numpy() > 1, w.numpy(), 0)),
        (np.concatenate([s, w]), np.concatenate([s.to_numpy(), w.numpy()])),
        (np.einsum("i,i", s, w), s.to_numpy() @ w.numpy()),
        (w @ s, s.to_numpy() @ w.numpy()),
        (w[shuffled(3)["y"]], w.numpy()[shuffled(3)["y"].to_numpy()]),
        (w[s > 1], w.numpy()[s.to_numpy() > 1]),
        (divmod(s, w)[1], s.to_numpy() % w.numpy()),
    ):
        assert type(y) is tg.Tensor
        np.testing.assert_allclose(y.numpy(), expected)
    assert type(tg.exp(s)) is np.ndarray


def test_a_model_takes_a_frame():
    df = shuffled(4)[["x", "z"]].astype(np.float32)
    for model in (
        nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)),
        nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)),
        nn.Sequential(nn.Dropout(0.0), nn.Sigmoid(), nn.Linear(2, 1)),
        nn.Sequential(F.softmax, nn.Linear(2, 1)),
    ):
        model.eval()
        assert np.array_equal(model(df).numpy(), model(df.to_numpy()).numpy())
    with pytest.raises(ValueError, match=r"Linear\(3, 1\) takes x of shape \(…, 3\), but got \(4, 2\)"):
        nn.Linear(3, 1)(df)


@pytest.mark.parametrize(
    "loss", [F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits]
)
def test_losses_take_series_by_position(loss):
    y = shuffled(4)["y"] % 2 * 1.0
    p = tg.Tensor([0.1, 0.2, 0.3, 0.4], requires_grad=True)
    expected = loss(p, y.to_numpy()).item()
    assert loss(p, y).item() == expected
    assert loss(p.numpy(), y).item() == expected
    assert loss(pd.Series(p.numpy()), y).item() == expected  # two series do not meet by their labels
    if loss is not F.binary_cross_entropy_with_logits:
        assert loss(y, p).item() == expected


def test_losses_of_classes_take_series():
    logits = tg.Tensor(np.random.default_rng(0).standard_normal((4, 3)), requires_grad=True)
    y = pd.Series([0, 2, 1, 1], index=[3, 1, 0, 2])
    for labels in (y, y.astype("int8"), y.astype("Int64")):
        assert F.cross_entropy(logits, labels).item() == F.cross_entropy(logits, y.to_numpy()).item()
        assert (
            F.nll_loss(F.log_softmax(logits), labels).item() == F.nll_loss(F.log_softmax(logits), y.to_numpy()).item()
        )
    assert nn.CrossEntropyLoss()(pd.DataFrame(logits.numpy()), y) == F.cross_entropy(logits.numpy(), y.to_numpy())


def test_where_pandas_asks_for_an_array_the_frame_is_what_to_convert():
    df = shuffled(3)[["x", "z"]]
    w = nn.Parameter(np.ones((2, 2)), name="W")
    v = tg.Tensor(np.ones(3), requires_grad=True)
    for use in (lambda: df @ w, lambda: df.dot(w), lambda: df["x"] @ v, lambda: np.matmul(df, w)):
        with pytest.raises(
            RuntimeError, match=r"write \.to_numpy\(\) after the frame or series, as in df\.to_numpy\(\) @ W"
        ):
            use()
    assert np.array_equal((df.to_numpy() @ w).numpy(), df.to_numpy() @ np.ones((2, 2)))
    with pytest.raises(RuntimeError, match=r"write \.numpy\(\) to leave the graph"):
        np.asarray(w)


def test_a_replayed_function_says_what_to_write_for_a_frame():
    with pytest.raises(TypeError, match=r"but got DataFrame; write x\.to_numpy\(\)"):
        tg.replay(lambda x: x * 1)(shuffled())
