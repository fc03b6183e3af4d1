"""Transforms of values: they normalize or standardize numbers, and turn labels into rows of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tinygrad_edu.data.transforms.transform import Drawing, Transform, floating
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.network.embedding import one_hot


class Normalize(Transform):
    """y = (x − mean) / std. It brings data with this mean and standard deviation to mean 0 and deviation 1.

    mean, std: a number each; or one for each channel of pictures (N, C, H, W), or for each column of rows (N, F); or an
        array with the shape of a sample.

    Raises ValueError for a std that is not above 0, and for as many numbers as fit no axis.

    >>> Normalize(0.5, 0.25)(np.array([[0.5, 1.0]], np.float32))
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, mean: ArrayLike, std: ArrayLike) -> None:
        self.mean, self.std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
        if not np.all(self.std > 0):
            raise ValueError(f"{type(self).__name__} divides by std, which must be above 0, but got {self.std.min()}")

    def apply(self, x: NDArray[Any], generator: Drawing = None) -> NDArray[Any]:
        """Compute (x − mean) / std."""
        who = type(self).__name__
        mean, std = (
            _beside(floating(x, who), part, who, name) for part, name in ((self.mean, "mean"), (self.std, "std"))
        )
        return (x - mean) / std

    def inverse(self, y: NDArray[Any]) -> NDArray[Any]:
        """Compute x = y·std + mean, which brings y back to the units that x was in."""
        mean, std = _beside(y, self.mean, "Normalize", "mean"), _beside(y, self.std, "Normalize", "std")
        return y * std + mean


def _beside(x: NDArray[Any], part: NDArray[np.float64], who: str, name: str) -> NDArray[Any]:
    """The means or deviations in the type of x, with a shape that meets the axis that they are for."""
    shaped = part[:, None, None] if part.ndim == 1 and x.ndim == 4 else part
    try:
        fits = np.broadcast_shapes(x.shape[1:], shaped.shape) == x.shape[1:]
    except ValueError:
        fits = False
    if not fits or (x.ndim == 3 and part.ndim == 1 and part.size > 1):  # pictures (N, H, W) have no channels
        raise ValueError(
            f"{who} has a {name} of shape {part.shape}, which does not fit samples of shape {x.shape[1:]}; it takes one number, "
            "or one for each channel or column"
        )
    return shaped.astype(x.dtype)


class Standardize(Normalize):
    """`Normalize` by the mean and the standard deviation of given data, of each column (N, F) or channel (N, C, H, W).

    Transform other data by the same numbers, so that it means the same: `scale = Standardize(x_train)`, and then
    `scale(x_train)` and `scale(x_test)`. A column that never changes is divided by 1.

    x: the data that the model learns from; of (N, H, W), all pixels have one mean together.

    Raises ValueError for data without rows.

    >>> scale = Standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> scale(np.array([[1.0, 5.0], [5.0, 6.0]]))
    array([[-1.,  0.],
           [ 3.,  1.]])
    """

    def __init__(self, x: ArrayLike | Tensor) -> None:
        x = np.asarray(x.numpy() if isinstance(x, Tensor) else x)
        if not len(x):
            raise ValueError(f"Standardize takes the data that the mean is of, but got shape {x.shape}")
        axes = {3: None, 4: (0, 2, 3)}.get(x.ndim, 0)
        varies = np.asarray(x.max(axes) > x.min(axes))
        std = np.where(varies, x.std(axes, dtype=np.float64), 1.0)
        super().__init__(x.mean(axes, dtype=np.float64), std)


class OneHot(Transform):
    """Turns labels into rows of 0 with a 1 in the place of the class: (N,) becomes (N, classes), float32.

    Of a batch (x, y), the last part, y, is transformed.

    num_classes: the number of classes.

    Raises IndexError for a label that is not from 0 to num_classes − 1, TypeError for labels that are not whole
    numbers.

    >>> OneHot(3)(np.array([2, 0]))
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes

    def batch(self, x: NDArray[Any], rest: tuple[Any, ...], generator: Drawing) -> tuple[Any, ...]:
        """Turn the last part into rows of 0 and 1."""
        *others, labels = (x, *rest)
        return (*others, np.asarray(one_hot(labels, self.num_classes)))
