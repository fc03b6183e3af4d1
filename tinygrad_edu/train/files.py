"""Files that are either whole or not there: plain values and arrays, in the safetensors format, without pickle.

A tree is a dictionary of plain values, arrays, and lists, tuples and dicts of them. Its arrays are the file's tensors,
named by their paths in the tree (`model.0.weight`); the rest is JSON in the header.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.engine.tensor import Tensor

StrPath = str | os.PathLike[str]
Tree = dict[str, Any]
"""Plain values, arrays, and lists, tuples and dicts of them."""

VERSION = 1
"""The version of what is written here; a file says its own."""

_OURS = "tinygrad_edu"
_ARRAY, _TUPLE, _ITEMS = "__array__", "__tuple__", "__items__"


def safetensors() -> ModuleType:
    """The package's module for NumPy. Raises ImportError, with what to type, if it is not installed."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError("checkpoints are safetensors files: pip install safetensors") from error
    return safetensors.numpy


def write_atomically(path: StrPath, content: bytes) -> Path:
    """Write a file beside its place, and then move it there, so that at any moment the file is the old one or the new
    one. It may be read by those who may read other files that are made here.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"{target} is a folder; give the name of a file in it")
    name = target.with_name(f".{target.name}.{secrets.token_hex(8)}.part")
    try:
        number = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    except FileNotFoundError:
        raise FileNotFoundError(f"the folder {target.parent} for {target.name} does not exist; make it first") from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        name.unlink(missing_ok=True)
        raise
    return target


def as_bytes(arrays: Mapping[str, NDArray[Any]], metadata: dict[str, str] | None = None) -> bytes:
    """The content of a safetensors file with these arrays.

    The package writes an array's memory as it lies, so each is first laid row by row, in the byte order of the format;
    `np.ascontiguousarray` would make a single number an array of length 1. Raises TypeError for types that the format
    lacks.
    """
    package = safetensors()
    laid = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise TypeError(
                f"{name} is {array.dtype}, which a safetensors file cannot hold; write real numbers up to 64 bits"
            )
        laid[name] = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
    content: bytes = package.save(laid, metadata)
    return content


def read(path: StrPath) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays of a safetensors file, and its metadata. Raises ValueError, naming the file, if it is not whole."""
    content = Path(path).read_bytes()
    package = safetensors()
    try:
        arrays = package.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    except Exception as error:  # the package's own errors have no common base that it documents
        raise ValueError(f"{os.fspath(path)} is not a whole safetensors file: {error}") from error
    return arrays, dict(header.get("__metadata__", {}))


def save_tree(path: StrPath, tree: Mapping[str, Any]) -> Path:
    """Write a tree, and return the file's path. Raises TypeError, naming the place, for what is no plain value or
    array.
    """
    arrays: dict[str, NDArray[Any]] = {}
    plain = {key: _packed(value, key, arrays) for key, value in tree.items()}
    return write_atomically(path, as_bytes(arrays, {_OURS: json.dumps({"version": VERSION, "tree": plain})}))


def load_tree(path: StrPath) -> Tree:
    """Read a tree that `save_tree` wrote.

    Raises ValueError, naming the file, if it is cut or damaged, is another program's, or of a version that is not
    known.
    """
    arrays, metadata = read(path)
    name = os.fspath(path)
    if _OURS not in metadata:
        raise ValueError(
            f"{name} is a safetensors file, but no checkpoint of tinygrad_edu; of PyTorch's, load_torch() reads"
        )
    try:
        said = json.loads(metadata[_OURS])
        version = said["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{name} is damaged: its header cannot be read: {error}") from error
    if version != VERSION:
        raise ValueError(
            f"{name} is a checkpoint of version {version}, and this tinygrad_edu reads version {VERSION} alone"
        )
    try:
        return {key: _unpacked(value, arrays) for key, value in said["tree"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{name} is damaged: its header and its arrays do not agree: {error!r}") from error


def _packed(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """The value as JSON has it. Its arrays are put into `arrays` under their paths."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor | np.ndarray):
        while path in arrays:  # {"a.b": …} and {"a": {"b": …}}
            path += "'"
        arrays[path] = value.ndarray if isinstance(value, Tensor) else value
        return {_ARRAY: path}
    if isinstance(value, list | tuple):
        parts = [_packed(part, f"{path}.{i}", arrays) for i, part in enumerate(value)]
        return {_TUPLE: parts} if isinstance(value, tuple) else parts
    if isinstance(value, Mapping):
        pairs = [(key, _packed(part, f"{path}.{key}", arrays)) for key, part in value.items()]
        if all(isinstance(key, str) and not key.startswith("__") for key, _ in pairs):
            return dict(pairs)
        return {_ITEMS: [[_packed(key, f"a key of {path}", arrays), part] for key, part in pairs]}
    raise TypeError(
        f"{path} is {type(value).__name__} {value!r:.60}, which is not written; a checkpoint holds numbers, texts, arrays, and "
        "lists, tuples and dicts of them"
    )


def _unpacked(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(value, list):
        return [_unpacked(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY in value:
        return arrays[value[_ARRAY]]
    if _TUPLE in value:
        return tuple([_unpacked(part, arrays) for part in value[_TUPLE]])
    if _ITEMS in value:
        return {key: _unpacked(part, arrays) for key, part in value[_ITEMS]}
    return {key: _unpacked(part, arrays) for key, part in value.items()}
