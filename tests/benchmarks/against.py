"""This tree beside an earlier commit: the same steps, in processes of their own, in turn."""

from __future__ import annotations

import io
import statistics
import subprocess
import tarfile
import tempfile
import time

from tests.benchmarks.speed import STEPS, Peer


def against(commit: str, threads: int = 1, rounds: int = 15, seconds: float = 0.3) -> None:
    """Print the microseconds of each step here and at `commit`, and the median of the ratios of neighbouring runs."""
    archive = subprocess.run(["git", "archive", commit], capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        print(f"\nthis tree beside {commit}; {threads} thread{'s' * (threads > 1)}, median of {rounds} rounds")
        print(f"  {'':28}{'there, µs':>12}{'here, µs':>12}{'here / there':>14}")
        for name in ("ours", "replayed"):
            there, here = Peer(name, threads, folder), Peer(name, threads)
            for step in STEPS:
                for peer in (there, here):
                    peer.ask(step, 0)
                pairs = []
                for i in range(rounds):
                    measured = {}
                    for peer in (there, here) if i % 2 else (here, there):
                        time.sleep(0.02)
                        measured[peer] = peer.ask(step, seconds)["seconds"]
                    pairs.append((measured[there], measured[here]))
                before, after = (statistics.median(times) for times in zip(*pairs, strict=True))
                ratio = statistics.median(b / a for a, b in pairs)
                print(f"  {step:16}{name:12}{before * 1e6:12.1f}{after * 1e6:12.1f}{ratio:13.3f}×", flush=True)
            there.close()
            here.close()
