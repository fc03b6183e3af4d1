"""What batches cost without a model: passes over 60,000 rows of 784 float32, shuffled, 100 a batch; and what threads save.

    python -m tests.benchmarks.batches [NAME]

Each loader runs in a process of its own, on one core, and they take turns; the time of the processor counts. With a NAME,
this process is one of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tests.benchmarks.epoch import BATCH
from tests.benchmarks.turns import Program, Programs, medians, serve, take_turns
from tinygrad_edu.data import DataLoader, Dataset

ROWS = 60_000


def data() -> tuple[Any, Any]:
    """Rows and labels."""
    rng = np.random.default_rng(0)
    return rng.random((ROWS, 784), dtype=np.float32), rng.integers(10, size=ROWS)


def slices() -> Callable[[], Iterable[Any]]:
    """NumPy's indexing, as one writes it."""
    x, y = data()

    def batches() -> Iterable[Any]:
        order = np.random.default_rng().permutation(ROWS)
        for start in range(0, ROWS, BATCH):
            places = order[start : start + BATCH]
            yield x[places], y[places]

    return batches


def ours(workers: int = 0) -> Callable[[], Iterable[Any]]:
    """tinygrad_edu's loader."""
    loader = DataLoader(data(), BATCH, shuffle=True, num_workers=workers)
    return lambda: loader


def torch_slices() -> Callable[[], Iterable[Any]]:
    """PyTorch's indexing."""
    import torch

    torch.set_num_threads(1)
    x, y = map(torch.from_numpy, data())
    return lambda: ((x[places], y[places]) for places in torch.randperm(ROWS).split(BATCH))


def torch_loader() -> Callable[[], Iterable[Any]]:
    """PyTorch's loader."""
    import torch
    from torch.utils.data import DataLoader as Loader
    from torch.utils.data import TensorDataset

    torch.set_num_threads(1)
    loader = Loader(TensorDataset(*map(torch.from_numpy, data())), BATCH, shuffle=True)
    return lambda: loader


def rows(make: Callable[[], Callable[[], Iterable[Any]]]) -> Callable[[], Program]:
    """A pass over the batches that gives how many rows they had."""

    def counted() -> Program:
        batches = make()
        return lambda: sum(len(y) for _, y in batches())

    return counted


LOADERS: Programs = {
    "DataLoader": (rows(ours), "numpy"),
    "DataLoader, one thread ahead": (rows(lambda: ours(1)), "numpy"),
    "NumPy, slices": (rows(slices), "numpy"),
    "PyTorch, slices": (rows(torch_slices), "torch"),
    "PyTorch, DataLoader": (rows(torch_loader), "torch"),
}
"""The loaders, and what each needs to be installed."""


def table(rounds: int = 15) -> dict[str, float]:
    """The median processor time of a pass, by loader, and the table on paper."""
    answers = take_turns("tests.benchmarks.batches", LOADERS, rounds)
    print(
        f"\na pass over {ROWS:,} rows of 784 float32 without a model, batch {BATCH}; one core, median of {rounds} rounds"
    )
    for name, t in medians(answers):
        assert all(answer["value"] == ROWS for answer in answers[name])
        print(f"  {name:30}{t * 1e3:8.1f} ms CPU")
    return dict(medians(answers))


class Waited(Dataset[tuple[Any, int]]):
    """Samples that come from elsewhere, each after 2 ms."""

    def __len__(self) -> int:
        return 200

    def __getitem__(self, i: int) -> tuple[Any, int]:
        time.sleep(0.002)
        return np.zeros(784, np.float32), i


def waiting() -> None:
    """The table of threads for samples that are waited for."""
    print("\n200 samples that come after 2 ms each, 10 a batch: seconds by number of threads")
    for workers in (0, 1, 2, 4, 8):
        begun = time.perf_counter()
        rows = sum(len(y) for _, y in DataLoader(Waited(), 10, num_workers=workers))
        assert rows == 200
        print(f"  num_workers={workers}: {time.perf_counter() - begun:.3f}")


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(LOADERS, sys.argv[1])
    else:
        table()
        waiting()
