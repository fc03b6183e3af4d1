"""Adam's update of ten million float32 parameters, by each system.

    python -m tests.benchmarks.updates [NAME]

One parameter, its gradient given; each in a process of its own, on one core, in turns.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tests.benchmarks.turns import Program, Programs, medians, ratio, serve, take_turns

SIZE = 10_000_000
STEPS = 5
"""The updates of one turn."""


def _problem() -> tuple[Any, Any]:
    """Parameters and their gradient."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(SIZE, dtype=np.float32), rng.standard_normal(SIZE, dtype=np.float32)


def eager() -> Program:
    """tinygrad_edu's step."""
    import tinygrad_edu as tg
    from tinygrad_edu import optim

    w, g = _problem()
    p = tg.Tensor(w, requires_grad=True)
    p.grad = g
    optimizer = optim.Adam([p])

    def update() -> float:
        for _ in range(STEPS):
            optimizer.step()
        return float(w[0])

    return update


def _torch(**options: bool) -> Program:
    import torch

    torch.set_num_threads(1)
    w, g = _problem()
    p = torch.from_numpy(w).requires_grad_()
    p.grad = torch.from_numpy(g)
    optimizer = torch.optim.Adam([p], **options)

    def update() -> float:
        for _ in range(STEPS):
            optimizer.step()
        return float(w[0])

    return update


UPDATES: Programs = {
    "tinygrad_edu": (eager, "tinygrad_edu"),
    "PyTorch": (_torch, "torch"),
    "PyTorch, foreach=True": (lambda: _torch(foreach=True), "torch"),
    "PyTorch, fused=True": (lambda: _torch(fused=True), "torch"),
}
"""The systems, and what each needs to be installed."""


def table(rounds: int = 9) -> dict[str, float]:
    """The median processor time of an update, by system; and the table on paper."""
    answers = take_turns("tests.benchmarks.updates", UPDATES, rounds)
    milliseconds = {name: seconds / STEPS * 1e3 for name, seconds in medians(answers)}
    print(f"\nAdam's update of {SIZE:,} float32 parameters; one core, median of {rounds} rounds")
    print(f"  {'':24}{'CPU ms':>8}{'ours / it':>11}   a parameter after {(rounds + 1) * STEPS} updates")
    for name, t in milliseconds.items():
        times = ratio(answers, "tinygrad_edu", name)
        print(f"  {name:24}{t:8.1f}{times:10.2f}×   {answers[name][-1]['value']:.5f}")
    return milliseconds


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(UPDATES, sys.argv[1])
    else:
        table()
