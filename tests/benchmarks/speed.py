"""The table of speeds: every step, every peer, at one thread and at two."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Collection
from typing import Any

PEERS = {
    "blas": "numpy",
    "handwritten": "numpy",
    "ours": "tinygrad_edu",
    "replayed": "tinygrad_edu",
    "pytorch": "torch",
    "torch_compile": "torch",
    "jax_jit": "jax",
    "dezero_": "dezero",
    "mygrad_": "mygrad",
    "hips_autograd": "autograd",
    "micrograd_": "micrograd",
}
STEPS = {
    "expression": "record + backward of relu(a*b+c).sum(), 10 float32",
    "small_net": "SGD step, 784-50-10, batch 100",
    "seven_layers": "SGD step, 784-100x6-10, batch 100",
    "wide_net": "SGD step, 784-1024-1024-10, batch 100",
    "modern_net": "Adam step, 784-100x6-10 with batch norm and dropout, batch 100",
}
RANDOM = {"modern_net"}  # each system draws its own dropout, so their losses differ
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Peer:
    """A worker process, of the tree in a folder."""

    def __init__(self, name: str, threads: int, folder: str = ".") -> None:
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads)), "JAX_PLATFORMS": "cpu"}
        environment["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
        self.name = name
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.worker", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "PYTHONPATH": folder},
            cwd=folder,
        )
        self.answer()

    def answer(self) -> dict[str, Any]:
        """The next line the worker writes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.name} ended; its error is above")
        return json.loads(line)  # type: ignore[no-any-return]

    def ask(self, step: str, seconds: float) -> dict[str, Any]:
        """Have the worker prepare a step (the first time) or measure it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{step} {seconds}\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


def table(threads: int, rounds: int, seconds: float, without: Collection[str] = ()) -> dict[str, dict[str, float]]:
    """Medians in seconds, by step and peer; and the table on paper."""
    found = [name for name, module in PEERS.items() if name not in without and importlib.util.find_spec(module)]
    missing = [PEERS[name] for name in PEERS if name not in found and name not in without]
    if missing:
        print(f"not installed, so left out: {', '.join(missing)}")
    peers = [Peer(name, threads) for name in found]
    medians: dict[str, dict[str, float]] = {}
    for step, meaning in STEPS.items():
        ready = {peer.name: peer.ask(step, 0) for peer in peers}
        losses = {name: answer["loss"] for name, answer in ready.items() if "loss" in answer}
        runners = [peer for peer in peers if peer.name in losses]
        times: dict[str, list[float]] = {peer.name: [] for peer in runners}
        for _ in range(rounds):
            for peer in runners:
                time.sleep(0.05)  # let the threads of the peer before fall asleep
                times[peer.name].append(peer.ask(step, seconds)["seconds"])
        medians[step] = {name: statistics.median(ts) for name, ts in times.items()}
        ours, replayed = medians[step]["ours"], medians[step]["replayed"]
        print(f"\n{meaning}; {threads} thread{'s' * (threads > 1)}, median of {rounds} rounds")
        print(f"  {'':15}{'µs':>10}{'ours / it':>11}{'replayed / it':>15}   first loss")
        for name, t in sorted(medians[step].items(), key=lambda pair: pair[1]):
            loss = "-" if losses[name] is None else f"{losses[name]:.5f}"
            print(f"  {name.strip('_'):15}{t * 1e6:10.1f}{ours / t:10.2f}×{replayed / t:14.2f}×   {loss}")
        reference = losses.get("handwritten") or losses["ours"]
        for name, loss in losses.items():
            if step not in RANDOM and loss is not None and abs(loss - reference) > 1e-3 * abs(reference):
                raise RuntimeError(f"{name} computes another loss in {step}: {loss} instead of {reference}")
    for peer in peers:
        peer.close()
    return medians
