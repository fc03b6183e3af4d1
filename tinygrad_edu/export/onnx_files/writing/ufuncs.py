"""What NumPy's ufuncs write: one node each, where ONNX has it, else a formula of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from tinygrad_edu.export.onnx_files.writing.written import UFUNCS, graph_of

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

ONE_NODE = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg", "absolute": "Abs", "fabs": "Abs",
    "sqrt": "Sqrt", "exp": "Exp", "log": "Log", "reciprocal": "Reciprocal", "floor": "Floor", "ceil": "Ceil", "rint": "Round",
    "sign": "Sign", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin", "arccos": "Acos", "arctan": "Atan",
    "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh", "arcsinh": "Asinh", "arccosh": "Acosh", "arctanh": "Atanh",
    "power": "Pow", "float_power": "Pow", "maximum": "Max", "minimum": "Min", "equal": "Equal", "less": "Less",
    "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual", "logical_and": "And",
    "logical_or": "Or", "logical_xor": "Xor", "logical_not": "Not",
}  # fmt: skip
"""The ufuncs that are one node of ONNX."""


def _one(kind: str) -> Callable[..., Any]:
    def write(*xs: Any, dtype: Any) -> Any:
        return graph_of(*xs).add(kind, xs, np.broadcast_shapes(*[x.shape for x in xs]), dtype)

    return write


UFUNCS.update({name: _one(kind) for name, kind in ONE_NODE.items()})


def _formula(f: Callable[..., Any]) -> Callable[..., Any]:
    """Enter what the ufunc of this name writes, as a formula of others; it is given no type."""
    UFUNCS[f.__name__] = lambda *xs, dtype: f(*xs)
    return f


@_formula
def positive(x: Any) -> Any:
    return x


@_formula
def conjugate(x: Any) -> Any:
    return x


@_formula
def square(x: Any) -> Any:
    return x * x


@_formula
def cbrt(x: Any) -> Any:
    return np.sign(x) * np.power(np.abs(x), 1 / 3)


@_formula
def exp2(x: Any) -> Any:
    return np.power(np.asarray(2, x.dtype), x)


@_formula
def expm1(x: Any) -> Any:
    """eˣ − 1 = tanh(x/2)·(eˣ + 1), which loses no digits near 0."""
    return np.tanh(x / 2) * (np.exp(x) + 1)


@_formula
def log1p(x: Any) -> Any:
    """ln(1 + x), where the rounding of u = 1 + x is made good: ln u·x/(u − 1)."""
    u = x + 1
    exact = np.logical_or(np.equal(u, 1), np.greater(u, 1e8))
    return np.where(exact, np.where(np.equal(u, 1), x, np.log(u)), np.log(u) * x / np.where(exact, 1, u - 1))


@_formula
def log2(x: Any) -> Any:
    return np.log(x) / math.log(2)


@_formula
def log10(x: Any) -> Any:
    return np.log(x) / math.log(10)


@_formula
def deg2rad(x: Any) -> Any:
    return x * (math.pi / 180)


@_formula
def rad2deg(x: Any) -> Any:
    return x * (180 / math.pi)


def softplus(x: Any) -> Any:
    """ln(1 + eˣ), one node."""
    return x.graph.add("Softplus", [x], x.shape, x.dtype)


@_formula
def logaddexp(a: Any, b: Any) -> Any:
    apart = np.where(np.equal(a, b), 0, -np.abs(a - b))  # ∞ − ∞ is not taken
    return np.maximum(a, b) + softplus(apart)


@_formula
def logaddexp2(a: Any, b: Any) -> Any:
    two = math.log(2)
    return logaddexp(a * two, b * two) / two


@_formula
def hypot(a: Any, b: Any) -> Any:
    """√(a² + b²), by the larger one, whose square might be too large; ∞ beside anything is ∞."""
    a, b = np.abs(a), np.abs(b)
    large, small = np.maximum(a, b), np.minimum(a, b)
    ratio = small / np.where(np.equal(large, 0), 1, large)
    endless = np.logical_or(np.isinf(a), np.isinf(b))
    return np.where(endless, math.inf, large * np.sqrt(ratio * ratio + 1))


@_formula
def trunc(x: Any) -> Any:
    return np.sign(x) * np.floor(np.abs(x))


@_formula
def not_equal(a: Any, b: Any) -> Any:
    return np.logical_not(np.equal(a, b))


def _of_floats(kind: str) -> Callable[..., Any]:
    """A question that has the answer no for all but floating numbers."""

    def write(x: Any, *, dtype: Any) -> Any:
        if x.dtype.kind != "f":
            return np.broadcast_to(np.zeros((), bool), x.shape)
        return x.graph.add(kind, [x], x.shape, bool)

    return write


UFUNCS["isnan"], UFUNCS["isinf"] = _of_floats("IsNaN"), _of_floats("IsInf")


@_formula
def isfinite(x: Any) -> Any:
    return np.logical_not(np.logical_or(np.isnan(x), np.isinf(x)))


@_formula
def signbit(x: Any) -> Any:
    """Find negative numbers, and −0 too, for 1/−0 is −∞."""
    return np.logical_or(x < 0, np.logical_and(np.equal(x, 0), np.reciprocal(x) < 0)) if x.dtype.kind == "f" else x < 0


@_formula
def copysign(a: Any, b: Any) -> Any:
    return np.where(np.signbit(b), -np.abs(a), np.abs(a))


@_formula
def heaviside(x: Any, h: Any) -> Any:
    return np.where(np.equal(x, 0), h, np.where(np.isnan(x), x, (x > 0) * np.ones((), x.dtype)))


@_formula
def fmod(a: Any, b: Any) -> Any:
    return graph_of(a, b).add("Mod", [a, b], np.broadcast_shapes(a.shape, b.shape), a.dtype, fmod=1)


@_formula
def remainder(a: Any, b: Any) -> Any:
    """a − ⌊a/b⌋·b: with the sign of b, as Python's %."""
    rest = fmod(a, b)
    return np.where(np.logical_and(np.not_equal(rest, 0), np.not_equal(rest < 0, b < 0)), rest + b, rest)


@_formula
def floor_divide(a: Any, b: Any) -> Any:
    """⌊a/b⌋, from what is left over, so that no quotient is rounded up to the next whole number."""
    rest = fmod(a, b)
    below = np.logical_and(np.not_equal(rest, 0), np.not_equal(rest < 0, b < 0))
    if a.dtype.kind != "f":
        whole = a - rest
        return graph_of(whole, b).add("Div", [whole, b], whole.shape, a.dtype) - below.astype(a.dtype)
    return np.where(np.equal(b, 0), a / b, np.rint((a - rest) / b) - below.astype(a.dtype))


@_formula
def fmax(a: Any, b: Any) -> Any:
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, np.maximum(a, b)))


@_formula
def fmin(a: Any, b: Any) -> Any:
    return np.where(np.isnan(a), b, np.where(np.isnan(b), a, np.minimum(a, b)))


@_formula
def arctan2(y: Any, x: Any) -> Any:
    origin, endless = np.logical_and(np.equal(x, 0), np.equal(y, 0)), np.logical_and(np.isinf(x), np.isinf(y))
    turn = np.where(np.signbit(x), np.where(np.signbit(y), -math.pi, math.pi).astype(y.dtype), 0)
    up, right = (
        np.where(endless, np.sign(y), y),
        np.where(np.logical_or(origin, endless), np.where(origin, 1, np.sign(x)), x),
    )
    return np.where(origin, 0, np.arctan(up / right)) + turn


def _bitwise(whole: str, logical: Any) -> Callable[..., Any]:
    def write(*xs: Any, dtype: Any) -> Any:
        return logical(*xs) if dtype.kind == "b" else _one(whole)(*xs, dtype=dtype)

    return write


UFUNCS.update(
    bitwise_and=_bitwise("BitwiseAnd", np.logical_and),
    bitwise_or=_bitwise("BitwiseOr", np.logical_or),
    bitwise_xor=_bitwise("BitwiseXor", np.logical_xor),
    invert=_bitwise("BitwiseNot", np.logical_not),
)


@_formula
def left_shift(a: Any, b: Any) -> Any:
    """a·2ᵇ: ONNX shifts numbers without a sign alone."""
    return a * np.power(np.asarray(2, a.dtype), b)


@_formula
def right_shift(a: Any, b: Any) -> Any:
    return np.floor_divide(a, np.power(np.asarray(2, a.dtype), b))


def _matmul(a: Any, b: Any, *, dtype: Any) -> Any:
    rows = a.shape[:-1] if a.ndim == 1 else a.shape[-2:-1]
    columns = b.shape[-1:] if b.ndim > 1 else ()
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), *(rows if a.ndim > 1 else ()), *columns)
    if not a.shape[-1]:  # a sum of nothing
        return np.broadcast_to(np.zeros((), dtype), shape)
    return graph_of(a, b).add("MatMul", [a, b], shape, dtype)


UFUNCS["matmul"] = _matmul
UFUNCS["vecdot"] = lambda a, b, *, dtype, axis=-1: np.add.reduce(a * b, axis=axis)
