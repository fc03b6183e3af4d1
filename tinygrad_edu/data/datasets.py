"""Data sets: handwritten digits, small (scikit-learn's, nothing to download) and large (MNIST).

Each returns `(x_train, y_train), (x_test, y_test)`: float32 between 0 and 1, and int64 class numbers.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

Split = tuple[tuple[Any, Any], tuple[Any, Any]]


def digits(*, flatten: bool = True) -> Split:
    """1,797 handwritten digits of 8×8 pixels: 1,437 to train and 360 to test, the same at every call.

    x: (N, 64), or (N, 8, 8) with `flatten=False`. Needs scikit-learn, and raises ImportError without it.

    Source: Alpaydin & Kaynak, *Cascading classifiers*, 1998 (UCI's optical recognition of handwritten digits).
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("data.datasets.digits() reads scikit-learn's digits: pip install scikit-learn") from error
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype(np.float32).reshape((-1, 64) if flatten else (-1, 8, 8))
    y = y.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1437], order[1437:]
    return (x[train], y[train]), (x[test], y[test])


MNIST = {
    "train-images-idx3-ubyte.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "md5:d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "md5:9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "md5:ec29112dd5afa0611ce80d1b7f02629c",
}
"""The four files of MNIST, and what a download must be."""

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def mnist(*, flatten: bool = True) -> Split:
    """70,000 handwritten digits of 28×28 pixels: 60,000 to train and 10,000 to test.

    x: (N, 784), or (N, 28, 28) with `flatten=False`. The files (`train-images-idx3-ubyte`, with or without `.gz`, …) are
    read from the folder `mnist` inside the one that the environment variable TINYGRAD_EDU_DATA names; else from the
    user's cache, where they are downloaded to at the first call (11 MB, with pooch).

    Source: LeCun et al., *Gradient-based learning applied to document recognition*, 1998.
    """
    train_x, train_y, test_x, test_y = (read_idx(_mnist_file(name)) for name in MNIST)
    return (_images(train_x, flatten), train_y.astype(np.int64)), (_images(test_x, flatten), test_y.astype(np.int64))


def _images(pixels: Any, flatten: bool) -> Any:
    x = pixels.astype(np.float32) / np.float32(255)
    return x.reshape(len(x), -1) if flatten else x


def _mnist_file(name: str) -> Path:
    """Where a file of MNIST is, downloaded if it must be."""
    named = os.environ.get("TINYGRAD_EDU_DATA")
    if named:
        folder = Path(named) / "mnist"
        for path in (folder / name, folder / name.removesuffix(".gz")):
            if path.exists():
                return path
        raise FileNotFoundError(f"TINYGRAD_EDU_DATA is set, but {folder / name} does not exist")
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tinygrad_edu" / "mnist"
    if (folder / name).exists():
        return folder / name
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "data.datasets.mnist() downloads MNIST with pooch: pip install pooch; "
            f"or put {name} into a folder mnist, and name the folder it is in by TINYGRAD_EDU_DATA"
        ) from error
    return Path(pooch.retrieve(MNIST_URL + name, known_hash=MNIST[name], fname=name, path=folder))


IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: str | os.PathLike[str]) -> Any:
    """The array in a file of the IDX format, which MNIST is published in; compressed if it ends in `.gz`.

    Two zero bytes, the type, the number of axes, the length of each as a big-endian 32-bit number, then the elements.
    Raises ValueError, naming the file, if it is anything else.
    """
    file = Path(path)
    content = file.read_bytes()
    if file.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{file} is not a whole gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in IDX_TYPES:
        raise ValueError(f"{file} is not an IDX file: it begins with {content[:4]!r}")
    dtype, axes = np.dtype(IDX_TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    shape = struct.unpack(f">{axes}I", content[4:start]) if len(content) >= start else ()
    if len(shape) != axes or len(content) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"{file} is cut short or has more than it says: {len(content)} bytes for shape {shape} of {dtype}"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
