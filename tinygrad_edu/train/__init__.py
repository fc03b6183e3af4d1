"""Training: the loop, callbacks that follow it, metrics that say how good the result is, and files that keep it."""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.train import metrics
from tinygrad_edu.train.activations import activations
from tinygrad_edu.train.callbacks import (
    ActivationHistogram,
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    GradientHistogram,
    LearningRateFinder,
    MLflow,
    ProgressBar,
    TensorBoard,
    TerminateOnNaN,
    WandB,
)
from tinygrad_edu.train.checkpoint import load_checkpoint, save_checkpoint
from tinygrad_edu.train.exchange import load_torch, to_torch
from tinygrad_edu.train.history import History
from tinygrad_edu.train.space import Choice, Integer, LogUniform, Uniform
from tinygrad_edu.train.trainer import Trainer
from tinygrad_edu.train.tuning import tune

__all__ = [
    "ActivationHistogram",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "Choice",
    "EarlyStopping",
    "GradientHistogram",
    "History",
    "Integer",
    "LearningRateFinder",
    "LogUniform",
    "MLflow",
    "ProgressBar",
    "TensorBoard",
    "TerminateOnNaN",
    "Trainer",
    "Uniform",
    "WandB",
    "activations",
    "load_checkpoint",
    "load_torch",
    "metrics",
    "save_checkpoint",
    "to_torch",
    "tune",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.train",
        __all__,
        {
            "ModelCheckpoint": "write Checkpoint(folder)",
            "ReduceLROnPlateau": "write Trainer(…, scheduler=optim.lr_scheduler.ReduceLROnPlateau(optimizer))",
            "LearningRateScheduler": "write Trainer(…, scheduler=optim.lr_scheduler.LambdaLR(optimizer, f))",
            "LambdaCallback": "write a class with on_epoch_end(self, trainer, logs), derived from Callback",
            "fit": "write Trainer(model, optimizer, loss).fit((x, y), epochs=10)",
        },
    )
