"""A chain of a million ops, the memory of a step, and the time of an import.

    python -m tests.benchmarks.memory [NAME]

With a NAME, this process measures the memory of that one program, and prints it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
import weakref
from pathlib import Path

from tests.benchmarks.convolution import STEPS
from tests.benchmarks.peers import SEVEN_LAYERS
from tests.benchmarks.turns import THREADS


def chain(n: int) -> tuple[float, float, float]:
    """Seconds to record, differentiate and free a chain of `n` additions, with the collector off."""
    import tinygrad_edu as tg

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
    from tinygrad_edu.program import replay

    print("\npeak memory of one SGD step beyond data and parameters, 784-100x6-10 at batch 100")
    by_hand, mine, again = [peak(peer.net(SEVEN_LAYERS)) for peer in (handwritten, ours, replayed)]
    print(f"  by hand {by_hand / 1e6:.2f} MB, ours {mine / 1e6:.2f} MB: {mine / by_hand:.2f}×")
    learn, x, labels = ours.training_step(SEVEN_LAYERS)
    step = replay(learn)
    step(x, labels)
    print(f"  replayed {again / 1e6:.3f} MB, and {step.plan.nbytes / 1e6:.2f} MB of buffers that stay")


def status(key: str) -> int:
    """A number of bytes that Linux keeps of this process: VmRSS it holds, VmHWM it held at most."""
    found = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key)]
    return int(found[0]) * 1024


def resident(name: str) -> tuple[int, int]:
    """The bytes that a process holds at most, beyond those after imports, in steps of the deep convolutional network.

    Those of the first three steps, in which programs are recorded or compiled, and those of a later one. So parameters,
    buffers and the state of the optimizer count, and libraries do not.
    """
    made, package = STEPS["deep"][name]
    if not made.keywords.get("numba", True):
        vars(sys)["modules"]["numba"] = None
    for module in (f"tests.benchmarks.convnets.{made.args[1]}", package):
        importlib.import_module(module)
    gc.collect()
    begun = status("VmRSS")
    peaks = Path("/proc/self/clear_refs")
    peaks.write_text("5")  # from here on, the most is counted anew
    step = made()
    first = status("VmHWM") - begun
    peaks.write_text("5")
    step()
    return first, status("VmHWM") - begun


def convnets() -> None:
    """The memory of a step of the deep convolutional network in each system, in a process of its own."""
    print("\nmost memory of a process in Adam steps of the deep convolutional network, batch 100, beyond imports")
    if not Path("/proc/self/clear_refs").exists():
        print("  is measured on Linux alone")
        return
    print(f"  {'':20}{'first steps':>14}{'later ones':>14}")
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "JAX_PLATFORMS": "cpu"}
    for name, (_, package) in STEPS["deep"].items():
        if importlib.util.find_spec(package):
            command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.memory", name]
            out = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            print(f"  {name.split(': ')[1]:20}" + "".join(f"{int(part) / 1e6:11.0f} MB" for part in out.stdout.split()))


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


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(*resident(sys.argv[1]))
    else:
        memory()
        convnets()
