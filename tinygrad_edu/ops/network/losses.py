"""Losses, as ops where a rule for the whole is stabler and simpler than the rules of its parts: it reads y − t."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_edu.engine.example import Drawn, Fixed, example, interval, real
from tinygrad_edu.engine.op import op
from tinygrad_edu.engine.recording import quietly
from tinygrad_edu.ops.network.activations import sigmoid
from tinygrad_edu.ops.network.embedding import one_hot
from tinygrad_edu.ops.network.softmax import LONGEST_SHORT_ROW, copied, softmax
from tinygrad_edu.ops.parts import PAIRS, gate
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.types import floating

if TYPE_CHECKING:
    from tinygrad_edu.engine.arguments import Array, Out


def check_classes(target: Any, kept: Any, classes: int) -> None:
    """Raise IndexError, naming the first wrong one, if a target that is not ignored is no class number."""
    wrong = kept & ((target < 0) | (target >= classes))
    if wrong.any():
        place = tuple([int(i[0]) for i in np.nonzero(wrong)])
        raise IndexError(
            f"target[{', '.join(map(str, place))}] is {target[place]}, but there are {classes} classes, 0 to {classes - 1}"
            + _cure_of_classes(target[kept], classes)
        )


def _cure_of_classes(numbers: Any, classes: int) -> str:
    """The end of the error: what to write where class numbers begin at 1, or where one column should tell two classes
    apart.
    """
    low, high = int(numbers.min()), int(numbers.max())
    if classes == 1 and (low, high) == (0, 1):
        return "; one column of logits takes binary_cross_entropy_with_logits, and class numbers two columns"
    if low == 1 and high == classes:
        return "; write target - 1, for classes are counted from 0"
    return f"; the last layer must give {high + 1} numbers for as many classes" if low >= 0 else ""


@op(
    symbol="class",
    vjp=None,
    arity=1,
    takes_out=True,
    may_raise=True,
    examples=[
        example(Fixed(np.array([0, 2, 1])), 3),
        example(Fixed(np.array([[0, 5], [1, 0]])), 2, ignore_index=5),
        example(Fixed(np.array([], int)), 3),
    ],
)
def class_numbers(target: Array, classes: int, ignore_index: int = -100, *, out: Out = None) -> Array:
    """y = the target, or 0 where it is `ignore_index`. Raises IndexError, naming the first that is no class number.

    >>> class_numbers(np.array([0, -100, 2]), 3)
    array([0, 0, 2])
    """
    kept = target != ignore_index
    check_classes(target, kept, classes)
    return np.multiply(target, kept, out)


def _by_loss(g: Any, y: Any, x: Any, t: Any, *, reduction: str, ignore_index: int) -> Any:
    """∂L/∂ℓ times what the forward kept: ∂ℓ/∂x = (softmax(x) − onehot(t))/n, and nothing for the rows left out."""
    return (g[:, None] if reduction == "none" else g) * np.transpose(y[1])


@in_float32
def _by_slope(g: Any, y: Any, x: Any, t: Any, *, reduction: str, ignore_index: int) -> Any:
    """∂L/∂x by the slope that the forward kept, s/n with s = softmax(x): the rule of softmax, times 1/n."""
    s, g_row = softmax(x), np.transpose(g)
    kept = np.not_equal(t[:, None], ignore_index)
    return gate(s * (g_row - np.add.reduce(s * g_row, axis=1, keepdims=True)) * y[2], kept)


def _plainly(g: Any, y: Any, x: Any, t: Any, *, reduction: str, ignore_index: int) -> Any:
    """∂L/∂ℓ·∂ℓ/∂x as it is printed, where no row is left out."""
    if np.any(np.equal(t, ignore_index)):
        return _by_loss(g[0], y, x, t, reduction=reduction, ignore_index=ignore_index)
    g_row = g[0][:, None] if reduction == "none" else g[0]
    return g_row * (softmax(x) - one_hot(t, x.shape[1])) / (x.shape[0] if reduction == "mean" else 1)


def _present_rows(present: Any, i: int, x: Any, t: Any, *, reduction: str, ignore_index: int) -> Any:
    """The rows of the logits whose loss, or whose slope, is present."""
    losses, slopes, _ = present
    return (losses | np.any(slopes, axis=0))[:, None]


@op(
    symbol="cross-entropy",
    vjp=((_by_loss, _by_slope, None), None),
    presence=_present_rows,
    outputs=1,
    takes_out=True,
    may_raise=True,
    formulas=[("∂L/∂x = ∂L/∂y·(softmax(x) − one_hot(t))/n", _plainly), None],
    examples=[
        example((4, 3), Fixed(np.array([0, 2, 1, 2]))),
        example((4, 3), Fixed(np.array([0, 2, 1, 2])), reduction="sum"),
        example((4, 3), Fixed(np.array([0, -100, 1, -100])), reduction="none"),
        example((3, 2), Fixed(np.array([5, 0, 1])), ignore_index=5),
        example((2, 70), Fixed(np.array([69, 0]))),
        example((1, 1), Fixed(np.array([0]))),
    ],
)
@in_float32
def softmax_cross_entropy(
    logits: Array, target: Array, reduction: str = "mean", ignore_index: int = -100, *, out: Out = None
) -> Any:
    """ℓᵢ = −log softmax(logitsᵢ)[targetᵢ] = log Σⱼ exp logitsᵢⱼ − logitsᵢ[targetᵢ]; then the mean or sum of ℓ, or ℓ.

    logits: (N, classes). target: (N,) class numbers; rows whose target is `ignore_index` are left out.
    Kept for the rule: ∂ℓ/∂logits, transposed, since all it is made of is at hand here; and 1/n, by which it is divided.

    >>> import tinygrad_edu as tg
    >>> x = tg.Tensor([[0.0, 0.0], [1e4, -1e4]], requires_grad=True)
    >>> loss = softmax_cross_entropy(x, np.array([0, 0]))
    >>> round(loss.item(), 4)
    0.3466
    >>> loss.backward()
    >>> x.grad.tolist()
    [[-0.25, 0.25], [0.0, 0.0]]
    """
    if logits.ndim != 2 or target.shape != logits.shape[:1]:
        raise ValueError(f"logits are (N, classes) and targets (N,), but got {logits.shape} and {target.shape}")
    (size, classes), kept = logits.shape, None  # the rows that count, where not all do
    count, picked = size, target
    # a negative number, read without its sign, is a large one
    unsigned = target.view(_UNSIGNED.get(target.dtype, target.dtype))
    if size and (0 <= ignore_index < classes or not np.maximum.reduce(unsigned) < classes):
        kept = target != ignore_index
        check_classes(target, kept, classes)
        count, picked = int(np.count_nonzero(kept)), np.where(kept, target, 0)
    divisor = count if reduction == "mean" else 1
    share = 1 / divisor if divisor else np.inf
    x = floating(logits).T
    slope = None if out is None else out[1]
    if classes <= LONGEST_SHORT_ROW:  # NumPy would reduce short rows one by one, ten times slower
        x = slope = np.array(x, order="C") if slope is None else copied(x, slope)
    top = np.maximum.reduce(x, axis=0) if x.size else np.add.reduce(x, axis=0)
    slope = np.subtract(x, top, out=slope)  # apart from top, which would swallow the digits of the log
    rows = _counted(size)
    numbers: Any = slope
    chosen: Any = picked, rows
    if slope.flags.c_contiguous:  # one number says a place in memory: NumPy finds it five times sooner than by two
        numbers, chosen = slope.reshape(-1), picked.astype(np.intp, copy=False) * size + rows
    losses = numbers[chosen]
    np.exp(slope, out=slope)
    sums = np.add.reduce(slope, axis=0)
    losses = np.log(sums) - losses
    if divisor:
        sums *= divisor
        slope /= sums
        numbers[chosen] -= share
    if kept is not None:
        losses = gate(losses, kept)
        slope[:, ~kept] = 0
    if reduction != "none":
        losses = np.add.reduce(losses)
    if reduction == "mean":
        losses = losses / count if count else losses * np.nan
    if out is None:
        return np.asarray(losses), slope, np.asarray(share, slope.dtype)
    out[0][...], out[2][...] = losses, share
    return out


@op(
    symbol="×",
    vjp=(lambda g, y, w, x: g * x, lambda g, y, w, x: g * w),
    presence="elementwise",
    broadcasts=True,
    takes_out=True,
    domain=(interval(0.1, 1.0), interval(-3.0, -0.1)),
    examples=PAIRS,
)
def weighed(weight: Array, log_probability: Array, *, out: Out = None) -> Array:
    """y = w·log p, and 0 where w is 0, also for p = 0: what is not asked for costs nothing, however unlikely it is.

    >>> weighed(np.array([0.0, 1.0]), np.array([-np.inf, -0.5])).tolist()
    [0.0, -0.5]
    """
    if np.fmin.reduce(log_probability, axis=None, initial=0) == -np.inf:
        log_probability = np.where(np.isneginf(log_probability) & np.equal(weight, 0), 0, log_probability)
    return np.multiply(weight, log_probability, out=out)


@lru_cache(maxsize=16)
def _counted(size: int) -> Any:
    """The numbers 0, 1, … of so many rows, which are not to be written."""
    return np.arange(size)


_UNSIGNED = {np.dtype(f"i{n}"): np.dtype(f"u{n}") for n in (1, 2, 4, 8)}


@op(
    symbol="cross-entropy",
    vjp=(lambda g, y, x, t: g * (sigmoid(x) - t), lambda g, y, x, t: -g * x),
    presence="elementwise",
    broadcasts=True,
    takes_out=True,
    domain=(real, interval(0.0, 1.0)),
    examples=PAIRS,
)
def sigmoid_cross_entropy(logits: Array, target: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """ℓ = −t·log σ(x) − (1 − t)·log(1 − σ(x)) = max(x, 0) − x·t + log(1 + e^−|x|), elementwise.

    The first form, as written, is −∞ or NaN where σ(x) rounds to 0 or 1; the last is finite for every x.

    >>> float(sigmoid_cross_entropy(np.array(1e4), np.array(0.0)))
    10000.0
    """
    return quietly(_sigmoid_cross_entropy, floating(logits), target, out, scratch)


def _sigmoid_cross_entropy(logits: Any, target: Any, out: Any, scratch: Any) -> Any:
    if out is None:  # ∞ − ∞ and ∞·0 is what `_at_infinity` replaces
        y = np.maximum(logits, 0) - logits * target
        return _at_infinity(y, logits, target) + np.log1p(np.exp(-np.abs(logits)))
    y = np.subtract(np.maximum(logits, 0, out=out), np.multiply(logits, target, scratch), out)
    y = _at_infinity(y, logits, target)
    e = _if_of(logits, scratch)
    return np.add(y, np.log1p(np.exp(np.negative(np.absolute(logits, e), e), e), e), out)


def _at_infinity(y: Any, logits: Any, target: Any) -> Any:
    """y, with its value where the logit is infinite: 0 if the target is as sure of the same, else ∞."""
    if not np.isnan(np.maximum.reduce(y, axis=None, initial=0)):
        return y
    number = y.dtype.type
    return np.where(np.isinf(logits), np.where(target == (logits > 0), number(0), number(np.inf)), y)


def _if_of(x: Any, scratch: Any) -> Any:
    """The scratch array if it is of the type of x, so that what is computed there is as exact as elsewhere."""
    return scratch if scratch is not None and scratch.dtype == x.dtype else None


@op(
    symbol="cross-entropy",
    vjp=(
        lambda g, y, p, t: g * (p - t) / np.maximum(p * (1 - p), 1e-12),
        lambda g, y, p, t: g * (np.maximum(np.log1p(-p), -100) - np.maximum(np.log(p), -100)),
    ),
    presence="elementwise",
    broadcasts=True,
    takes_out=True,
    may_raise=True,
    domain=(interval(0.1, 0.9), interval(0.0, 1.0)),
    formulas=[lambda g, y, p, t: g * (p - t) / (p * (1 - p)), lambda g, y, p, t: g * (np.log(1 - p) - np.log(p))],
    examples=[*PAIRS[:3], example(Drawn((2,), interval(0.2, 0.8)), 1.0)],
)
def probability_cross_entropy(probability: Array, target: Array, *, out: Out = None, scratch: Out = None) -> Array:
    """ℓ = −t·log p − (1 − t)·log(1 − p), elementwise, each logarithm at least −100 so that p = 0 and 1 are finite.

    >>> float(probability_cross_entropy(np.array(0.0), np.array(1.0)))
    100.0
    """
    if np.fmin.reduce(probability, axis=None, initial=0) < 0 or np.fmax.reduce(probability, axis=None, initial=1) > 1:
        raise ValueError("probabilities lie between 0 and 1; for logits, use binary_cross_entropy_with_logits")
    probability = floating(probability)
    return quietly(_probability_cross_entropy, probability, target, out, scratch)  # log 0 = −∞, which is limited then


def _probability_cross_entropy(probability: Any, target: Any, out: Any, scratch: Any) -> Any:
    e = _if_of(probability, scratch)
    y = np.maximum(np.log1p(np.negative(probability, e), e), -100, out=e)
    y = np.multiply(1 - target if out is None else np.subtract(1, target, out), y, out)
    t = np.multiply(target, np.maximum(np.log(probability, e), -100, out=e), scratch)
    return np.negative(np.add(t, y, out), out)
