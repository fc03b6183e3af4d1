"""The ops whose forward function does not run on an `XlaArray` as it is: what stands for them. The rest need no line.

They are those that write into arrays they make, or look at numbers, and those that XLA has whole: convolutions, pooling
(`windows.py`), and layers over time (`time.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar, cast

import jax
import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tinygrad_edu.engine.presence import summed
from tinygrad_edu.ops.indexing import index_of
from tinygrad_edu.ops.network.gaussian import DENSITY
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.program.xla.array import DependsOnValues, XlaArray, alike, boxed, held, jnp, unboxed

F = TypeVar("F", bound=Callable[..., Any])

TABLE: dict[str, Callable[..., Any]] = {}
"""By the name of an op, a function of JAX's values that stands for its forward."""


def stands(function: F) -> F:
    """Enter the function for the op of its name."""
    TABLE[function.__name__] = function
    return function


def of_truths(count: int) -> Callable[[F], F]:
    """A function that adds up, also of truths, as masks of what is present are: their sum is whether any of them is true.

    count: how many of its first arguments are truths where it is asked for that.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def added(*values: Any, **settings: Any) -> Any:
            if any(x.dtype != bool for x in values[:count]):
                return function(*values, **settings)
            numbers = [x.astype(np.float32) for x in values[:count]]
            return function(*numbers, *values[count:], **settings) != 0

        return cast("F", added)

    return decorate


def compute(op: Any, values: Any, settings: Any) -> Any:
    """The forward of an op on JAX's values: a value, or a tuple of them."""
    for page in ("windows", "time"):  # which enter theirs
        import_module(f"tinygrad_edu.program.xla.{page}")
    entry = TABLE.get(op.name)
    forward = op.forward if entry is None else in_float32(lambda *xs, **how: boxed(entry(*unboxed(xs), **how)))
    return unboxed(forward(*[boxed(v) for v in values], **settings))


def _applied(box: XlaArray, op: Any, inputs: Any, settings: Any) -> Any:
    """What an op gives that is called with a box, as rules call ops."""
    found = boxed(compute(op, [unboxed(x) if isinstance(x, XlaArray) else jnp.asarray(x) for x in inputs], settings))
    if op.outputs is None:
        return found
    return found[0] if op.outputs == 1 else op.results(found[: op.outputs])


XlaArray.__apply_op__ = _applied  # type: ignore[attr-defined]  # what `Op.apply` asks for


def floats(*values: Any) -> list[Any]:
    """The values in one floating type."""
    dtype = np.result_type(*[x.dtype for x in values])
    return [x.astype(held(dtype if dtype.kind in "fc" else float)) for x in values]


# ---------------------------------------------------------------------------------------------------
# Parts of arrays


def _key(key: Any, arrays: Any) -> Any:
    """The index of a key and its arrays, among which no mask is."""
    if any(array.dtype == bool for array in arrays):
        raise DependsOnValues(
            "an index of truths chooses as many elements as are true, which is not known when a program is compiled"
        )
    return index_of(key, tuple(arrays))


def _mask(key: Any, arrays: Any, x: Any) -> Any:
    """A mask that is the whole index, in a shape that broadcasts with x; None for another index."""
    if len(key) != 1 or not arrays or arrays[0].dtype != bool:
        return None
    return arrays[0].reshape(arrays[0].shape + (1,) * (x.ndim - arrays[0].ndim))


@stands
def getitem(x: Any, *arrays: Any, key: Any) -> Any:
    """An index array that is out of range, and could not be checked before, gives NaN."""
    index = _key(key, arrays)
    return x.at[index].get(mode="fill") if arrays and x.dtype.kind == "f" else x[index]


@stands
@of_truths(1)
def scatter(values: Any, *arrays: Any, key: Any, shape: Any) -> Any:
    """0, and the values added at the index."""
    return jnp.zeros(shape, values.dtype).at[_key(key, arrays)].add(values)


@stands
@of_truths(2)
def scatter_add(x: Any, values: Any, *arrays: Any, key: Any) -> Any:
    """x, and the values added at the index."""
    values, mask = values.astype(x.dtype), _mask(key, arrays, x)
    if mask is not None and values.size == 1:
        return x + jnp.where(mask, values.reshape(()), 0)
    return x.at[_key(key, arrays)].add(values)


@stands
def index_update(x: Any, values: Any, *arrays: Any, key: Any) -> Any:
    """Write values at an index. A place that is written several times keeps the last value, which XLA does not promise."""
    values, mask = values.astype(x.dtype), _mask(key, arrays, x)
    if mask is not None and values.size == 1:
        return jnp.where(mask, values.reshape(()), x)
    index = _key(key, arrays)
    shape = jax.eval_shape(lambda x: x[index], x).shape
    if values.ndim > len(shape):
        values = values.reshape(values.shape[values.ndim - len(shape) :])
    if not arrays:
        return x.at[index].set(values)
    values = jnp.broadcast_to(values, shape).reshape(-1)
    if not values.size:
        return x
    latest = jnp.full(x.shape, -1).at[index].max(jnp.arange(len(values)).reshape(shape))
    return jnp.where(latest < 0, x, values[jnp.maximum(latest, 0)])


@stands
def last_written(*arrays: Any, key: Any, shape: Any) -> Any:
    """Which of the values that are written at the index stay."""
    index, places = _key(key, arrays), jnp.zeros(shape, held(np.intp))
    turn = jnp.arange(places[index].size).reshape(places[index].shape)
    return places.at[index].max(turn)[index] == turn


@stands
def from_diagonal(x: Any, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """0, and x on the diagonal."""
    at = np.diagonal(np.arange(np.prod(shape)).reshape(shape), offset, axis1, axis2)
    return jnp.zeros(np.prod(shape), x.dtype).at[at].set(x).reshape(shape)


def _triangle(x: Any, k: int) -> Any:
    rows, columns = x.shape[-2:] if x.ndim > 1 else x.shape * 2
    return np.tri(rows, columns, k, bool)


@stands
def tril(x: Any, k: int = 0) -> Any:
    """x below the k-th diagonal and on it, else 0."""
    return jnp.where(_triangle(x, k), x, 0).astype(x.dtype)


@stands
def triu(x: Any, k: int = 0) -> Any:
    """x above the k-th diagonal and on it, else 0."""
    return jnp.where(_triangle(x, k - 1), 0, x).astype(x.dtype)


@stands
def expand(x: Any, shape: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """x repeated along the axes that a sum took."""
    if axis is not None and x.ndim != len(shape):
        axes = normalize_axis_tuple(axis, len(shape))
        x = x.reshape([1 if i in axes else n for i, n in enumerate(shape)])
    return jnp.broadcast_to(x, shape)


@stands
def pad_constant(x: Any, pad_width: Any, constant_values: Any) -> Any:
    """x in a border of constants, so wide on each side of each axis."""
    return jnp.pad(x, pad_width, constant_values=constant_values) if x.ndim else x


@stands
def unstack(x: Any, axis: int = 0) -> Any:
    """The slices of x along an axis, which they are without."""
    return tuple(jnp.moveaxis(x, axis, 0))


@stands
def gate(g: Any, kept: Any) -> Any:
    """Choose with `where`, for the masking of bits that NumPy uses would have no derivative here."""
    return jnp.where(kept, g, 0).astype(g.dtype)


@stands
def of_present(total: Any, g: Any, part: Any, *xs: Any, op: Any, position: int, options: Any) -> Any:
    """The total; where it holds a NaN, computed again without what is absent, as `ops/presence.py` says."""
    rule, settings = op.rules[position], dict(options)

    def run(first: Any, others: Any) -> Any:
        return unboxed(summed(rule(boxed(first), boxed(first), *boxed(others), **settings), total.shape))

    def again() -> Any:
        finite = [jnp.isfinite(x) for x in xs]
        y = run(g, [jnp.where(known, x, 0) for x, known in zip(xs, finite, strict=True)])
        for k, known in enumerate(finite):
            if k != position:
                others = [~known if j == k else jnp.ones(x.shape, bool) for j, x in enumerate(xs)]
                y = jnp.where(jnp.logical_not(known.all()) & (run(part, others) != 0), total, y)
        return y.astype(total.dtype)

    return jax.lax.cond(jnp.isnan(total).any(), again, lambda: total)


# ---------------------------------------------------------------------------------------------------
# Orders and counts


@stands
def argsort(x: Any, axis: Any, kind: Any, stable: Any) -> Any:
    """Equal numbers stay in their order, whichever `kind` is asked for: XLA sorts stably."""
    return jnp.argsort(x.ravel()) if axis is None else jnp.argsort(x, axis=axis)


@stands
def partition(x: Any, kth: Any, axis: int) -> Any:
    """Sorted, so every element stands where a partition may have it."""
    order = jnp.argsort(x, axis=axis)
    return jnp.take_along_axis(x, order, axis), order


@stands
def quantile_at(
    x: Any, q: float, axis: Any = None, *, method: str = "linear", keepdims: bool = False, skip_nan: bool = False
) -> Any:
    """Interpolate between two neighbours of the sorted numbers; the quantile of 0, 1, 2, … is the place between them."""
    if skip_nan:
        return jnp.nanquantile(x, q, axis=axis, method=method, keepdims=keepdims).astype(x.dtype)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)
    others = [i for i in range(x.ndim) if i not in axes]
    rows = jnp.sort(x.transpose(*others, *axes).reshape(*[x.shape[i] for i in others], -1), axis=-1)
    place = float(np.quantile(np.arange(rows.shape[-1]), q, method=method))  # type: ignore[call-overload]  # one of its names
    low = int(place)
    y = rows[..., low]
    if place != low:
        y = y + (rows[..., low + 1] - y) * (place - low)
    y = jnp.where(jnp.isnan(rows[..., -1]), jnp.nan, y).astype(x.dtype if x.dtype.kind == "f" else held(float))
    return y.reshape([1 if i in axes else n for i, n in enumerate(x.shape)]) if keepdims else y


@stands
def counted(x: Any, edges: Any, weights: Any) -> Any:
    """Weights, added up by bins."""
    return jnp.histogram(x, edges, weights=weights)[0].astype(weights.dtype)


@stands
def recurrence(a: Any, b: Any) -> Any:
    """yₜ = aₜ·yₜ₋₁ + bₜ in log n rounds: of neighbouring steps, one step that does what the two do."""
    a, b = alike((a, b))
    shape = jnp.broadcast_shapes(jnp.shape(a), jnp.shape(b))
    a, b = jnp.broadcast_to(a, shape), jnp.broadcast_to(b, shape)
    if not shape[-1]:
        return b
    return jax.lax.associative_scan(lambda p, q: (p[0] * q[0], p[1] * q[0] + q[1]), (a, b), axis=-1)[1]


# ---------------------------------------------------------------------------------------------------
# Networks


@stands
def one_hot(indices: Any, num_classes: int, dtype: str) -> Any:
    """1 at the index, else 0."""
    return (indices[..., None] == jnp.arange(num_classes)).astype(held(np.dtype(dtype)))


@stands
def embedding(weight: Any, numbers: Any, padding_idx: Any) -> Any:
    """A number out of range that could not be checked before gives NaN."""
    return jnp.take(weight, numbers, axis=0, mode="fill")


@stands
def normal_cdf(x: Any) -> Any:
    """Φ(x) = erfc(−x/√2)/2, which keeps the digits of the lower tail."""
    (x,) = floats(x)
    return jax.scipy.special.erfc(x * -(0.5**0.5)) * 0.5


@stands
def gelu_slope(x: Any) -> Any:
    """Φ(x) + x·φ(x)."""
    (x,) = floats(x)
    return normal_cdf(x) + x * (jnp.exp(x * x * -0.5) * DENSITY)


@stands
def gelu(x: Any, approximate: str = "none") -> Any:
    """x·Φ(x)."""
    (x,) = floats(x)
    return x * normal_cdf(x) if approximate == "none" else jax.nn.gelu(x, approximate=True)


@stands
def softmax(x: Any, axis: Any = -1) -> Any:
    """exp x, divided by its sum."""
    (x,) = floats(x)
    return jax.nn.softmax(x, axis=axis) if x.ndim else jnp.ones_like(x)


@stands
def log_softmax(x: Any, axis: Any = -1) -> Any:
    """x less the logarithm of the sum of exp x."""
    (x,) = floats(x)
    return jax.nn.log_softmax(x, axis=axis) if x.ndim else jnp.zeros_like(x)


@stands
def class_numbers(target: Any, classes: int, ignore_index: int = -100) -> Any:
    """0 in place of what is ignored."""
    return jnp.where(target == ignore_index, 0, target).astype(target.dtype)


@stands
def softmax_cross_entropy(logits: Any, target: Any, reduction: str = "mean", ignore_index: int = -100) -> Any:
    """The losses, their slopes by the logits, and 1/n. A class that does not exist, and could not be checked, gives NaN."""
    (x,), kept = floats(logits), target != ignore_index
    log_p = jax.nn.log_softmax(x, axis=1)
    hot = jnp.where(kept, target, 0)[:, None] == jnp.arange(x.shape[1])
    losses = jnp.where(kept & ~hot.any(axis=1), jnp.nan, -jnp.where(hot, log_p, 0).sum(axis=1) * kept).astype(x.dtype)
    share = (1 / kept.sum() if reduction == "mean" else jnp.asarray(1)).astype(x.dtype)
    slope = jnp.where(kept[:, None], (jnp.exp(log_p) - hot) * share, 0).astype(x.dtype)
    if reduction != "none":
        losses = losses.sum()
    if reduction == "mean":
        losses = losses / kept.sum().astype(x.dtype)
    return losses, slope.T, share


@stands
def weighed(weight: Any, log_probability: Any) -> Any:
    """w·log p, and 0 where w is."""
    w, log_p = alike((weight, log_probability))
    return w * jnp.where(jnp.isneginf(log_p) & (w == 0), 0, log_p)


@stands
def sigmoid_cross_entropy(logits: Any, target: Any) -> Any:
    """max(x, 0) − x·t + log(1 + e^−|x|); where x is infinite, 0 if t is as sure of the same, else ∞."""
    x, t = floats(logits, target)
    y = jnp.where(jnp.isinf(x), jnp.where(t == (x > 0), 0, jnp.inf), jnp.maximum(x, 0) - x * t)
    return y + jnp.log1p(jnp.exp(-jnp.abs(x)))


@stands
def probability_cross_entropy(probability: Any, target: Any) -> Any:
    """−t·log p − (1 − t)·log(1 − p), each logarithm at least −100. What is no probability gives NaN."""
    p, t = floats(probability, target)
    return -(t * jnp.maximum(jnp.log(p), -100) + (1 - t) * jnp.maximum(jnp.log1p(-p), -100))


def _weights(q: Any, k: Any, mask: Any, scale: float, causal: bool) -> Any:
    """softmax(scale·q kᵀ + mask), and 0 for a query that may look at nothing."""
    scores = q @ k.mT * scale + mask
    if not scores.size:
        return scores
    if causal:
        scores = jnp.where(_triangle(scores, 0), scores, -jnp.inf)
    if not causal and not mask.ndim:
        return jax.nn.softmax(scores, axis=-1)
    blind = scores.max(axis=-1, keepdims=True) == -jnp.inf
    return jnp.where(blind, 0, jax.nn.softmax(jnp.where(blind, 0, scores), axis=-1))


@stands
def attention(q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    """(softmax(scale·q kᵀ + mask) ⊙ kept)·v."""
    q, k, v, mask, kept = floats(q, k, v, mask, kept)
    return (_weights(q, k, mask, scale, causal) * kept) @ v


@stands
def attention_slopes(g: Any, q: Any, k: Any, v: Any, mask: Any, kept: Any, *, scale: float, causal: bool) -> Any:
    """scale·s k, scale·sᵀ q and (p ⊙ kept)ᵀ g with s = p ⊙ (r − Σ r ⊙ p) and r = (g vᵀ) ⊙ kept."""
    g, q, k, v, mask, kept = floats(g, q, k, v, mask, kept)
    p = _weights(q, k, mask, scale, causal)
    r = (g @ v.mT) * kept
    s = p * (r - (r * p).sum(axis=-1, keepdims=True)) * scale
    return s @ k, s.mT @ q, (p * kept).mT @ g
