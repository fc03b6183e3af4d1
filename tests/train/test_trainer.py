"""The loop: equal to one written by hand, resumed bit for bit, interrupted without harm, and its mistakes explained."""

import signal
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import nn, optim, random
from tinygrad_edu.data import DataLoader, TensorDataset
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.train import (
    Callback,
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    GradientHistogram,
    TerminateOnNaN,
    Trainer,
    metrics,
)


def same_state(a, b):
    for name, array in a.state_dict().items():
        np.testing.assert_array_equal(array, b.state_dict()[name], err_msg=name)


def without_time(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def trainer_of(model, replay=True, **options):
    return Trainer(
        model, optim.Adam(model.parameters(), lr=0.02), nn.CrossEntropyLoss(), seed=3, replay=replay, **options
    )


@pytest.mark.parametrize("replay", [True, False])
def test_it_is_the_loop_that_one_writes(moons, net, replay):
    model, by_hand = net(), net()
    trainer = Trainer(
        model,
        optim.SGD(model.parameters(), lr=0.1),
        nn.CrossEntropyLoss(),
        metrics=["accuracy"],
        clip=0.5,
        seed=3,
        replay=replay,
    )
    batches = [(moons[0][i : i + 16], moons[1][i : i + 16]) for i in range(0, 60, 16)]
    history = trainer.fit(batches, validation=moons, epochs=3)
    assert trainer.replayed["training"] == (True if replay else "replay=False")

    optimizer = optim.SGD(by_hand.parameters(), lr=0.1)
    noise = np.random.default_rng(np.random.SeedSequence(3, spawn_key=(0,)))
    for epoch in range(3):
        total, right = 0.0, 0
        for x, y in batches:
            with random.using(noise):
                logits = by_hand(x)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            norm = np.sqrt(sum(float((p.grad.numpy() ** 2).sum()) for p in by_hand.parameters()))
            for p in by_hand.parameters():
                p.grad = (p.grad.numpy() * min(0.5 / (norm + 1e-6), 1)).astype(np.float32)
            optimizer.step()
            total += loss.item() * len(y)
            right += int((logits.numpy().argmax(axis=1) == y).sum())
        np.testing.assert_allclose(history["loss"][epoch], total / 60, rtol=1e-5)
        assert abs(history["accuracy"][epoch] - right / 60) < 1e-9
    for name, array in model.state_dict().items():
        np.testing.assert_allclose(array, by_hand.state_dict()[name], rtol=1e-4, atol=1e-6)
    by_hand.load_state_dict(model.state_dict())
    by_hand.eval()
    assert history["val_accuracy"][-1] == metrics.accuracy(by_hand(moons[0]), moons[1])
    judged = trainer.evaluate(moons)
    np.testing.assert_allclose(judged["loss"], F.cross_entropy(by_hand(moons[0]), moons[1]).item(), rtol=1e-6)
    np.testing.assert_array_equal(trainer.predict(moons[0]), by_hand(moons[0]).numpy())
    np.testing.assert_array_equal(trainer.predict(batches), by_hand(moons[0]).numpy())
    assert model.training


def test_replayed_and_eager_training_are_equal_to_the_bit(moons, net):
    ends = []
    for replay in (True, False):
        model = net()
        trainer = trainer_of(model, replay, metrics=["accuracy", "auroc"])
        ends.append((without_time(trainer.fit(moons, moons, epochs=3, batch_size=16)), model))
    assert ends[0][0] == ends[1][0]
    same_state(ends[0][1], ends[1][1])


class Break(Callback):
    """Ctrl-C, or another end, at a step."""

    def __init__(self, step, how=lambda trainer: signal.raise_signal(signal.SIGINT)):
        self.at, self.how = step, how

    def on_step_end(self, trainer, logs):
        if trainer.step == self.at:
            self.how(trainer)


def whole_trainer(net, folder, *more):
    model = net()
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    return Trainer(
        model,
        optimizer,
        nn.CrossEntropyLoss(),
        metrics=["accuracy", "log_loss"],
        callbacks=[
            EarlyStopping("loss", patience=5, restore_best=True),
            Checkpoint(folder, best=False),
            GradientHistogram(),
            CSVLogger(folder / "history.csv"),
            *more,
        ],
        scheduler=lr_scheduler.StepLR(optimizer, 2, 0.5),
        seed=5,
    )


@pytest.mark.parametrize("own", ["nothing", "order", "noise", "one generator"])
@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])  # they are never written
@given(step=st.integers(1, 16))
def test_resumed_equals_uninterrupted_at_any_step(moons, net, tmp_path_factory, own, step):
    """Whatever of order and noise is drawn by generators that the loader and the model hold, or by one that both do."""
    folder = tmp_path_factory.mktemp("run")

    def run(name, *more, resume=None):
        g = np.random.default_rng(1)
        noise = g if own == "one generator" else np.random.default_rng(2) if own == "noise" else None
        trainer = whole_trainer(lambda: net(noise=noise), folder / name, *more)
        order = g if own in ("order", "one generator") else None
        loader = DataLoader(moons, batch_size=16, shuffle=True, generator=order)
        try:
            trainer.fit(loader, loader, epochs=4, resume=resume)
        except KeyboardInterrupt as error:
            assert "fit() goes on" in str(error)  # noqa: PT017 (not every run is interrupted)
        return trainer

    def same(mine, theirs):
        same_state(mine.model, theirs.model)
        assert without_time(mine.history) == without_time(theirs.history)
        assert mine.step == theirs.step == 16
        np.testing.assert_equal(mine.optimizer.state_dict(), theirs.optimizer.state_dict())
        for a, b in zip(mine.callbacks, theirs.callbacks, strict=True):
            np.testing.assert_equal(a.state_dict(), b.state_dict())

    straight, broken = run("a"), run("b", Break(step))
    assert broken.step == step
    same(straight, run("b", resume=folder / "b" / "last.safetensors"))
    lines = [(folder / name / "history.csv").read_text().splitlines() for name in "ab"]
    assert [line.rsplit(",", 1)[0] for line in lines[0]] == [line.rsplit(",", 1)[0] for line in lines[1]]
    broken.callbacks = [callback for callback in broken.callbacks if not isinstance(callback, Break)]
    broken.fit(*broken.loaders, epochs=4 - broken.epoch)  # the same trainer goes on too, without a file
    same(straight, broken)


def test_evaluation_is_interrupted_too_and_made_up_for(moons, net, tmp_path):
    class Interrupts:
        def __iter__(self):
            signal.raise_signal(signal.SIGINT)
            yield moons

    straight, broken, resumed = trainer_of(net()), trainer_of(net()), trainer_of(net())
    straight.fit(moons, [moons], epochs=2)
    with pytest.raises(KeyboardInterrupt, match="in epoch 1, after step 2"):
        broken.fit(moons, Interrupts(), epochs=2)
    resumed.fit(moons, [moons], epochs=2, resume=broken.save(tmp_path / "a"))
    assert without_time(straight.history) == without_time(resumed.history)


def test_a_resume_after_the_last_epoch_trains_nothing(moons, net, tmp_path):
    trainer = whole_trainer(net, tmp_path)
    trainer.fit(moons, epochs=2)
    again = whole_trainer(net, tmp_path)
    assert len(again.fit(moons, epochs=2, resume=tmp_path / "last.safetensors")) == 2
    same_state(trainer.model, again.model)
    again.fit(moons, epochs=1)
    assert again.epoch == 3


def test_a_training_that_was_stopped_early_stays_stopped_when_resumed(moons, net, tmp_path):
    def made():
        model = net()
        return Trainer(
            model,
            optim.SGD(model.parameters(), lr=1e-9),
            F.cross_entropy,
            callbacks=[EarlyStopping("loss", patience=2, min_delta=1.0), Checkpoint(tmp_path)],
            seed=0,
        )

    trainer = made()
    trainer.fit(moons, epochs=20)
    assert len(trainer.history) == 3
    assert "epoch 1" in trainer.stopped
    again = made()
    again.fit(moons, epochs=20, resume=tmp_path / "last.safetensors")
    assert len(again.history) == 3


def test_a_second_interrupt_does_not_wait(moons, net):
    def twice(trainer):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("not reached")

    trainer = trainer_of(net(), callbacks=[Break(2, twice)])
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(moons, epochs=1, batch_size=16)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    trainer.evaluate(moons)  # not interrupted any more


class Alarm(Callback):
    """Ctrl-C so many seconds after training began, wherever that is."""

    def __init__(self, seconds):
        self.seconds = seconds

    def on_fit_begin(self, trainer):
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def close(self, trainer):
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_wherever_ctrl_c_strikes_training_goes_on_as_if_it_had_not(moons, net, tmp_path):
    loader = [(moons[0][i : i + 6], moons[1][i : i + 6]) for i in range(0, 60, 6)]
    straight = trainer_of(net())
    straight.fit(loader, loader, epochs=4)
    landed, resume = 0, None
    former = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for seconds in [*np.random.default_rng(0).uniform(1e-4, 2e-2, 12).tolist(), 0]:  # at last, without
            trainer = trainer_of(net(), callbacks=[Checkpoint(tmp_path), Alarm(seconds)])
            try:
                trainer.fit(loader, loader, epochs=4, resume=resume)
            except KeyboardInterrupt:
                landed += 1
                resume = tmp_path / "last.safetensors"
    finally:
        signal.signal(signal.SIGALRM, former)
    assert landed > 2
    same_state(straight.model, trainer.model)
    assert without_time(straight.history) == without_time(trainer.history)


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_made_at_random_in_threads_are_the_same_after_a_resume(moons, net, tmp_path, workers):
    class Noisy(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + random.generator().standard_normal(2).astype(np.float32), y

    def fit(trainer, **options):
        loader = DataLoader(Noisy(*moons), batch_size=10, shuffle=True, num_workers=workers)
        return trainer.fit(loader, epochs=3, **options)

    straight, broken, resumed = trainer_of(net()), trainer_of(net(), callbacks=[Break(9)]), trainer_of(net())
    fit(straight)
    with pytest.raises(KeyboardInterrupt):
        fit(broken)
    fit(resumed, resume=broken.save(tmp_path / "a"))
    same_state(straight.model, resumed.model)


def test_it_trains_in_a_thread_too(moons, net):
    import threading

    trainer, done = trainer_of(net()), []
    thread = threading.Thread(target=lambda: done.append(trainer.fit(moons, epochs=1)))
    thread.start()
    thread.join()
    assert len(done[0]) == 1


class Looks(nn.Module):
    def __init__(self):
        self.linear = nn.Linear(2, 2)

    def forward(self, x):
        y = self.linear(x)
        return y * 2 if y.mean() > 0 else y


def test_what_cannot_be_replayed_is_run_and_said_in_one_line(moons, capsys):
    trainer = trainer_of(Looks())
    trainer.fit(moons, moons, epochs=2)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "the training step is not replayed" in said[0]
    assert "test_trainer.py:" in said[0]
    assert "evaluation is not replayed" in said[1]
    assert "replay" in trainer.replayed["training"]


def test_batches_of_ever_other_shapes_are_not_recorded_for_ever(moons, capsys):
    x, y = moons
    batches = [(x[:n], y[:n]) for n in range(2, 40)]
    model = nn.Linear(2, 2)
    trainer = trainer_of(model)
    trainer.fit(batches, epochs=1)
    assert "another shape" in capsys.readouterr().err


def test_an_error_of_the_model_is_its_own_and_comes_once(moons):
    class Wrong(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(3, 2)

        def forward(self, x):
            return self.linear(x)

    class Raises(Wrong):
        def forward(self, x):
            raise KeyError("mine")

    with pytest.raises(ValueError, match=r"linear: Linear\(3, 2\) takes x of shape"):
        trainer_of(Wrong()).fit(moons)
    with pytest.raises(KeyError, match="mine") as caught:
        trainer_of(Raises()).fit(moons)
    assert caught.value.__suppress_context__


def test_order_and_noise_follow_from_the_seed_alone(moons, net):
    ends = []
    for wasted in (0, 5):
        tg.manual_seed(wasted)
        tg.rand(wasted)
        model = net()
        trainer_of(model).fit(moons, epochs=2)
        ends.append(model)
    same_state(*ends)


def test_a_seed_that_is_not_given_follows_from_manual_seed(net):
    seeds = []
    for _ in range(2):
        tg.manual_seed(7)
        model = net()
        seeds.append(Trainer(model, optim.SGD(model.parameters(), 0.1), F.cross_entropy).seed)
    assert seeds[0] == seeds[1]


def test_random_samples_are_drawn_by_epoch_and_not_by_what_came_before(moons):
    """A data set that adds noise: what it draws in epoch 2 does not depend on how often it was asked before."""
    seen = []

    class Noisy(TensorDataset):
        def __getitem__(self, i):
            x, y = super().__getitem__(i)
            return x + random.generator().standard_normal(2).astype(np.float32), y

    class Watch(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            seen[-1].append(np.array(x.numpy()))
            return self.linear(x)

    for epochs in (1, 2):
        seen.append([])
        trainer = trainer_of(Watch(), replay=False)
        trainer.epoch = 2 - epochs
        trainer.fit(DataLoader(Noisy(*moons), batch_size=30, shuffle=True), epochs=epochs)
    np.testing.assert_array_equal(seen[0], seen[1][2:])
    assert not np.array_equal(seen[1][0], seen[1][2])


def test_schedules_step_by_epoch_or_by_update(moons):
    for schedule, expected in (("epoch", [1.0, 0.5, 0.25]), ("step", [1.0, 0.25, 0.0625])):
        model = nn.Linear(2, 2)
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
        trainer = Trainer(model, optimizer, F.cross_entropy, scheduler=scheduler, schedule=schedule, seed=0)
        assert trainer.fit(moons, epochs=3, batch_size=30)["lr"] == expected


class Plateau:
    def __init__(self):
        self.got = []

    def step(self, measure):
        self.got.append(measure)


@pytest.mark.parametrize(("monitor", "validation"), [(None, True), (None, False), ("val_accuracy", True)])
def test_a_schedule_that_looks_is_shown_a_column(moons, monitor, validation):
    model, scheduler = nn.Linear(2, 2), Plateau()
    trainer = Trainer(
        model, optim.SGD(model.parameters(), 0.1), F.cross_entropy, metrics=["accuracy"], scheduler=scheduler,
        monitor=monitor, seed=0,
    )  # fmt: skip
    trainer.fit(moons, moons if validation else None, epochs=2)
    assert scheduler.got == trainer.history[monitor or ("val_loss" if validation else "loss")]


def test_a_plateau_lowers_the_rate_and_is_gone_on_from(moons, tmp_path):
    def made():
        model = nn.Linear(2, 2, generator=np.random.default_rng(0))
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.5)
        return Trainer(model, optimizer, F.cross_entropy, scheduler=scheduler, seed=0)

    whole, first, second = made(), made(), made()
    whole.fit(moons, epochs=6)
    first.fit(moons, epochs=3)
    second.fit(moons, epochs=6, resume=first.save(tmp_path / "a"))
    assert whole.history["lr"] == second.history["lr"]
    assert whole.history["lr"][-1] < 1


def test_an_optimizer_that_evaluates_the_loss_again_and_again(moons, capsys):
    x, _ = moons
    t = x @ np.array([[1.0], [-2.0]], np.float32) + 3
    model = nn.Linear(2, 1)
    trainer = Trainer(
        model, optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe"), F.mse_loss, metrics=["mae"]
    )
    history = trainer.fit([(x, t)], [(x, t)], epochs=3)
    assert history["val_loss"][-1] < 1e-9
    assert history["loss"][0] > 1  # that before the first step
    assert "the training step is not replayed" in capsys.readouterr().err


def test_metrics_by_name_object_function_and_mapping(moons):
    def off(prediction, target):
        return float(np.abs(np.subtract(prediction, target)).mean())

    x, _ = moons
    model = nn.Linear(2, 1)
    trainer = Trainer(
        model, optim.SGD(model.parameters(), 0.1), F.mse_loss, metrics=["mae", metrics.R2Score(), off], seed=0
    )
    row = trainer.fit((x, x[:, :1]), (x, x[:, :1]), epochs=1).last
    assert list(row)[:8] == ["epoch", "loss", "mae", "r2_score", "off", "val_loss", "val_mae", "val_r2_score"]
    np.testing.assert_allclose(row["val_mae"], row["val_off"], rtol=1e-6)
    named = Trainer(model, optim.SGD(model.parameters(), 0.1), F.mse_loss, metrics={"error": off}, seed=0)
    assert "val_error" in named.fit((x, x[:, :1]), (x, x[:, :1])).last


def test_logits_are_known_by_the_loss(moons):
    x, y = moons
    model = nn.Linear(2, 1)
    trainer = Trainer(
        model, optim.SGD(model.parameters(), 0.5), nn.BCEWithLogitsLoss(), metrics=["accuracy", "log_loss"]
    )
    t = y[:, None].astype(np.float32)
    row = trainer.fit((x, t), (x, t), epochs=30).last
    assert row["val_accuracy"] == np.mean((model(x).numpy() >= 0) == t)
    np.testing.assert_allclose(row["val_log_loss"], row["val_loss"], rtol=1e-5)


def test_several_inputs(moons):
    class Two(nn.Module):
        def __init__(self):
            self.linear = nn.Linear(4, 2)

        def forward(self, a, b):
            return self.linear(np.concatenate([a, b], axis=1))

    x, y = moons
    trainer = trainer_of(Two())
    trainer.fit((x, x**2, y), epochs=1)
    assert trainer.predict((x, x**2)).shape == (60, 2)


def test_evaluation_leaves_each_module_in_its_mode(moons, net):
    model = net()
    trainer = trainer_of(model)
    trainer.fit(moons, epochs=1)
    list(model.children())[1].eval()
    before = model.state_dict()
    trainer.evaluate(moons)
    assert [child.training for child in model.children()] == [True, False, True, True, True]
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_nan_is_an_error_or_an_end(moons):
    def made(*callbacks):
        model = nn.Linear(2, 1)
        return Trainer(model, optim.SGD(model.parameters(), lr=1e30), F.mse_loss, callbacks=callbacks, seed=0)

    x, _ = moons
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) in epoch 1, step"):
        made().fit((x, x[:, :1]), epochs=5, batch_size=8)
    trainer = made(TerminateOnNaN())
    history = trainer.fit((x, x[:, :1]), epochs=5, batch_size=8)
    assert len(history) == 0
    assert "loss is" in trainer.stopped


def bad(moons, net):
    model = net()
    adam = optim.Adam(model.parameters())
    x, y = moons

    def trainer(**options):
        return Trainer(**{"model": model, "optimizer": adam, "loss": F.cross_entropy, **options})

    return {
        "no batches": (lambda: trainer().fit(DataLoader((x[:3], y[:3]), 8, drop_last=True)), ValueError, "no batches"),
        "no validation": (lambda: trainer().fit(moons, []), ValueError, "no batches"),
        "nothing to predict": (lambda: trainer().predict([]), ValueError, "no batches"),
        "an iterator": (lambda: trainer().fit(iter([moons])), TypeError, "only once"),
        "no data": (lambda: trainer().fit(3), TypeError, "got int"),
        "no target": (lambda: trainer().fit(DataLoader(x, 8)), TypeError, r"tuple \(x, y\)"),
        "unknown metric": (lambda: trainer(metrics=["acc"]), ValueError, "no metric 'acc'"),
        "a metric's class": (lambda: trainer(metrics=[metrics.Accuracy]), TypeError, r"write Accuracy\(\)"),
        "a metric twice": (lambda: trainer(metrics=["accuracy", "accuracy"]), ValueError, "two columns"),
        "a metric called loss": (lambda: trainer(metrics={"loss": metrics.Accuracy()}), ValueError, "two columns"),
        "a loss's class": (lambda: trainer(loss=nn.MSELoss), TypeError, r"write MSELoss\(\)"),
        "no module": (lambda: trainer(model=np.tanh), TypeError, "takes a module"),
        "no optimizer": (lambda: trainer(optimizer="adam"), TypeError, r"optim.Adam\(model.parameters\(\)\)"),
        "another's optimizer": (lambda: trainer(model=net()), ValueError, "none of the model's parameters"),
        "a callback's class": (lambda: trainer(callbacks=[TerminateOnNaN]), TypeError, r"write TerminateOnNaN\(\)"),
        "a negative clip": (lambda: trainer(clip=-1.0), ValueError, "above 0"),
        "an unknown schedule": (lambda: trainer(schedule="batch"), ValueError, "'epoch' or 'step'"),
        "no schedule": (lambda: trainer(scheduler=0.1), TypeError, "lr_scheduler"),
        "negative epochs": (lambda: trainer().fit(moons, epochs=-1), ValueError, "from 0 up, but got -1"),
        "an unknown column": (
            lambda: trainer(callbacks=[EarlyStopping("val_loss")]).fit(moons),
            ValueError,
            "give fit\\(\\) validation data",
        ),
    }


@pytest.mark.parametrize("name", list(bad(([], []), lambda: nn.Linear(1, 1))))
def test_bad_input_says_what_to_write(name, moons, net):
    call, kind, said = bad(moons, net)[name]
    with pytest.raises(kind, match=said):
        call()


def test_callbacks_are_closed_after_an_error(moons, net):
    closed = []

    class Watch(Callback):
        def on_step_end(self, trainer, logs):
            raise RuntimeError("on purpose")

        def close(self, trainer):
            closed.append(True)

    with suppress(RuntimeError):
        trainer_of(net(), callbacks=[Watch()]).fit(moons)
    assert closed == [True]


def test_a_state_that_was_saved_between_steps_is_gone_on_from(moons, net, tmp_path):
    def fails(trainer):
        raise RuntimeError("power")

    straight, broken = (
        trainer_of(net(), metrics=["accuracy"]),
        trainer_of(net(), metrics=["accuracy"], callbacks=[Checkpoint(tmp_path, every_steps=3), Break(5, fails)]),
    )
    straight.fit(moons, epochs=2, batch_size=10)
    with pytest.raises(RuntimeError, match="power"):
        broken.fit(moons, epochs=2, batch_size=10)
    resumed = trainer_of(net(), metrics=["accuracy"])
    resumed.load(tmp_path / "last.safetensors")
    assert (resumed.step, resumed.step_in_epoch) == (3, 3)
    resumed.fit(moons, epochs=2, batch_size=10)
    same_state(straight.model, resumed.model)
    assert without_time(straight.history) == without_time(resumed.history)
    path = broken.save(tmp_path / "a")
    with pytest.raises(ValueError, match=r"the trainer in .*metrics are accuracy, but this trainer has log_loss"):
        trainer_of(net(), metrics=["log_loss"]).load(path)
    other = trainer_of(net(), metrics=["accuracy"], callbacks=[EarlyStopping("loss"), Checkpoint(tmp_path / "c")])
    other.load(path)
    assert other.callbacks[0].best is None
    assert other.callbacks[1].best_value == broken.callbacks[1].best_value
