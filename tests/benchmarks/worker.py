"""One peer in a process of its own: reads the name of a step, answers with the seconds one run took."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time

from tests.benchmarks.peers import NETS


def measure(step, seconds: float) -> float:
    """The median seconds of a step, over batches of runs that fill `seconds`."""
    start = time.perf_counter()
    step()
    once = max(time.perf_counter() - start, 1e-6)
    batch = max(1, int(0.02 / once))
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        for _ in range(batch):
            step()
        times.append((time.perf_counter() - start) / batch)
    return sorted(times)[len(times) // 2]


def main(peer: str) -> None:
    """Serve requests, a line each: a step's name and how long to measure.

    The process keeps to as many cores as it may have threads, since not every library can be told.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(os.environ["OMP_NUM_THREADS"]) :])
    module = importlib.import_module(f"tests.benchmarks.peers.{peer}")
    steps = {}
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        name, seconds = line.split()
        if name not in steps:
            make = getattr(module, "net" if name in NETS else name, None)
            if make is None:
                print(json.dumps({"seconds": None}), flush=True)
                continue
            steps[name] = make(NETS[name]) if name in NETS else make()
            first = steps[name](value=True)
            for _ in range(20):
                steps[name]()
            print(json.dumps({"loss": first}), flush=True)
            continue
        print(json.dumps({"seconds": measure(steps[name], float(seconds))}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
