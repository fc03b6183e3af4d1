"""What follows a training: stopping, saving, watching, and writing down."""

import csv
import io
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.nn import functional as F
from tinygrad_edu.train import (
    ActivationHistogram,
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    GradientHistogram,
    History,
    LearningRateFinder,
    MLflow,
    ProgressBar,
    TensorBoard,
    Trainer,
    WandB,
    activations,
    load_checkpoint,
)
from tinygrad_edu.train.callbacks.histograms import histogram


def trainer_of(*callbacks, lr=0.1, seed=0, **options):
    g = np.random.default_rng(seed)
    model = nn.Sequential(nn.Linear(2, 4, generator=g), nn.ReLU(), nn.Linear(4, 2, generator=g))
    return Trainer(model, optim.SGD(model.parameters(), lr=lr), F.cross_entropy, callbacks=callbacks, seed=0, **options)


class Told(Callback):
    """Writes the moments down."""

    def __init__(self):
        self.moments = []

    def on_fit_begin(self, trainer):
        self.moments.append("fit begins")

    def on_epoch_begin(self, trainer):
        self.moments.append(f"epoch {trainer.epoch + 1} begins")

    def on_step_end(self, trainer, logs):
        self.moments.append(f"step {trainer.step}")

    def on_epoch_end(self, trainer, logs):
        self.moments.append(f"epoch {logs['epoch']} ends")

    def on_fit_end(self, trainer):
        self.moments.append("fit ends")

    def close(self, trainer):
        self.moments.append("closed")


def test_moments_come_in_order(moons):
    told = Told()
    trainer_of(told).fit(moons, epochs=2, batch_size=30)
    assert told.moments == [
        "fit begins", "epoch 1 begins", "step 1", "step 2", "epoch 1 ends",
        "epoch 2 begins", "step 3", "step 4", "epoch 2 ends", "fit ends", "closed",
    ]  # fmt: skip


class Scripted(Callback):
    """Puts given values into the rows, and marks the weights by the epoch."""

    def __init__(self, values, name="val_loss"):
        self.values, self.name = values, name

    def on_epoch_end(self, trainer, logs):
        logs[self.name] = self.values[logs["epoch"] - 1]
        with tg.no_grad():
            trainer.model[0].bias[...] = logs["epoch"]


@pytest.mark.parametrize(
    ("values", "options", "epochs", "best"),
    [
        ([3, 2, 1, 2, 2, 2, 9], {"patience": 3}, 6, 3),
        ([3, 2, 1, 2, 2, 0.5, 9, 9, 9, 9], {"patience": 3}, 9, 6),
        ([3.0, 2.95, 2.9, 2.85], {"patience": 2, "min_delta": 0.1}, 3, 1),
        ([math.nan, math.nan, math.nan], {"patience": 2}, 2, 0),
        ([1, math.nan, 0.5, 2], {"patience": 2}, 4, 3),
        ([0.1, 0.2, 0.1, 0.1], {"patience": 2, "mode": "max"}, 4, 2),
    ],
)
def test_early_stopping_waits_and_restores(moons, values, options, epochs, best):
    stop = EarlyStopping(restore_best=True, **options)
    trainer = trainer_of(Scripted(values), stop)
    trainer.fit(moons, epochs=len(values))
    assert (len(trainer.history), stop.best_epoch) == (epochs, best)
    if best:
        assert trainer.model[0].bias.numpy().tolist() == [best] * 4
        assert stop.best == values[best - 1]


def test_what_is_better_is_asked_of_the_metric(moons):
    trainer = trainer_of(metrics=["accuracy", "log_loss"])
    assert trainer.better("val_accuracy", 0.9, 0.8)
    assert not trainer.better("val_log_loss", 0.9, 0.8)
    assert not trainer.better("loss", math.nan, 0.8)
    assert not trainer.better("loss", 0.75, 0.8, by=0.1)


def test_checkpoints_of_the_best_the_last_and_every_nth(moons, tmp_path):
    trainer = trainer_of(Checkpoint(tmp_path / "run", every=2), Scripted([3, 1, 2, 2, 4]))
    trainer.fit(moons, epochs=5)
    marks = {}
    for path in sorted((tmp_path / "run").iterdir()):
        model = trainer_of().model
        tree = load_checkpoint(path, model=model)
        marks[path.name] = (int(model[0].bias.numpy()[0]), len(tree["history"]["rows"]))
    assert marks == {
        "best.safetensors": (2, 2),
        "epoch-0002.safetensors": (2, 2),
        "epoch-0004.safetensors": (4, 4),
        "last.safetensors": (5, 5),
    }


def test_a_history_is_read_by_name_and_as_a_frame(moons):
    history = trainer_of(metrics=["accuracy"]).fit(moons, moons, epochs=3)
    frame = history.to_frame()
    assert list(frame.columns) == ["loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert frame["loss"].tolist() == history["loss"]
    assert history.last["epoch"] == 3
    assert "val_loss" in history
    assert "3 epochs" in repr(history)
    with pytest.raises(KeyError, match="no 'val_los'; it has epoch, loss"):
        history["val_los"]
    with pytest.raises(IndexError, match="no epoch yet"):
        _ = History().last


def test_a_csv_file_holds_the_history_exactly(moons, tmp_path):
    history = trainer_of(CSVLogger(tmp_path / "runs" / "h.csv"), metrics=["accuracy"]).fit(moons, epochs=3)
    with open(tmp_path / "runs" / "h.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{name: float(value) for name, value in row.items()} for row in rows] == list(history)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_is_shown_on_a_terminal_alone(moons):
    for file, shown in ((Terminal(), True), (io.StringIO(), False)):
        trainer_of(ProgressBar(every=1, file=file), metrics=["accuracy"]).fit(moons, moons, epochs=2, batch_size=30)
        text = file.getvalue()
        assert bool(text) is shown
        assert ("epoch 2: 100%" in text and "2/2" in text and "val_accuracy=" in text) is shown


def test_gradients_are_counted_as_they_are(moons):
    watch = GradientHistogram(every=2, bins=5)
    trainer = trainer_of(watch)
    trainer.fit(moons, epochs=4, batch_size=60)
    assert [record["epoch"] for record in watch.of("0.weight")] == [2, 4]
    last = watch.of("0.weight")[-1]
    gradient = trainer.model[0].weight.grad.numpy()
    np.testing.assert_array_equal(last["counts"], np.histogram(gradient, 5)[0])
    np.testing.assert_allclose([last["mean"], last["std"]], [gradient.mean(), gradient.std()], rtol=1e-5)
    with pytest.raises(KeyError, match=r"no 'weight'; it has 0.weight, 0.bias"):
        watch.of("weight")


def test_histograms_bear_nan_and_nothing():
    seen = histogram(np.array([np.nan, np.inf, 0.0, 1.0]), 2)
    assert (seen["counts"].tolist(), seen["not_finite"], seen["zeros"]) == ([1, 1], 2, 0.25)
    assert math.isnan(histogram(np.array([np.nan]), 2)["mean"])


def test_activations_are_what_the_layers_give(moons):
    x, _ = moons
    model = trainer_of().model
    found = activations(model, x)
    hidden = x @ model[0].weight.numpy() + model[0].bias.numpy()
    np.testing.assert_allclose(found["0"], hidden, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["1"], np.maximum(hidden, 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["2"], model(x).numpy())
    model.requires_grad_(False)
    assert list(activations(model, x)) == ["0", "1", "2"]
    model.append(nn.Dropout(0.5))
    model.eval()
    assert list(activations(model, x)) == ["0", "1", "2"]  # what gives back its input is left out


def test_activation_histograms_see_a_dead_layer(moons):
    watch = ActivationHistogram(moons[0])
    trainer = trainer_of(watch, lr=1e-9)
    with tg.no_grad():
        trainer.model[0].bias[...] = -100
    trainer.fit(moons, epochs=1)
    assert watch.of("1")[0]["zeros"] == 1.0
    assert trainer.model.training


def test_the_rate_finder_leaves_all_but_the_rate(moons):
    plain, finding = trainer_of(lr=0.05), trainer_of(LearningRateFinder(1e-4, 100.0, 60), lr=0.7)
    before = finding.model.state_dict()
    seen = []

    class Look(Callback):
        def on_epoch_begin(self, trainer):
            if trainer.epoch == 0:
                seen.append(trainer.model.state_dict())

    finding.callbacks.append(Look())
    finding.fit(moons, epochs=2)
    np.testing.assert_equal(seen[0], before)
    finder = finding.callbacks[0]
    assert 1e-3 < finder.suggestion < 10
    assert finding.history["lr"] == [finder.suggestion] * 2
    assert finder.rates == sorted(finder.rates)
    assert len(finder.losses) == len(finder.rates)
    plain.optimizer.param_groups[0]["lr"] = finder.suggestion
    plain.model.load_state_dict(before)
    plain.fit(moons, epochs=2)
    assert plain.history["loss"] == finding.history["loss"]  # the same order and noise as without the trial
    finding.fit(moons, epochs=1)
    assert finding.history["lr"][-1] == finder.suggestion  # it is not tried again


def test_the_rate_finder_says_when_nothing_was_found(moons):
    with pytest.raises(RuntimeError, match="never fell"):
        trainer_of(LearningRateFinder(50.0, 1000.0, 5), lr=0.1).fit(moons)
    trainer = trainer_of(LearningRateFinder(apply=False), lr=0.3)
    trainer.fit(moons, epochs=1)
    assert trainer.history["lr"] == [0.3]
    with pytest.raises(RuntimeError, match=r"within fit\(\)"), trainer_of().trial():
        pass


def test_event_files_hold_every_number(moons, tmp_path):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.record_writer import RecordWriter  # noqa: F401 (the format is there)

    trainer_of(TensorBoard(tmp_path, x=moons[0], every_steps=1), metrics=["accuracy"]).fit(moons, epochs=2)
    (path,) = tmp_path.glob("events*")
    content, values = path.read_bytes(), {}
    while content:  # length, its checksum, the event, its checksum
        n = int.from_bytes(content[:8], "little")
        event = Event.FromString(content[12 : 12 + n])
        content = content[16 + n :]
        for value in event.summary.value:
            values[value.tag, event.step] = value
    assert {"loss", "accuracy", "lr", "loss/step"} <= {tag for tag, _ in values}
    assert {"parameters/0.weight", "gradients/2.bias", "activations/1"} <= {tag for tag, _ in values}
    assert values["activations/1", 2].histo.num == 60 * 4


REFUSED = {
    "patience": (lambda: EarlyStopping(patience=0), "patience=0"),
    "min_delta": (lambda: EarlyStopping(min_delta=-1), "min_delta"),
    "mode": (lambda: EarlyStopping(mode="least"), "'least'"),
    "every": (lambda: Checkpoint("out", every=0), "every from 1"),
    "bins": (lambda: GradientHistogram(bins=0), "bins from 1"),
    "rates": (lambda: LearningRateFinder(1.0, 0.1), "lowest < highest"),
    "bar": (lambda: ProgressBar(every=0), "every from 1"),
    "board": (lambda: TensorBoard("out", histograms=-1), "from 0 on"),
    "mode of wandb": (lambda: WandB("p", mode="on"), "'offline' or 'online'"),
    "two stores": (lambda: MLflow("e", folder="a", store="b"), "give one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_make_no_sense_are_refused(name):
    call, said = REFUSED[name]
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("package", "callback"),
    [
        ("tqdm.auto", lambda folder: ProgressBar()),
        ("tensorboardX", lambda folder: TensorBoard(folder)),
        ("wandb", lambda folder: WandB("p", folder=folder)),
        ("mlflow.tracking", lambda folder: MLflow("e", folder=folder)),
    ],
)
def test_a_package_that_is_not_there_is_named_with_its_install_line(moons, tmp_path, monkeypatch, package, callback):
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match="pip install"):
        trainer_of(callback(tmp_path)).fit(moons)
