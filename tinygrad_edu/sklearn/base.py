"""What the estimators share: the net, its training, and the generator from which a fit draws everything random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_edu import nn, optim, random
from tinygrad_edu.data import DataLoader, train_test_split
from tinygrad_edu.nn import Module
from tinygrad_edu.train import EarlyStopping, Trainer

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("tinygrad_edu.sklearn makes estimators of scikit-learn: pip install scikit-learn") from error

ACTIVATIONS: dict[str, Callable[[], Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "elu": nn.ELU, "identity": nn.Identity,
}  # fmt: skip

OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD, "momentum": optim.Momentum, "rmsprop": optim.RMSprop,
    "adagrad": optim.AdaGrad,
}  # fmt: skip


class Quiet(Trainer):
    """A trainer that does not print why it stopped early, because a search fits hundreds, in threads too."""

    def say(self, text: str) -> None:
        """Print nothing."""


class NeuralNet(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """The base of the estimators. After `fit` they have these attributes:

    module_: the net.
    optimizer_: its optimizer, with which `partial_fit` goes on.
    history_: the losses of the epochs.
    n_iter_: the number of epochs that were trained.
    n_features_in_, feature_names_in_: the columns that it was fitted on.
    """

    @staticmethod
    def loss(prediction: Any, target: Any) -> Any:
        """The mean loss of a batch; a subclass gives this function. target: the weight of each row, and beside it its
        target.
        """
        raise NotImplementedError("an estimator has a loss(prediction, target): write it, as a staticmethod")

    def __init__(
        self,
        module: Callable[[int, int], Module] | None = None,
        *,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        optimizer: str | Callable[..., optim.Optimizer] = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        batch_size: int = 32,
        max_epochs: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: Any = None,
    ) -> None:
        self.module = module
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.batch_norm = batch_norm
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state

    # -- what is given --------------------------------------------------------------------------------

    def _rows(self, X: Any, *, reset: bool) -> NDArray[Any]:
        """X as an array of floats: float32 stays, everything else becomes float64."""
        return validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])

    def _rows_and(self, X: Any, y: Any, *, reset: bool, **options: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """X as an array of floats, and y beside it."""
        return validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32], **options)

    def _weights(self, sample_weight: Any, X: NDArray[Any]) -> NDArray[Any]:
        """A weight for each row, 1 if none are given."""
        return _check_sample_weight(sample_weight, X, dtype=X.dtype, ensure_non_negative=True)

    # -- the net --------------------------------------------------------------------------------------

    def _layers(self, inputs: int, outputs: int) -> Module:
        """Make the net of `hidden_layer_sizes`."""
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is one of {', '.join(ACTIVATIONS)}, but got {self.activation!r}")
        layers: list[Module] = []
        for width in self.hidden_layer_sizes:
            norm = [nn.BatchNorm1d(width)] if self.batch_norm else []
            drop = [nn.Dropout(self.dropout)] if self.dropout else []
            layers += [nn.Linear(inputs, width), *norm, ACTIVATIONS[self.activation](), *drop]
            inputs = width
        return nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def _begin(self, inputs: int, outputs: int, dtype: Any) -> None:
        """Make the net and its optimizer. Everything random is drawn from a generator of this fit's own."""
        if self.max_epochs < 1 or self.batch_size < 1:
            raise ValueError(
                f"max_epochs and batch_size are 1 or more, but got {self.max_epochs} and {self.batch_size}"
            )
        kind = OPTIMIZERS.get(self.optimizer) if isinstance(self.optimizer, str) else self.optimizer
        if kind is None:
            raise ValueError(f"optimizer is one of {', '.join(OPTIMIZERS)}, or a class, but got {self.optimizer!r}")
        if self.module is not None and not callable(self.module):
            raise TypeError(f"module is a function (inputs, outputs) that makes the net, but got {self.module!r:.60}")
        self._generator = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        with random.using(self._generator):
            self.module_ = (self.module or self._layers)(inputs, outputs)
        for part in (*self.module_.parameters(), *self.module_.buffers()):
            if part.dtype.kind == "f":
                part.data = part.numpy().astype(dtype)
        decay = {"weight_decay": self.weight_decay} if self.weight_decay else {}
        self.optimizer_ = kind(self.module_.parameters(), lr=self.learning_rate, **decay)
        self.history_: dict[str, list[float]] = {}
        self.n_iter_ = 0

    def _train(self, X: NDArray[Any], target: NDArray[Any], epochs: int, labels: NDArray[Any] | None = None) -> None:
        """Train for some epochs. target: what the loss takes, a row for each row of X; labels: the classes that a split
        keeps even.
        """
        callbacks, validation = [], None
        if self.early_stopping and epochs > 1:
            X, held, target, held_target = train_test_split(
                X, target, test_size=self.validation_fraction, stratify=labels, random_state=self._draw()
            )
            validation = DataLoader((held, held_target), batch_size=1000)
            callbacks.append(EarlyStopping(patience=self.patience, restore_best=True))
        size = min(self.batch_size, len(X))
        if self.batch_norm and len(X) % size == 1 and len(X) > 1:
            size += 1  # a batch of one row has no variance
        loader = DataLoader((X, target), batch_size=size, shuffle=True)
        trainer = Quiet(self.module_, self.optimizer_, type(self).loss, callbacks=callbacks, seed=self._draw())
        history = trainer.fit(loader, validation, epochs)
        for name in history.names:
            self.history_.setdefault(name, []).extend(history[name])
        self.n_iter_ += trainer.epoch

    def _draw(self) -> int:
        """Draw a seed from the fit's own generator."""
        return int(self._generator.integers(2**31 - 1))

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Call the net in evaluation mode, and return its outputs for all rows."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        dtype = next(self.module_.parameters()).dtype
        trainer = Quiet(self.module_, self.optimizer_, type(self).loss, seed=0, replay=False)
        return np.asarray(trainer.predict(rows.astype(dtype, copy=False)))


def beside(target: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    """Put targets and weights into one array (N, 1 + columns), the weight first, because a batch has one target."""
    return np.column_stack([weight, target]).astype(weight.dtype)
