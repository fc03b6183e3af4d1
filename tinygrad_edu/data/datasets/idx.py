"""Reads IDX, the file format in which MNIST is published."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The types that the third byte of a file stands for."""


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read the array in a file of the IDX format, which is compressed if its name ends in `.gz`.

    Such a file has two zero bytes, the type, the number of axes, the length of each as a big-endian 32-bit number, and
    then the elements.

    Raises ValueError, naming the file, if it is of another format, cut short, damaged, or too long.

    Source: LeCun, Cortes and Burges, *The MNIST database*, the section on file formats.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "two-idx1-ubyte"
    ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    ...     read_idx(path).tolist()
    [7, 9]
    """
    file = Path(path)
    content = file.read_bytes()
    if file.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{file} is not a whole gzip file: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise ValueError(f"{file} is not an IDX file: it begins with {content[:4]!r}")
    dtype, axes = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    shape = struct.unpack(f">{axes}I", content[4:start]) if len(content) >= start else ()
    if len(shape) != axes or len(content) - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(
            f"{file} is cut short or has more than it says: {len(content)} bytes for shape {shape} of {dtype}"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))
