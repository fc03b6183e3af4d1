"""Norms: how large a vector or a matrix is, as one number.

A norm is a reduction of magnitudes. The Euclidean one, √Σ x², is an op, whose gradient x / ‖x‖ is one expression;
so is (Σ|x|ᵖ)^(1/p); the others are made of sums, extrema and singular values. No norm has a derivative at 0: it is
agreed to be 0 there, and its own derivative NaN; but ‖x‖² and its like are differentiated rightly (see `agreed.py`).

Source: Horn and Johnson, *Matrix Analysis* (2013), chapter 5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.example import at, example, nonzero, spread
from tinygrad_edu.engine.op import composite, op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.ops.agreed import over, times_over
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.reductions import AXES, EMPTY, along_axis, kept
from tinygrad_edu.ops.types import array, floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Axis, Out

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


def _magnitudes(x: Any) -> Any:
    """Real floating numbers with the norms of x."""
    return np.abs(x) if x.dtype.kind == "c" else floating(x)


# ---------------------------------------------------------------------------------------------------
# The Euclidean norm


@op(
    symbol="‖·‖",
    vjp=(in_float32(lambda g, y, x, *, axis, keepdims: kept(times_over(g, 1, y), x, axis) * x),),
    presence=along_axis,
    takes_out=True,
    formulas=[lambda g, y, x, *, axis, keepdims: kept(g, x, axis) * x / kept(y, x, axis)],
    examples=[*[e for e in AXES if e.settings.get("axis") != () and e.args != ((),)], *EMPTY],
    special=[at(0.0, gradient=0.0)],
)
@in_float32
def euclidean_norm(
    x: Array, axis: Axis = None, *, keepdims: bool = False, out: Out = None, scratch: Out = None
) -> Array:
    """y = ‖x‖₂ = √Σ |x|². Its gradient x / ‖x‖ has no limit at 0; there it is 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> y = euclidean_norm(x)
    >>> y.backward()
    >>> y.item(), np.round(x.grad, 3).tolist()
    (5.0, [0.6, 0.8])
    """
    if out is None:
        x = _magnitudes(x)
        return np.sqrt(np.add.reduce(x * x, axis=axis, keepdims=keepdims))
    return np.sqrt(np.add.reduce(np.multiply(x, x, scratch), axis, None, out, keepdims), out)


# ---------------------------------------------------------------------------------------------------
# Norms of vectors and matrices, by their order


def _p_norm_rule(g: Any, y: Any, x: Any, *, p: float, axis: Any, keepdims: bool) -> Any:
    """∂L/∂y·sign(x)·(|x|/y)ᵖ⁻¹, where nothing overflows; 0 at y = 0, and for p < 1 also at x = 0."""
    size, y = np.abs(x), kept(y, x, axis)
    slope = over(size, y) ** (p - 1) if p > 1 else over(y, size) ** (1 - p)
    return kept(g, x, axis) * (slope * np.sign(x))


@op(
    symbol=lambda *, p, **_: f"‖·‖{p:g}".replace("-", "−"),
    vjp=(in_float32(_p_norm_rule),),
    presence=along_axis,
    formulas=[
        lambda g, y, x, *, p, axis, keepdims: kept(g, x, axis) * np.sign(x) * (np.abs(x) / kept(y, x, axis)) ** (p - 1)
    ],
    domain=nonzero,
    examples=[
        example((3,), 3),
        example((2, 3), 1.5, axis=0),
        example((2, 3), 0.5, axis=-1, keepdims=True),
        example((2, 3, 2), -1, axis=(0, 2)),
        example((2, 3), 3.0, keepdims=True),
        example((0, 3), 3, axis=0),
    ],
    special=[at(0.0, gradient=0.0, p=3, axis=None, keepdims=False), at(0.0, gradient=0.0, p=0.5, axis=None)],
)
@in_float32
def p_norm(x: Array, p: float, axis: Axis = None, *, keepdims: bool = False) -> Array:
    """y = (Σ |x|ᵖ)^(1/p), p ≠ 0, ±∞. Where it has no derivative, at y = 0 and for p < 1 at x = 0, that is 0.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([0.0, 4.0], requires_grad=True)
    >>> y = p_norm(x, 0.5)
    >>> y.backward()
    >>> y.item(), x.grad.tolist()
    (4.0, [0.0, 1.0])
    """
    # for p < 0, 1 / 0 = ∞, of which the norm is 0
    return quietly(_root_of_powers, np.abs(floating(x)), p, axis, keepdims, divide="ignore")


def _root_of_powers(x: Any, p: float, axis: Any, keepdims: bool) -> Any:
    return np.add.reduce(x**p, axis=axis, keepdims=keepdims) ** (1 / p)


def _vector_norm(x: Any, p: Any, axis: Any, keepdims: bool) -> Any:
    x = _magnitudes(x)
    if p == 2:
        return euclidean_norm(x, axis=axis, keepdims=keepdims)
    if p == math.inf:
        largest = np.max if x.size else np.sum  # of no elements it is 0
        return largest(np.abs(x), axis=axis, keepdims=keepdims)
    if p == -math.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdims, dtype=np.result_type(x, 1.0))
    if p == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    return p_norm(x, p, axis=axis, keepdims=keepdims)


def _matrix_norm(x: Any, kind: Any, axes: tuple[int, int], keepdims: bool) -> Any:
    rows, columns = normalize_axis_tuple(axes, x.ndim)
    if kind not in (2, -2, "nuc") or x.dtype.kind not in "fc":
        x = _magnitudes(x)
    if kind == "fro":
        return euclidean_norm(x, axis=(rows, columns), keepdims=keepdims)
    if kind in (1, -1, math.inf, -math.inf):
        inner, outer = (rows, columns) if abs(kind) == 1 else (columns, rows)
        extreme = np.min if kind < 0 else np.max if x.size else np.sum  # the largest of no elements is 0
        y = extreme(np.sum(np.abs(x), axis=inner, keepdims=True), axis=outer, keepdims=True)
    elif kind in (2, -2, "nuc"):
        values = np.linalg.svd(np.moveaxis(x, (rows, columns), (-2, -1)), compute_uv=False)
        reduce = np.sum if kind == "nuc" else np.max if kind > 0 else np.min
        y = reduce(values, axis=-1)
        return np.expand_dims(y, (rows, columns)) if keepdims else y
    else:
        raise ValueError(f"a matrix norm has ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, but got {kind!r}")
    return y if keepdims else np.squeeze(y, (rows, columns))


@composite(
    answers=(np.linalg.norm,),
    domain=spread,
    examples=[
        example((3,)),
        example((2, 3)),
        example((2, 3, 2)),
        example((2, 3), axis=1),
        example((2, 3, 2), axis=(0, 2), keepdims=True),
        *[example((2, 3), ord, 0) for ord in (1, 2, 3, 1.5, math.inf, -math.inf, 0)],
        *[example((2, 3), ord) for ord in ("fro", 1, -1, math.inf, -math.inf)],
        example((2, 3, 2), ord=1, axis=(-1, 0), keepdims=True),
        example((2, 3, 2), ord=math.inf, axis=(1, 2)),
    ],
)
def norm(x: Array, ord: str | float | None = None, axis: Axis = None, keepdims: bool = False) -> Array:
    """y = ‖x‖: of a vector (Σ|x|ᵖ)^(1/p) with p = `ord`, 2 if left out; of a matrix, which two axes make, the
    Frobenius norm √Σx², or the one named by `ord`.

    For vectors p = ±inf is the largest (smallest) |x|, and 0 counts what is not zero. For matrices 1 and inf are the
    largest column and row sum of |x|, 2 the largest singular value, 'nuc' the sum of them; −1, −inf and −2 the
    smallest. Without `ord` and `axis`, x is taken as one vector.

    x: numbers, an array or a tensor.
    ord: which norm; 2 of vectors and the Frobenius norm of matrices if it is None.
    axis: one axis for vectors, a pair for matrices.
    keepdims: whether these axes stay, with length 1.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([3.0, -4.0])
    >>> norm(x).item(), norm(x, 1).item(), norm(x, math.inf).item()
    (5.0, 7.0, 4.0)
    """
    x = array(x)
    every = tuple(range(x.ndim))
    if ord is None and axis is None:
        return euclidean_norm(_magnitudes(x), axis=every, keepdims=keepdims)
    axes = every if axis is None else tuple(axis) if np.iterable(axis) else (axis,)  # type: ignore[arg-type]  # it has been asked
    if len(axes) == 2:
        return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)
    if len(axes) != 1:
        raise ValueError(f"a norm with ord={ord!r} is of a vector or a matrix, one axis or two, but got axes {axes}")
    if isinstance(ord, str):
        raise ValueError(f"a vector has no norm {ord!r}; ord is a number p, or inf")
    return _vector_norm(x, 2 if ord is None else ord, axes[0], keepdims)


@composite(
    answers=(np.linalg.vector_norm,),
    domain=spread,
    examples=[
        example((3,)),
        example((2, 3), axis=0, keepdims=True),
        example((2, 3), ord=1),
        example((2, 3, 2), axis=(0, 2), ord=3),
        example((2, 3), axis=-1, ord=math.inf),
    ],
)
def vector_norm(x: Array, *, axis: Axis = None, keepdims: bool = False, ord: str | float = 2) -> Array:
    """y = (Σ|x|ᵖ)^(1/p), p = `ord`, over all axes or some: see `norm`. At x = 0 the gradient is 0.

    x: numbers, an array or a tensor.
    axis: the axis of the vectors, or several as a tuple; None takes x as one vector.
    keepdims: whether these axes stay, with length 1.
    ord: p, a number, math.inf or −math.inf.

    >>> import tinygrad_edu as tg
    >>> vector_norm(tg.Tensor([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    return _vector_norm(array(x), ord, axis, keepdims)


@composite(
    answers=(np.linalg.matrix_norm,),
    domain=spread,
    examples=[example((2, 3)), example((2, 2, 3), ord=1), example((2, 2, 3), keepdims=True, ord=-math.inf)],
)
def matrix_norm(x: Array, *, keepdims: bool = False, ord: str | float = "fro") -> Array:
    """y = ‖x‖, which is taken of each matrix of a stack, over the last two axes: see `norm`.

    x: a matrix, or a stack of them, an array or a tensor.
    keepdims: whether the two axes stay, with length 1.
    ord: which norm, "fro" for Frobenius.

    >>> import tinygrad_edu as tg
    >>> matrix_norm(tg.Tensor([[3.0, 0.0], [0.0, 4.0]]), ord=1).item()
    4.0
    """
    return _matrix_norm(array(x), ord, (-2, -1), keepdims)
