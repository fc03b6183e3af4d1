"""Callbacks: objects that follow a training, stop it, save it, or show it elsewhere."""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.train.callbacks.callback import Callback
from tinygrad_edu.train.callbacks.csv_log import CSVLogger
from tinygrad_edu.train.callbacks.histograms import ActivationHistogram, GradientHistogram
from tinygrad_edu.train.callbacks.mlflow import MLflow
from tinygrad_edu.train.callbacks.progress import ProgressBar
from tinygrad_edu.train.callbacks.rates import LearningRateFinder
from tinygrad_edu.train.callbacks.saving import Checkpoint
from tinygrad_edu.train.callbacks.stopping import EarlyStopping, TerminateOnNaN
from tinygrad_edu.train.callbacks.tensorboard import TensorBoard
from tinygrad_edu.train.callbacks.wandb import WandB

__all__ = [
    "ActivationHistogram",
    "CSVLogger",
    "Callback",
    "Checkpoint",
    "EarlyStopping",
    "GradientHistogram",
    "LearningRateFinder",
    "MLflow",
    "ProgressBar",
    "TensorBoard",
    "TerminateOnNaN",
    "WandB",
]

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.train.callbacks",
        __all__,
        {
            "ModelCheckpoint": "write Checkpoint(folder)",
            "LRScheduler LearningRateScheduler ReduceLROnPlateau": "write Trainer(…, scheduler=schedule)",
            "CSVLog": "write CSVLogger(path)",
        },
    )
