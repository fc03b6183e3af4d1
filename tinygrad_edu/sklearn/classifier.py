"""NeuralNetClassifier: an estimator whose net gives a probability for each class."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from tinygrad_edu.nn import functional as F
from tinygrad_edu.sklearn.base import NeuralNet, beside


def weighed_cross_entropy(prediction: Any, target: Any) -> Any:
    """Σ wᵢ·(−log p[tᵢ]) / N, of targets with the weight before the class number: (N, 2)."""
    losses = F.cross_entropy(prediction, np.astype(target[:, 1], np.int64), reduction="none")
    return np.mean(losses * target[:, 0])


class NeuralNetClassifier(ClassifierMixin, NeuralNet):  # type: ignore[misc]  # scikit-learn has no types
    """A feed-forward net with softmax and cross-entropy, as an estimator of scikit-learn.

    module: a function (inputs, outputs) that makes the net, whose outputs are logits; by default a net of linear
        layers.
    hidden_layer_sizes: the numbers of outputs of its hidden layers.
    activation: "relu", "tanh", "sigmoid", "gelu", "elu" or "identity", behind each hidden layer.
    dropout: the share of each hidden layer's outputs that is dropped in training.
    batch_norm: whether there is batch normalization before each activation.
    optimizer: "adam", "adamw", "sgd", "momentum", "rmsprop", "adagrad", or a class.
    learning_rate, weight_decay: settings of the optimizer.
    batch_size: the number of rows in a batch.
    max_epochs: the number of epochs, if it is not stopped early.
    early_stopping: whether a part of the rows is held out, and training stops when the loss on it does not get better
        any more; the best weights are kept then.
    validation_fraction: the share of the rows that is held out.
    patience: for how many epochs that loss may not get better.
    random_state: a seed, as everywhere in scikit-learn. Each fit has a generator of its own, so that the same seed
        gives the same net, in threads and processes too.

    Searches such as `GridSearchCV` fit where joblib is told to: with `joblib.parallel_config("loky", n_jobs=4)` in
    processes, with "dask" inside `distributed.Client(address)`, with "ray" after `ray.util.joblib.register_ray()`. They
    find the same everywhere, bit for bit where BLAS has as many threads.

    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> net = NeuralNetClassifier(hidden_layer_sizes=(8,), activation="tanh", learning_rate=0.1, random_state=0)
    >>> net.fit(x, ["no", "yes", "yes", "no"]).predict(x).tolist()
    ['no', 'yes', 'yes', 'no']
    """

    loss = staticmethod(weighed_cross_entropy)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new net, and return the estimator.

        X: (N, features).
        y: (N,), the classes.
        sample_weight: (N,), how much each row counts.

        Raises ValueError if y has one class only.
        """
        X, labels = self._checked(X, y, reset=True)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} tells classes apart, but y has one class, {self.classes_[0]}")
        weight = self._weights(sample_weight, X)
        self._begin(X.shape[1], len(self.classes_), X.dtype)
        self._train(X, beside(numbers, weight), self.max_epochs, labels=numbers)
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one further epoch on these rows, and return the estimator.

        X: (N, features).
        y: (N,), the classes.
        classes: all classes that there will be, at the first call.
        sample_weight: (N,), how much each row counts.
        """
        first = not hasattr(self, "module_")
        X, labels = self._checked(X, y, reset=first)
        if first:
            self.classes_ = np.unique(labels if classes is None else classes)
            self._begin(X.shape[1], len(self.classes_), X.dtype)
        unknown = np.setdiff1d(labels, self.classes_)
        if len(unknown):
            raise ValueError(f"y has {unknown[0]!r}, which is not among the classes of the first partial_fit")
        numbers = np.searchsorted(self.classes_, labels)
        dtype = next(self.module_.parameters()).dtype
        X = X.astype(dtype, copy=False)
        self._train(X, beside(numbers, self._weights(sample_weight, X)), 1)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of each class, (N, classes), in the order of `classes_`."""
        return np.asarray(F.softmax(self._outputs(X), -1))

    def predict(self, X: Any) -> NDArray[Any]:
        """The class with the largest probability for each row."""
        best = self._outputs(X).argmax(axis=1)
        return np.asarray(self.classes_)[best]

    def _checked(self, X: Any, y: Any, *, reset: bool) -> tuple[NDArray[Any], NDArray[Any]]:
        rows = self._rows_and(X, y, reset=reset)
        check_classification_targets(rows[1])
        return rows[0], column_or_1d(rows[1], warn=True)
