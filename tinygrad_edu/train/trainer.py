"""Trainer: the loop that trains a model, and what belongs to it."""

from __future__ import annotations

import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tinygrad_edu import random
from tinygrad_edu.engine.elsewhere import TellsArguments
from tinygrad_edu.engine.recording import no_grad
from tinygrad_edu.engine.tensor import Tensor
from tinygrad_edu.nn import Module
from tinygrad_edu.optim import Optimizer
from tinygrad_edu.train.callbacks.callback import Callback, measured
from tinygrad_edu.train.checkpoint import GeneratorState, load_all, load_parts
from tinygrad_edu.train.files import StrPath, save_tree
from tinygrad_edu.train.generators import generators, put, states
from tinygrad_edu.train.given import (
    Metrics,
    check,
    empty,
    epochs_of,
    loader_of,
    measures,
    narrower,
    parts_of,
    seed_of,
    type_of,
)
from tinygrad_edu.train.history import History
from tinygrad_edu.train.interrupts import Interrupts
from tinygrad_edu.train.position import Callbacks, Position, Sum
from tinygrad_edu.train.replaying import Replayed
from tinygrad_edu.train.steps import advance, judging_step, training_step

_END = object()
"""What comes after the last batch."""


class Trainer(TellsArguments):
    """Trains a model: for each batch w ← rule(w, ∂loss(model(x), y)/∂w), for each epoch a row of the history.

    model: a module.
    optimizer: an optimizer of its parameters.
    loss: a function of prediction and target, such as `F.cross_entropy` or a loss module, that gives one number, the
        mean over the batch.
    metrics: names ("accuracy", "f1_macro", "mse"; see `metrics.named`), `Metric` objects, or functions of prediction
        and target whose values are averaged over rows; a mapping gives them other names.
    callbacks: objects that are told how the training goes; see `Callback`.
    scheduler: a schedule of the learning rate.
    schedule: when the scheduler steps: after each "epoch", or after each "step".
    monitor: the column of the history that a scheduler such as ReduceLROnPlateau watches; by default `val_loss`, or
        without validation `loss`.
    clip: the largest norm of all gradients together; larger ones are scaled down to it.
    seed: a number from which the order of the batches and the noise of dropout follow; by default it is drawn from the
        generator that `tg.manual_seed` sets. The first weights do not depend on it: the model has them already.
    replay: whether steps are recorded and run as a program (`tg.replay`). Where that is impossible, one line on the
    standard error says why, and the step is run op by op. `replayed` tells this for training and evaluation.

    A batch is a tuple: the last part is the target, and the model is called with those before it. All is computed in the
    type of the model's parameters: float64 data, such as NumPy makes, are brought to float32 for a float32 model, and
    `model.double()` computes in float64.

    Training is reproducible. What is random in an epoch follows from the seed and the number of the epoch, and what the
    model draws comes from the trainer's own generator. So a training that is resumed from a checkpoint, at any step,
    equals one that never stopped, bit for bit. Generators that the loader or the model holds are saved too.

    Ctrl-C ends the step in progress, lets the callbacks save, and raises KeyboardInterrupt. Model, optimizer and
    history are whole then, and `fit` goes on from there. A second Ctrl-C does not wait.

    Raises ValueError for an optimizer of other parameters, metrics that do not exist, and a clip that is not positive.

    >>> import numpy as np
    >>> import tinygrad_edu as tg
    >>> from tinygrad_edu import nn, optim
    >>> _ = tg.manual_seed(0)
    >>> x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    >>> model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    >>> trainer = Trainer(model, optim.Adam(model.parameters(), lr=0.01), nn.MSELoss(), metrics=["mae"], seed=0)
    >>> history = trainer.fit((x, x**2), validation=(x, x**2), epochs=100)
    >>> history["val_mae"][-1] < 0.1 < history["val_mae"][0]
    True
    """

    def __init__(
        self,
        model: Module,
        optimizer: Optimizer,
        loss: Callable[[Any, Any], Any],
        *,
        metrics: Metrics = (),
        callbacks: Sequence[Callback] = (),
        scheduler: Any = None,
        schedule: Literal["epoch", "step"] = "epoch",
        monitor: str | None = None,
        clip: float | None = None,
        seed: int | None = None,
        replay: bool = True,
    ) -> None:
        check(model, optimizer, loss, callbacks, scheduler, schedule, clip)
        self.model, self.optimizer, self.loss, self.clip = model, optimizer, loss, clip
        self.scheduler, self.schedule, self.monitor = scheduler, schedule, monitor
        self.metrics = measures(metrics, loss)
        self._validation = {name: copy.deepcopy(metric) for name, metric in self.metrics.items()}
        self.callbacks = sorted(callbacks, key=lambda callback: callback.comes_last)
        self.seed = int(random.generator().integers(1 << 62)) if seed is None else seed_of(seed)
        self.history = History()
        self.epoch = 0
        """How many epochs have been trained."""
        self.step = 0
        """How many steps have been taken."""
        self.step_in_epoch = 0
        """How many of them in the epoch that is not complete."""
        self.stopped: str | None = None
        """Why training was stopped before its last epoch, or None."""
        self._noise = self._generator(0)
        self.sum = Sum()
        self.loaders: tuple[Any, ...] = ()
        self.at_epoch_start: dict[str, Any] = {}
        self._interrupts = Interrupts()
        self._dtype = type_of(model)
        step = training_step(model, optimizer, loss, clip, gives_prediction=bool(self.metrics))
        self._train_step = Replayed(step, "the training step", self.say, replays=replay)
        self._judge = Replayed(judging_step(model, loss), "evaluation", self.say, replays=replay)
        self._predict = Replayed(lambda *inputs: model(*inputs), "prediction", self.say, replays=replay)

    # -- what it does -------------------------------------------------------------------------------

    def fit(
        self,
        train: Any,
        validation: Any = None,
        epochs: int = 1,
        *,
        batch_size: int = 32,
        resume: StrPath | None = None,
    ) -> History:
        """Train for some epochs, and return the history of all epochs so far.

        train: a `DataLoader`, or anything that gives batches each time it is iterated; or a tuple of arrays (x, y),
            which is shuffled.
        validation: the same; loss and metrics are measured on it after each epoch.
        epochs: how many epochs to train. Called again, `fit` trains as many further ones; an epoch that was interrupted
            is completed first.
        batch_size: the number of rows in a batch, where arrays are given.
        resume: a file of the `Checkpoint` callback or of `save`. Training goes on from it until there are `epochs`
            epochs in all.

        Raises ValueError for a loader that gives no batches, FloatingPointError for a loss that is not finite (unless a
        callback stops before, see `TerminateOnNaN`).
        """
        epochs = epochs_of(epochs)
        loader = loader_of(train, batch_size, "train", shuffle=True)
        judged = None if validation is None else loader_of(validation, batch_size, "validation", shuffle=False)
        self._dtype = type_of(self.model)
        self.loaders = (loader,) if judged is None else (loader, judged)
        self.stopped, last = None, self.epoch + epochs
        try:
            with self._interrupts.deferred(self._said_at_end), random.using(self._noise):
                if resume is not None:
                    self.load(resume)
                    last = epochs
                self.model.train()
                self._tell("on_fit_begin")
                while self.epoch < last and self.stopped is None:
                    self._run_epoch(loader, judged)
                self._tell("on_fit_end")
        finally:
            for callback in self.callbacks:
                callback.close(self)
        return self.history

    def evaluate(self, data: Any, *, batch_size: int = 1000) -> dict[str, Any]:
        """Measure loss and metrics over data, in evaluation mode: `{"loss": …, "accuracy": …}`.

        data: a loader or a tuple of arrays, as for `fit`.
        batch_size: the number of rows in a batch, where arrays are given.

        Raises ValueError if there are no batches.
        """
        loader = loader_of(data, batch_size, "data", shuffle=False)
        with random.using(self._generator(2, self.epoch)):
            return self._evaluated(loader)

    def predict(self, data: Any, *, batch_size: int = 1000) -> Any:
        """Call the model in evaluation mode, and return its outputs for all rows as one array.

        data: the input as an array, or a tuple of arrays for a model of several inputs; or a loader, of whose batches
            the last part is taken for the target and left out, if there is more than one part.
        batch_size: the number of rows in a batch, where arrays are given.

        Raises ValueError if there are no rows.
        """
        arrays = isinstance(data, tuple | np.ndarray | Tensor) or hasattr(data, "iloc")
        loader = loader_of(data, batch_size, "data", shuffle=False)
        outputs = []
        self._dtype = type_of(self.model)
        with self.evaluating():
            for batch in loader:
                parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
                inputs = parts if arrays or len(parts) == 1 else parts[:-1]
                inputs = narrower(inputs, self._dtype)
                outputs.append(no_grad().run(self._predict, *inputs).numpy())
        if not outputs:
            raise empty("data")
        return np.concatenate(outputs)

    def stop(self, reason: str) -> None:
        """End training after the step, or epoch, in progress; callbacks call this. The reason is printed, and kept in
        `stopped`.
        """
        self.stopped = reason
        self.say(f"stopped in epoch {self.epoch + (self.step_in_epoch > 0)}: {reason}")

    @property
    def replayed(self) -> dict[str, str | bool]:
        """Whether steps of training and evaluation are replayed: True, or why they are not."""
        return {
            name: step.eager or True for name, step in (("training", self._train_step), ("evaluation", self._judge))
        }

    @property
    def steps_per_epoch(self) -> int | None:
        """How many batches an epoch has, or None where the loader does not know."""
        try:
            return len(self.loaders[0])
        except (TypeError, IndexError):
            return None

    def say(self, text: str) -> None:
        """Print one line on the standard error."""
        print(f"Trainer: {text}", file=sys.stderr)

    # -- saving -------------------------------------------------------------------------------------

    def save(self, path: StrPath) -> Path:
        """Write all that `fit(…, resume=path)` goes on from: model, optimizer, schedule, history, callbacks and random
        numbers.

        The file is one of `save_checkpoint`, so `load_checkpoint(path, model=model)` takes the model from it.
        """
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        return save_tree(path, parts)

    def load(self, path: StrPath) -> None:
        """Go on from a file that `save` wrote. The trainer must have been made alike, except that callbacks may differ.

        Raises ValueError, naming the file, for one that is damaged or does not fit; all is then as it was.
        """
        load_parts(path, self._parts(), ": it is not of a trainer made alike")

    def _parts(self) -> dict[str, Any]:
        parts = {
            "model": self.model,
            "scheduler": self.scheduler,
            "optimizer": self.optimizer,
            "generator": GeneratorState(self._noise),
            "history": self.history,
            "callbacks": Callbacks(self.callbacks),
            "trainer": Position(self),
        }
        return {name: part for name, part in parts.items() if part is not None}

    # -- one step -----------------------------------------------------------------------------------

    def train_on(self, batch: Any) -> float:
        """Make one step on one batch, and return the loss before it."""
        parts = narrower(parts_of(batch), self._dtype)
        loss, *prediction = self._train_step(*parts)
        value = loss.ndarray.item()
        self.sum.add(value, len(parts[-1]))
        for metric in self.metrics.values() if math.isfinite(value) else ():  # a prediction with NaN cannot be measured
            metric.update(prediction[0], parts[-1])
        if self.scheduler is not None and self.schedule == "step":
            advance(self.scheduler, value)
        return value

    # -- one epoch ----------------------------------------------------------------------------------

    def _run_epoch(self, loader: Any, judged: Any) -> None:
        begun = time.perf_counter()
        rates = self.optimizer.param_groups[0]["lr"]
        fresh = self.step_in_epoch == 0
        if fresh:
            self.sum = Sum()
            for metric in self.metrics.values():
                metric.reset()
        batches = self._batches(loader, fresh)
        self._tell("on_epoch_begin")
        told = [callback for callback in self.callbacks if type(callback).on_step_end is not Callback.on_step_end]
        for batch in batches:
            value = self.train_on(batch)
            self.step += 1
            self.step_in_epoch += 1
            for callback in told:
                callback.on_step_end(self, {"loss": value})
            if self.stopped is not None:
                self.sum.seconds += time.perf_counter() - begun
                return
            if value - value != 0:  # NaN or infinite
                raise _not_finite(value, self.epoch + 1, self.step_in_epoch)
            if self._interrupts.pending:
                self.sum.seconds += time.perf_counter() - begun
                self._break_off()
        if self.step_in_epoch == 0:
            raise empty("train")
        row = {"epoch": self.epoch + 1, **self.sum.over(self.metrics)}
        if judged is not None:
            with random.using(self._generator(2, self.epoch)):
                row |= {f"val_{name}": value for name, value in self._evaluated(judged).items()}
        row |= {"lr": rates, "seconds": self.sum.seconds + time.perf_counter() - begun}
        if self.scheduler is not None and self.schedule == "epoch":
            monitor = self.monitor or ("val_loss" if "val_loss" in row else "loss")
            advance(self.scheduler, measured(row, monitor, "the schedule"))
        self.epoch, self.step_in_epoch = self.epoch + 1, 0
        self.history.append(row)
        self._tell("on_epoch_end", row)
        if self._interrupts.pending:
            self._break_off()

    def _batches(self, loader: Any, fresh: bool) -> Iterator[Any]:
        """Yield the batches of this epoch, in an order of its own; of an epoch that was interrupted, those still to
        come.
        """
        held = generators(self.loaders)
        if fresh:
            self.at_epoch_start = states(held)
        own = generators(self.model)
        now = states(own)
        put(held, self.at_epoch_start, "loader")
        with random.using(self._generator(1, self.epoch)):
            context = copy_context()
        batches = iter(loader)
        for _ in range(self.step_in_epoch):
            context.run(next, batches, _END)
        if not fresh:
            put(own, now, "model")
        while (batch := context.run(next, batches, _END)) is not _END:
            yield batch

    def _evaluated(self, loader: Any) -> dict[str, Any]:
        total = Sum()
        for metric in self._validation.values():
            metric.reset()
        judge = no_grad()
        self._dtype = type_of(self.model)
        with self.evaluating():
            for batch in loader:
                parts = narrower(parts_of(batch), self._dtype)
                loss, prediction = judge.run(self._judge, *parts)
                total.add(float(loss.item()), len(parts[-1]))
                for metric in self._validation.values():
                    metric.update(prediction, parts[-1])
                if self._interrupts.pending:
                    self._break_off()
        if total.rows == 0:
            raise empty("the data to evaluate on")
        return total.over(self._validation)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """A block in which the model is in evaluation mode; afterwards each of its modules has the mode that it had."""
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode

    @contextmanager
    def trial(self) -> Iterator[Any]:
        """A block that gives the training data, so that steps can be tried on it; afterwards all is as before.

        Raises RuntimeError outside `fit`.
        """
        if not self.loaders:
            raise RuntimeError("a trial needs data: it is for callbacks, within fit()")
        parts = {name: (part, part.state_dict()) for name, part in self._parts().items() if name != "callbacks"}
        held = generators(self.loaders)
        before = states(held)
        context = random.using(self._generator(3))
        try:
            with context:
                yield self.loaders[0]
        finally:
            load_all(parts, "the state before the trial")
            put(held, before, "loader")

    # -- the small things ---------------------------------------------------------------------------

    def better(self, name: str, value: float, best: float | None, mode: str = "auto", by: float = 0.0) -> bool:
        """Whether a value of a column of the history is better than the best, by more than `by`. NaN never is.

        name: the name of the column.
        value, best: the value, and the best so far, or None.
        mode: "max", "min", or "auto", by which the metric of that name decides.
        by: how much better it must be.
        """
        if math.isnan(value):
            return False
        if best is None:
            return True
        metric = self.metrics.get(name.removeprefix("val_"))
        grows = mode == "max" or (mode == "auto" and metric is not None and metric.higher_is_better)
        return value > best + by if grows else value < best - by

    def _generator(self, *purpose: int) -> np.random.Generator:
        """A generator that follows from the seed and from the purpose that it is for."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=purpose))

    def _tell(self, moment: str, *about: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self, *about)

    def _said_at_end(self) -> str:
        return f"training was interrupted at its end, after epoch {self.epoch}; all is whole"

    def _break_off(self) -> None:
        """Act on Ctrl-C, between two steps: tell the callbacks, and raise KeyboardInterrupt."""
        self._tell("on_interrupt")
        where = (
            f"in epoch {self.epoch + 1}, after step {self.step_in_epoch}"
            if self.step_in_epoch
            else f"after epoch {self.epoch}"
        )
        raise KeyboardInterrupt(
            f"training was interrupted {where}; model and history are whole, and fit() goes on from there"
        )


def _not_finite(value: float, epoch: int, step: int) -> FloatingPointError:
    return FloatingPointError(
        f"the loss is {value} in epoch {epoch}, step {step}: try a smaller learning rate or clip=1.0; are all inputs finite? "
        "Inside `with tg.detect_anomaly():` the operation is named (with replay=False); TerminateOnNaN() stops without an error"
    )
