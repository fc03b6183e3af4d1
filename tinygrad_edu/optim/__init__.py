"""Optimizers: rules by which parameters are learnt. Each is a pure function, and a class that runs it in place.

`lr_scheduler` has schedules of their learning rates, `swa_utils` means of the weights over a training.
"""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.optim import lr_scheduler, swa_utils
from tinygrad_edu.optim.adadelta import Adadelta
from tinygrad_edu.optim.adagrad import AdaGrad, Adagrad
from tinygrad_edu.optim.adam import Adam, AdamW
from tinygrad_edu.optim.adamax import Adamax
from tinygrad_edu.optim.asgd import ASGD
from tinygrad_edu.optim.lbfgs import LBFGS
from tinygrad_edu.optim.lion import Lion
from tinygrad_edu.optim.nadam import NAdam
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.radam import RAdam
from tinygrad_edu.optim.rmsprop import RMSprop
from tinygrad_edu.optim.rprop import Rprop
from tinygrad_edu.optim.sgd import SGD, Momentum

__all__ = [
    "ASGD", "LBFGS", "SGD", "AdaGrad", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Lion", "Momentum", "NAdam", "Optimizer",
    "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.optim",
        __all__,
        {
            "SparseAdam Muon Adafactor": "it is not here; write a subclass of Optimizer with its rule, "
            "@staticmethod update(param, grad, state, out={}, *, lr), which returns the new param and state"
        },
    )
