"""Models for other programs: ONNX files, written and read, and functions of JAX."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinygrad_edu.export.jax import to_jax as to_jax
    from tinygrad_edu.export.onnx_files.reading.file import load_onnx as load_onnx
    from tinygrad_edu.export.onnx_files.writing.file import onnx as onnx

_PAGES = {"onnx": "onnx_files.writing.file", "load_onnx": "onnx_files.reading.file", "to_jax": "jax"}
"""On which page each function is; a page is loaded when its function is first named."""

__all__ = ["load_onnx", "onnx", "to_jax"]


def __getattr__(name: str) -> Any:
    """Load the page of a function when it is first named."""
    if name in _PAGES:
        return getattr(import_module(f"tinygrad_edu.export.{_PAGES[name]}"), name)
    raise AttributeError(f"module 'tinygrad_edu.export' has no attribute {name!r}; it has {', '.join(__all__)}")
