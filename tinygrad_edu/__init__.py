"""tinygrad_edu: an autograd engine on NumPy, to read, to teach and to prototype with.

Every op is here under its NumPy name (`tg.sum(t)` is `np.sum(t)`), beside what makes tensors and differentiates them.
The layers, optimizers and the rest are loaded when they are first used.
"""

# fmt: off
from importlib import import_module
from typing import TYPE_CHECKING, Any

import tinygrad_edu.tensor  # noqa: F401 (the page; below, `tensor` becomes the function)
from tinygrad_edu import autograd, ops
from tinygrad_edu.engine.checkpoint import checkpoint
from tinygrad_edu.engine.recording import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinygrad_edu.engine.evaluate import evaluate
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_edu.creation import (
    arange, eye, full, full_like, get_default_dtype, linspace, ones, ones_like, rand, randn, set_default_dtype,
    tensor, zeros, zeros_like,
)
from tinygrad_edu.ops.rounding import absolute
from tinygrad_edu.ops.comparing import bitwise_and
from tinygrad_edu.ops.comparing import bitwise_or
from tinygrad_edu.ops.comparing import bitwise_xor
from tinygrad_edu.ops.rounding import ceil
from tinygrad_edu.ops.choosing import clip
from tinygrad_edu.ops.rounding import copysign
from tinygrad_edu.ops.rounding import divmod
from tinygrad_edu.ops.comparing import equal
from tinygrad_edu.ops.rounding import fabs
from tinygrad_edu.ops.rounding import floor
from tinygrad_edu.ops.rounding import floor_divide
from tinygrad_edu.ops.choosing import fmax
from tinygrad_edu.ops.choosing import fmin
from tinygrad_edu.ops.rounding import fmod
from tinygrad_edu.ops.comparing import greater
from tinygrad_edu.ops.comparing import greater_equal
from tinygrad_edu.ops.rounding import heaviside
from tinygrad_edu.ops.comparing import invert
from tinygrad_edu.ops.comparing import isclose
from tinygrad_edu.ops.comparing import isfinite
from tinygrad_edu.ops.comparing import isinf
from tinygrad_edu.ops.comparing import isnan
from tinygrad_edu.ops.comparing import left_shift
from tinygrad_edu.ops.comparing import less
from tinygrad_edu.ops.comparing import less_equal
from tinygrad_edu.ops.comparing import logical_and
from tinygrad_edu.ops.comparing import logical_not
from tinygrad_edu.ops.comparing import logical_or
from tinygrad_edu.ops.comparing import logical_xor
from tinygrad_edu.ops.choosing import maximum
from tinygrad_edu.ops.choosing import minimum
from tinygrad_edu.ops.nan import nan_to_num
from tinygrad_edu.ops.comparing import not_equal
from tinygrad_edu.ops.rounding import remainder
from tinygrad_edu.ops.comparing import right_shift
from tinygrad_edu.ops.rounding import rint
from tinygrad_edu.ops.rounding import round
from tinygrad_edu.ops.rounding import sign
from tinygrad_edu.ops.comparing import signbit
from tinygrad_edu.ops.rounding import trunc
from tinygrad_edu.ops.choosing import where
from tinygrad_edu.ops.diagonals import diag, diagflat, diagonal, trace, tril, triu
from tinygrad_edu.ops.einsum import einsum
from tinygrad_edu.ops.arithmetic import add
from tinygrad_edu.ops.elementwise import arccos
from tinygrad_edu.ops.elementwise import arccosh
from tinygrad_edu.ops.elementwise import arcsin
from tinygrad_edu.ops.elementwise import arcsinh
from tinygrad_edu.ops.elementwise import arctan
from tinygrad_edu.ops.elementwise import arctan2
from tinygrad_edu.ops.elementwise import arctanh
from tinygrad_edu.ops.types import astype
from tinygrad_edu.ops.arithmetic import cbrt
from tinygrad_edu.ops.types import conjugate
from tinygrad_edu.ops.types import copy
from tinygrad_edu.ops.elementwise import cos
from tinygrad_edu.ops.elementwise import cosh
from tinygrad_edu.ops.elementwise import deg2rad
from tinygrad_edu.ops.arithmetic import divide
from tinygrad_edu.ops.elementwise import exp
from tinygrad_edu.ops.elementwise import exp2
from tinygrad_edu.ops.elementwise import expm1
from tinygrad_edu.ops.arithmetic import float_power
from tinygrad_edu.ops.elementwise import hypot
from tinygrad_edu.ops.elementwise import log
from tinygrad_edu.ops.elementwise import log10
from tinygrad_edu.ops.elementwise import log1p
from tinygrad_edu.ops.elementwise import log2
from tinygrad_edu.ops.network.softmax import logaddexp
from tinygrad_edu.ops.network.softmax import logaddexp2
from tinygrad_edu.ops.arithmetic import multiply
from tinygrad_edu.ops.arithmetic import negative
from tinygrad_edu.ops.arithmetic import positive
from tinygrad_edu.ops.arithmetic import power
from tinygrad_edu.ops.elementwise import rad2deg
from tinygrad_edu.ops.arithmetic import reciprocal
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.elementwise import sin
from tinygrad_edu.ops.elementwise import sinc
from tinygrad_edu.ops.elementwise import sinh
from tinygrad_edu.ops.arithmetic import sqrt
from tinygrad_edu.ops.arithmetic import square
from tinygrad_edu.ops.arithmetic import subtract
from tinygrad_edu.ops.elementwise import tan
from tinygrad_edu.ops.elementwise import tanh
from tinygrad_edu.ops.places import argwhere
from tinygrad_edu.ops.choosing import choose
from tinygrad_edu.ops.taking import compress
from tinygrad_edu.ops.taking import extract
from tinygrad_edu.ops.places import flatnonzero
from tinygrad_edu.ops.writing import index_update
from tinygrad_edu.ops.places import meshgrid
from tinygrad_edu.ops.places import nonzero
from tinygrad_edu.ops.network.embedding import one_hot
from tinygrad_edu.ops.choosing import piecewise
from tinygrad_edu.ops.writing import scatter_add
from tinygrad_edu.ops.choosing import select
from tinygrad_edu.ops.taking import take
from tinygrad_edu.ops.taking import take_along_axis
from tinygrad_edu.ops.joining import append
from tinygrad_edu.ops.splitting import array_split
from tinygrad_edu.ops.joining import block
from tinygrad_edu.ops.joining import column_stack
from tinygrad_edu.ops.joining import concatenate
from tinygrad_edu.ops.splitting import delete
from tinygrad_edu.ops.splitting import dsplit
from tinygrad_edu.ops.joining import dstack
from tinygrad_edu.ops.splitting import hsplit
from tinygrad_edu.ops.joining import hstack
from tinygrad_edu.ops.padding import pad
from tinygrad_edu.ops.splitting import split
from tinygrad_edu.ops.joining import stack
from tinygrad_edu.ops.splitting import unstack
from tinygrad_edu.ops.splitting import vsplit
from tinygrad_edu.ops.joining import vstack
from tinygrad_edu.ops.network.activations import elu
from tinygrad_edu.ops.network.activations import gelu
from tinygrad_edu.ops.network.activations import leaky_relu
from tinygrad_edu.ops.network.softmax import log_softmax
from tinygrad_edu.ops.network.softmax import logsigmoid
from tinygrad_edu.ops.network.activations import relu
from tinygrad_edu.ops.network.activations import silu
from tinygrad_edu.ops.network.softmax import softmax
from tinygrad_edu.ops.network.softmax import softplus
from tinygrad_edu.ops.products import (
    cross, dot, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot, vecmat,
)
from tinygrad_edu.ops.reductions import all
from tinygrad_edu.ops.reductions import any
from tinygrad_edu.ops.extrema import argmax
from tinygrad_edu.ops.extrema import argmin
from tinygrad_edu.ops.reductions import count_nonzero
from tinygrad_edu.ops.network.softmax import logsumexp
from tinygrad_edu.ops.extrema import max
from tinygrad_edu.ops.reductions import mean
from tinygrad_edu.ops.extrema import min
from tinygrad_edu.ops.reductions import prod
from tinygrad_edu.ops.extrema import ptp
from tinygrad_edu.ops.spread import std
from tinygrad_edu.ops.reductions import sum
from tinygrad_edu.ops.spread import var
from tinygrad_edu.ops.running import (
    cumprod, cumsum, cumulative_prod, cumulative_sum, diff, ediff1d, trapezoid,
)
from tinygrad_edu.ops.histograms import histogram
from tinygrad_edu.ops.histograms import histogram_bin_edges
from tinygrad_edu.ops.sets import intersect1d
from tinygrad_edu.ops.sets import setdiff1d
from tinygrad_edu.ops.sets import setxor1d
from tinygrad_edu.ops.sets import union1d
from tinygrad_edu.ops.sets import unique
from tinygrad_edu.ops.sets import unique_all
from tinygrad_edu.ops.sets import unique_counts
from tinygrad_edu.ops.sets import unique_inverse
from tinygrad_edu.ops.sets import unique_values
from tinygrad_edu.ops.shaping import atleast_1d
from tinygrad_edu.ops.shaping import atleast_2d
from tinygrad_edu.ops.shaping import atleast_3d
from tinygrad_edu.ops.shaping import broadcast_arrays
from tinygrad_edu.ops.shaping import broadcast_to
from tinygrad_edu.ops.shaping import expand_dims
from tinygrad_edu.ops.reordering import flip
from tinygrad_edu.ops.reordering import fliplr
from tinygrad_edu.ops.reordering import flipud
from tinygrad_edu.ops.reordering import matrix_transpose
from tinygrad_edu.ops.reordering import moveaxis
from tinygrad_edu.ops.shaping import ravel
from tinygrad_edu.ops.shaping import repeat
from tinygrad_edu.ops.shaping import reshape
from tinygrad_edu.ops.reordering import roll
from tinygrad_edu.ops.reordering import rollaxis
from tinygrad_edu.ops.reordering import rot90
from tinygrad_edu.ops.shaping import squeeze
from tinygrad_edu.ops.reordering import swapaxes
from tinygrad_edu.ops.shaping import tile
from tinygrad_edu.ops.reordering import transpose
from tinygrad_edu.ops.sorting import argsort, partition, sort
from tinygrad_edu.ops.statistics import average
from tinygrad_edu.ops.statistics import median
from tinygrad_edu.ops.nan import nanargmax
from tinygrad_edu.ops.nan import nanargmin
from tinygrad_edu.ops.nan import nancumprod
from tinygrad_edu.ops.nan import nancumsum
from tinygrad_edu.ops.nan import nanmax
from tinygrad_edu.ops.nan import nanmean
from tinygrad_edu.ops.nan import nanmedian
from tinygrad_edu.ops.nan import nanmin
from tinygrad_edu.ops.nan import nanpercentile
from tinygrad_edu.ops.nan import nanprod
from tinygrad_edu.ops.nan import nanquantile
from tinygrad_edu.ops.nan import nanstd
from tinygrad_edu.ops.nan import nansum
from tinygrad_edu.ops.nan import nanvar
from tinygrad_edu.ops.statistics import percentile
from tinygrad_edu.ops.statistics import quantile
from tinygrad_edu.random import manual_seed
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu import data, linalg, nn, optim, testing, train
    from tinygrad_edu.program import replay
    from tinygrad_edu.reading import what_ran
    from tinygrad_edu.formula import formula  # the module of this name can be called, as the function in it

    __version__: str
    draw: Any  # of the package viz, which this one does not know
    draw_backward: Any

# what NumPy calls by a second name
abs, amax, amin, around, concat, conj, fix = absolute, max, min, round, concatenate, conjugate, trunc
acos, acosh, asin, asinh, atan, atan2, atanh = arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh
bitwise_not, bitwise_invert, bitwise_left_shift, bitwise_right_shift = invert, invert, left_shift, right_shift
degrees, radians, mod, pow, true_divide, permute, permute_dims = rad2deg, deg2rad, remainder, power, divide, transpose, transpose

__all__ = [
    "Tensor", "abs", "absolute", "acos", "acosh", "add", "all", "amax", "amin", "any", "append", "arange", "arccos",
    "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "argmax", "argmin", "argsort", "argwhere",
    "around", "array_split", "asin", "asinh", "astype", "atan", "atan2", "atanh", "atleast_1d", "atleast_2d",
    "atleast_3d", "autograd", "average", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "block", "broadcast_arrays", "broadcast_to", "cbrt", "ceil",
    "checkpoint", "choose", "clip", "column_stack", "compress", "concat", "concatenate", "conj", "conjugate",
    "copy", "copysign", "cos", "cosh", "count_nonzero", "cross", "cumprod", "cumsum", "cumulative_prod",
    "cumulative_sum", "data", "deg2rad", "degrees", "delete", "detect_anomaly", "diag", "diagflat", "diagonal",
    "diff", "divide", "divmod", "dot", "dsplit", "dstack", "ediff1d", "einsum", "elu", "enable_grad", "equal",
    "evaluate", "exp", "exp2", "expand_dims", "expm1", "extract", "eye", "fabs", "fix", "flatnonzero", "flip",
    "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "formula", "full",
    "full_like", "gelu", "get_default_dtype", "grad", "greater", "greater_equal", "heaviside", "hessian",
    "histogram", "histogram_bin_edges", "hsplit", "hstack", "hvp", "hypot", "index_update", "inner", "intersect1d",
    "invert", "is_grad_enabled", "isclose", "isfinite", "isinf", "isnan", "jacobian", "jvp", "kron", "leaky_relu",
    "left_shift", "less", "less_equal", "linalg", "linspace", "log", "log1p", "log2", "log10", "log_softmax",
    "logaddexp", "logaddexp2", "logical_and", "logical_not", "logical_or", "logical_xor", "logsigmoid", "logsumexp",
    "manual_seed", "matmul", "matrix_transpose", "matvec", "max", "maximum", "mean", "median", "meshgrid", "min",
    "minimum", "mod", "moveaxis", "multiply", "nan_to_num", "nanargmax", "nanargmin", "nancumprod", "nancumsum",
    "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod", "nanquantile", "nanstd", "nansum",
    "nanvar", "negative", "nn", "no_grad", "nonzero", "not_equal", "one_hot", "ones", "ones_like", "ops", "optim",
    "outer", "pad", "partition", "percentile", "permute", "permute_dims", "piecewise", "positive", "pow", "power",
    "prod", "ptp", "quantile", "rad2deg", "radians", "rand", "randn", "ravel", "reciprocal", "relu", "remainder",
    "repeat", "replay", "reshape", "right_shift", "rint", "roll", "rollaxis", "rot90", "round", "scatter_add",
    "select", "set_default_dtype", "set_grad_enabled", "setdiff1d", "setxor1d", "sigmoid", "sign", "signbit", "silu",
    "sin", "sinc", "sinh", "softmax", "softplus", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum",
    "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensor", "tensordot", "testing", "tile", "trace",
    "train", "transpose", "trapezoid", "tril", "triu", "true_divide", "trunc", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "value_and_grad", "var", "vdot", "vecdot",
    "vecmat", "vjp", "vsplit", "vstack", "what_ran", "where", "zeros", "zeros_like",
]
# fmt: on


def __dir__() -> list[str]:
    return [*__all__, "draw", "draw_backward"]


def _part(name: str) -> Any:
    """Load a part of the package when it is first named, so that importing the engine costs little."""
    if name in ("data", "formula", "linalg", "nn", "optim", "testing", "train"):
        return import_module(f"tinygrad_edu.{name}")
    if name == "replay":
        return import_module("tinygrad_edu.program").replay
    if name == "what_ran":
        return import_module("tinygrad_edu.reading").what_ran
    if name in ("draw", "draw_backward"):
        return _figures(name)
    if name == "__version__":
        return _version()
    if name.startswith("__"):
        raise AttributeError(f"module 'tinygrad_edu' has no attribute {name!r}")
    from tinygrad_edu.engine.elsewhere import missing

    raise missing(name, __all__)


if not TYPE_CHECKING:  # which shall see a name that there is not
    __getattr__ = _part


def _version() -> str:
    """The version that is installed; of a folder that was never installed, "unknown"."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tinygrad-edu")
    except PackageNotFoundError:
        return "unknown"


def _figures(name: str) -> Any:
    """`draw` or `draw_backward` of the package `viz`, which is installed beside this one and knows it, not the reverse."""
    viz = import_module("viz")
    if hasattr(viz, name):
        return getattr(viz, name)
    found = getattr(viz, "__file__", None) or ", ".join(getattr(viz, "__path__", ["an unknown place"]))
    raise ImportError(
        f"tg.{name} is in the package viz that tinygrad_edu brings, but Python finds another viz first: {found}; "
        "rename that file or folder, or uninstall the package viz and then install tinygrad_edu anew"
    )
