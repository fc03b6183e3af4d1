"""NeuralNetRegressor: an estimator whose net gives numbers."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from tinygrad_edu.sklearn.base import NeuralNet, beside


def weighed_squared_error(prediction: Any, target: Any) -> Any:
    """Σ wᵢ·‖yᵢ − tᵢ‖² / (N·outputs), of targets with the weight before them: (N, 1 + outputs)."""
    return np.mean(np.square(prediction - target[:, 1:]) * target[:, :1])


class NeuralNetRegressor(RegressorMixin, NeuralNet):  # type: ignore[misc]  # scikit-learn has no types
    """A feed-forward net with the squared error, as an estimator of scikit-learn.

    The parameters are those of `NeuralNetClassifier`. y may have several columns; the net has an output for each. Where
    y is far from the size of 1, scale it first, by `TransformedTargetRegressor`.

    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> net = NeuralNetRegressor(hidden_layer_sizes=(20,), activation="tanh", learning_rate=0.02, random_state=0)
    >>> bool(net.fit(x, x[:, 0] ** 2).score(x, x[:, 0] ** 2) > 0.95)
    True
    """

    loss = staticmethod(weighed_squared_error)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new net, and return the estimator.

        X: (N, features).
        y: (N,) or (N, outputs).
        sample_weight: (N,), how much each row counts.
        """
        X, target = self._checked(X, y, reset=True)
        weight = self._weights(sample_weight, X)
        self._begin(X.shape[1], target.shape[1], X.dtype)
        self._train(X, beside(target, weight), self.max_epochs)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one further epoch on these rows, and return the estimator."""
        first = not hasattr(self, "module_")
        X, target = self._checked(X, y, reset=first)
        if first:
            self._begin(X.shape[1], target.shape[1], X.dtype)
        X = X.astype(next(self.module_.parameters()).dtype, copy=False)
        self._train(X, beside(target, self._weights(sample_weight, X)), 1)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The outputs: (N,), or (N, outputs) where y had columns."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        X, y = self._rows_and(X, y, reset=reset, y_numeric=True, multi_output=True)
        self._flat = y.ndim == 1
        return X, y.reshape(len(y), -1)
