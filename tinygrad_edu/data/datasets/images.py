"""Images: handwritten digits, small (in this package) and large (MNIST), and clothes (Fashion-MNIST)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.datasets.archive import Archive
from tinygrad_edu.data.datasets.idx import read_idx

Split = tuple[tuple[NDArray[np.float32], NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""Images and class numbers, to train with and to test with."""


def digits(*, flatten: bool = True) -> Split:
    """Load 1,797 handwritten digits of 8×8 pixels: 1,437 to train and 360 to test, the same at every call.

    Nothing is downloaded: the files are in this package.

    flatten: whether x is (N, 64) rather than (N, 8, 8).

    Source: Alpaydin and Kaynak, *Optical recognition of handwritten digits*, UCI machine learning repository (1998),
    its test set, as scikit-learn has it; licence CC BY 4.0.

    >>> (x_train, y_train), (x_test, y_test) = digits()
    >>> x_train.shape, x_test.shape, x_train.dtype, int(y_train[0])
    ((1437, 64), (360, 64), dtype('float32'), 6)
    """
    here = Path(__file__).parent
    x = read_idx(here / "digits-images-idx3-ubyte.gz").astype(np.float32) / np.float32(16)
    y = read_idx(here / "digits-labels-idx1-ubyte.gz").astype(np.int64)
    x = x.reshape(-1, 64) if flatten else x
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1437], order[1437:]
    return (x[train], y[train]), (x[test], y[test])


MNIST = Archive(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    {
        "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
    },
    mirrors=["http://yann.lecun.com/exdb/mnist/"],
)

FASHION_MNIST = Archive(
    "fashion_mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte.gz": "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte.gz": "md5:25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte.gz": "md5:bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte.gz": "md5:bb300cfdad3c16e7a12a480ee83cd310",
    },
)


def mnist(*, flatten: bool = True) -> Split:
    """Load 70,000 handwritten digits of 28×28 pixels: 60,000 to train and 10,000 to test.

    Write `(x_train, y_train), (x_test, y_test) = mnist()`. The files (`train-images-idx3-ubyte`, with or without `.gz`,
    …) are read from the folder `mnist` inside the one that the environment variable TINYGRAD_EDU_DATA names. Where it
    is not set, they are read from the user's cache, to which the first call downloads them (11 MB, with pooch).

    flatten: whether x is (N, 784) rather than (N, 28, 28).

    Raises ValueError, naming the file, for one that is damaged or holds something else.

    Source: LeCun et al., *Gradient-based learning applied to document recognition* (1998).
    """
    return _read(MNIST, flatten)


def fashion_mnist(*, flatten: bool = True) -> Split:
    """Load 70,000 pictures of clothes, of 28×28 pixels: 60,000 to train and 10,000 to test, in the files and form of
    MNIST.

    The classes are T-shirt, trousers, pullover, dress, coat, sandal, shirt, sneaker, bag and ankle boot. The files are
    read as those of `mnist`, but the folder is `fashion_mnist`, and 31 MB are downloaded.

    flatten: whether x is (N, 784) rather than (N, 28, 28).

    Raises ValueError, naming the file, for one that is damaged or holds something else.

    Source: Xiao, Rasul and Vollgraf, *Fashion-MNIST: a novel image dataset for benchmarking machine learning
    algorithms* (2017).
    """
    return _read(FASHION_MNIST, flatten)


def _read(archive: Archive, flatten: bool) -> Split:
    train_x, train_y, test_x, test_y = archive.files
    return _part(archive, train_x, train_y, flatten), _part(archive, test_x, test_y, flatten)


def _part(archive: Archive, images: str, labels: str, flatten: bool) -> tuple[Any, Any]:
    """The images and labels of two files, which must belong together."""
    paths = archive.find(images), archive.find(labels)
    x, y = map(read_idx, paths)
    if x.shape[1:] != (28, 28) or x.dtype != np.uint8:
        raise ValueError(f"{paths[0]} should hold images (N, 28, 28) of bytes, but holds shape {x.shape} of {x.dtype}")
    if y.shape != x.shape[:1] or y.dtype != np.uint8 or (y.size and y.max() > 9):
        held = f"shape {y.shape} of {y.dtype}" + (f" up to {y.max()}" if y.size else "")
        raise ValueError(
            f"{paths[1]} should hold {len(x)} labels from 0 to 9 for the images beside it, but holds {held}"
        )
    pixels = x.astype(np.float32)
    pixels /= np.float32(255)
    return (pixels.reshape(len(x), -1) if flatten else pixels), y.astype(np.int64)
