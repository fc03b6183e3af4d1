"""Schedules of the learning rate."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import tinygrad_edu as tg
from tinygrad_edu import optim
from tinygrad_edu.optim import lr_scheduler
from tinygrad_edu.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)


def leaf(values=(3.0, 4.0)):
    return tg.Tensor(list(values), requires_grad=True)


def rates(make, steps, lr=1.0):
    made = optim.SGD([leaf()], lr=lr)
    schedule = make(made)
    found = []
    for _ in range(steps):
        assert schedule.get_last_lr() == [made.param_groups[0]["lr"]]
        found.append(made.param_groups[0]["lr"])
        schedule.step()
    return found


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda o: StepLR(o, 2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
        (lambda o: MultiStepLR(o, [3, 1], 0.1), [1, 0.1, 0.1, 0.01, 0.01]),
        (lambda o: MultiStepLR(o, [2, 2], 0.1), [1, 1, 0.01, 0.01, 0.01]),
        (lambda o: ExponentialLR(o, 0.5), [1, 0.5, 0.25, 0.125, 0.0625]),
        (lambda o: LinearLR(o, 0.2, 1.0, 4), [0.2, 0.4, 0.6, 0.8, 1]),
        (lambda o: LinearLR(o, 1.0, 0.0, 2), [1, 0.5, 0, 0, 0]),
        (lambda o: CosineAnnealingLR(o, 2, 0.2), [1, 0.6, 0.2, 0.6, 1]),
        (lambda o: LambdaLR(o, lambda t: t), [0, 1, 2, 3, 4]),
        (lambda o: SequentialLR(o, [LinearLR(o, 0.5, total_iters=4), ExponentialLR(o, 0.1)], [2]), [0.5, 0.625, 1, 0.1, 0.01]),
    ],
)  # fmt: skip
def test_a_schedule_is_a_function_of_the_step(make, expected):
    np.testing.assert_allclose(rates(make, 5), expected, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(rates(make, 5, lr=1.0), expected, rtol=1e-12, atol=1e-15)


def test_a_schedule_goes_on_from_its_state():
    def make(lr):
        made = optim.SGD([leaf()], lr=lr)
        return made, SequentialLR(made, [LinearLR(made, 0.1, total_iters=3), CosineAnnealingLR(made, 7)], [3])

    one, schedule = make(0.5)
    for _ in range(5):
        schedule.step()
    two, other = make(0.1)
    two.load_state_dict(one.state_dict())
    other.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    for _ in range(4):
        assert two.param_groups[0]["lr"] == one.param_groups[0]["lr"]
        assert other.get_last_lr() == schedule.get_last_lr()
        schedule.step()
        other.step()


def test_schedules_of_one_optimizer_multiply():
    made = optim.SGD([leaf()], lr=1.0)
    schedules = [LinearLR(made, start_factor=0.1, total_iters=3), StepLR(made, 3, 0.1)]
    found = []
    for _ in range(5):
        found.append(made.param_groups[0]["lr"])
        for schedule in schedules:
            schedule.step()
    np.testing.assert_allclose(found, [0.1, 0.4, 0.7, 0.1, 0.1], rtol=1e-12)


def test_a_rate_that_was_set_by_hand_is_gone_on_from():
    made = optim.SGD([leaf()], lr=1.0)
    schedule = ExponentialLR(made, 0.5)
    schedule.step()
    made.param_groups[0]["lr"] = 8.0
    assert schedule.get_last_lr() == [0.5]
    schedule.step()
    assert made.param_groups[0]["lr"] == schedule.get_last_lr()[0] == 4.0


def test_loading_a_schedule_leaves_the_rate_to_the_optimizer():
    made, other = optim.SGD([leaf()], lr=1.0), optim.SGD([leaf()], lr=1.0)
    schedule, again = StepLR(made, 2, 0.5), StepLR(other, 2, 0.5)
    for _ in range(3):
        schedule.step()
    made.param_groups[0]["lr"] = 3.0
    again.load_state_dict(json.loads(json.dumps(schedule.state_dict())))
    assert (other.param_groups[0]["lr"], again.get_last_lr(), again.last_epoch) == (1.0, [0.5], 3)
    other.load_state_dict(made.state_dict())
    schedule.step()
    again.step()
    assert other.param_groups[0]["lr"] == made.param_groups[0]["lr"] == 1.5


def test_a_schedule_of_one_s_own_may_say_the_rate_itself():
    class Halves(LRScheduler):
        """ηₜ = η₀ / 2ᵗ."""

        def rate(self, step, base, now, group=0):
            return base / 2**step

    assert rates(Halves, 4) == [1, 0.5, 0.25, 0.125]


def test_what_get_last_lr_returns_is_the_caller_s():
    schedule = StepLR(optim.SGD([leaf()], lr=1.0), 1)
    schedule.get_last_lr()[0] = 7.0
    schedule.state_dict()["last_lr"][0] = 7.0
    assert schedule.get_last_lr() == [1.0]


def test_groups_have_schedules_of_their_own():
    made = optim.SGD([{"params": [leaf()]}, {"params": [leaf()], "lr": 0.5}], lr=0.1)
    schedule = LambdaLR(made, [lambda t: 1 - 0.1 * t, lambda t: 0.5**t])
    schedule.step()
    np.testing.assert_allclose([group["lr"] for group in made.param_groups], [0.09, 0.25])


def test_a_schedule_that_fails_stays_where_it_is():
    made = optim.SGD([leaf()], lr=0.1)
    schedule = LambdaLR(made, lambda t: 1 / (1 - t))
    with pytest.raises(ZeroDivisionError):
        schedule.step()
    assert (schedule.last_epoch, made.param_groups[0]["lr"]) == (0, 0.1)


def test_what_schedules_refuse():
    made, other = optim.SGD([leaf()], lr=0.1), optim.SGD([leaf()], lr=0.1)
    with pytest.raises(TypeError, match="StepLR takes an optimizer, but got float"):
        StepLR(0.1, 3)
    with pytest.raises(ValueError, match="step_size is at least 1"):
        StepLR(made, 0)
    with pytest.raises(ValueError, match="T_max is at least 1"):
        CosineAnnealingLR(made, 0)
    with pytest.raises(ValueError, match="factors are between 0 and 1"):
        LinearLR(made, 0.0)
    with pytest.raises(ValueError, match="total_iters is at least 1"):
        LinearLR(made, total_iters=0)
    with pytest.raises(ValueError, match="2 functions, but the optimizer has 1 groups"):
        LambdaLR(made, [math.sin, math.cos])
    for n, milestones in ((2, []), (2, [1, 2]), (3, [2, 2]), (3, [2, 1])):
        with pytest.raises(ValueError, match="growing milestones, one fewer than schedules"):
            SequentialLR(made, [ExponentialLR(made, 0.9)] * n, milestones)
    with pytest.raises(ValueError, match="a schedule of another optimizer"):
        SequentialLR(made, [ExponentialLR(other, 0.9)], [])
    with pytest.raises(NotImplementedError, match=r"LRScheduler has no rate\(self, step, base, now, group\)"):
        LRScheduler(made)
    with pytest.raises(ValueError, match="of 2 groups, but the optimizer has 1"):
        StepLR(made, 1).load_state_dict({"last_epoch": 0, "base_lrs": [1.0, 2.0], "last_lr": [1.0, 2.0]})
    schedule = SequentialLR(made, [ExponentialLR(made, 0.9), ExponentialLR(made, 0.5)], [3])
    state = SequentialLR(made, [ExponentialLR(made, 0.9)], []).state_dict()
    with pytest.raises(ValueError, match="of 1 schedules, but this one has 2"):
        schedule.load_state_dict({**state, "last_epoch": 7})
    assert schedule.last_epoch == 0
    assert lr_scheduler.StepLR is StepLR


# -- cycles, plateaus, chains ------------------------------------------------------------------------


def numbers(schedule, steps, key="lr"):
    """The setting of the first group before each step."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0][key])
        schedule.step()
    return found


def test_the_momentum_goes_the_other_way():
    made = optim.SGD([leaf()], lr=1.0, momentum=0.5)
    schedule = CyclicLR(made, 1.0, 3.0, step_size_up=2, base_momentum=0.6, max_momentum=0.8)
    np.testing.assert_allclose(numbers(schedule, 5, "momentum"), [0.8, 0.7, 0.6, 0.7, 0.8])
    adam = optim.Adam([leaf()], lr=1.0, betas=(0.1, 0.99))
    schedule = OneCycleLR(adam, 1.0, total_steps=5, pct_start=0.6, base_momentum=0.6, max_momentum=0.8)
    np.testing.assert_allclose(np.array(numbers(schedule, 5, "betas")), [(m, 0.99) for m in (0.8, 0.7, 0.6, 0.7, 0.8)])
    still = optim.AdaGrad([leaf()], lr=1.0)
    for kind, arguments in ((CyclicLR, (0.1, 0.2)), (OneCycleLR, (0.1, 9))):
        with pytest.raises(ValueError, match=rf"momentum, which AdaGrad has not: write {kind.__name__}\(…, cycle_m"):
            kind(still, *arguments)
        kind(still, *arguments, cycle_momentum=False).step()


@pytest.mark.parametrize(("steps", "share"), [(1, 0.3), (2, 0.5), (10, 0.1), (10, 0.0), (10, 1.0)])
def test_one_cycle_may_be_short(steps, share):
    made = optim.SGD([leaf()], lr=1.0)
    found = numbers(OneCycleLR(made, 1.0, total_steps=steps, pct_start=share, div_factor=10.0), steps)
    assert all(0 < rate <= 1 for rate in found)
    assert found == sorted(found[: found.index(max(found))]) + sorted(found[found.index(max(found)) :], reverse=True)


def test_a_plateau_of_negative_losses_is_one():
    made = optim.SGD([leaf()], lr=1.0)
    schedule = ReduceLROnPlateau(made, factor=0.5, patience=2)
    for _ in range(4):
        schedule.step(-1.0)
    assert made.param_groups[0]["lr"] == 0.5
    schedule.step(-1.1)
    assert (schedule.best, schedule.num_bad_epochs) == (-1.1, 0)


def test_a_group_that_is_added_takes_part_from_then_on():
    made = optim.SGD([leaf()], lr=1.0)
    schedules = [ExponentialLR(made, 0.5), SequentialLR(made, [LinearLR(made, 0.5), ExponentialLR(made, 0.5)], [2])]
    several = LambdaLR(made, [lambda t: 1.0])
    for schedule in schedules:
        schedule.step()
    made.add_param_group({"params": [leaf()], "lr": 8.0})
    schedules[0].step()
    assert made.param_groups[1]["lr"] == schedules[0].get_last_lr()[1] == 4.0
    schedules[1].step()
    assert made.param_groups[1]["lr"] == 8.0  # the second schedule begins there
    with pytest.raises(ValueError, match="LambdaLR got 1 functions, but the optimizer has 2 groups"):
        several.step()


def test_a_chain_may_be_part_of_a_sequence():
    made = optim.SGD([leaf()], lr=8.0)
    chain = ChainedScheduler([ConstantLR(made, 0.5, total_iters=2), ExponentialLR(made, 0.5)])
    schedule = SequentialLR(made, [ExponentialLR(made, 0.1), chain], milestones=[1])
    assert numbers(schedule, 5) == [8.0, 4.0, 2.0, 2.0, 1.0]  # the chain begins with η₀


def test_a_state_goes_through_json_in_every_schedule():
    def make():
        made = optim.SGD([leaf()], lr=0.5, momentum=0.9)
        parts = [
            OneCycleLR(made, 0.3, 40),
            CosineAnnealingWarmRestarts(made, 3, 2),
            ChainedScheduler([PolynomialLR(made, 9), SequentialLR(made, [ConstantLR(made), StepLR(made, 2)], [4])]),
            MultiplicativeLR(made, lambda t: 0.9),
        ]
        return made, parts

    (one, parts), (two, others) = make(), make()
    for _ in range(5):
        for part in parts:
            part.step()
    two.load_state_dict(one.state_dict())
    for part, other in zip(parts, others, strict=True):
        other.load_state_dict(json.loads(json.dumps(part.state_dict())))
    for _ in range(9):
        for part, other in zip(parts, others, strict=True):
            part.step()
            other.step()
            assert other.get_last_lr() == part.get_last_lr()
        assert two.param_groups[0].settings == one.param_groups[0].settings


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: ConstantLR(o, 0.0), ValueError, "ConstantLR's factor is above 0 and at most 1, but got 0.0"),
        (lambda o: PolynomialLR(o, 0), ValueError, "PolynomialLR's total_iters is at least 1, but got 0"),
        (lambda o: PolynomialLR(o, "5"), TypeError, "PolynomialLR's total_iters is a number, but got str '5'"),
        (lambda o: CosineAnnealingWarmRestarts(o, 0), ValueError, "Restarts' T_0 is a whole number from 1 on"),
        (
            lambda o: CosineAnnealingWarmRestarts(o, 2, 1.5),
            ValueError,
            "T_mult is a whole number from 1 on, but got 1.5",
        ),
        (lambda o: CosineAnnealingWarmRestarts(o, 2).step(-1), ValueError, "an epoch from 0 on, but got -1"),
        (lambda o: CyclicLR(o, 0.1, 0.2, 0), ValueError, "CyclicLR's step_size_up is at least 1"),
        (lambda o: CyclicLR(o, 0.1, 0.2, 1, 0), ValueError, "CyclicLR's step_size_down is at least 1"),
        (lambda o: CyclicLR(o, 0.1, 0.2, mode="sine"), ValueError, "mode is 'triangular', 'triangular2', 'exp_range'"),
        (lambda o: CyclicLR(o, 0.1, 0.2, scale_mode="x"), ValueError, "scale_mode is 'cycle' or 'iterations'"),
        (
            lambda o: CyclicLR(o, [0.1, 0.2], 0.3),
            ValueError,
            "CyclicLR got 2 values of base_lr, but the optimizer has 1",
        ),
        (lambda o: CyclicLR(0.1, 0.1, 0.2), TypeError, "CyclicLR takes an optimizer, but got float"),
        (lambda o: OneCycleLR(o, 0.1), ValueError, "when it ends: write total_steps=, or epochs= and steps_per_epoch"),
        (lambda o: OneCycleLR(o, 0.1, epochs=3), ValueError, "write total_steps="),
        (lambda o: OneCycleLR(o, 0.1, 0), ValueError, "total_steps is at least 1"),
        (lambda o: OneCycleLR(o, 0.1, 9, pct_start=2), ValueError, "pct_start is between 0 and 1, but got 2"),
        (lambda o: OneCycleLR(o, 0.1, 9, anneal_strategy="x"), ValueError, "anneal_strategy is 'cos' or 'linear'"),
        (lambda o: numbers(OneCycleLR(o, 0.1, 9), 10), ValueError, "was made for 9 steps, and this is step 10"),
        (lambda o: ReduceLROnPlateau(o, "low"), ValueError, "mode is 'min' or 'max', but got 'low'"),
        (lambda o: ReduceLROnPlateau(o, factor=1.0), ValueError, "factor is from 0 to below 1, but got 1.0"),
        (lambda o: ReduceLROnPlateau(o, patience=-1), ValueError, "patience is at least 0, but got -1"),
        (lambda o: ReduceLROnPlateau(o, threshold_mode="x"), ValueError, "threshold_mode is 'rel' or 'abs'"),
        (lambda o: ReduceLROnPlateau(o).step(), TypeError, "metrics"),
        (lambda o: SequentialLR(o, [], []), ValueError, "SequentialLR needs schedules, but got an empty list"),
        (lambda o: ChainedScheduler([]), ValueError, "ChainedScheduler needs schedules"),
        (
            lambda o: ChainedScheduler([ReduceLROnPlateau(o)]),
            ValueError,
            "needs a number: step it beside, with the loss",
        ),
        (
            lambda o: ChainedScheduler([StepLR(o, 1), StepLR(optim.SGD([leaf()], lr=1.0), 1)]),
            ValueError,
            "ChainedScheduler got a schedule of another optimizer",
        ),
        (lambda o: lr_scheduler.SWALR, AttributeError, "in tinygrad_edu.optim.swa_utils"),
    ],
)
def test_what_schedules_refuse_and_what_to_write(make, error, message):
    with pytest.raises(error, match=message):
        make(optim.SGD([leaf()], lr=0.1))


def test_a_sequence_goes_on_after_last_epoch():
    def made(last):
        optimizer = tg.optim.SGD([tg.Tensor([1.0])], lr=0.8)
        parts = [lr_scheduler.LinearLR(optimizer, 0.5, total_iters=3), lr_scheduler.ExponentialLR(optimizer, 0.5)]
        return lr_scheduler.SequentialLR(optimizer, parts, [3], last)

    straight, rates = made(-1), []
    for _ in range(7):
        rates.append(straight.get_last_lr()[0])
        straight.step()
    for last in range(5):
        again = made(last)
        assert again.last_epoch == last + 1
        assert again.get_last_lr()[0] == rates[last + 1]
        again.step()
        assert again.get_last_lr()[0] == rates[last + 2]
