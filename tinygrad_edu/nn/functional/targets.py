"""What the losses share: checks of predictions and targets, and the sum or mean of what each element costs.

The values of targets are looked at when a loss is called. A replayed step looks at them only while it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_edu.engine.protocols import arrays
from tinygrad_edu.engine.refusals import warn
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.types import array


def reduced(losses: Any, reduction: str) -> Any:
    """Add up the losses as `reduction` says: "mean" and "sum" give one number, "none" all of them."""
    check_reduction(reduction)
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)


def check_reduction(reduction: str, *others: str) -> None:
    """Raise ValueError for a reduction other than "mean", "sum", "none", and the others that are named."""
    if reduction not in ("mean", "sum", "none", *others):
        also = "".join([f", {other!r}" for other in others])
        raise ValueError(f"reduction is 'mean', 'sum' or 'none'{also}, but got {reduction!r}")


# ---------------------------------------------------------------------------------------------------
# Shapes and types


def same_shape(what: str, prediction: Any, target: Any) -> tuple[Any, Any]:
    """Both as tensors or arrays, whole numbers of the target in the type of the prediction.

    Raises ValueError where the shapes differ: (N,) against (N, 1) would broadcast to (N, N), and train on nonsense.
    """
    refuse_none(what, prediction, target)
    prediction, target = array(prediction), array(target)
    if "U" in (prediction.dtype.kind, target.dtype.kind):
        raise TypeError(
            f"{what} compares numbers, but got words; write np.unique(target, return_inverse=True)[1] to number them"
        )
    if prediction.shape != target.shape:
        cure = "reshape or squeeze one of them"
        if target.dtype.kind in "iu" and prediction.shape[:-1] == target.shape and prediction.shape[-1] > 1:
            cure = f"write tg.one_hot(target, {prediction.shape[-1]}) for class numbers, or take cross_entropy"
        raise ValueError(
            f"{what} got a prediction of shape {prediction.shape} and a target of shape {target.shape}; "
            f"they must be equal: {cure}"
        )
    return prediction, as_type_of(prediction, target)


def as_type_of(prediction: Any, target: Any) -> Any:
    """Convert a target of whole numbers or truths to the prediction's floating type: int64 would widen float32."""
    if target.dtype.kind in "biu" and prediction.dtype.kind == "f":
        return np.astype(target, prediction.dtype)
    return target


def refuse_none(what: str, prediction: Any, target: Any) -> None:
    """Raise TypeError for None, which a forward() without `return` gives."""
    if prediction is None or target is None:
        called = "prediction" if prediction is None else "target"
        raise TypeError(f"{what} got None for the {called}; does forward() end with `return`, and its result?")


def warn_of_second(what: str, given: Any, activation: Any, takes: str) -> None:
    """Warn, once for each line of the caller's, where a loss is given the result of an activation that it contains."""
    made_by = getattr(given, "op", None)
    if made_by is not None and made_by is activation:
        warn(f"{what} got the result of {activation.name}, but takes {takes}")


def check_weight(what: str, weight: Any, classes: int) -> None:
    """Raise ValueError unless there is one weight for each class: a single one would be broadcast, further ones
    ignored.
    """
    if weight is not None and np.shape(weight) != (classes,):
        raise ValueError(
            f"{what} takes a weight for each of the {classes} classes, of shape ({classes},), but got {np.shape(weight)}"
        )


def check_class_numbers(what: str, target: Any) -> None:
    """Raise TypeError for labels that are not whole numbers."""
    if target.dtype.kind not in "iu":
        cure = "target.argmax(1) of a one-hot one" if target.ndim > 1 else "target.astype(int)"
        raise TypeError(f"{what} takes class numbers, which are whole, but got {target.dtype}; write {cure}")


def broadcasts(what: str, name: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise ValueError for weights that do not broadcast to the shape of what they weigh."""
    try:
        fits = np.broadcast_shapes(np.shape(value), shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{what} takes a {name} that broadcasts to the shape {shape}, but got {np.shape(value)}")


# ---------------------------------------------------------------------------------------------------
# Values


def probabilities(what: str, target: Any) -> None:
    """Raise ValueError for targets outside [0, 1]."""
    _check(what, target, lambda t: (t < 0) | (t > 1), "targets from 0 to 1", _cure_of_signs)


def signs(what: str, target: Any) -> None:
    """Raise ValueError for labels other than −1 and 1."""
    _check(
        what,
        target,
        lambda t: (t != 1) & (t != -1),
        "labels −1 and 1",
        lambda t: "; write 2 * target - 1" if _all(t, 0, 1) else "",
    )


def not_negative(what: str, value: Any, called: str) -> None:
    """Raise ValueError where numbers are below 0."""
    _check(
        what,
        value,
        lambda t: t < 0,
        f"{called} of 0 or more",
        lambda t: "",
        "variance" if called == "variances" else "target",
    )


def _check(
    what: str, target: Any, wrong: Callable[[Any], Any], takes: str, cure: Callable[[Any], str], name: str = "target"
) -> None:
    values = np.asarray(arrays(target))
    found = wrong(values)
    if found.any():
        place = tuple(np.argwhere(found)[0].tolist())
        at = f"[{', '.join(map(str, place))}]" if place else ""
        raise ValueError(f"{what} takes {takes}, but {name}{at} is {values[place]}{cure(values)}")


def _cure_of_signs(values: Any) -> str:
    return "; write (target + 1) / 2" if _all(values, -1, 1) else ""


def _all(values: Any, *known: int) -> bool:
    return bool(np.isin(values, known).all())


def held(x: Any) -> Any:
    """The same numbers, but no gradient goes back through them."""
    return x.detach() if isinstance(x, Tensor) else x
