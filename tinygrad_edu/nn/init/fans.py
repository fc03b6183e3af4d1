"""The fans of a weight, and the gain that makes up for an activation."""

from __future__ import annotations

import math

Shape = tuple[int, ...]


def fans(shape: Shape) -> tuple[int, int]:
    """(n, m), the numbers of inputs and outputs that a weight of this shape connects.

    A matrix is (in, out). A convolution's kernel is (out, in/groups, height, width, …), and connects each input to
    every place of the window.

    Raises ValueError for a shape of less than two axes.

    >>> fans((784, 50)), fans((16, 3, 5, 5))
    ((784, 50), (75, 400))
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {shape} connects no inputs to outputs; it needs two axes or more")
    if len(shape) == 2:
        return shape
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights have to be larger to make up for the activation that follows.

    It is 1 for no activation and for `sigmoid`, 5/3 for `tanh`, √2 for `relu`, √(2/(1 + a²)) for `leaky_relu`, and 3/4
    for `selu`, as in PyTorch (1 would keep the variance).

    nonlinearity: the name of the activation; "linear" and layers such as "conv2d" stand for none.
    param: a, the slope of `leaky_relu` for x < 0; by default 0.01.

    Raises ValueError for another name, TypeError for a slope that is no number.

    >>> round(calculate_gain("leaky_relu", 1.0), 4), round(calculate_gain("tanh"), 4)
    (1.0, 1.6667)
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise TypeError(f"the slope of a leaky ReLU is a number, but got {type(slope).__name__} {slope!r:.60}")
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain() knows {', '.join([*GAINS, 'leaky_relu'])}, but got {nonlinearity!r:.60}")
    return GAINS[nonlinearity]


LINEAR = ["linear", *[f"conv{transpose}{n}d" for transpose in ("", "_transpose") for n in (1, 2, 3)]]
GAINS = {**dict.fromkeys([*LINEAR, "sigmoid"], 1.0), "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4}
"""The gains that need no parameter, by the name of the activation or layer."""


def fan_of(shape: Shape, mode: str) -> int:
    """n for the mode "fan_in", m for "fan_out"."""
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode is 'fan_in' or 'fan_out', but got {mode!r:.60}")
    return fans(shape)[mode == "fan_out"]
