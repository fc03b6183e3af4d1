"""`python -m tests.benchmarks [--quick]`: all tables; `--against COMMIT`: this tree beside an earlier one alone."""

from __future__ import annotations

import argparse

from tests.benchmarks import batches, convolution, epoch, memory, sequences, speed, threads, transformer, updates, xla
from tests.benchmarks.against import against


def main() -> None:
    """Print every table, or one of this tree beside an earlier one."""
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Speed and memory beside others.")
    options.add_argument("--quick", action="store_true", help="fewer rounds: a look in some minutes")
    options.add_argument("--against", metavar="COMMIT", help="only this tree beside that commit's")
    given = options.parse_args()
    quick = given.quick
    if given.against is not None:
        against(given.against, rounds=5 if quick else 15)
        return
    for n in (1, 2):
        slow = {"torch_compile"} if quick else ()  # it compiles for a minute
        speed.table(n, rounds=2 if quick else 9, seconds=0.2 if quick else 0.5, without=slow)
    epoch.table(2 if quick else 7)
    batches.table(3 if quick else 15)
    batches.waiting()
    convolution.table(2 if quick else 9)
    if not quick:  # it starts seventy processes
        convolution.two_threads()
    updates.table(2 if quick else 9)
    sequences.table(2 if quick else 9)
    transformer.table(2 if quick else 9)
    xla.table(2 if quick else 9)
    threads.in_threads(50 if quick else 200)
    memory.chains(100_000 if quick else 1_000_000)
    memory.memory()
    memory.convnets()
    memory.imports(5 if quick else 15)


if __name__ == "__main__":
    main()
