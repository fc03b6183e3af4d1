"""Ctrl-C at random moments of training, again and again: does anything stay changed?

    python -m tests.benchmarks.interrupts [how many, 20000]

Each round trains until a timer's signal raises KeyboardInterrupt wherever it happens to be, and then looks at what an
interrupt could leave behind: whether ops are recorded, the module's scope, NumPy's way with floating-point errors, and
that the next step runs. The loop opens no block of its own; all that is entered and left is inside the package.
"""

from __future__ import annotations

import random
import signal
import sys
from collections import Counter
from typing import Any

import numpy as np

import tinygrad_edu as tg
from tinygrad_edu import nn
from tinygrad_edu.engine.recording import RECORDING, SCOPE


def step() -> Any:
    """A function that trains a network with batch norm, dropout, a checkpoint and a derivative in its loss, once."""
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((8, 4)).astype(np.float32), rng.integers(0, 3, 8)
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, momentum=None), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 3))
    plain = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.BatchNorm1d(5), nn.Linear(5, 1))
    parameters = [*net.parameters(), *plain.parameters()]
    optimizers = [tg.optim.Adam(parameters, lr=1e-3), tg.optim.SGD(parameters, lr=1e-3, momentum=0.9)]

    def once() -> None:
        slope = tg.value_and_grad(lambda s: plain(s).sum())(x)[1]
        loss = nn.functional.cross_entropy(net(x), t) + (slope * slope).mean() + tg.checkpoint(plain, x).logsumexp()
        loss = loss + tg.grad(loss, parameters[0], create_graph=True).sum() * 1e-3
        optimizers[0].zero_grad()
        loss.backward(retain_graph=False)
        for optimizer in optimizers:
            optimizer.step()

    return once


def interrupts(wanted: int, seed: int = 0) -> Counter[str]:
    """How often each thing stayed changed, out of so many interrupts that came while a step ran; under "landed", how many."""
    once, draw = step(), random.Random(seed)
    once()
    before = {"recording": RECORDING.get(), "scope": SCOPE.get(), "floating-point errors": np.geterr()}
    running = False
    found: Counter[str] = Counter()

    def handler(*_: object) -> None:
        if running:
            raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, handler)
    try:
        while found["landed"] < wanted:
            try:
                running = True
                # again after a second: Python swallows what strikes where it calls a finalizer
                signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 5e-3), 1.0)
                while True:
                    once()
            except KeyboardInterrupt:
                running = False
                found["landed"] += 1
            now = {"recording": RECORDING.get(), "scope": SCOPE.get(), "floating-point errors": np.geterr()}
            for what, value in now.items():
                if value != before[what]:
                    found[what] += 1
            RECORDING.set(before["recording"])
            SCOPE.set(before["scope"])
            np.seterr(**before["floating-point errors"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    once()
    return found


if __name__ == "__main__":
    result = interrupts(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    print(f"{result.pop('landed')} interrupts; left changed: {dict(result) or 'nothing'}")
    sys.exit(bool(result))
