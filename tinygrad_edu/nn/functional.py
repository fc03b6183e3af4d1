"""Layers and losses as functions, usually imported as F: `F.cross_entropy(model(x), labels)`.

On arrays they give arrays, on tensors tensors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy

from tinygrad_edu import random
from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.engine.protocols import numbers
from tinygrad_edu.engine.recording import RECORDING, no_grad
from tinygrad_edu.engine.refusals import warn
from tinygrad_edu.ops.elementwise import tanh
from tinygrad_edu.ops.indexing import take
from tinygrad_edu.ops.losses import (
    class_numbers,
    probability_cross_entropy,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    weighed,
)
from tinygrad_edu.ops.neural import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsigmoid,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from tinygrad_edu.ops.normalization import batch_norm as normalize
from tinygrad_edu.ops.normalization import beside, each
from tinygrad_edu.ops.precision import in_float32
from tinygrad_edu.ops.products import matmul
from tinygrad_edu.ops.shaping import array

__all__ = [
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "flatten",
    "gelu",
    "huber_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "relu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
]

np: Any = numpy  # its stubs do not know the protocols by which its functions take tensors


# ---------------------------------------------------------------------------------------------------
# Layers


def warn_wider() -> None:
    """Warn, once for each line of the caller's, that float32 weights are computed with in float64."""
    warn(
        "float64 data meets float32 weights, so all that follows is computed in float64, in about twice the time and memory; "
        "write x.astype(np.float32), or tg.set_default_dtype(np.float64) before making the layers"
    )


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """y = x·W + b. x: (…, in), W: (in, out), b: (out,).

    >>> linear(np.array([1.0, 2.0]), np.eye(2), np.array([10.0, 20.0])).tolist()
    [11.0, 22.0]
    """
    y = matmul(x, weight)
    if y.dtype.char == "d" and weight.dtype.char == "f":
        warn_wider()
    return y if bias is None else np.add(y, bias)


def flatten(x: Any, start_dim: int = 1, end_dim: int = -1) -> Any:
    """The axes from `start_dim` to `end_dim` made one: images (N, 8, 8) become rows (N, 64).

    >>> flatten(np.zeros((5, 3, 2))).shape
    (5, 6)
    """
    shape = np.shape(x)
    first, last = start_dim % len(shape), end_dim % len(shape)
    if first > last:
        raise ValueError(
            f"flatten() of shape {shape} goes from an earlier to a later axis, not {start_dim} to {end_dim}"
        )
    return np.reshape(x, (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :]))


# ---------------------------------------------------------------------------------------------------
# Layers that train otherwise than they infer


def batch_norm(
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Any:
    """y = w·(x − m) / √(v + ε) + b, with the mean m and variance v of each channel. x: (N, C) or (N, C, …); w, b: (C,).

    In training, or without running statistics, m and v are those of the batch, v divided by n. In training also
    running ← (1 − momentum)·running + momentum·batch, with the variance divided by n − 1 there. Else m and v are the
    running ones, and nothing is written.

    Raises ValueError in training on one value a channel, which has no variance.

    Source: Ioffe and Szegedy, *Batch normalization* (2015).

    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    x = array(x)
    if x.ndim < 2:
        raise ValueError(f"batch_norm takes x of shape (N, C) or (N, C, …), but got {x.shape}")
    channels = x.shape[1]
    if x.dtype.char == "d" and weight is not None and weight.dtype.char == "f":
        warn_wider()
    weight = np.ones(channels, x.dtype) if weight is None else weight
    bias = np.zeros(channels, x.dtype) if bias is None else bias
    if not training and running_mean is not None:
        scale = weight / np.sqrt(running_var + eps)
        return (x - beside(running_mean, x)) * beside(scale, x) + beside(bias, x)
    n = each(x)
    if training and n < 2:
        raise ValueError(
            f"batch_norm needs more than one value a channel to train on, but got x of shape {x.shape}; "
            "use larger batches (drop_last=True), or eval()"
        )
    y, mean, var = normalize(x, weight, bias, eps=eps)
    if training and running_mean is not None:
        no_grad().run(_follow, running_mean, mean, running_var, var, momentum, n / (n - 1))
    return y


def _follow(running_mean: Any, mean: Any, running_var: Any, var: Any, momentum: Any, correction: float) -> None:
    """Move the running statistics towards those of the batch, in place."""
    read = numbers if RECORDING.get().tape is None else array  # what is replayed is recorded; else arrays are faster
    running_mean -= momentum * (read(running_mean) - read(mean))
    running_var -= momentum * (read(running_var) - read(var) * correction)


def dropout(x: Any, p: float = 0.5, training: bool = True, *, generator: numpy.random.Generator | None = None) -> Any:
    """y = x·mask, where the mask is 0 with probability p, else 1 / (1 − p), so that y is x on average; without training, x.

    The mask is an input of the product: going backward twice, or forward again from the record, uses the same one.
    It is drawn from `generator`, or else from the one that `manual_seed` sets.

    Source: Srivastava et al., *Dropout: a simple way to prevent neural networks from overfitting*, JMLR 15 (2014), in
    the inverted form, which leaves inference alone.

    >>> y = dropout(np.ones(1000), 0.2, generator=np.random.default_rng(0))
    >>> np.unique(y).tolist(), bool(abs(y.mean() - 1) < 0.05)
    ([0.0, 1.25], True)
    """
    between_0_and_1("dropout's p", p)
    if not training or p == 0:
        return x
    x = array(x)
    kept = 1 / (1 - p) if p < 1 else 0.0

    def fill(own: numpy.random.Generator, mask: Any) -> None:
        single = mask.dtype == np.float32
        drawn = own.random(dtype=np.float32, out=mask) if single else own.random(mask.shape, np.float32)
        np.greater_equal(drawn, p, out=mask)
        mask *= kept

    dtype = x.dtype if x.dtype.kind in "fc" else float
    return np.multiply(x, random.draw(fill, x.shape, dtype, generator, name="mask"))


# ---------------------------------------------------------------------------------------------------
# Losses of numbers


def mse_loss(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean (y − t)², the mean squared error. The shapes must be equal.

    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    prediction, target = _same_shape("mse_loss", prediction, target)
    return _reduced(np.square(np.subtract(prediction, target)), reduction)


def l1_loss(prediction: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean |y − t|, the mean absolute error. The shapes must be equal."""
    prediction, target = _same_shape("l1_loss", prediction, target)
    return _reduced(np.absolute(np.subtract(prediction, target)), reduction)


def huber_loss(prediction: Any, target: Any, *, delta: float = 1.0, reduction: str = "mean") -> Any:
    """L = mean of d²/2 where |d| ≤ δ, else δ·(|d| − δ/2), with d = y − t: square near 0, straight beyond.

    Computed as c·(d − c/2) with c = d clipped to ±δ, which is the same; its slope, c, is ±δ also at d = ±∞.

    Source: Huber, *Robust estimation of a location parameter*, 1964.
    """
    prediction, target = _same_shape("huber_loss", prediction, target)
    _positive("delta", delta)
    difference = np.subtract(prediction, target)
    near = np.clip(difference, -delta, delta)
    return _reduced(near * (difference - near / 2), reduction)


def smooth_l1_loss(prediction: Any, target: Any, *, beta: float = 1.0, reduction: str = "mean") -> Any:
    """L = mean of d²/(2β) where |d| < β, else |d| − β/2: Huber's loss divided by β."""
    _positive("beta", beta)
    return huber_loss(prediction, target, delta=beta, reduction=reduction) / beta


# ---------------------------------------------------------------------------------------------------
# Losses of probabilities


def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """L = mean of −Σⱼ tᵢⱼ·log softmax(xᵢ)ⱼ, with the gradient (softmax(x) − t)/N.

    logits: (N, classes), or (classes,), or (N, classes, d₁, …). target: class numbers, of the logits' shape without the
    axis of classes, or probabilities (one-hot ones too), of the logits' shape. Class numbers equal to `ignore_index`
    are left out. weight: (classes,), how much each class counts. label_smoothing ε: targets (1 − ε)·t + ε/classes.
    reduction: "mean", "sum" or "none". With class numbers, the mean is the one weighted by `weight`.

    Raises IndexError for a class number out of range.

    >>> x = np.array([[0.3, 2.9, 4.0]])
    >>> round(float(cross_entropy(x, np.array([2]))), 6), round(float(cross_entropy(x, np.array([[0.0, 0.0, 1.0]]))), 6)
    (0.305714, 0.305714)
    """
    _refuse_none("cross_entropy", logits, target)
    logits, target = array(logits), array(target)
    shape, given = logits.shape, target.shape
    _check_reduction(reduction)
    between_0_and_1("label_smoothing", label_smoothing)
    whole = target.dtype.kind in "iu"
    if whole and weight is None and not label_smoothing and len(shape) == 2 and given == shape[:1]:
        return softmax_cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
    axis = 0 if len(shape) == 1 else 1
    without = shape[:axis] + shape[axis + 1 :]
    if not shape or given not in (shape, without):
        cure = f"give class numbers of shape {without}, or probabilities of shape {shape}"
        if logits.dtype.kind in "biu" or len(given) > len(shape):
            cure = "the logits come first: write cross_entropy(model(x), y)"
        raise ValueError(f"cross_entropy got logits of shape {shape} and a target of shape {given}; {cure}")
    if whole != (given == without):
        kind = {"b": "booleans", "f": "floats", "i": "whole numbers", "u": "whole numbers"}.get(
            target.dtype.kind, "words"
        )
        cure = (
            f"target.astype(float), or target.argmax({axis}) for class numbers"
            if given == shape
            else "target.astype(int)"
        )
        if kind == "words":
            cure = "np.unique(target, return_inverse=True)[1]"
        raise TypeError(
            f"cross_entropy got a target of {kind} of shape {given}; class numbers are whole and of shape {without}, "
            f"probabilities are floats of shape {shape}: write {cure}"
        )
    _check_weight("cross_entropy", weight, shape[axis])
    if not whole:
        return _soft_cross_entropy(logits, target, weight, axis, label_smoothing, reduction)
    if len(shape) != 2:  # one row for each place
        logits = np.reshape(np.moveaxis(logits, axis, -1), (-1, shape[axis]))
        target = np.reshape(target, -1)
    if weight is None and not label_smoothing:
        losses = softmax_cross_entropy(logits, target, reduction=reduction, ignore_index=ignore_index)
    else:
        losses = _weighted_cross_entropy(logits, target, weight, ignore_index, label_smoothing, reduction)
    return np.reshape(losses, without) if reduction == "none" and len(shape) != 2 else losses


@in_float32
def _soft_cross_entropy(
    logits: Any, target: Any, weight: Any, axis: int, label_smoothing: float, reduction: str
) -> Any:
    """−Σⱼ wⱼ·tᵢⱼ·log softmax(xᵢ)ⱼ for targets that are probabilities."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / logits.shape[axis]
    if weight is not None:
        target = target * np.reshape(weight, (-1,) + (1,) * (logits.ndim - axis - 1))
    return _reduced(-np.sum(weighed(target, log_softmax(logits, axis=axis)), axis=axis), reduction)


@in_float32
def _weighted_cross_entropy(
    logits: Any, target: Any, weight: Any, ignore_index: int, label_smoothing: float, reduction: str
) -> Any:
    """Cross-entropy of rows and class numbers, with weights for the classes and smoothed targets."""
    kept = target != ignore_index
    log_probabilities = log_softmax(np.where(kept[:, None], logits, 0))
    if not label_smoothing:
        return nll_loss(log_probabilities, target, weight, ignore_index=ignore_index, reduction=reduction)
    chosen = nll_loss(log_probabilities, target, weight, ignore_index=ignore_index, reduction="none")
    classes = logits.shape[1]
    counted = log_probabilities if weight is None else weighed(weight, log_probabilities)
    spread = np.where(kept, -np.sum(counted, axis=1), 0)
    losses = (1 - label_smoothing) * chosen + label_smoothing / classes * spread
    if reduction == "mean":
        return _weighted_mean(losses, target, kept, weight)
    return _reduced(losses, reduction)


@in_float32
def _weighted_mean(losses: Any, target: Any, kept: Any, weight: Any) -> Any:
    """Σ ℓ / Σ w of the rows that are kept, with the weight of each row's class; without weights, Σ ℓ / n."""
    if weight is None:
        return np.sum(losses) / np.sum(kept, dtype=losses.dtype)
    return np.sum(losses) / np.sum(np.where(kept, take(weight, np.where(kept, target, 0)), 0))


def nll_loss(
    log_probabilities: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean"
) -> Any:
    """L = mean of −log p[target]: the negative log-likelihood, for `log_softmax` outputs.

    log_probabilities: (N, classes). target: (N,) class numbers; those equal to `ignore_index` are left out.
    weight: (classes,), how much each class counts; the mean is then the weighted one.

    Raises IndexError for a class number out of range.
    """
    _refuse_none("nll_loss", log_probabilities, target)
    log_probabilities, target = array(log_probabilities), array(target)
    shape = log_probabilities.shape
    _check_reduction(reduction)
    if len(shape) != 2 or target.shape != shape[:1]:
        swapped = "; the log-probabilities come first" if target.ndim > len(shape) else ""
        raise ValueError(
            f"nll_loss takes (N, classes) and class numbers (N,), but got {shape} and {target.shape}{swapped}"
        )
    if target.dtype.kind not in "iu":
        raise TypeError(
            f"nll_loss takes class numbers, which are whole, but got {target.dtype}; write target.astype(int)"
        )
    _check_weight("nll_loss", weight, shape[1])
    kept = target != ignore_index
    classes = class_numbers(target, shape[1], ignore_index)
    picked = np.take_along_axis(log_probabilities, classes[:, None], 1)[:, 0]
    if weight is not None:
        picked = weighed(take(weight, classes), picked)
    losses = np.where(kept, -picked, 0)
    return _weighted_mean(losses, target, kept, weight) if reduction == "mean" else _reduced(losses, reduction)


def binary_cross_entropy(probability: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean of −t·log p − (1 − t)·log(1 − p), each logarithm at least −100. The shapes must be equal.

    For logits, `binary_cross_entropy_with_logits` is exact where p rounds to 0 or 1.
    """
    probability, target = _same_shape("binary_cross_entropy", probability, target)
    return _reduced(probability_cross_entropy(probability, target), reduction)


def binary_cross_entropy_with_logits(logits: Any, target: Any, *, reduction: str = "mean") -> Any:
    """L = mean of −t·log σ(x) − (1 − t)·log(1 − σ(x)), finite for every x, with the gradient (σ(x) − t)/N.

    >>> float(binary_cross_entropy_with_logits(np.array([1e4, 0.0]), np.array([1.0, 0.0])))
    0.34657359027997264
    """
    logits, target = _same_shape("binary_cross_entropy_with_logits", logits, target)
    return _reduced(sigmoid_cross_entropy(logits, target), reduction)


# ---------------------------------------------------------------------------------------------------
# What the losses share


def _same_shape(what: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Both as tensors or arrays. (N,) against (N, 1) would broadcast to (N, N), and train on nonsense."""
    _refuse_none(what, prediction, target)
    prediction, target = array(prediction), array(target)
    if prediction.shape != target.shape:
        raise ValueError(
            f"{what} got a prediction of shape {prediction.shape} and a target of shape {target.shape}; "
            "they must be equal: reshape or squeeze one of them"
        )
    return prediction, target


def _refuse_none(what: str, prediction: Any, target: Any) -> None:
    for called, value in (("prediction", prediction), ("target", target)):
        if value is None:
            raise TypeError(f"{what} got None for the {called}; does forward() end with `return`, and its result?")


def between_0_and_1(name: str, value: Any) -> None:
    """Raise TypeError for a setting that is no number, ValueError for one that is below 0 or above 1."""
    _check_number(name, value)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is a number between 0 and 1, but got {value}")


def _check_number(name: str, value: Any) -> None:
    if isinstance(value, str | bytes) or value is None:
        raise TypeError(f"{name} is a number, but got {type(value).__name__} {value!r}")


def _positive(name: str, value: float) -> None:
    _check_number(name, value)
    if not value > 0:
        raise ValueError(f"{name} must be positive, but got {value}")


def _check_weight(what: str, weight: Any, classes: int) -> None:
    """Raise ValueError for weights that are not one for each class: more would be left out, and one broadcast."""
    if weight is not None and np.shape(weight) != (classes,):
        raise ValueError(
            f"{what} takes a weight for each of the {classes} classes, of shape ({classes},), but got {np.shape(weight)}"
        )


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"reduction is 'mean', 'sum' or 'none', but got {reduction!r}")


def _reduced(losses: Any, reduction: str) -> Any:
    _check_reduction(reduction)
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)


if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.nn.functional",
        __all__,
        {
            "one_hot": "write tg.one_hot(labels, classes)",
            "pad": "write np.pad(x, width)",
            "normalize": "write x / np.linalg.norm(x, axis=1, keepdims=True)",
            "embedding": "write weight[numbers]",
            "kl_div": "write np.sum(p * np.log(p / q))",
            "softmin": "write softmax(-x)",
            "conv2d": "it is not here yet",
            "max_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).max(axis=(3, 5))",
            "avg_pool2d": "it is not here yet; without overlap, write x.reshape(n, c, h // k, k, w // k, k).mean(axis=(3, 5))",
        },
    )
