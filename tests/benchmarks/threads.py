"""Whether the blocks of a replay would be run sooner by two threads: an update of 1024×1024 weights, after a product."""

from __future__ import annotations

import statistics
import threading
import time

import numpy as np

from tinygrad_edu.program.blocks import BYTES_OF_A_BLOCK


def in_threads(rounds: int = 200) -> None:
    """The time of w -= lr·g in blocks, by one thread and by two, with the products in between that a step has."""
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal((100, 1024)).astype(np.float32) for _ in range(2))
    w, slope = np.zeros((1024, 1024), np.float32), np.empty((1024, 1024), np.float32)
    lr = np.float32(0.01)
    print("\nw -= lr·g for 1024×1024 weights, µs by one thread and by two")
    for length in (BYTES_OF_A_BLOCK // 4, BYTES_OF_A_BLOCK):
        flat, weights = slope.reshape(-1), w.reshape(-1)
        places = range(0, flat.size, length)
        rows = [(flat[i : i + length], weights[i : i + length], np.empty(length, np.float32)) for i in places]

        def update(rows, lr=lr):
            for s, p, scratch in rows:
                np.multiply(lr, s, scratch)
                np.subtract(p, scratch, p)

        begin, done, half = threading.Semaphore(0), threading.Semaphore(0), rows[len(rows) // 2 :]
        going = [True]

        def second(begin=begin, done=done, half=half, going=going, update=update):
            while begin.acquire() and going:
                update(half)
                done.release()

        helper = threading.Thread(target=second)
        helper.start()
        times: dict[str, list[float]] = {"one": [], "two": []}
        for _ in range(rounds):
            np.matmul(x.T, g, slope)
            start = time.perf_counter()
            update(rows)
            times["one"].append(time.perf_counter() - start)
            np.matmul(x.T, g, slope)
            start = time.perf_counter()
            begin.release()
            update(rows[: len(rows) // 2])
            done.acquire()
            times["two"].append(time.perf_counter() - start)
        going.clear()
        begin.release()
        helper.join()
        one, two = (statistics.median(ts) * 1e6 for ts in times.values())
        print(f"  blocks of {length * 4 // 1024} KiB: {one:.0f} and {two:.0f}: {two / one:.2f}×")
