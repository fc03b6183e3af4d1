"""Means of weights, and the rates that go with them, beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from agreement import assert_close

import tinygrad_edu as tg
from tinygrad_edu import nn, optim
from tinygrad_edu.optim import swa_utils

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:.*lr_scheduler.step")]


def models():
    """Ours and PyTorch's, with the same weights in float64."""
    rng = np.random.default_rng(0)
    ours = nn.Sequential(
        nn.Linear(3, 4, dtype=float, generator=rng),
        nn.BatchNorm1d(4, dtype=float),
        nn.Linear(4, 2, dtype=float, generator=rng),
    )
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2)).double()
    state = {k: torch.tensor(a.T.copy() if a.ndim == 2 else a) for k, a in ours.state_dict().items()}
    theirs.load_state_dict(state)
    return ours, theirs


def compare(ours, theirs):
    mine, its = ours.state_dict(), theirs.state_dict()
    assert mine.keys() == its.keys()
    for name, array in mine.items():
        if ours.use_buffers and name.endswith("num_batches_tracked"):
            continue  # a count is no number to average; PyTorch does, and cuts off what is behind the point
        other = its[name].numpy()
        assert_close(array, other.T if array.ndim == 2 else other, rtol=1e-10, atol=1e-12)


AVERAGES = {
    "mean": (lambda s: {}),
    "mean, buffers too": (lambda s: {"use_buffers": True}),
    "forgetting": (lambda s: {"avg_fn": s.get_ema_avg_fn(0.9)}),
    "forgetting, as it is": (lambda s: {"avg_fn": s.get_ema_avg_fn(), "use_buffers": True}),
    "by name": (lambda s: {"avg_fn": s.get_swa_avg_fn()}),
}


@pytest.mark.parametrize("name", AVERAGES)
def test_fifty_steps_and_the_statistics_after_them(name):
    rng = np.random.default_rng(1)
    ours, theirs = models()
    a = optim.SGD(ours.parameters(), lr=0.05, momentum=0.9)
    b = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9)
    p = swa_utils.AveragedModel(ours, **AVERAGES[name](swa_utils))
    q = torch.optim.swa_utils.AveragedModel(theirs, **AVERAGES[name](torch.optim.swa_utils))
    data = []
    for _ in range(50):
        x = rng.standard_normal((6, 3))
        data.append(x)
        a.zero_grad()
        b.zero_grad()
        np.square(ours(x)).mean().backward()
        (theirs(torch.tensor(x)) ** 2).mean().backward()
        a.step()
        b.step()
        p.update_parameters(ours)
        q.update_parameters(theirs)
        compare(p, q)
    swa_utils.update_bn(data[:7], p)
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x in data[:7]], q)
    compare(p, q)


@pytest.mark.parametrize(
    "options",
    [{}, {"anneal_epochs": 0}, {"anneal_epochs": 1}, {"anneal_epochs": 7, "anneal_strategy": "linear"}],
    ids=str,
)
@pytest.mark.parametrize("before", [None, 0.9])
def test_rates(options, before):
    groups = [
        [{"params": [make()], "lr": 0.5}, {"params": [make()]}]
        for make in (lambda: tg.Tensor([1.0]), lambda: torch.ones(1, requires_grad=True))
    ]
    a, b = optim.SGD(groups[0], lr=0.1), torch.optim.SGD(groups[1], lr=0.1)
    ours, theirs = [], []
    if before is not None:
        ours.append(optim.lr_scheduler.ExponentialLR(a, before))
        theirs.append(torch.optim.lr_scheduler.ExponentialLR(b, before))
    rate = [0.02, 0.3]
    ours.append(swa_utils.SWALR(a, rate, **options))
    theirs.append(torch.optim.swa_utils.SWALR(b, rate, **options))
    for _ in range(20):
        assert_close([g["lr"] for g in a.param_groups], [g["lr"] for g in b.param_groups], rtol=1e-9)
        for p, q in zip(ours, theirs, strict=True):
            p.step()
            q.step()
