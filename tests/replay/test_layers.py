"""Replay carries the state of layers and optimizers: 200 steps of training are those of eager runs, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import nn, optim, random
from tinygrad_edu.nn import functional as F
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.program import replay

ACTIVATIONS = [
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Softmax,
    nn.LogSoftmax, nn.Identity, nn.Flatten, nn.Step, nn.ReLU6, nn.PReLU, nn.SELU, nn.Mish, nn.Softsign, nn.Hardtanh,
    nn.Hardsigmoid, nn.Hardswish,
]  # fmt: skip

LAYERS = {
    "prelu": lambda: nn.PReLU(8),
    "softplus": lambda: nn.Softplus(2.0, 3.0),
    "layer norm": lambda: nn.LayerNorm(8),
    "rms norm": lambda: nn.RMSNorm(8),
    "group norm": lambda: nn.GroupNorm(2, 8),
    "glu": lambda: nn.Sequential(nn.Linear(8, 16, generator=np.random.default_rng(2)), nn.GLU()),
    "unflatten": lambda: nn.Sequential(nn.Unflatten(1, (2, 4)), nn.LayerNorm((2, 4)), nn.Flatten()),
    "twofold": lambda: Twofold(),
    "words": lambda: Words(),
    "short words": lambda: Words(max_norm=0.5),
}


class Twofold(nn.Module):
    def __init__(self):
        self.product = nn.Bilinear(8, 8, 8, generator=np.random.default_rng(2))

    def forward(self, x):
        return self.product(x, np.tanh(x))


class Words(nn.Module):
    """Vectors of the places where features are positive; the first place is padding."""

    def __init__(self, **options):
        self.table = nn.Embedding(8, 8, 0, generator=np.random.default_rng(2), **options)

    def forward(self, x):
        return x + self.table(np.argsort(x, axis=1)).mean(axis=1)


OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (optim.AdaGrad, {"lr": 0.05, "lr_decay": 0.01, "weight_decay": 0.01}),
    (optim.RMSprop, {"lr": 0.01, "weight_decay": 0.01}),
    (optim.RMSprop, {"lr": 0.01, "momentum": 0.5, "centered": True}),
    (optim.Adam, {"lr": 0.01}),
    (optim.Adam, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.SGD, {"lr": 0.05, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    (optim.SGD, {"lr": 0.01, "momentum": 0.5, "maximize": True}),
    (optim.Momentum, {"lr": 0.05}),
    (optim.Adadelta, {"weight_decay": 0.01}),
    (optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (optim.Adam, {"lr": 1e-4, "maximize": True}),
    (optim.AdamW, {"lr": 0.01, "weight_decay": 0.0, "amsgrad": True}),
    (optim.NAdam, {"lr": 0.01, "weight_decay": 0.1}),
    (optim.NAdam, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.RAdam, {"lr": 0.01, "betas": (0.9, 0.95)}),
    (optim.RAdam, {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    (optim.Adamax, {"lr": 0.01, "weight_decay": 0.01}),
    (optim.Lion, {"lr": 0.001}),
    (optim.Lion, {"lr": 0.001, "weight_decay": 0.1}),
    (optim.Rprop, {"lr": 0.001}),
    (optim.ASGD, {"lr": 0.1, "lambd": 0.01, "t0": 50}),
]


class Training:
    """A small net and what trains it: made twice alike, once to be replayed."""

    def __init__(self, *layers, kind=optim.Adam, options=None, seed=0, loss=F.cross_entropy):
        rng = np.random.default_rng(seed)
        hidden = [make() for make in layers]
        self.loss = loss
        self.model = nn.Sequential(nn.Linear(6, 8, generator=rng), *hidden, nn.Linear(8, 4, generator=rng))
        self.optimizer = kind(self.model.parameters(), **(options or {"lr": 0.01}))

    def step(self, x, y):
        loss = self.loss(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def state(self):
        """Copies of all that training changes."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "grads": [None if p.grad is None else p.grad.data.copy() for p in self.model.parameters()],
            "random": random.get_state(),
        }


def same(a, b):
    """Whether nested states are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a is b if a is None or b is None else np.array_equal(a, b)


def batches(n, size=8, seed=1):
    rng = np.random.default_rng(seed)
    return [(rng.standard_normal((size, 6)).astype(np.float32), rng.integers(0, 4, size)) for _ in range(n)]


def both(*layers, **options):
    return Training(*layers, **options), Training(*layers, **options)


class Masks:
    """The package's generator, with a stream of its own for each of two trainings."""

    def __init__(self, seed=3):
        tg.manual_seed(seed)
        self.states = [random.get_state(), random.get_state()]

    def run(self, i, action):
        random.set_state(self.states[i])
        result = action()
        self.states[i] = random.get_state()
        return result


def compare(eager, replayed, run, data, between=lambda training, k: None):
    """Train both on the same batches; the losses, and all state at the end, are the same."""
    masks = Masks()
    for k, (x, y) in enumerate(data):
        between(eager, k)
        between(replayed, k)
        a = masks.run(0, lambda x=x, y=y: eager.step(tg.Tensor(x), tg.Tensor(y)))
        b = masks.run(1, lambda x=x, y=y: run(x, y))
        assert a.item() == b.item(), k
    assert same(masks.states[0], masks.states[1])
    assert same(eager.state(), replayed.state())


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_each_optimizer(kind, options):
    eager, replayed = both(nn.ReLU, kind=kind, options=options)
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(200))
    assert len(run._records) == 1


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation(activation):
    eager, replayed = both(activation)
    compare(eager, replayed, replay(replayed.step), batches(200))


def bits(y):
    """Four yes or no of a class number."""
    return (y[:, None] + np.arange(4)) % 3 == 0


def signs(y):
    return np.where(bits(y), 1, -1)


def simplex(y):
    return F.softmax(np.where(bits(y), 2.0, 0.0).astype(np.float32))


WEIGHT = np.linspace(0.5, 2, 4, dtype=np.float32)

LOSSES = {
    "weighted cross-entropy": nn.CrossEntropyLoss(WEIGHT, label_smoothing=0.1),
    "soft cross-entropy": lambda x, y: F.cross_entropy(x, simplex(y)),
    "nll": lambda x, y: F.nll_loss(F.log_softmax(x), y, WEIGHT),
    "nll of sequences": lambda x, y: F.nll_loss(F.log_softmax(x)[:, :, None], y[:, None]),
    "bce": lambda x, y: F.binary_cross_entropy(F.sigmoid(x), bits(y), WEIGHT),
    "bce with logits": lambda x, y: F.binary_cross_entropy_with_logits(x, bits(y)),
    "pos_weight": lambda x, y: F.binary_cross_entropy_with_logits(x, bits(y), pos_weight=WEIGHT),
    "multilabel": lambda x, y: F.multilabel_soft_margin_loss(x, bits(y)),
    "kl": lambda x, y: F.kl_div(F.log_softmax(x), simplex(y), reduction="batchmean"),
    "poisson": lambda x, y: F.poisson_nll_loss(x, np.astype(bits(y), np.float32) * 3, full=True),
    "gaussian": lambda x, y: F.gaussian_nll_loss(x, np.astype(bits(y), np.float32), F.softplus(x)),
    "half squared": lambda x, y: F.half_squared_error(x, np.astype(bits(y), np.float32)),
    "hinge": lambda x, y: F.hinge_loss(x, signs(y)),
    "soft margin": lambda x, y: F.soft_margin_loss(x, signs(y)),
    "hinge embedding": lambda x, y: F.hinge_embedding_loss(x, signs(y)),
    "ranking": lambda x, y: F.margin_ranking_loss(x, x[::-1] * 2, signs(y), margin=0.1),
    "cosine": lambda x, y: F.cosine_embedding_loss(x, x[::-1] + 1, signs(y)[:, 0]),
    "triplet": lambda x, y: F.triplet_margin_loss(x, x[::-1] * 0.9, np.roll(x, 1, axis=0), swap=True),
    "multi margin": lambda x, y: F.multi_margin_loss(x, y, p=2, weight=WEIGHT),
    "penalty": lambda x, y: F.cross_entropy(x, y) + 0.01 * F.l1_penalty(x) + 0.01 * F.l2_penalty([x, x * 2]),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_each_loss(kind):
    eager, replayed = both(nn.Tanh, loss=LOSSES[kind])
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(200))
    assert len(run._records) == 1


@pytest.mark.parametrize("kind", LAYERS)
def test_each_layer(kind):
    eager, replayed = both(LAYERS[kind], nn.Tanh)
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(200))
    assert len(run._records) == 1


@pytest.mark.parametrize(
    "options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
def test_batch_norm(options):
    eager, replayed = both(lambda: nn.BatchNorm1d(8, **options), nn.ReLU)
    compare(eager, replayed, replay(replayed.step), batches(200))


@pytest.mark.parametrize("p", [0.2, 0.5, 1.0])
def test_dropout_draws_new_masks_from_the_same_stream(p):
    eager, replayed = both(lambda: nn.Dropout(p), nn.ReLU, lambda: nn.Dropout(p / 2))
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(200))
    x = np.ones((8, 6), np.float32)
    noisy = replay(replayed.model)
    if p < 1:
        assert not np.array_equal(noisy(x).numpy(), noisy(x).numpy())


def test_a_generator_of_one_s_own():
    made = [np.random.default_rng(5), np.random.default_rng(5)]
    eager, replayed = (Training(lambda g=g: nn.Dropout(0.5, generator=g)) for g in made)
    compare(eager, replayed, replay(replayed.step), batches(50))
    assert made[0].bit_generator.state == made[1].bit_generator.state


def test_all_together_with_a_schedule():
    eager, replayed = both(
        lambda: nn.BatchNorm1d(8), nn.ReLU, lambda: nn.Dropout(0.2), kind=optim.AdamW, options={"lr": 0.02, "weight_decay": 0.1}
    )  # fmt: skip
    schedules = {
        training: lr_scheduler.SequentialLR(
            training.optimizer,
            [lr_scheduler.LinearLR(training.optimizer, 0.1), lr_scheduler.CosineAnnealingLR(training.optimizer, 195)],
            [5],
        )
        for training in (eager, replayed)
    }
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(200), lambda training, k: schedules[training].step())
    assert len(run._records) == 1  # a new rate is no new record


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
        (optim.Momentum, {"lr": 0.1}),
        (optim.RMSprop, {"lr": 0.01, "momentum": 0.9}),
        (optim.Adam, {"lr": 0.1}),
        (optim.AdamW, {"lr": 0.1}),
        (optim.NAdam, {"lr": 0.1}),
        (optim.RAdam, {"lr": 0.1}),
        (optim.Adamax, {"lr": 0.1}),
        (optim.Lion, {"lr": 0.01}),
    ],
)
def test_a_momentum_that_a_schedule_changes_is_no_new_record(kind, options):
    eager, replayed = both(nn.Tanh, kind=kind, options=options)
    schedules = {t: lr_scheduler.OneCycleLR(t.optimizer, 0.02, 61) for t in (eager, replayed)}
    run = replay(replayed.step)
    compare(eager, replayed, run, batches(60), lambda training, k: schedules[training].step())
    assert len(run._records) == 1


def test_a_momentum_that_begins_or_ends_is_a_new_record():
    """So is whatever else changes what the rule keeps, or which numbers it is given."""
    eager, replayed = both(nn.Tanh, kind=optim.SGD, options={"lr": 0.1})
    run = replay(replayed.step)
    changes = {5: {"momentum": 0.9}, 10: {"momentum": 0.5}, 15: {"momentum": 0.0}, 20: {"weight_decay": 0.1},
               25: {"weight_decay": 0.2}, 30: {"maximize": True}, 33: {"maximize": False, "weight_decay": 0.0, "momentum": 0.9}}  # fmt: skip

    def change(training, k):
        training.optimizer.param_groups[0].update(changes.get(k, {}))

    compare(eager, replayed, run, batches(38), change)
    assert len(run._records) == 5  # without, with it, two decays, upwards
    eager, replayed = both(nn.Tanh, kind=optim.AdamW, options={"lr": 0.1})
    run = replay(replayed.step)
    changes = {5: {"weight_decay": 0.0}, 10: {"amsgrad": True}, 15: {"betas": (0.5, 0.9)}, 20: {"eps": 1e-3}}
    compare(eager, replayed, run, batches(25), change)
    assert len(run._records) == 3


def test_a_rate_that_is_lowered_after_a_run_that_failed_holds_in_the_next():
    def training():
        w = tg.Tensor([1.0], requires_grad=True)
        optimizer = optim.SGD([w], lr=1.0)

        def step(x):
            optimizer.zero_grad()
            (w * np.linalg.inv(x)).sum().backward()
            optimizer.step()

        return w, optimizer, step

    (w, one, eager), (v, two, replayed) = training(), training()
    replayed = replay(replayed)
    for step, optimizer in ((eager, one), (replayed, two)):
        step(np.eye(2))
        with pytest.raises(np.linalg.LinAlgError):
            step(np.zeros((2, 2)))
        optimizer.param_groups[0]["lr"] = 0.125
        step(np.eye(2))
    assert w.tolist() == v.tolist()


def test_a_closure_is_part_of_the_step():
    eager, replayed = both(nn.Tanh, kind=optim.Adam)

    def stepping(training):
        def step(x, y):
            def closure():
                training.optimizer.zero_grad()
                loss = F.cross_entropy(training.model(x), y)
                loss.backward()
                return loss

            return training.optimizer.step(closure)

        return step

    eager.step, run = stepping(eager), replay(stepping(replayed))
    compare(eager, replayed, run, batches(20))


def test_a_group_that_is_added_is_a_new_record():
    made = [[tg.Tensor([3.0], requires_grad=True) for _ in range(2)] for _ in range(2)]
    optimizers = [optim.SGD(params[:1], lr=0.1) for params in made]

    def step(params, optimizer):
        optimizer.zero_grad()
        (params[0] * params[1]).sum().backward()
        optimizer.step()

    run = replay(lambda: step(made[1], optimizers[1]))
    for k in range(8):
        step(made[0], optimizers[0])
        run()
        if k == 3:
            for params, optimizer in zip(made, optimizers, strict=True):
                optimizer.add_param_group({"params": params[1:], "lr": 0.5})
    assert made[0][0].tolist() == made[1][0].tolist()
    assert made[0][1].tolist() == made[1][1].tolist() != [3.0]


def test_lbfgs_says_why_it_is_not_replayed_and_takes_a_closure_that_is():
    def train(wrap):
        training = Training(nn.Tanh, kind=optim.LBFGS, options={"line_search_fn": "strong_wolfe", "max_iter": 5})
        ((x, y),) = batches(1)

        def closure():
            training.optimizer.zero_grad()
            loss = F.cross_entropy(training.model(x), y)
            loss.backward()
            return loss

        run = wrap(closure)
        return training, [training.optimizer.step(run).item() for _ in range(4)], training.model.state_dict()

    training, losses, weights = train(lambda closure: closure)
    _, again, others = train(replay)
    assert losses == again
    assert losses[-1] < 0.1 * losses[0]
    assert same(weights, others)
    with pytest.raises(
        RuntimeError, match=r"decides by the value of the loss.* optimizer\.step\(tg\.replay\(closure\)\)"
    ):
        replay(lambda: training.optimizer.step(lambda: None))()


def test_numbers_drawn_in_a_function_are_drawn_anew():
    def noisy(x):
        return x + tg.randn(3, dtype=float) + tg.rand(3, dtype=float)

    run, x = replay(noisy), tg.Tensor(np.zeros(3))
    tg.manual_seed(0)
    expected = [noisy(x).tolist() for _ in range(4)]
    tg.manual_seed(0)
    assert [run(x).tolist() for _ in range(4)] == expected


def test_other_settings_between_calls():
    eager, replayed = both(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.2), kind=optim.RMSprop)
    run = replay(replayed.step)

    def change(training, k):
        if k == 5:
            training.optimizer.param_groups[0]["alpha"] = 0.8
        if k == 10:
            training.optimizer.param_groups[0]["momentum"] = 0.9
        if k == 15:
            training.model[2].p = 0.6
        if k == 20:
            training.model[1].momentum = 0.5
        if k == 25:
            training.model[0].weight.data = training.model[0].weight.data * 2

    compare(eager, replayed, run, batches(40), change)


def test_the_mode_is_followed():
    eager, replayed = both(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.5))
    run = replay(replayed.step)
    inference, x = replay(replayed.model), np.ones((3, 6), np.float32)

    def change(training, k):
        if k == 10:
            training.model[2].eval()  # the dropout alone, which then leaves no trace in the record
        if k == 20:
            training.model[2].train()
        if k == 30:
            training.model.eval()
        if k == 32 and training is replayed:
            for _ in range(2):
                assert np.array_equal(inference(x).numpy(), replayed.model(x).numpy())
        if k == 35:
            training.model.train()

    compare(eager, replayed, run, batches(50), change)


@pytest.mark.parametrize(("kind", "options"), OPTIMIZERS, ids=lambda v: getattr(v, "__name__", str(v)))
def test_saving_and_loading_between_calls(kind, options):
    eager, replayed = both(lambda: nn.BatchNorm1d(8), kind=kind, options=options)
    run, kept = replay(replayed.step), {}

    def change(training, k):
        if k == 7:
            kept[training] = training.model.state_dict(), training.optimizer.state_dict()
        if k == 15:
            model, optimizer = kept[training]
            training.model.load_state_dict(model)
            training.optimizer.load_state_dict(optimizer)

    compare(eager, replayed, run, batches(30), change)


def test_eager_steps_in_between():
    eager, replayed = both(lambda: nn.BatchNorm1d(8), nn.Tanh)
    run = replay(replayed.step)
    data = batches(30)

    def change(training, k):
        if k % 4 == 3:
            training.step(*[tg.Tensor(a) for a in data[k]])
        if k % 7 == 6:  # one parameter alone: its steps are then more than the others'
            training.optimizer.zero_grad()
            training.model[0].bias.grad = np.ones(8, np.float32)
            training.optimizer.step()

    compare(eager, replayed, run, data, change)
    assert len({kept["step"] for kept in replayed.optimizer.state_dict()["state"].values()}) == 2


def test_two_updates_in_one_function():
    made = both(nn.Tanh)

    def twice(training, x, y):
        training.step(x, y)
        return training.step(x, y)

    run = replay(lambda x, y: twice(made[1], x, y))
    for x, y in batches(20):
        assert twice(made[0], tg.Tensor(x), tg.Tensor(y)).item() == run(x, y).item()
    assert same(made[0].state(), made[1].state())
    assert made[1].optimizer.state_dict()["state"][0]["step"] == 40


def test_gradients_that_are_made_outside():
    w, v = (tg.Tensor([1.0, 2.0], requires_grad=True) for _ in range(2))
    eager, replayed = optim.Adam([w], lr=0.1), optim.Adam([v], lr=0.1)
    run = replay(lambda: replayed.step())
    for k in range(6):
        for p in (w, v):
            p.grad = None if k == 3 else np.array([k, -1.0])
        eager.step()
        run()
        assert w.tolist() == v.tolist()


BROKEN = [
    pytest.param(lambda: nn.BatchNorm1d(8), id="batch norm"),
    pytest.param(lambda: nn.BatchNorm1d(8, momentum=None), id="cumulative"),
    pytest.param(lambda: nn.Dropout(0.5), id="dropout"),
]


@pytest.mark.parametrize("layer", BROKEN)
@pytest.mark.parametrize(("kind", "options"), [OPTIMIZERS[1], OPTIMIZERS[-1]])
def test_a_run_that_fails_leaves_all_as_before(layer, kind, options):
    training = Training(layer, nn.ReLU, layer, nn.Tanh, kind=kind, options=options)
    run = replay(training.step)
    (x, y), *more = batches(6)
    with pytest.raises(IndexError, match="classes"):  # the recording
        run(x, np.full_like(y, 99))
    assert training.optimizer.state_dict()["state"] == {}
    for batch in more[:3]:
        run(*batch)
    record = run._record()
    before = training.state()
    for _ in range(2):
        with pytest.raises(IndexError, match="classes"):  # a run
            run(x, np.full_like(y, 99))
        assert same(training.state(), before)
    twin = Training(layer, nn.ReLU, layer, nn.Tanh, kind=kind, options=options)
    twin.model.load_state_dict(before["model"])
    twin.optimizer.load_state_dict(before["optimizer"])
    state = random.get_state()
    losses = [run(*batch).item() for batch in more[3:]]
    assert run._record() is record
    random.set_state(state)
    assert [twin.step(*map(tg.Tensor, batch)).item() for batch in more[3:]] == losses


def test_a_recording_that_fails_leaves_all_as_before():
    training = Training(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.5))
    for x, y in batches(3):
        training.step(tg.Tensor(x), tg.Tensor(y))
    before = training.state()

    @replay
    def broken(x, y):
        training.step(x, y)
        raise KeyError("half-way")

    (batch,) = batches(1)
    with pytest.raises(KeyError, match="half-way"):
        broken(*batch)
    assert same(training.state(), before)


def test_a_rate_that_is_set_inside_is_refused():
    training = Training(nn.Tanh)
    schedule = lr_scheduler.StepLR(training.optimizer, 2)

    @replay
    def step(x, y):
        training.step(x, y)
        schedule.step()

    (batch,) = batches(1)
    before = training.state()
    with pytest.raises(RuntimeError, match=r"lr of an optimizer was set inside.*scheduler\.step\(\), between calls"):
        step(*batch)
    assert same(training.state(), before)
    assert schedule.last_epoch == 0


def test_the_source_says_what_is_fed():
    training = Training(lambda: nn.BatchNorm1d(8), lambda: nn.Dropout(0.5))
    run = replay(training.step)
    run(*batches(1)[0])
    for name in ("(x, y)", "lr", "eps", "mask", "1_running_mean", "0_weight_square"):
        assert name in run.source
