"""Programs in processes of their own, on one core, that take turns: what counts is the time of the processor.

A module has a table of programs, by name a function that makes one and the package that it needs. Run with a name
(`python -m MODULE NAME`) it is `serve(table, name)`; `take_turns(MODULE, table, rounds)` starts a process for each.

With `by_the_clock` each has as many cores and threads as one says, and the time that passes counts; so the machine should
have nothing else to do.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from importlib.util import find_spec
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
CORES, CLOCK = "BENCHMARK_CORES", "BENCHMARK_CLOCK"
OURS = ("tinygrad_edu", "numba")
"""The packages that programs of our own need: threads share their images, and their products take one thread each."""

Program = Callable[[], float]
Programs = Mapping[str, tuple[Callable[[], Program], str]]
Answers = list[dict[str, float]]


def cores() -> int:
    """How many cores and threads the program of this process has."""
    return int(os.environ.get(CORES, "1"))


def serve(programs: Programs, name: str) -> None:
    """Answer each line with a run: its time, of the processor and of all threads, or by the clock; and what it returns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores() :])
    clock = time.perf_counter if CLOCK in os.environ else time.process_time
    run = programs[name][0]()
    for _ in sys.stdin:
        begun = clock()
        value = run()
        print(json.dumps({"seconds": clock() - begun, "value": value}), flush=True)


def take_turns(module: str, programs: Programs, rounds: int) -> dict[str, Answers]:
    """The answers of each program whose package is installed, after a first one that is not counted but is the first here."""
    workers = {name: _start(module, name, 1) for name, (_, package) in programs.items() if find_spec(package)}
    return _answers(workers, rounds)


def by_the_clock(
    module: str, programs: Programs, rounds: int, counts: Mapping[str, Sequence[int]]
) -> dict[tuple[str, int], Answers]:
    """The answers of each program whose package is installed, with each of its counts of threads: by name and count."""
    workers = {
        (name, n): _start(module, name, n, {CLOCK: "1"} | ({"OPENBLAS_NUM_THREADS": "1"} if package in OURS else {}))
        for name, (_, package) in programs.items()
        if find_spec(package)
        for n in counts[name]
    }
    return _answers(workers, rounds)


def _start(module: str, name: str, n: int, more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """A process that serves a program with n threads."""
    environment = {
        **os.environ,
        **dict.fromkeys(THREADS, str(n)),
        "JAX_PLATFORMS": "cpu",
        CORES: str(n),
        **(more or {}),
    }
    if n == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command, pipe = [sys.executable, "-W", "ignore", "-m", module, name], subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)


def _answers(workers: Mapping[K, subprocess.Popen[str]], rounds: int) -> dict[K, Answers]:
    answers: dict[K, Answers] = {key: [] for key in workers}
    for _ in range(rounds + 1):
        for key, worker in workers.items():
            answers[key].append(_ask(str(key), worker))
    for worker in workers.values():
        worker.communicate()
    return answers


def medians(answers: Mapping[str, list[dict[str, float]]]) -> list[tuple[str, float]]:
    """The median processor time of a run of each program, the fastest first; the first run does not count."""
    found = {name: statistics.median(a["seconds"] for a in given[1:]) for name, given in answers.items()}
    return sorted(found.items(), key=lambda pair: pair[1])


def ratio(answers: Mapping[str, list[dict[str, float]]], ours: str, other: str) -> float:
    """How many times as long one program takes as another: the median over rounds, in each of which both ran."""
    rounds = zip(answers[ours][1:], answers[other][1:], strict=True)
    return statistics.median(own["seconds"] / its["seconds"] for own, its in rounds)


def _ask(name: str, worker: subprocess.Popen[str]) -> dict[str, float]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("go\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"the process of {name} ended; its error is above")
    answer: dict[str, float] = json.loads(line)
    return answer
