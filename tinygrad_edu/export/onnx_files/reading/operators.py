"""The operators of ONNX, version 13 to 23, in the ops of the package: each is called with its inputs, and its attributes by name.

What says a shape, an axis or a place must be known without the numbers of the model's input, as it is in files of networks;
it is computed by NumPy.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy

from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.choosing import clip
from tinygrad_edu.ops.network import activations, gaussian, piecewise, smooth, softmax

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors

OPERATORS: dict[str, Callable[..., Any]] = {}
"""What each operator computes, by its name."""

ONLY: dict[str, dict[str, tuple[Any, ...]]] = {}
"""The values that attributes of an operator may have, where others are not read."""

F_ = TypeVar("F_", bound=Callable[..., Any])


class Late:
    """A result that is computed only if something reads it."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute = compute


def operator(**only: tuple[Any, ...]) -> Callable[[F_], F_]:
    """Enter an operator, which is called as the function is; `only` says which values of attributes are read."""

    def enter(f: F_) -> F_:
        OPERATORS[f.__name__] = f
        ONLY[f.__name__] = only
        return f

    return enter


def misfit(kind: str, inputs: int, attributes: dict[str, Any]) -> str | None:
    """What of a node is not read here, or None."""
    signature = inspect.signature(OPERATORS[kind])
    for name, values in ONLY[kind].items():
        value = attributes.get(name, signature.parameters[name].default)
        if value not in values:
            return f"{kind} with {name}={value!r}"
    try:
        signature.bind(*[None] * inputs, **attributes)
    except TypeError as error:
        return f"{kind}, {error}"
    return None


def numbers(x: Any) -> list[Any]:
    """Whole numbers that say a shape or the like."""
    return np.asarray(x.numpy() if isinstance(x, Tensor) else x).reshape(-1).tolist()


# ---------------------------------------------------------------------------------------------------
# Elementwise

for _kind, _function in {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Neg": np.negative, "Abs": np.absolute, "Sqrt": np.sqrt,
    "Exp": np.exp, "Log": np.log, "Reciprocal": np.reciprocal, "Floor": np.floor, "Ceil": np.ceil, "Round": np.rint,
    "Sign": np.sign, "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan,
    "Sinh": np.sinh, "Cosh": np.cosh, "Tanh": np.tanh, "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh,
    "Equal": np.equal, "Less": np.less, "LessOrEqual": np.less_equal, "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal, "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor,
    "Not": np.logical_not, "BitwiseAnd": np.bitwise_and, "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor,
    "BitwiseNot": np.invert, "IsNaN": np.isnan, "Where": np.where, "Relu": activations.relu, "Sigmoid": activations.sigmoid,
    "Softplus": softmax.softplus, "Softsign": smooth.softsign, "HardSwish": piecewise.hardswish, "Mish": smooth.mish,
    "Det": np.linalg.det,
}.items():  # fmt: skip
    OPERATORS[_kind] = (lambda f: lambda *xs: f(*xs))(_function)
    ONLY[_kind] = {}


@operator()
def Identity(x: Any) -> Any:
    return x


@operator()
def Div(a: Any, b: Any) -> Any:
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.divide(a, b)
    return np.sign(a) * np.sign(b) * np.floor_divide(np.absolute(a), np.absolute(b))


@operator()
def Pow(a: Any, b: Any) -> Any:
    return np.astype(np.power(a, np.astype(b, a.dtype) if b.dtype.kind == a.dtype.kind else b), a.dtype)


@operator()
def Mod(a: Any, b: Any, *, fmod: int = 0) -> Any:
    return np.fmod(a, b) if fmod else np.remainder(a, b)


@operator()
def BitShift(a: Any, b: Any, *, direction: str) -> Any:
    return np.left_shift(a, b) if direction == "LEFT" else np.right_shift(a, b)


def _folded(f: Any) -> Callable[..., Any]:
    def all_of(*xs: Any) -> Any:
        y = xs[0]
        for x in xs[1:]:
            y = f(y, x)
        return y

    return all_of


OPERATORS.update(Max=_folded(np.maximum), Min=_folded(np.minimum), Sum=_folded(np.add))
ONLY.update(Max={}, Min={}, Sum={})


@operator()
def Mean(*xs: Any) -> Any:
    return OPERATORS["Sum"](*xs) / len(xs)


@operator()
def IsInf(x: Any, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    found = np.isinf(x)
    found = found if detect_negative else np.logical_and(found, np.greater(x, 0))
    return found if detect_positive else np.logical_and(found, np.less(x, 0))


@operator()
def Clip(x: Any, low: Any = None, high: Any = None, *, min: float | None = None, max: float | None = None) -> Any:
    low, high = [a if b is None else np.asarray(b, x.dtype) for a, b in ((low, min), (high, max))]
    return x if low is None and high is None else clip(x, low, high)


@operator()
def Erf(x: Any) -> Any:
    return gaussian.normal_cdf(x * math.sqrt(2)) * 2 - 1


@operator()
def LeakyRelu(x: Any, *, alpha: float = 0.01) -> Any:
    return activations.leaky_relu(x, alpha)


@operator()
def PRelu(x: Any, slope: Any) -> Any:
    return piecewise.prelu(x, slope)


@operator()
def Elu(x: Any, *, alpha: float = 1.0) -> Any:
    return activations.elu(x, alpha)


@operator()
def Celu(x: Any, *, alpha: float = 1.0) -> Any:
    return activations.elu(x / alpha, 1.0) * alpha


@operator()
def Selu(x: Any, *, alpha: float = 1.6732632423543772, gamma: float = 1.0507009873554805) -> Any:
    return activations.elu(x, alpha) * gamma


@operator()
def HardSigmoid(x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    return clip(x * alpha + beta, 0, 1)


@operator()
def ThresholdedRelu(x: Any, *, alpha: float = 1.0) -> Any:
    return np.where(np.greater(x, alpha), x, 0)


@operator()
def Gelu(x: Any, *, approximate: str = "none") -> Any:
    return gaussian.gelu(x, approximate)


@operator()
def Softmax(x: Any, *, axis: int = -1) -> Any:
    return softmax.softmax(x, axis)


@operator()
def LogSoftmax(x: Any, *, axis: int = -1) -> Any:
    return softmax.log_softmax(x, axis)


@operator()
def Cast(x: Any, *, to: Any, saturate: int = 1) -> Any:
    return np.astype(x, to)


@operator()
def CastLike(x: Any, other: Any, *, saturate: int = 1) -> Any:
    return np.astype(x, other.dtype)


@operator()
def Dropout(x: Any, ratio: Any = None, training_mode: Any = None, *, seed: int = 0) -> Any:
    return x, Late(lambda: np.ones(x.shape, bool))
