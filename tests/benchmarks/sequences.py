"""A step of a language model of 10,000 words, of 20 texts of 35 words, by each system.

    python -m tests.benchmarks.sequences [NAME]

Words become vectors of 100 numbers, a recurrent layer of 100 units reads them, and a linear layer says which word comes
next; cross-entropy over all words, and a step of SGD, in float32. Each in a process of its own, on one core, in turns.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import numpy as np

from tests.benchmarks.turns import Program, Programs, medians, ratio, serve, take_turns

WORDS, WIDTH, STEPS, TEXTS = 10_000, 100, 35, 20
RUNS = 3
"""The steps of training of one turn."""

LAYERS = {"LSTM": ("LSTM", False), "GRU": ("GRU", False), "both ways": ("LSTM", True)}
"""The recurrent layers by name: of which kind, and whether in both directions."""


def _problem() -> tuple[Any, Any]:
    """Texts, and the words that come next."""
    rng = np.random.default_rng(0)
    return rng.integers(WORDS, size=(STEPS, TEXTS)), rng.integers(WORDS, size=(STEPS, TEXTS))


def ours(name: str, replayed: bool) -> Program:
    """tinygrad_edu's step, as it is written or replayed."""
    import tinygrad_edu as tg
    from tinygrad_edu import nn, optim
    from tinygrad_edu.nn import functional as F

    tg.manual_seed(0)
    kind, both = LAYERS[name]
    embedding, output = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH * (1 + both), WORDS)
    layer = getattr(nn, kind)(WIDTH, WIDTH, bidirectional=both)
    parameters = [p for module in (embedding, layer, output) for p in module.parameters()]
    optimizer = optim.SGD(parameters, lr=0.1)

    def step(x: Any, target: Any) -> Any:
        optimizer.zero_grad()
        y, _ = layer(embedding(x))
        loss = F.cross_entropy(output(y.reshape(STEPS * TEXTS, -1)), target.reshape(-1))
        loss.backward()
        optimizer.step()
        return loss

    run = tg.replay(step) if replayed else step
    x, target = _problem()

    def steps() -> float:
        return [run(x, target).item() for _ in range(RUNS)][-1]

    return steps


def pytorch(name: str) -> Program:
    """PyTorch's step."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    kind, both = LAYERS[name]
    embedding, output = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH * (1 + both), WORDS)
    layer = getattr(nn, kind)(WIDTH, WIDTH, bidirectional=both)
    parameters = [p for module in (embedding, layer, output) for p in module.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    x, target = map(torch.from_numpy, _problem())

    def steps() -> float:
        for _ in range(RUNS):
            optimizer.zero_grad()
            y, _ = layer(embedding(x))
            loss = nn.functional.cross_entropy(output(y.reshape(STEPS * TEXTS, -1)), target.reshape(-1))
            loss.backward()
            optimizer.step()
        return loss.item()

    return steps


def _programs(name: str) -> dict[str, tuple[Any, str]]:
    return {
        f"{name}, replayed": (partial(ours, name, True), "numpy"),
        f"{name}, eager": (partial(ours, name, False), "numpy"),
        f"{name}, PyTorch": (partial(pytorch, name), "torch"),
    }


PROGRAMS: Programs = {key: program for name in LAYERS for key, program in _programs(name).items()}


def table(rounds: int) -> None:
    """A line for each system and layer: its processor time for one step."""
    print(f"\n## A step of a language model: {WORDS:,} words, {WIDTH} units, {TEXTS} texts of {STEPS} words\n")
    for name in LAYERS:
        answers = take_turns("tests.benchmarks.sequences", _programs(name), rounds)
        for system, seconds in medians(answers):
            print(f"{system:24} {seconds / RUNS * 1e3:6.1f} ms")
        theirs = f"{name}, PyTorch"
        if theirs in answers:
            print(f"  replayed / PyTorch: {ratio(answers, f'{name}, replayed', theirs):.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(PROGRAMS, sys.argv[1])
    else:
        table(15)
