"""Means of the weights over a training: stochastic weight averaging (SWA), and exponential moving averages (EMA)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from tinygrad_edu.engine.elsewhere import answering
from tinygrad_edu.engine.recording import no_grad, watched
from tinygrad_edu.engine.registry import Edits
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn import Buffer, Module
from tinygrad_edu.optim.blocks import Values, parts
from tinygrad_edu.optim.lr_scheduler.cycles import annealing
from tinygrad_edu.optim.lr_scheduler.scheduler import LRScheduler, PerGroup, at_least
from tinygrad_edu.optim.optimizer import Optimizer

if TYPE_CHECKING:
    pass

__all__ = ["SWALR", "AveragedModel", "get_ema_avg_fn", "get_swa_avg_fn", "update_bn"]

Average: TypeAlias = "Callable[[Values, Values, int | Values], Values]"
"""A rule (a, w, n) → a: the new mean, of the mean so far, the weights now, and how many the mean is of."""


def get_swa_avg_fn() -> Average:
    """Make the rule a ← a + (w − a) / (n + 1), by which a is the mean of all w alike.

    >>> get_swa_avg_fn()(2.0, 8.0, 2)
    4.0
    """
    return _of_all


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Make the rule a ← δ·a + (1 − δ)·w, a mean that forgets: in effect it is over the last 1 / (1 − δ) weights.

    decay: δ, from 0 to 1.

    Raises ValueError for a decay outside [0, 1].

    >>> get_ema_avg_fn(0.75)(2.0, 8.0, 2)
    3.5
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_avg_fn's decay is from 0 to 1, but got {decay}")
    return partial(_fading, decay=decay)


def _of_all(averaged: Values, new: Values, count: int | Values) -> Values:
    return averaged + (new - averaged) / (count + 1)


def _fading(averaged: Values, new: Values, count: int | Values, *, decay: float) -> Values:
    return decay * averaged + (1 - decay) * new


class AveragedModel(Module):
    """A model whose weights are the mean of another model's weights, over the calls of `update_parameters`.

    The first call copies the weights. After the training, `update_bn` finds the running statistics of batch
    normalization that belong to the mean weights.

    model: the model whose weights are averaged; its copy is the attribute `module`.
    avg_fn: the rule (a, w, n) → a of the mean, on arrays; None stands for `get_swa_avg_fn()`, the mean of all alike.
    use_buffers: whether buffers, such as running statistics, are averaged too; otherwise they are copied from the
        model.

    Raises TypeError for what is no module.

    Source: Izmailov et al., *Averaging weights leads to wider optima and better generalization* (2018); Polyak and
    Juditsky (1992).

    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu import nn
    >>> model = nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedModel(model, avg_fn=get_ema_avg_fn(0.5))
    >>> for value in (1.0, 2.0, 3.0):
    ...     with tg.no_grad():
    ...         model.weight[...] = value
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item(), averaged.n_averaged.item()
    (2.25, 3)
    """

    def __init__(self, model: Module, *, avg_fn: Average | None = None, use_buffers: bool = False) -> None:
        if not isinstance(model, Module):
            raise TypeError(f"AveragedModel takes a module, but got {type(model).__name__}: write AveragedModel(model)")
        self.module = copy.deepcopy(model)
        self.n_averaged = Buffer(np.array(0))
        self.avg_fn = get_swa_avg_fn() if avg_fn is None else avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model with the mean weights."""
        return self.module(*args, **kwargs)

    @watched
    def update_parameters(self, model: Module) -> None:
        """Take the weights of `model` into the mean.

        Raises ValueError, and changes nothing, for a model with other parameters or buffers than the one it was made
        from.
        """
        count = int(self.n_averaged.ndarray)
        for mine, its, averages in list(self.pairs(model)):
            if averages and count:
                for a, w, _ in parts(mine.ndarray, its.ndarray, {}):
                    a[...] = self.avg_fn(a, w, count)
            else:
                mine.ndarray[...] = its.ndarray
            mine.note_write()
        self.n_averaged.ndarray[...] = count + 1
        self.n_averaged.note_write()

    def pairs(self, model: Module) -> Iterator[tuple[Tensor, Tensor, bool]]:
        """Yield each parameter and buffer, the one of `model` that it follows, and whether it is averaged rather than
        copied.
        """
        own, its = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (self.module, model)]
        if {name: x.shape for name, x in own.items()} != {name: x.shape for name, x in its.items()}:
            told = [
                name
                for name in {**own, **its}
                if name not in own or name not in its or own[name].shape != its[name].shape
            ]
            raise ValueError(
                f"the model is not the one that is averaged: they differ in {', '.join(told)}; make the AveragedModel anew"
            )
        for name, mine in own.items():
            real = mine.dtype.kind in "fc"
            yield mine, its[name], real and (self.use_buffers or not isinstance(mine, Buffer))


class SWALR(LRScheduler):
    """ηₜ = (1 − α)·η + α·η_swa: the rate goes over to a constant one, at which weights can be averaged.

    η is the rate that another schedule would have: SWALR changes the rate that it finds.

    optimizer: the optimizer whose learning rates change.
    swa_lr: η_swa, or a list of one for each group.
    anneal_epochs: the number of steps until α = 1, from where on the rate is η_swa.
    anneal_strategy: "cos" lets α grow along half a cosine, "linear" along a line.
    last_epoch: the last step that is over, or −1 to begin; see `LRScheduler`.

    >>> import tinygrad_edu as tg
    >>> optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=1.0)
    >>> scheduler = SWALR(optimizer, swa_lr=0.2, anneal_epochs=4, anneal_strategy="linear")
    >>> [(round(scheduler.get_last_lr()[0], 3), scheduler.step())[0] for _ in range(6)]
    [1.0, 0.8, 0.6, 0.4, 0.2, 0.2]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        at_least("SWALR", "anneal_epochs", anneal_epochs, 0)
        self.swa_lrs = PerGroup(swa_lr, optimizer, "SWALR", "values of swa_lr")
        self.anneal_epochs, self.anneal = anneal_epochs, annealing("SWALR", anneal_strategy)
        super().__init__(optimizer, last_epoch)

    def rate(self, step: int, base: float, now: float, group: int = 0) -> float:
        """Find the part of η in the rate that there is, and put the part of this step in its place."""
        if self.anneal_epochs == 0:
            return self.swa_lrs[group]
        before, alpha = [self.anneal(0.0, 1.0, min(max(t / self.anneal_epochs, 0.0), 1.0)) for t in (step - 1, step)]
        if before == 1:
            return self.swa_lrs[group]
        apart = (now - before * self.swa_lrs[group]) / (1 - before)
        return alpha * self.swa_lrs[group] + (1 - alpha) * apart


def update_bn(loader: Iterable[Any], model: Module) -> None:
    """Compute the running statistics of batch normalization anew, as means over the batches of a loader.

    Modes and momenta are afterwards what they were.

    loader: gives inputs, or tuples and lists that begin with them.
    model: any module, such as an `AveragedModel`; one without batch normalization is left as it is.

    >>> from tinygrad_edu import nn
    >>> model = nn.Sequential(nn.BatchNorm1d(1))
    >>> update_bn([np.array([[x], [x + 2]], np.float32) for x in (1, 5)], model)
    >>> model[0].running_mean.tolist()
    [4.0]
    """
    layers: list[Any] = [m for m in model.modules() if isinstance(getattr(m, "running_mean", None), Buffer)]
    if not layers:
        return
    modes, momenta = [(m, m.training) for m in model.modules()], [layer.momentum for layer in layers]
    try:
        for layer in layers:
            for buffer, start in ((layer.running_mean, 0), (layer.running_var, 1), (layer.num_batches_tracked, 0)):
                buffer.ndarray[...] = start
                buffer.note_write()
            layer.momentum = None  # None makes it the mean over all batches
        model.train()
        for batch in loader:
            no_grad().run(model, batch[0] if isinstance(batch, list | tuple) else batch)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, mode in modes:
            module.training = mode
        Edits.note()


if not TYPE_CHECKING:
    __getattr__ = answering(
        "tinygrad_edu.optim.swa_utils",
        __all__,
        {
            "get_ema_multi_avg_fn": "write AveragedModel(model, avg_fn=get_ema_avg_fn(decay)), which needs no second form",
            "get_swa_multi_avg_fn": "write AveragedModel(model), whose mean it is",
        },
    )
