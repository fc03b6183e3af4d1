"""A chain of a million ops, the memory of a step, and the time of an import."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
import tracemalloc
import weakref

import tinygrad_edu as tg
from tests.benchmarks.peers import SEVEN_LAYERS
from tinygrad_edu.program import replay


def chain(n: int) -> tuple[float, float, float]:
    """Seconds to record, differentiate and free a chain of `n` additions, with the collector off."""
    x = tg.Tensor(1.0, requires_grad=True)
    one = tg.Tensor(1.0)
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        y = x
        for _ in range(n):
            y = y + one
        recorded = time.perf_counter()
        y.backward()
        differentiated = time.perf_counter()
        node = weakref.ref(y.inputs[0])
        del y
        if node() is not None:
            raise RuntimeError("the chain outlived its output")
        freed = time.perf_counter()
    finally:
        gc.enable()
    if x.grad is None or x.grad.item() != 1.0:
        raise RuntimeError("the chain's derivative is not 1")
    return recorded - start, differentiated - recorded, freed - differentiated


def chains(long: int = 1_000_000) -> None:
    """The table of chains: time is linear in length."""
    print("\na chain of additions: seconds to record, differentiate, free (collector off)")
    totals = {}
    for n in (long // 10, long):
        parts = chain(n)
        totals[n] = sum(parts)
        print(f"  {n:>9,} ops  " + "  ".join(f"{t:8.3f}" for t in parts) + f"  total {totals[n]:8.3f}")
    print(f"  ten times the length takes {totals[long] / totals[long // 10]:.1f} times as long")


def peak(step) -> int:
    """The bytes that one step allocates at most, beyond what it starts with."""
    step()
    step()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    step()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most - before


def memory() -> None:
    """The peak of the seven-layer step beside the one written by hand; a replay has its memory beforehand."""
    from tests.benchmarks.peers import handwritten, ours, replayed

    print("\npeak memory of one SGD step beyond data and parameters, 784-100x6-10 at batch 100")
    by_hand, mine, again = [peak(peer.net(SEVEN_LAYERS)) for peer in (handwritten, ours, replayed)]
    print(f"  by hand {by_hand / 1e6:.2f} MB, ours {mine / 1e6:.2f} MB: {mine / by_hand:.2f}×")
    learn, x, labels = ours.training_step(SEVEN_LAYERS)
    step = replay(learn)
    step(x, labels)
    print(f"  replayed {again / 1e6:.3f} MB, and {step.plan.nbytes / 1e6:.2f} MB of buffers that stay")


def imports(rounds: int = 15) -> None:
    """The time of `import tinygrad_edu` beside `import numpy`, each in new processes, taking turns."""
    clock = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    times: dict[str, list[float]] = {"numpy": [], "tinygrad_edu": []}
    for _ in range(rounds):
        for module, seconds in times.items():
            out = subprocess.run(
                [sys.executable, "-c", clock.format(module)], capture_output=True, text=True, check=True
            )
            seconds.append(float(out.stdout))
    a, b = (statistics.median(seconds) for seconds in times.values())
    print(f"\nimport numpy {a * 1e3:.1f} ms, import tinygrad_edu {b * 1e3:.1f} ms: {b / a:.2f}×")
