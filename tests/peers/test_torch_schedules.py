"""Schedules beside PyTorch's: each alone, and random chains of them, resumed and set by hand in between."""

from __future__ import annotations

import math

import numpy as np
import pytest
from agreement import assert_close
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim import lr_scheduler

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:.*(epoch parameter|lr_scheduler.step)"),
]

SCHEDULES = {
    "stairs": lambda s, o: s.StepLR(o, 3, 0.5),
    "milestones": lambda s, o: s.MultiStepLR(o, [2, 7, 7], 0.3),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.9),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 10, 0.01),
    "restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "longer restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.02),
    "warm-up": lambda s, o: s.LinearLR(o, 0.1, 1.0, 4),
    "warm-up as it is": lambda s, o: s.LinearLR(o),
    "constant": lambda s, o: s.ConstantLR(o, 0.3, 7),
    "constant as it is": lambda s, o: s.ConstantLR(o),
    "polynomial": lambda s, o: s.PolynomialLR(o, 20, 2.5),
    "polynomial as it is": lambda s, o: s.PolynomialLR(o),
    "any": lambda s, o: s.LambdaLR(o, lambda t: 1 / (t + 1)),
    "any, by group": lambda s, o: s.LambdaLR(o, [lambda t: 1 / (t + 1), lambda t: 0.5**t]),
    "any factor": lambda s, o: s.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 1)),
    "any factor, by group": lambda s, o: s.MultiplicativeLR(o, [lambda t: 0.9, lambda t: 1.1]),
    "cycles": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 4),
    "cycles, by group": lambda s, o: s.CyclicLR(
        o, [0.1, 0.2], [0.3, 0.6], 4, 7, "triangular2", base_momentum=[0.5, 0.6], max_momentum=[0.8, 0.7]
    ),
    "cycles that shrink": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 4, 2, "exp_range", 0.95, cycle_momentum=False),
    "cycles of one's own": lambda s, o: s.CyclicLR(o, 0.1, 0.5, 5, scale_fn=lambda x: 1 / x),
    "cycles of one's own, by step": lambda s, o: s.CyclicLR(
        o, 0.1, 0.5, 5, scale_fn=lambda x: 0.9**x, scale_mode="iterations"
    ),
    "one cycle": lambda s, o: s.OneCycleLR(o, 0.9, 50),
    "one cycle, by group": lambda s, o: s.OneCycleLR(
        o, [0.9, 0.5], epochs=5, steps_per_epoch=10, pct_start=0.5, anneal_strategy="linear", base_momentum=[0.5, 0.6]
    ),
    "one cycle in three": lambda s, o: s.OneCycleLR(
        o, 0.9, 60, three_phase=True, div_factor=4, final_div_factor=9, max_momentum=0.99
    ),
    "one cycle at a constant momentum": lambda s, o: s.OneCycleLR(o, 0.9, 50, cycle_momentum=False),
    "warm-up, then cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.2, total_iters=5), s.CosineAnnealingLR(o, 12)], [5]
    ),
    "three": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.5, total_iters=2), s.ExponentialLR(o, 0.8), s.StepLR(o, 2)], [3, 9]
    ),
    "at once": lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9), s.StepLR(o, 5)]),
}


def optimizers(kind="SGD", **options):
    """Ours and PyTorch's, with two groups of different rates."""
    options = {"lr": 0.1, **({"momentum": 0.9} if kind == "SGD" else {}), **options}
    a, b = [
        [make() for _ in range(2)] for make in (lambda: tg.Tensor([1.0]), lambda: torch.ones(1, requires_grad=True))
    ]
    return [
        getattr(module, kind)([{"params": p[:1], "lr": 0.5}, {"params": p[1:]}], **options)
        for module, p in ((optim, a), (torch.optim, b))
    ]


def same(a, b, rtol=1e-12):
    """Whether the groups of two optimizers have the same rates and momenta."""
    for group, other in zip(a.param_groups, b.param_groups, strict=True):
        for key in {"lr", "momentum", "betas"} & other.keys():
            assert_close(group[key], other[key], rtol=rtol, atol=1e-12)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name, kind):
    a, b = optimizers(kind)
    p, q = SCHEDULES[name](lr_scheduler, a), SCHEDULES[name](torch.optim.lr_scheduler, b)
    for step in range(51):
        same(a, b)
        assert_close(p.get_last_lr(), q.get_last_lr(), rtol=1e-12, atol=1e-15)
        if step < 50:  # OneCycleLR has fifty
            p.step()
            q.step()


@pytest.mark.parametrize("name", [name for name in SCHEDULES if "by group" not in name])
def test_schedules_over_fifty_steps_of_training(name):
    """Rates and momenta reach the rule, also through a state that is loaded half-way."""
    rng = np.random.default_rng(0)
    start = rng.standard_normal(4)
    w, v = tg.Tensor(start.copy(), requires_grad=True), torch.tensor(start, requires_grad=True)

    def begin():
        a, b = optim.SGD([w], lr=0.01, momentum=0.9), torch.optim.SGD([v], lr=0.01, momentum=0.9)
        return a, b, SCHEDULES[name](lr_scheduler, a), SCHEDULES[name](torch.optim.lr_scheduler, b)

    a, b, p, q = begin()
    for step in range(50):
        if step == 21:
            state, schedule = a.state_dict(), p.state_dict()
            a, _, p, _ = begin()
            a.load_state_dict(state)
            p.load_state_dict(schedule)
        g = rng.standard_normal(4)
        w.grad, v.grad = g, torch.tensor(g)
        for x in (a, b, p, q):
            x.step()
        assert_close(w.numpy(), v.detach().numpy(), rtol=1e-10)


@settings(max_examples=150, deadline=None)
@given(
    losses=st.lists(
        st.one_of(st.floats(0.5, 2.0), st.sampled_from([1.0, 0.9999, 0.5, math.nan])), min_size=1, max_size=40
    ),
    options=st.fixed_dictionaries(
        {
            "mode": st.sampled_from(["min", "max"]),
            "factor": st.floats(0.1, 0.9),
            "patience": st.integers(0, 3),
            "threshold": st.sampled_from([0.0, 1e-4, 0.3]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.one_of(st.just(0.0), st.just([0.05, 0.01])),
            "eps": st.sampled_from([1e-8, 0.05]),
        }
    ),
    resumed=st.integers(0, 40),
)
def test_plateaus(losses, options, resumed):
    a, b = optimizers()
    p = lr_scheduler.ReduceLROnPlateau(a, **options)
    q = torch.optim.lr_scheduler.ReduceLROnPlateau(b, **options)
    for step, loss in enumerate(losses):
        if step == resumed:
            state, p = p.state_dict(), lr_scheduler.ReduceLROnPlateau(a, **options)
            p.load_state_dict(state)
        p.step(tg.Tensor(loss))
        q.step(loss)
        same(a, b)
        assert_close(p.get_last_lr(), q.get_last_lr(), rtol=1e-12)


@pytest.mark.parametrize("mult", [1, 2, 3])
def test_restarts_between_two_steps(mult):
    a, b = optimizers()
    p = lr_scheduler.CosineAnnealingWarmRestarts(a, 3, mult, 0.01)
    q = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(b, 3, mult, 0.01)
    for time in np.linspace(0, 30, 91)[1:]:
        p.step(float(time))
        q.step(float(time))
        same(a, b, rtol=1e-9)
        assert p.last_epoch == q.last_epoch


FACTOR = st.floats(0.2, 1.0)
RELATIVE = st.one_of(
    st.tuples(st.just("StepLR"), st.tuples(st.integers(1, 5), FACTOR)),
    st.tuples(st.just("MultiStepLR"), st.tuples(st.lists(st.integers(0, 12), max_size=4), FACTOR)),
    st.tuples(st.just("ExponentialLR"), st.tuples(FACTOR)),
    st.tuples(st.just("LinearLR"), st.tuples(FACTOR, FACTOR, st.integers(1, 6))),
    st.tuples(st.just("ConstantLR"), st.tuples(FACTOR, st.integers(1, 6))),
    st.tuples(st.just("PolynomialLR"), st.tuples(st.integers(1, 9), st.floats(0.5, 3.0))),
    st.tuples(st.just("CosineAnnealingLR"), st.tuples(st.integers(1, 7), st.floats(0, 0.1))),
    st.tuples(st.just("LambdaLR"), st.tuples(st.just(lambda t: 1 / (t + 1)))),
    st.tuples(
        st.just("CosineAnnealingWarmRestarts"), st.tuples(st.integers(1, 5), st.integers(1, 3), st.floats(0, 0.1))
    ),
)
"""Schedules that start from the rate of the optimizer; in a sequence they can be anywhere."""

MULTIPLYING = st.tuples(st.just("MultiplicativeLR"), st.tuples(st.just(lambda t: 1 - 1 / (t + 2))))
"""PyTorch's, second in a sequence, goes on from the rate that it finds instead of η₀."""

CYCLES = st.one_of(
    st.tuples(
        st.just("OneCycleLR"),
        st.tuples(
            st.floats(0.1, 2.0), st.integers(16, 30), st.none(), st.none(), st.floats(0.25, 0.7), st.sampled_from(["cos", "linear"])
        ),
    ),
    st.tuples(
        st.just("CyclicLR"),
        st.tuples(
            st.floats(0.01, 0.1), st.floats(0.2, 1.0), st.integers(1, 6), st.integers(1, 6), st.sampled_from(["triangular", "triangular2", "exp_range"]), FACTOR
        ),
    ),
)  # fmt: skip
"""They change the momentum too, and what η₀ is for those that are made later."""

SEQUENCES = st.lists(RELATIVE, min_size=1, max_size=3).flatmap(
    lambda parts: st.tuples(
        st.sampled_from(["SequentialLR"]),
        st.tuples(
            st.just(parts),
            st.lists(st.integers(1, 12), min_size=len(parts) - 1, max_size=len(parts) - 1, unique=True).map(sorted),
        ),
    )
)
CHAINED = st.tuples(
    st.just("ChainedScheduler"), st.tuples(st.lists(st.one_of(RELATIVE, MULTIPLYING), min_size=1, max_size=3))
)
SCHEDULE = st.one_of(RELATIVE, MULTIPLYING, SEQUENCES, CHAINED)


def scheduled(schedules, optimizer, chain):
    """The schedules of a chain, in the order of their making."""

    def make(name, arguments):
        if name in ("SequentialLR", "ChainedScheduler"):
            parts = [make(*part) for part in arguments[0]]
            rest = [list(x) for x in arguments[1:]]
            return getattr(schedules, name)(*([optimizer] if rest else []), parts, *rest)
        return getattr(schedules, name)(optimizer, *arguments)

    return [make(*schedule) for schedule in chain]


@settings(max_examples=120, deadline=None)
@given(
    cycle=st.lists(CYCLES, max_size=1),
    chain=st.lists(SCHEDULE, min_size=1, max_size=3),
    by_hand=st.dictionaries(st.integers(0, 14), FACTOR, max_size=3),
    resumed=st.integers(0, 15),
)
def test_chains_of_schedules(cycle, chain, by_hand, resumed):
    def begin():
        a, b = optimizers()
        return a, b, scheduled(lr_scheduler, a, cycle + chain), scheduled(torch.optim.lr_scheduler, b, cycle + chain)

    a, b, ours, theirs = begin()
    for step in range(16):
        rates = [group["lr"] for group in b.param_groups]
        assume(all(map(math.isfinite, rates)))
        if step == resumed and min(rates) >= 0:  # below η_min a cosine goes on below, to where no rate is
            kept = [[x.state_dict() for x in things] for things in ([a, *ours], [b, *theirs])]
            a, b, ours, theirs = begin()
            for things, states in zip(([a, *ours], [b, *theirs]), kept, strict=True):
                for x, state in zip(things, states, strict=True):
                    x.load_state_dict(state)
        same(a, b, rtol=1e-9)
        for p, q in zip(ours, theirs, strict=True):
            assert_close(p.get_last_lr(), q.get_last_lr(), rtol=1e-9, atol=1e-12)
        if step in by_hand:
            for made in (a, b):
                made.param_groups[0]["lr"] = by_hand[step]
        for p, q in zip(ours, theirs, strict=True):
            p.step()
            q.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda m, o, last: m.StepLR(o, 3, gamma=0.5, last_epoch=last),
        lambda m, o, last: m.MultiStepLR(o, [2, 6, 8], gamma=0.5, last_epoch=last),
        lambda m, o, last: m.ExponentialLR(o, 0.9, last_epoch=last),
        lambda m, o, last: m.LambdaLR(o, lambda t: 1 / (1 + t), last_epoch=last),
        lambda m, o, last: m.MultiplicativeLR(o, lambda t: 0.9 + t / 100, last_epoch=last),
        lambda m, o, last: m.ConstantLR(o, 0.3, 6, last_epoch=last),
        lambda m, o, last: m.LinearLR(o, 0.1, 1.0, 8, last_epoch=last),
        lambda m, o, last: m.PolynomialLR(o, 9, 2.0, last_epoch=last),
        lambda m, o, last: m.CosineAnnealingLR(o, 8, 0.01, last_epoch=last),
        lambda m, o, last: m.CosineAnnealingWarmRestarts(o, 4, last_epoch=last),
        lambda m, o, last: m.CyclicLR(o, 0.1, 1.0, 3, last_epoch=last),
        lambda m, o, last: m.OneCycleLR(o, 1.0, 12, last_epoch=last),
    ],
)  # fmt: skip
def test_a_schedule_goes_on_after_last_epoch(make):
    """A new optimizer with the state of the old one, and a new schedule with `last_epoch`, go on as PyTorch's do."""

    def rates(schedules, optimizer_of):
        first = optimizer_of()
        schedule = make(schedules, first, -1)
        for _ in range(5):
            first.step()
            schedule.step()
        again = optimizer_of()
        again.load_state_dict(first.state_dict())
        schedule = make(schedules, again, 4)
        found = [again.param_groups[0]["lr"]]
        for _ in range(6):
            again.step()
            schedule.step()
            found.append(again.param_groups[0]["lr"])
        return found

    ours = rates(lr_scheduler, lambda: tg.optim.SGD([tg.Tensor([1.0], requires_grad=True)], lr=0.8, momentum=0.9))
    theirs = rates(
        torch.optim.lr_scheduler,
        lambda: torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.8, momentum=0.9),
    )
    assert_close(ours, theirs, rtol=1e-12)
