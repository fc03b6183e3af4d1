"""Optimizers: rules of learning, each a pure function and a class that runs it in place; and schedules of their rates."""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.optim.adagrad import AdaGrad, Adagrad
from tinygrad_edu.optim.adam import Adam, AdamW
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.rmsprop import RMSprop
from tinygrad_edu.optim.sgd import SGD

__all__ = ["SGD", "AdaGrad", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.optim",
        __all__,
        {
            "ASGD Adadelta Adamax LBFGS NAdam RAdam Rprop SparseAdam Lion Muon": "it is not here yet; write a subclass of Optimizer with its rule, "
            "@staticmethod update(param, grad, state, out={}, *, lr), which returns the new param and state"
        },
    )
