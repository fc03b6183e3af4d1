"""Programs in processes of their own, on one core, that take turns: what counts is the time of the processor.

A module has a table of programs, by name a function that makes one and the package that it needs. Run with a name
(`python -m MODULE NAME`) it is `serve(table, name)`; `take_turns(MODULE, table, rounds)` starts a process for each.
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
Program = Callable[[], float]
Programs = Mapping[str, tuple[Callable[[], Program], str]]


def serve(programs: Programs, name: str) -> None:
    """Answer each line with a run: its processor time, of all threads together, and the number that it returns."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-1:])
    run = programs[name][0]()
    for _ in sys.stdin:
        begun = time.process_time()
        value = run()
        print(json.dumps({"seconds": time.process_time() - begun, "value": value}), flush=True)


def take_turns(module: str, programs: Programs, rounds: int) -> dict[str, list[dict[str, float]]]:
    """The answers of each program whose package is installed, after a first one that is not counted but is the first here."""
    found = [name for name, (_, package) in programs.items() if importlib.util.find_spec(package)]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1"), "JAX_PLATFORMS": "cpu"}
    environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = [sys.executable, "-W", "ignore", "-m", module]
    pipe = subprocess.PIPE
    workers = {
        name: subprocess.Popen([*command, name], stdin=pipe, stdout=pipe, text=True, env=environment) for name in found
    }
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in found}
    for _ in range(rounds + 1):
        for name, worker in workers.items():
            answers[name].append(_ask(name, worker))
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
