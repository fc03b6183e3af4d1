"""One step of learning, four ways: as a graph, as a program, as times, as a map of memory.

    python examples/lessons/replay.py

A step of learning is the same arithmetic every time; only the numbers differ. `tg.replay` records it once and then
runs it as NumPy calls on arrays that stand still. What it prints is what autograd does, without the bookkeeping.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

import tinygrad_edu as tg
import tinygrad_edu.nn.functional as F
from tinygrad_edu import nn, optim
from viz import draw

OUT = Path("out")


def network() -> tuple[nn.Module, optim.SGD]:
    """Two inputs, three hidden units, two classes: small enough to read every line."""
    generator = np.random.default_rng(0)
    model = nn.Sequential(nn.Linear(2, 3, generator=generator), nn.ReLU(), nn.Linear(3, 2, generator=generator))
    return model, optim.SGD(model.parameters(), lr=0.1)


def main() -> None:
    """The graph and the memory map into out/; the program and the times on the screen."""
    model, optimizer = network()
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], np.float32)
    t = np.array([0, 1, 1, 0])

    def step(x: tg.Tensor, t: tg.Tensor) -> tg.Tensor:
        loss = F.cross_entropy(model(x), t)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    loss = F.cross_entropy(model(tg.Tensor(x, name="x")), tg.Tensor(t, name="t"))
    print("1. The graph:", draw(loss, collapse="all", names={"loss": loss}).save(OUT / "replay.svg"))

    replayed = tg.replay(step)
    replayed(x, t)
    print("\n2. The same, with the gradient's rules and the update, as a program:\n")
    print(replayed.source)

    seconds: dict[str, list[float]] = {"eager": [], "replayed": []}
    for _ in range(200):
        for name, run in (("eager", step), ("replayed", replayed)):
            begun = time.perf_counter()
            run(tg.Tensor(x), tg.Tensor(t))
            seconds[name].append(time.perf_counter() - begun)
    eager, fast = (sorted(times)[len(times) // 2] * 1e6 for times in seconds.values())
    print(
        f"3. A step takes {eager:.0f} µs eagerly, {fast:.0f} µs replayed, in {replayed.plan.nbytes} bytes of buffers."
    )

    replayed.profile(x, t)
    print("\n4. Where each value lives, for how long, and the time of each line:", end=" ")
    print(draw(replayed.plan).save(OUT / "replay-memory.svg"))


if __name__ == "__main__":
    main()
