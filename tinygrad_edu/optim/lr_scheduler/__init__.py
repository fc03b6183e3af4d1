"""Schedules of learning rates. Each computes the next rate from the step and from the rate that there is.

    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)
    for epoch in range(100):
        train(model, optimizer)
        scheduler.step()

ηₜ = rate(t, η₀, ηₜ₋₁), where t counts the calls of `step()`, η₀ is the rate that the optimizer was made with, and ηₜ₋₁
is the rate that it has now. Most schedules change the rate that they find. So several can be stepped on one optimizer,
as a warm-up and stairs, whose factors multiply; and they go on from a rate that was set by hand in between. `LambdaLR`,
`CosineAnnealingWarmRestarts`, `CyclicLR` and `OneCycleLR` set the rate whatever it was. The formulas in the docstrings
hold for a schedule that is alone.
"""

from typing import TYPE_CHECKING

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from tinygrad_edu.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from tinygrad_edu.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from tinygrad_edu.optim.lr_scheduler.factors import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    MultiplicativeLR,
    MultiStepLR,
    StepLR,
)
from tinygrad_edu.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_edu.optim.lr_scheduler.ramps import LinearLR, PolynomialLR
from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts", "CyclicLR", "ExponentialLR",
    "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "OneCycleLR", "PolynomialLR",
    "ReduceLROnPlateau", "SequentialLR", "StepLR",
]  # fmt: skip

if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.optim.lr_scheduler", __all__, {"SWALR": "it is in tinygrad_edu.optim.swa_utils, as in PyTorch"}
    )
