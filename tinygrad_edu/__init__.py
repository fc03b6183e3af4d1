"""tinygrad_edu: an autograd engine on NumPy, to read, to teach and to prototype with.

Every op is here under its NumPy name (`tg.sum(t)` is `np.sum(t)`), beside what makes tensors and differentiates them.
The layers, optimizers and the rest are loaded when they are first used.
"""

# fmt: off
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Inside the block, no cyclic garbage is looked for: while modules are loaded there is none, and looking takes a fifth
    of the time."""
    works = gc.isenabled()
    gc.disable()
    try:
        yield
        if gc.get_freeze_count() == 0:  # what was loaded lives on: it joins the oldest objects, without being looked at
            gc.freeze()
            gc.unfreeze()
    finally:
        if works:
            gc.enable()


with _collector_at_rest():
    import tinygrad_edu.tensor  # noqa: F401 (the page; below, `tensor` becomes the function)
    from tinygrad_edu import ops

from tinygrad_edu.engine.recording import detect_anomaly, enable_grad, is_grad_enabled, no_grad, set_grad_enabled
from tinygrad_edu.engine.backward import grad
from tinygrad_edu.engine.registry import LATER
from tinygrad_edu.creation import (
    arange, eye, full, full_like, get_default_dtype, linspace, ones, ones_like, rand, randn, set_default_dtype,
    tensor, zeros, zeros_like,
)
from tinygrad_edu.ops.arithmetic import (
    add, cbrt, divide, float_power, multiply, negative, positive, power, reciprocal, sqrt, square, subtract,
)
from tinygrad_edu.ops.choosing import choose, clip, fmax, fmin, maximum, minimum, piecewise, select, where
from tinygrad_edu.ops.comparing import (
    bitwise_and, bitwise_or, bitwise_xor, equal, greater, greater_equal, invert, isclose, isfinite, isinf, isnan,
    left_shift, less, less_equal, logical_and, logical_not, logical_or, logical_xor, not_equal, right_shift,
    signbit,
)
from tinygrad_edu.ops.diagonals import diag, diagflat, diagonal, trace, tril, triu
from tinygrad_edu.ops.elementwise import (
    arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh, cos, cosh, deg2rad, exp, exp2, expm1, hypot, log,
    log10, log1p, log2, rad2deg, sin, sinc, sinh, tan, tanh,
)
from tinygrad_edu.ops.extrema import argmax, argmin, max, min, ptp
from tinygrad_edu.ops.joining import append, block, column_stack, concatenate, dstack, hstack, stack, vstack
from tinygrad_edu.ops.network.activations import elu, leaky_relu, relu, sigmoid, silu
from tinygrad_edu.ops.network.embedding import one_hot
from tinygrad_edu.ops.network.gaussian import gelu
from tinygrad_edu.ops.network.softmax import (
    log_softmax, logaddexp, logaddexp2, logsigmoid, logsumexp, softmax, softplus,
)
from tinygrad_edu.ops.products import cross, dot, inner, kron, matmul, matvec, outer, tensordot, vdot, vecdot, vecmat
from tinygrad_edu.ops.reductions import all, any, count_nonzero, mean, prod, sum
from tinygrad_edu.ops.reordering import (
    flip, fliplr, flipud, matrix_transpose, moveaxis, roll, rollaxis, rot90, swapaxes, transpose,
)
from tinygrad_edu.ops.rounding import (
    absolute, ceil, copysign, divmod, fabs, floor, floor_divide, fmod, heaviside, remainder, rint, round, sign,
    trunc,
)
from tinygrad_edu.ops.running import cumprod, cumsum, cumulative_prod, cumulative_sum, diff, ediff1d, trapezoid
from tinygrad_edu.ops.shaping import (
    atleast_1d, atleast_2d, atleast_3d, broadcast_arrays, broadcast_to, expand_dims, ravel, repeat, reshape,
    squeeze, tile,
)
from tinygrad_edu.ops.spread import std, var
from tinygrad_edu.ops.taking import compress, extract, take, take_along_axis
from tinygrad_edu.ops.types import astype, conjugate, copy
from tinygrad_edu.ops.writing import index_update, scatter_add
from tinygrad_edu.random import manual_seed
from tinygrad_edu.engine.tensor import Tensor

if TYPE_CHECKING:
    from tinygrad_edu.ops.einsum import einsum
    from tinygrad_edu.ops.histograms import histogram, histogram_bin_edges
    from tinygrad_edu.ops.nan import (
        nan_to_num, nanargmax, nanargmin, nancumprod, nancumsum, nanmax, nanmean, nanmedian, nanmin, nanpercentile,
        nanprod, nanquantile, nanstd, nansum, nanvar,
    )
    from tinygrad_edu.ops.padding import pad
    from tinygrad_edu.ops.places import argwhere, flatnonzero, meshgrid, nonzero
    from tinygrad_edu.ops.sets import (
        intersect1d, setdiff1d, setxor1d, union1d, unique, unique_all, unique_counts, unique_inverse, unique_values,
    )
    from tinygrad_edu.ops.sorting import argsort, partition, sort
    from tinygrad_edu.ops.splitting import array_split, delete, dsplit, hsplit, split, unstack, vsplit
    from tinygrad_edu.ops.statistics import average, median, percentile, quantile
    from tinygrad_edu import autograd, data, export, linalg, nn, optim, testing, train
    from tinygrad_edu.engine.checkpoint import checkpoint
    from tinygrad_edu.engine.evaluate import evaluate
    from tinygrad_edu.engine.transforms import hessian, hvp, jacobian, jvp, value_and_grad, vjp
    from tinygrad_edu.program import replay
    from tinygrad_edu.reading import what_ran
    from tinygrad_edu.threads import get_num_threads, set_num_threads
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
    "evaluate", "exp", "exp2", "expand_dims", "expm1", "export", "extract", "eye", "fabs", "fix", "flatnonzero", "flip",
    "fliplr", "flipud", "float_power", "floor", "floor_divide", "fmax", "fmin", "fmod", "formula", "full",
    "full_like", "gelu", "get_default_dtype", "get_num_threads", "grad", "greater", "greater_equal", "heaviside", "hessian",
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
    "select", "set_default_dtype", "set_grad_enabled", "set_num_threads", "setdiff1d", "setxor1d", "sigmoid", "sign", "signbit", "silu",
    "sin", "sinc", "sinh", "softmax", "softplus", "sort", "split", "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum",
    "swapaxes", "take", "take_along_axis", "tan", "tanh", "tensor", "tensordot", "testing", "tile", "trace",
    "train", "transpose", "trapezoid", "tril", "triu", "true_divide", "trunc", "union1d", "unique", "unique_all",
    "unique_counts", "unique_inverse", "unique_values", "unstack", "value_and_grad", "var", "vdot", "vecdot",
    "vecmat", "vjp", "vsplit", "vstack", "what_ran", "where", "zeros", "zeros_like",
]
# fmt: on


def __dir__() -> list[str]:
    return [*__all__, "draw", "draw_backward"]


_PAGES = {
    "checkpoint": "engine.checkpoint",
    "evaluate": "engine.evaluate",
    **dict.fromkeys(["hessian", "hvp", "jacobian", "jvp", "value_and_grad", "vjp"], "engine.transforms"),
    "replay": "program",
    "what_ran": "reading",
    **dict.fromkeys(["get_num_threads", "set_num_threads"], "threads"),
}
"""On which page a function is that is loaded when it is first named."""


def _part(name: str) -> Any:
    """Load a part of the package when it is first named, so that importing the engine costs little."""
    if name in _PAGES:
        return getattr(import_module(f"tinygrad_edu.{_PAGES[name]}"), name)
    if name in LATER and name in __all__:
        globals()[name] = found = getattr(import_module(LATER[name]), name)  # the next time it is here
        return found
    if name in ("autograd", "data", "export", "formula", "linalg", "nn", "optim", "testing", "train"):
        return import_module(f"tinygrad_edu.{name}")
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
