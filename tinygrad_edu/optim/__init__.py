"""Optimizers: rules of learning, each a pure function and a class that runs it in place; and schedules of their rates."""

from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.optim.adagrad import AdaGrad, Adagrad
from tinygrad_edu.optim.adam import Adam, AdamW
from tinygrad_edu.optim.optimizer import Optimizer
from tinygrad_edu.optim.rmsprop import RMSprop
from tinygrad_edu.optim.sgd import SGD

__all__ = ["SGD", "AdaGrad", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
