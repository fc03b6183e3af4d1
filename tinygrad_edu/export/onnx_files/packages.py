"""The packages onnx and onnxruntime, loaded when they are needed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

OPSET = 18
"""The version of ONNX's operators in which files are written: most runtimes know it."""


def onnx_package() -> ModuleType:
    """The package onnx. Raises ImportError, with what to type, if it is not installed."""
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise ImportError('ONNX files are read and written with onnx: pip install "tinygrad-edu[onnx]"') from error
    return onnx


def runtime() -> ModuleType:
    """The package onnxruntime. Raises ImportError, with what to type, if it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            'before an ONNX file is put in its place, onnxruntime runs it: pip install "tinygrad-edu[onnx]"'
        ) from error
    return onnxruntime


def session(content: bytes) -> Any:
    """onnxruntime, ready to run this file on the CPU."""
    package = runtime()
    options = package.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return package.InferenceSession(content, options, providers=["CPUExecutionProvider"])
