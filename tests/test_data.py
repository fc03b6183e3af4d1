"""Data sets, loaders and splits."""

from __future__ import annotations

import gzip
import os
import struct
import sys
import types
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

import tinygrad_edu as tg
from tinygrad_edu.data import DataLoader, TensorDataset, datasets, train_test_split

# -- digits ------------------------------------------------------------------------------------------


def test_digits():
    (x, y), (x_test, y_test) = datasets.digits()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((1437, 64), (1437,), (360, 64), (360,))
    assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert (x.min(), x.max()) == (0, 1)
    assert set(y) == set(y_test) == set(range(10))
    (again, _), (images, _) = datasets.digits(flatten=False)
    assert images.shape == (360, 8, 8)
    assert np.array_equal(again.reshape(-1, 64), x)
    rows = {row.tobytes() for row in x}
    assert not any(row.tobytes() in rows for row in x_test)


def test_digits_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        datasets.digits()


# -- the IDX format ----------------------------------------------------------------------------------


def idx(array):
    code = {np.dtype(kind).str[1:]: code for code, kind in datasets.IDX_TYPES.items()}[array.dtype.str[1:]]
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 5)])
def test_read_idx(tmp_path, dtype, shape):
    array = np.random.default_rng(0).integers(100, size=shape).astype(dtype)
    (tmp_path / "plain").write_bytes(idx(array))
    (tmp_path / "packed.gz").write_bytes(gzip.compress(idx(array)))
    for name in ("plain", "packed.gz"):
        read = datasets.read_idx(tmp_path / name)
        assert (read.dtype, read.shape) == (array.dtype, shape)
        assert np.array_equal(read, array)
        assert read.flags.writeable


def test_files_that_are_not_idx_say_so(tmp_path):
    whole = idx(np.arange(6, dtype="i4").reshape(2, 3))
    packed = gzip.compress(whole)
    wrong = {
        "empty": (b"", "is not an IDX file"),
        "text": (b"hello", "is not an IDX file"),
        "type": (whole[:2] + b"\x07" + whole[3:], "is not an IDX file"),
        "header": (whole[:6], "is cut short"),
        "short": (whole[:-1], "is cut short"),
        "long": (whole + b"\0", "has more than it says"),
        "short.gz": (packed[:-9], "is not a whole gzip file"),
        "text.gz": (b"hello", "is not a whole gzip file"),
        "broken.gz": (packed[:12] + b"\xff\xff\xff\xff" + packed[16:], "is not a whole gzip file"),
    }
    for name, (content, message) in wrong.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=message) as caught:
            datasets.read_idx(tmp_path / name)
        assert name in str(caught.value)


# -- MNIST -------------------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Four files like MNIST's, of 3 and 2 images, in tmp_path/mnist; no other source is known."""
    folder = tmp_path / "mnist"
    folder.mkdir()
    rng = np.random.default_rng(0)
    arrays = {}
    for name in datasets.MNIST:
        n = 3 if name.startswith("train") else 2
        arrays[name] = (
            rng.integers(256, size=(n, 28, 28)).astype("u1")
            if "images" in name
            else rng.integers(10, size=n).astype("u1")
        )
        (folder / name).write_bytes(gzip.compress(idx(arrays[name])))
    monkeypatch.delenv("TINYGRAD_EDU_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "pooch", None)
    return tmp_path, arrays


def check(arrays, **options):
    (x, y), (x_test, y_test) = datasets.mnist(**options)
    for part, labels, images, classes in (
        (x, y, "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
        (x_test, y_test, "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    ):
        assert (part.dtype, labels.dtype) == (np.float32, np.int64)
        np.testing.assert_allclose(part.reshape(len(part), 28, 28), arrays[images] / 255, rtol=1e-6)
        assert np.array_equal(labels, arrays[classes])
    return x


def test_mnist_from_a_named_folder(tiny, monkeypatch):
    root, arrays = tiny
    monkeypatch.setenv("TINYGRAD_EDU_DATA", str(root))
    assert check(arrays).shape == (3, 784)
    assert check(arrays, flatten=False).shape == (3, 28, 28)
    for name in datasets.MNIST:  # unpacked ones serve as well
        packed = root / "mnist" / name
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    check(arrays)
    (root / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"TINYGRAD_EDU_DATA is set, but .*t10k-labels-idx1-ubyte.gz does not exist"
    ):
        datasets.mnist()


def test_mnist_from_the_cache(tiny):
    root, arrays = tiny
    (root / "cache" / "tinygrad_edu").mkdir(parents=True)
    (root / "mnist").rename(root / "cache" / "tinygrad_edu" / "mnist")
    check(arrays)


def test_mnist_is_downloaded_into_the_cache(tiny, monkeypatch):
    root, arrays = tiny
    asked = []

    def retrieve(url, known_hash, fname, path):
        assert url == datasets.MNIST_URL + fname
        assert known_hash == datasets.MNIST[fname]
        asked.append(fname)
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes((root / "mnist" / fname).read_bytes())
        return str(path / fname)

    monkeypatch.setitem(sys.modules, "pooch", types.SimpleNamespace(retrieve=retrieve))
    check(arrays)
    check(arrays)
    assert asked == list(datasets.MNIST)


@pytest.mark.usefixtures("tiny")
def test_mnist_without_pooch():
    with pytest.raises(ImportError, match=r"pip install pooch; or put train-images-idx3-ubyte\.gz into a folder mnist"):
        datasets.mnist()


@pytest.mark.skipif(
    not (Path(os.environ.get("TINYGRAD_EDU_DATA", "")) / "mnist").is_dir() or "TINYGRAD_EDU_DATA" not in os.environ,
    reason="TINYGRAD_EDU_DATA does not name a folder with MNIST",
)
def test_mnist_itself():
    (x, y), (x_test, y_test) = datasets.mnist()
    assert (x.shape, y.shape, x_test.shape, y_test.shape) == ((60000, 784), (60000,), (10000, 784), (10000,))
    assert abs(x.mean() - 0.1307) < 1e-3
    assert abs(x.std() - 0.3081) < 1e-3
    assert np.bincount(y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# -- batches -----------------------------------------------------------------------------------------


def test_a_pass_meets_every_row_once():
    x, y = np.arange(10.0), np.arange(10)
    loader = DataLoader((x, y), batch_size=4)
    assert [len(batch) for batch, _ in loader] == [4, 4, 2]
    assert len(loader) == 3
    assert np.array_equal(np.concatenate([batch for batch, _ in loader]), x)
    assert len(DataLoader((x, y), 4, drop_last=True)) == 2
    assert [len(batch) for batch, _ in DataLoader((x, y), 4, drop_last=True)] == [4, 4]
    assert [batch.tolist() for batch in DataLoader(x, 5)] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_shuffling():
    x = np.arange(100)
    loader = DataLoader((x, -x), 10, shuffle=True, generator=np.random.default_rng(0))
    passes = [[(a, b) for a, b in loader] for _ in range(2)]
    orders = [np.concatenate([a for a, _ in batches]) for batches in passes]
    assert all(np.array_equal(np.sort(order), x) for order in orders)
    assert not np.array_equal(orders[0], orders[1])
    assert all(np.array_equal(a, -b) for a, b in passes[0])
    again = DataLoader((x, -x), 10, shuffle=True, generator=np.random.default_rng(0))
    assert np.array_equal(np.concatenate([a for a, _ in again]), orders[0])
    orders = [[tg.manual_seed(1), next(iter(DataLoader(x, 5, shuffle=True)))][1].tolist() for _ in range(2)]
    assert orders[0] == orders[1]


def test_what_can_be_loaded():
    x = tg.Tensor(np.arange(6.0).reshape(3, 2))
    (batch,) = next(iter(DataLoader((x,), 2)))
    assert isinstance(batch, tg.Tensor)
    assert isinstance(next(iter(DataLoader(x, 2))), tg.Tensor)

    class Squares:
        def __len__(self):
            return 5

        def __getitem__(self, i):
            if i >= 5:
                raise IndexError
            return np.full(2, i), i * i

    batches = list(DataLoader(Squares(), 2))
    assert batches[1][0].tolist() == [[2, 2], [3, 3]]
    assert [y.tolist() for _, y in batches] == [[0, 1], [4, 9], [16]]

    class Numbers(Squares):
        def __getitem__(self, i):
            return float(i)

    assert [batch.tolist() for batch in DataLoader(Numbers(), 3)] == [[0, 1, 2], [3, 4]]
    dataset = TensorDataset(np.arange(4), np.arange(4) * 2)
    assert dataset[1:3][1].tolist() == [2, 4]
    assert len(list(DataLoader(dataset, 3))) == 2


class Pair(NamedTuple):
    x: Any
    y: Any


def test_samples_are_collated_as_they_are_made():
    def batch(*samples):
        (made,) = DataLoader(list(samples), len(samples))
        return made

    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    assert batch(a, b).tolist() == [[1, 2], [3, 4]]
    x, y = batch((a, 0), (b, 1))
    assert (x.tolist(), y.tolist(), y.dtype) == ([[1, 2], [3, 4]], [0, 1], np.int64)
    made = batch({"x": a, "y": 0.5, "name": "a"}, {"x": b, "y": 1.5, "name": "b"})
    assert (made["x"].tolist(), made["y"].tolist(), made["name"]) == ([[1, 2], [3, 4]], [0.5, 1.5], ["a", "b"])
    deep = batch({"in": (a, [1, {"z": True}])}, {"in": (b, [2, {"z": False}])})["in"]
    assert (deep[0].tolist(), deep[1][0].tolist(), deep[1][1]["z"].dtype) == ([[1, 2], [3, 4]], [1, 2], bool)
    named = batch(Pair(a, 0), Pair(b, 1))
    assert type(named) is Pair
    assert named.y.tolist() == [0, 1]
    assert batch(np.float32(1), np.float32(2)).dtype == np.float32
    tensors = batch(tg.Tensor([1.0], requires_grad=True), tg.Tensor([2.0]))
    assert isinstance(tensors, tg.Tensor)
    assert tensors.requires_grad
    assert [len(y) for _, y in DataLoader([(a, 0)] * 5, 2)] == [2, 2, 1]

    class Samples:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return {"x": np.full(3, i), "y": i}

    assert [made["y"].tolist() for made in DataLoader(Samples(), 3)] == [[0, 1, 2], [3]]
    assert [made["x"].shape for made in DataLoader(Samples(), 3)] == [(3, 3), (1, 3)]


def test_samples_that_do_not_go_together_are_named():
    a, b = np.ones((4, 2)), np.ones(4)
    for samples, kind, message in (
        (
            [a, b],
            ValueError,
            r"a sample has shape \(4, 2\), but number 1 of its batch \(4,\); .* write a tuple: DataLoader\(\(x, y\)\)",
        ),
        (
            [{"x": a}, {"x": a[:2]}],
            ValueError,
            r"a sample\['x'\] has shape \(4, 2\), but number 1 of its batch \(2, 2\)",
        ),
        ([{"x": a}, {"y": a}], ValueError, r"has the keys \['x'\], but number 1 of its batch has \['y'\]"),
        ([{"x": a}, a], ValueError, "number 1 of its batch is ndarray"),
        ([(1, 2), (1,)], ValueError, "a sample has 2 parts, but number 1 of its batch has 1"),
        ([(1, None), (1, None)], TypeError, r"a sample\[1\] is NoneType None; a batch is made of arrays"),
        ([1, object()], TypeError, "a sample is object"),
    ):
        with pytest.raises(kind, match=message):
            list(DataLoader(samples, 2))


def test_a_subclass_that_says_what_an_item_is_is_asked_for_each():
    class Doubled(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            assert np.ndim(y) == 0
            return 2 * x, y

    assert [x.tolist() for x, _ in DataLoader(Doubled(np.arange(3), np.arange(3)), 2)] == [[0, 2], [4]]


def test_what_is_no_data_set_is_answered_with_what_to_write():
    x = np.arange(3)
    for make, kind, message in (
        (lambda: DataLoader({"x": x}), TypeError, r"a tuple of arrays, DataLoader\(\(x, y\)\)"),
        (lambda: DataLoader(zip(x, x, strict=True)), TypeError, r"got zip; write list\(…\) around it"),
        (lambda: DataLoader(3), TypeError, "got int"),
        (lambda: DataLoader(x, num_workers=-1), ValueError, "0 or more, but got -1"),
        (lambda: TensorDataset(3), TypeError, "arrays of rows, but got int 3"),
        (lambda: TensorDataset("abc"), TypeError, "arrays of rows, but got str"),
        (lambda: TensorDataset({1, 2}), TypeError, r"got a set, .* write list\(x\)"),
        (lambda: TensorDataset([[1, 2], [3]]), ValueError, "a list whose parts differ in shape"),
        (lambda: TensorDataset(scipy.sparse.eye_array(3)), TypeError, r"a sparse dia_array; write x\.toarray\(\)"),
        (lambda: train_test_split([None, 1]), TypeError, "makes an array of objects"),
    ):
        with pytest.raises(kind, match=message):
            make()
    assert len(list(DataLoader(x, num_workers=0))) == 3


def test_loaders_refuse():
    with pytest.raises(ValueError, match="at least one row, but batch_size is 0"):
        DataLoader(np.arange(3), 0)
    with pytest.raises(ValueError, match=r"one length, but got \[3, 2\]"):
        TensorDataset(np.arange(3), np.arange(2))
    with pytest.raises(TypeError):
        DataLoader(np.arange(3), 2.5)


# -- splits ------------------------------------------------------------------------------------------


def test_train_test_split():
    x, y = np.arange(20).reshape(10, 2), np.arange(10)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, generator=np.random.default_rng(0))
    assert (len(x_train), len(x_test)) == (7, 3)
    assert sorted([*y_train, *y_test]) == list(range(10))
    assert np.array_equal(x_train[:, 0] // 2, y_train)
    assert np.array_equal(x_test[:, 0] // 2, y_test)
    assert len(train_test_split(y, test_size=4)[1]) == 4
    assert len(train_test_split(y, test_size=np.float32(0.25))[1]) == 3
    for size in (0.0, 1.0, 10, 0):
        with pytest.raises(ValueError, match="nothing to"):
            train_test_split(y, test_size=size)
    with pytest.raises(ValueError, match=r"one length, but got \[10, 9\]"):
        train_test_split(y, y[1:])
