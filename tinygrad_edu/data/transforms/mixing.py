"""Transforms that mix the samples of a batch with one another: mixup."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu.data.transforms.transform import Drawing, Transform, drawn, floating
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.ops.network.embedding import one_hot


class MixUp(Transform):
    """Mixes each sample with another of the batch: x′ = λx + (1 − λ)x₂, y′ = λy + (1 − λ)y₂, where λ ~ Beta(α, α).

    The labels become probabilities of the classes, (N, classes), which add up to 1 in each row; `F.cross_entropy` takes
    them. For each sample another λ and another partner is drawn, and a sample may be its own partner.

    alpha: α; near 0 most samples stay as they are, 1 makes all λ equally likely.
    num_classes: the number of classes, which is needed for labels that are class numbers.

    Raises ValueError for an alpha that is not above 0, and for class numbers without num_classes; TypeError for a batch
    without labels.

    Source: Zhang, Cisse, Dauphin and Lopez-Paz, *mixup: beyond empirical risk minimization* (2017).

    >>> x, y = MixUp(num_classes=2)(np.array([[0.0], [1.0]]), np.array([0, 1]), generator=np.random.default_rng(0))
    >>> bool(np.allclose(x[:, 0], y[:, 1])), y.sum(1).tolist()
    (True, [1.0, 1.0])
    """

    def __init__(self, alpha: float = 1.0, num_classes: int | None = None) -> None:
        if not alpha > 0:
            raise ValueError(f"MixUp draws λ from Beta(alpha, alpha), with alpha above 0, but got {alpha}")
        self.alpha, self.num_classes = alpha, num_classes

    def batch(self, x: NDArray[Any], rest: tuple[Any, ...], generator: Drawing) -> tuple[Any, ...]:
        """Mix the samples and their labels."""
        if len(rest) != 1:
            raise TypeError(f"MixUp mixes samples and their labels: it takes (x, y), but got {1 + len(rest)} parts")
        floating(x, "MixUp")
        y = self._probabilities(rest[0], x.dtype)
        n = len(x)
        share = drawn(generator, n, lambda rng, k: rng.beta(self.alpha, self.alpha, k)).astype(x.dtype)
        partner = np.argsort(drawn(generator, n, lambda rng, k: rng.random(k)), kind="stable")

        def mixed(a: NDArray[Any]) -> NDArray[Any]:
            own = share.reshape(n, *[1] * (a.ndim - 1)).astype(a.dtype)
            return own * a + (1 - own) * a[partner]

        return mixed(x), mixed(y)

    def _probabilities(self, y: Any, dtype: Any) -> NDArray[Any]:
        """The labels as a row of probabilities for each sample."""
        y = np.asarray(y.numpy() if isinstance(y, Tensor) else y)
        if y.ndim == 2 and y.dtype.kind == "f":
            return y
        if self.num_classes is None:
            raise ValueError(
                f"MixUp makes probabilities of class numbers, and got labels of shape {y.shape} and {y.dtype}; write "
                "MixUp(num_classes=…)"
            )
        return np.asarray(one_hot(y, self.num_classes)).astype(dtype)
